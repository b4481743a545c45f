#include "service/rest/route.h"

#include <algorithm>
#include <charconv>

#include "service/core/answer/explanation.h"
#include "service/core/base/time_text.h"

namespace emplace::http {

void on_line(LinePool& lines, Finish finish, std::function<Result<Response>()> job) {
  const bool queued = lines.submit([finish, job = std::move(job)] {
    try {
      finish(job());
    } catch (const std::exception& defect) {
      finish(fail(ErrorCode::kInternal, defect.what()));
    }
  });
  if (!queued) {
    finish(
        fail(ErrorCode::kUnavailable, "more requests wait than the service will hold; try again", "emplace.busy", 1));
  }
}

Result<Uuid> uuid_of(std::string_view what, std::string_view text) {
  const auto id = parse_uuid(text);
  if (!id) return fail(ErrorCode::kInvalid, std::string(what) + ": wanted a uuid, found " + json_text(text));
  return *id;
}

Result<std::optional<std::int64_t>> if_match(const Request& request) {
  const std::string* header = request.header("if-match");
  if (!header || *header == "*") return std::optional<std::int64_t>();
  std::int64_t generation = 0;
  const char* last = header->data() + header->size() - 1;
  const bool quoted = header->size() > 2 && header->front() == '"' && header->back() == '"';
  const auto [end, error] = quoted ? std::from_chars(header->data() + 1, last, generation)
                                   : std::from_chars_result{nullptr, std::errc::invalid_argument};
  if (error != std::errc() || end != last || generation < 0) {
    return fail(ErrorCode::kInvalid, "If-Match: wanted the ETag of the resource or *, found " + json_text(*header));
  }
  return std::optional(generation);
}

std::string etag(std::int64_t generation) { return '"' + std::to_string(generation) + '"'; }

Response json_response(std::string body, int status) { return {.status = status, .body = std::move(body)}; }
Response no_content() { return {.status = 204, .body = ""}; }

Staleness staleness_of(const ApiRoom& room) {
  const auto since = [&](std::int64_t at_us) {
    return Staleness{true, static_cast<double>(std::max<std::int64_t>(room.now_us() - at_us, 0)) / 1e6};
  };
  const auto cloud = room.parts.cloud ? room.parts.cloud() : std::nullopt;
  if (cloud && cloud->read_at_us != 0 && cloud->older) return since(cloud->read_at_us);
  const StoreState state = room.parts.store.state();
  return state.connected ? Staleness() : since(state.down_since_us);
}

Result<std::string> unread_cloud(const ApiRoom& room, const Picture& picture, AskedHosts asked) {
  return unread_cloud(room.parts.cloud ? room.parts.cloud() : std::nullopt, picture, asked);
}

void write_staleness(const ApiRoom& room, JsonWriter& writer) {
  const Staleness staleness = staleness_of(room);
  writer.flag("stale", staleness.stale);
  if (staleness.stale) writer.number("age_s", staleness.age_s);
}

// ---- idempotency

Result<std::optional<IdempotencyKey>> idempotency_key(const Exchange& exchange) {
  const std::string* header = exchange.request->header("idempotency-key");
  if (!header) return std::optional<IdempotencyKey>();
  if (!is_name(*header)) {
    return fail(ErrorCode::kInvalid,
                "Idempotency-Key: wanted 1 to 255 characters, found " + std::to_string(characters_of(*header)));
  }
  const Request& request = *exchange.request;
  return std::optional(IdempotencyKey{*header, exchange.identity.token_hash,
                                      sha256_hex(request.method + ' ' + request.path + '\n' + request.body)});
}

namespace {

Response replayed(const RememberedAnswer& answer) {
  Response response = answer.status == 204 ? no_content() : json_response(answer.body, answer.status);
  response.headers.emplace_back("Idempotency-Replayed", "true");
  return response;
}

}  // namespace

Result<Response> once(const ApiRoom& room, const std::optional<IdempotencyKey>& key,
                      const std::function<Result<Response>()>& make) {
  if (!key) return make();
  const auto known = room.parts.store.remembered(*key, room.deadline());
  if (!known) return tl::unexpected(known.error());
  if (*known) return replayed(**known);
  Result<Response> made = make();
  if (made || made.error().code == ErrorCode::kInvalid) return made;
  // Of two calls with one key at the same time the store lets one through; the other gets its answer.
  const auto raced = room.parts.store.remembered(*key, room.deadline());
  if (raced && *raced) return replayed(**raced);
  return made;
}

Result<Response> once_stored(const ApiRoom& room, const std::optional<IdempotencyKey>& key,
                             const std::function<Result<Response>()>& make) {
  Result<Response> made = make();
  if (made || !key) return made;
  const auto known = room.parts.store.remembered(*key, room.deadline());
  if (known && *known) return replayed(**known);
  if (!known && known.error().code == ErrorCode::kUnprocessable) return tl::unexpected(known.error());
  return made;
}

std::optional<std::pair<IdempotencyKey, RememberedAnswer>> remembering(const std::optional<IdempotencyKey>& key,
                                                                       const Response& response) {
  if (!key) return std::nullopt;
  return std::pair(*key, RememberedAnswer{response.status, response.body});
}

}  // namespace emplace::http
