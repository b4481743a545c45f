#include <fmt/format.h>

#include "service/core/change.h"
#include "service/core/explanation.h"
#include "service/core/request_json.h"
#include "service/core/shown_text.h"
#include "service/http/api_route.h"
#include "service/http/listing.h"
#include "service/http/placing.h"

namespace emplace::http {
namespace {

std::string claim_json(const Claim& claim) {
  JsonWriter writer;
  write_claim(writer, claim);
  return writer.take();
}

// A held claim as the picture knows it, which knows no times.
void write_known_claim(JsonWriter& writer, const Picture& picture, std::uint32_t row) {
  const VmRow vm = vm_row(picture, row);
  writer.open().text("id", to_string(*vm.claim)).text("vm", to_string(vm.id)).text("vm_name", vm.name);
  writer.text("host", vm.host).text("state", "held").key("expires_at").null();
  writer.key("taken_at").null().close();
}

// While the store is away.
void write_known_claims(JsonWriter& writer, const Picture& picture) {
  for (std::uint32_t row = 0; row < picture.rows(Table::kVms); ++row) {
    if (is_alive(picture, vms::alive, row) && picture[vms::claim].valid(row)) write_known_claim(writer, picture, row);
  }
}

// What /v1/filter has reserved is a claim by the vm's own id, which the store does not count.
std::uint32_t find_reserved(const Picture& picture, const Uuid& id) { return picture.find_claim(id, id); }

Result<Response> list_claims(const ApiRoom& room, const Exchange& exchange) {
  const auto page = page_of(room, exchange);
  if (!page) return tl::unexpected(page.error());
  const auto marker = page->marker.empty() ? Result<Uuid>(Uuid{}) : uuid_of("marker", page->marker);
  if (!marker) return tl::unexpected(marker.error());
  auto claims = room.parts.store.claims(*marker, page->limit + 1, room.deadline());
  const bool away = !claims && claims.error().code == ErrorCode::kUnavailable;
  if (!claims && !away) return tl::unexpected(claims.error());
  const bool more = !away && claims->size() > page->limit;
  if (more) claims->resize(page->limit);
  JsonWriter writer;
  writer.open().key("claims").open_list();
  if (away) {
    write_known_claims(writer, *room.parts.pictures.latest());
  } else {
    for (const Claim& claim : *claims) write_claim(writer, claim);
  }
  writer.close_list();
  write_staleness(room, writer);
  write_next(writer, "/v1/claims", *page, away || claims->empty() ? "" : to_string(claims->back().id), more);
  writer.close();
  return json_response(writer.take());
}

Result<Response> show_claim(const ApiRoom& room, const Exchange& exchange) {
  const auto id = uuid_of("claim", exchange.parameter("id"));
  if (!id) return tl::unexpected(id.error());
  const auto picture = room.parts.pictures.latest();
  if (const std::uint32_t row = find_reserved(*picture, *id); row != kNoRow) {
    JsonWriter writer;
    write_known_claim(writer, *picture, row);
    return json_response(writer.take());
  }
  const auto claim = room.parts.store.claim(*id, room.deadline());
  if (!claim) return tl::unexpected(claim.error());
  return json_response(claim_json(*claim));
}

Result<Response> take_claim(const ApiRoom& room, const Exchange& exchange, const std::optional<IdempotencyKey>& key) {
  auto wish = parse_claim(exchange.request->body);
  if (!wish) return tl::unexpected(wish.error());
  const auto picture = room.parts.pictures.latest();
  if (picture->find_host(wish->host) == kNoRow) {
    return fail(ErrorCode::kInvalid, "host: wanted the name of a host, found " + json_text(wish->host));
  }
  if (!wish->vm.group.empty() && picture->find_group(wish->vm.group) == kNoRow) {
    return fail(ErrorCode::kInvalid, "vm.group: wanted the name of a group, found " + json_text(wish->vm.group));
  }
  if (wish->vm.id.is_zero()) wish->vm.id = room.parts.ambient.new_uuid();
  const std::uint32_t there = picture->find_vm(wish->vm.id);
  ClaimOrder order{.id = room.parts.ambient.new_uuid(), .vm = wish->vm, .host = wish->host, .ttl_s = wish->ttl_s};
  order.move = there != kNoRow && (*picture)[vms::host].valid(there);
  const auto records = [key](std::span<const Claim> claims) {
    return ClaimRecords{.decision = {}, .answer = remembering(key, json_response(claim_json(claims.front()), 201))};
  };
  const auto taken = room.parts.store.take({std::move(order)}, records, room.deadline());
  if (!taken) return tl::unexpected(taken.error());
  if (taken->conflict) return fail(ErrorCode::kConflict, sentence(taken->conflict->why), "emplace.claim.conflict");
  room.settle(taken->event_seq);
  const Claim& claim = taken->claims.front();
  room.log("info",
           fmt::format("event=claim request={} claim={} vm={} host={} by={}", exchange.request->id, to_string(claim.id),
                       to_string(claim.vm), log_text(claim.host), log_text(exchange.identity.name)));
  Response response = json_response(claim_json(claim), 201);
  response.headers.emplace_back("Location", "/v1/claims/" + to_string(claim.id));
  return response;
}

Result<Response> post_claim(const ApiRoom& room, const Exchange& exchange) {
  const auto key = idempotency_key(exchange);
  if (!key) return tl::unexpected(key.error());
  return once(room, *key, [&] { return take_claim(room, exchange, *key); });
}

// {"state":"placed"|"running"|"stopped"}, or nothing.
Result<VmState> confirmed_state(const std::string& body) {
  VmState state = VmState::kPlaced;
  if (body.empty()) return state;
  const auto document = JsonDocument::parse(body);
  if (!document) return tl::unexpected(document.error());
  JsonErrors errors;
  JsonFields fields(document->root(), "", errors);
  fields.choice(
      "state", state, "placed, running, stopped", +[](std::string_view word) -> std::optional<VmState> {
        const auto read = parse_vm_state(word);
        const bool settled = read == VmState::kPlaced || read == VmState::kRunning || read == VmState::kStopped;
        return settled ? read : std::nullopt;
      });
  fields.refuse_unknown();
  if (!errors.none()) return errors.failure();
  return state;
}

Result<Response> confirm_claim(const ApiRoom& room, const Exchange& exchange) {
  const auto id = uuid_of("claim", exchange.parameter("id"));
  if (!id) return tl::unexpected(id.error());
  const auto state = confirmed_state(exchange.request->body);
  if (!state) return tl::unexpected(state.error());
  const Deadline deadline = room.deadline();
  const auto event_seq = room.parts.store.confirm(*id, *state, deadline);
  if (!event_seq) return tl::unexpected(event_seq.error());
  room.settle(*event_seq);
  const auto claim = room.parts.store.claim(*id, deadline);
  if (!claim) return tl::unexpected(claim.error());
  return json_response(claim_json(*claim));
}

Result<Response> remove_claim(const ApiRoom& room, const Exchange& exchange) {
  const auto id = uuid_of("claim", exchange.parameter("id"));
  if (!id) return tl::unexpected(id.error());
  if (find_reserved(*room.parts.pictures.latest(), *id) != kNoRow) {
    room.parts.reservations.reserve({&*id, 1}, 0, [](const auto&) { return std::vector<Reservation>(); });
    return no_content();
  }
  const auto event_seq = room.parts.store.give_back(*id, "", room.deadline());
  if (!event_seq) return tl::unexpected(event_seq.error());
  room.settle(*event_seq);
  return no_content();
}

}  // namespace

void add_claim_routes(ApiRoutes& routes) {
  routes.push_back({"GET", "/v1/claims", Role::kReader, {"limit", "marker"}, Where::kLine, list_claims});
  routes.push_back({"POST", "/v1/claims", Role::kPlanner, {}, Where::kLine, post_claim});
  routes.push_back({"GET", "/v1/claims/{id}", Role::kReader, {}, Where::kLine, show_claim});
  routes.push_back({"PUT", "/v1/claims/{id}:confirm", Role::kPlanner, {}, Where::kLine, confirm_claim});
  routes.push_back({"DELETE", "/v1/claims/{id}", Role::kPlanner, {}, Where::kLine, remove_claim});
}

}  // namespace emplace::http
