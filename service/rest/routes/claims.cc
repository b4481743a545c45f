#include <fmt/format.h>

#include "service/core/answer/explanation.h"
#include "service/core/base/shown_text.h"
#include "service/core/change/change.h"
#include "service/core/request/request_json.h"
#include "service/rest/listing.h"
#include "service/rest/placing.h"
#include "service/rest/project.h"
#include "service/rest/route.h"

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
  writer.text_or_null("project", vm.project).text_or_null("group", vm.group);
  writer.text("host", vm.host).text("state", "held").key("expires_at").null();
  writer.key("taken_at").null().close();
}

// What /v1/filter has reserved is a claim by the vm's own id, which the store does not count.
std::uint32_t find_reserved(const Picture& picture, const Uuid& id) { return picture.find_claim(id, id); }

// While the store is away.
Response list_known_claims(const ApiRoom& room, const Exchange& exchange, const Picture& picture,
                           const ListQuestion& question) {
  const VmRows wanted(picture, question);
  const auto claim = picture[vms::claim];
  const RowPage page = page_of_rows(
      picture.rows(Table::kVms), question,
      [&](std::uint32_t row) {
        return is_alive(picture, vms::alive, row) && claim.valid(row) && claim[row] != picture[vms::id][row] &&
               wanted.has(row);
      },
      [&](std::uint32_t row) { return wanted.place(row, claim[row]); });
  JsonWriter writer;
  writer.open().key("claims").open_list();
  for (const std::uint32_t row : page.rows) write_known_claim(writer, picture, row);
  ListEnd end{picture.version().event_seq, question.limit, std::nullopt};
  if (page.more) {
    const VmRow last = vm_row(picture, page.rows.back());
    end.marker = list_marker(question, ListKey::kId, {.id = *last.claim, .name = last.name});
  }
  return end_list(room, exchange, writer, end);
}

Result<Response> list_claims(const ApiRoom& room, const Exchange& exchange) {
  const auto picture = room.parts.pictures.latest();
  auto question = list_question(room, exchange, *picture, ListKey::kId);
  if (!question) return tl::unexpected(question.error());
  ListQuestion one_more = *question;
  ++one_more.limit;
  auto claims = room.parts.store.claims(one_more, room.deadline());
  if (!claims && claims.error().code == ErrorCode::kUnavailable)
    return list_known_claims(room, exchange, *picture, *question);
  if (!claims) return tl::unexpected(claims.error());
  ListEnd end{claims->event_seq, question->limit, std::nullopt};
  if (claims->rows.size() > question->limit) {
    claims->rows.resize(question->limit);
    const Claim& last = claims->rows.back();
    end.marker = list_marker(*question, ListKey::kId, {.id = last.id, .name = last.vm_name});
  }
  JsonWriter writer;
  writer.open().key("claims").open_list();
  for (const Claim& claim : claims->rows) write_claim(writer, claim);
  return end_list(room, exchange, writer, end);
}

// A row of the picture: what is reserved by that id and seen by the caller.
std::uint32_t find_reserved(const Exchange& exchange, const Picture& picture, const Uuid& id) {
  const std::uint32_t row = find_reserved(picture, id);
  return row != kNoRow && sees(exchange.identity, vm_row(picture, row).project) ? row : kNoRow;
}

// Of the store, and seen by the caller.
Result<Claim> find_claim(const ApiRoom& room, const Exchange& exchange, const Uuid& id, Deadline deadline) {
  auto claim = room.parts.store.claim(id, deadline);
  if (claim && !sees(exchange.identity, claim->project)) return fail(ErrorCode::kNotFound, "no claim " + to_string(id));
  return claim;
}

// Before a change: only a project's token needs to ask whose it is.
Result<void> check_claim(const ApiRoom& room, const Exchange& exchange, const Uuid& id, Deadline deadline) {
  if (exchange.identity.project.empty()) return {};
  return find_claim(room, exchange, id, deadline).map([](const Claim&) {});
}

Result<Response> show_claim(const ApiRoom& room, const Exchange& exchange) {
  const auto id = uuid_of("claim", exchange.parameter("id"));
  if (!id) return tl::unexpected(id.error());
  const auto picture = room.parts.pictures.latest();
  if (const std::uint32_t row = find_reserved(exchange, *picture, *id); row != kNoRow) {
    JsonWriter writer;
    write_known_claim(writer, *picture, row);
    return json_response(writer.take());
  }
  const auto claim = find_claim(room, exchange, *id, room.deadline());
  if (!claim) return tl::unexpected(claim.error());
  return json_response(claim_json(*claim));
}

// What the store refused. What was found may be another project's.
std::string told(const Identity& identity, const emplace::Refusal& why) {
  return identity.project.empty() ? sentence(why) : why.code;
}

Result<Response> take_claim(const ApiRoom& room, const Exchange& exchange, const std::optional<IdempotencyKey>& key) {
  auto wish = parse_claim(in_project(exchange.identity, exchange.request->body));
  if (!wish) return tl::unexpected(wish.error());
  const auto picture = room.parts.pictures.latest();
  if (const auto may = check_vm(exchange.identity, wish->vm, *picture); !may) return tl::unexpected(may.error());
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
  if (taken->conflict)
    return fail(ErrorCode::kConflict, told(exchange.identity, taken->conflict->why), "emplace.claim.conflict");
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
  if (const auto seen = check_claim(room, exchange, *id, deadline); !seen) return tl::unexpected(seen.error());
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
  if (find_reserved(exchange, *room.parts.pictures.latest(), *id) != kNoRow) {
    room.parts.reservations.reserve({&*id, 1}, 0, [](const auto&) { return std::vector<Reservation>(); });
    return no_content();
  }
  const Deadline deadline = room.deadline();
  if (const auto seen = check_claim(room, exchange, *id, deadline); !seen) return tl::unexpected(seen.error());
  const auto event_seq = room.parts.store.give_back(*id, "", deadline);
  if (!event_seq) return tl::unexpected(event_seq.error());
  room.settle(*event_seq);
  return no_content();
}

}  // namespace

void add_claim_routes(ApiRoutes& routes) {
  routes.push_back(
      {"GET", "/v1/claims", Role::kReader, list_query({"host", "group", "project", "vm"}), Where::kLine, list_claims});
  routes.push_back({"POST", "/v1/claims", Role::kPlanner, {}, Where::kLine, post_claim});
  routes.push_back({"GET", "/v1/claims/{id}", Role::kReader, {}, Where::kLine, show_claim});
  routes.push_back({"PUT", "/v1/claims/{id}:confirm", Role::kPlanner, {}, Where::kLine, confirm_claim});
  routes.push_back({"DELETE", "/v1/claims/{id}", Role::kPlanner, {}, Where::kLine, remove_claim});
}

}  // namespace emplace::http
