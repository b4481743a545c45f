#include <functional>

#include "service/core/answer/explanation.h"
#include "service/core/base/time_text.h"
#include "service/core/request/request_json.h"
#include "service/rest/listing.h"
#include "service/rest/placing.h"
#include "service/rest/project.h"
#include "service/rest/route.h"

namespace emplace::http {
namespace {

void write_head(JsonWriter& writer, const DecisionRecord& record) {
  writer.text("id", to_string(record.id)).key("vm");
  record.vm.is_zero() ? writer.null() : writer.text(to_string(record.vm));
  writer.text_or_null("vm_name", record.vm_name).text_or_null("project", record.project);
  writer.text_or_null("host", record.host)
      .text("profile", record.profile)
      .text("made_at", time_text(record.made_at_us))
      .key("picture")
      .open();
  writer.text("replica", record.picture.replica).whole("version", static_cast<std::int64_t>(record.picture.version));
  writer.whole("event_seq", record.picture.event_seq).close();
}

Result<Response> list_decisions(const ApiRoom& room, const Exchange& exchange) {
  auto question = list_question(room, exchange, *room.parts.pictures.latest(), ListKey::kTimedId);
  if (!question) return tl::unexpected(question.error());
  ListQuestion one_more = *question;
  ++one_more.limit;
  auto decisions = room.parts.store.decisions(one_more, room.deadline());
  if (!decisions) return tl::unexpected(decisions.error());
  ListEnd end{decisions->event_seq, question->limit, std::nullopt};
  if (decisions->rows.size() > question->limit) {
    decisions->rows.resize(question->limit);
    const DecisionRecord& last = decisions->rows.back();
    end.marker =
        list_marker(*question, ListKey::kTimedId, {.id = last.id, .name = last.vm_name, .made_at_us = last.made_at_us});
  }
  JsonWriter writer;
  writer.open().key("decisions").open_list();
  for (const DecisionRecord& record : decisions->rows) {
    writer.open();
    write_head(writer, record);
    writer.close();
  }
  return end_list(room, exchange, writer, end);
}

// What a what-if changes can be anybody's.
bool has_what_if(const DecisionRecord& record) {
  const auto stored = JsonDocument::parse(record.request, "the stored request");
  const auto request = stored ? stored->root().find("request") : std::nullopt;
  const auto what_if = request && request->is_object() ? request->find("what_if") : std::nullopt;
  return what_if && what_if->is_array() && what_if->size() > 0;
}

Result<DecisionRecord> find_decision(const ApiRoom& room, const Exchange& exchange) {
  const auto id = uuid_of("decision", exchange.parameter("id"));
  if (!id) return tl::unexpected(id.error());
  auto record = room.parts.store.decision(*id, room.deadline());
  const bool seen = !record || exchange.identity.project.empty() ||
                    (sees(exchange.identity, record->project) && !has_what_if(*record));
  if (!seen) return fail(ErrorCode::kNotFound, "no decision " + to_string(*id));
  return record;
}

// ---- the line again on the stored picture

struct Stored {
  std::string request;
  std::vector<PinnedInstance> pinned;
  Profile profile;
  std::string digest;
  std::int64_t now_us = 0;
};

// What replay_request() (explanation.h) wrote. A fault here is ours.
Result<Stored> read_stored(const std::string& json) {
  const auto document = JsonDocument::parse(json, "the stored request");
  if (!document) return fail(ErrorCode::kInternal, document.error().message);
  JsonErrors errors;
  JsonFields fields(document->root(), "stored", errors);
  Stored stored;
  for (const std::string_view field : {"request", "vms", "profile", "digest", "now_us", "chosen"})
    fields.require(field);
  fields.text("digest", stored.digest);
  fields.whole("now_us", stored.now_us, {0, 9e15});
  fields.each("vms", [&](JsonValue item, const std::string&) {
    stored.pinned.push_back({item.is_text() ? parse_uuid(item.text()).value_or(Uuid{}) : Uuid{}});
  });
  std::size_t i = 0;
  fields.each("chosen", [&](JsonValue item, const std::string&) {
    if (i < stored.pinned.size() && item.is_text()) stored.pinned[i++].host = item.text();
  });
  if (!errors.none()) return fail(ErrorCode::kInternal, errors.failure().value().message);
  auto profile = parse_profile(*fields.value("profile"), "stored.profile");
  if (!profile) return fail(ErrorCode::kInternal, profile.error().message);
  stored.profile = *std::move(profile);
  stored.request = to_json(*fields.value("request"));
  return stored;
}

struct Replayed {
  Placement placement;
  bool rules_changed = false;
};

Result<Replayed> replay(const ApiRoom& room, const Exchange& exchange, const DecisionRecord& record) {
  const auto stored = read_stored(record.request);
  if (!stored) return tl::unexpected(stored.error());
  const auto picture = room.parts.pictures.at(record.picture);
  if (!picture) return tl::unexpected(picture.error());
  auto request = parse_placement(stored->request, picture->get());
  if (!request) return tl::unexpected(request.error());
  if (auto limited = start_only_where_driven(*request, **picture); !limited) return tl::unexpected(limited.error());
  request->discreet = !exchange.identity.project.empty();
  const auto rules = room.parts.rule_book.resolve_once(stored->profile);
  if (!rules) return tl::unexpected(rules.error());
  auto placement = room.parts.scheduler.decide_on(std::make_shared<const PlacementRequest>(*std::move(request)), *rules,
                                                  *picture, stored->now_us, stored->pinned);
  if (!placement) return tl::unexpected(placement.error());
  return Replayed{*std::move(placement), digest(**rules) != stored->digest};
}

// ---- what a caller may not see

// A copy of a request without the parts of its vm that the caller may not see; their names join `hidden`.
void write_request(JsonWriter& writer, JsonValue request, const std::function<bool(std::string_view)>& sees,
                   std::vector<std::string>& hidden) {
  writer.open();
  for (std::size_t i = 0; i < request.size(); ++i) {
    writer.key(request.key(i));
    const JsonValue member = request.member(i);
    if (request.key(i) != "vm" || !member.is_object()) {
      writer.value(member);
      continue;
    }
    writer.open();
    for (std::size_t j = 0; j < member.size(); ++j) {
      const std::string part = "vm." + std::string(member.key(j));
      if (sees(part)) {
        writer.key(member.key(j)).value(member.member(j));
      } else {
        hidden.push_back(part);
      }
    }
    writer.close();
  }
  writer.close();
}

// What replay_request() (explanation.h) wrote, as far as the caller may see it.
Result<void> write_stored(JsonWriter& writer, const std::string& stored, const ApiRoom& room, Role role) {
  const auto sees = [&](std::string_view part) {
    const bool is_guarded = part == "vm.parameters" || part == "vm.template";
    return !is_guarded || role >= room.parts.policy.least_to_see(part);
  };
  const auto document = JsonDocument::parse(stored, "the stored request");
  if (!document) return fail(ErrorCode::kInternal, document.error().message);
  const JsonValue root = document->root();
  std::vector<std::string> hidden;
  writer.key("request").open();
  for (std::size_t i = 0; i < root.size(); ++i) {
    writer.key(root.key(i));
    const JsonValue member = root.member(i);
    root.key(i) == "request" && member.is_object() ? write_request(writer, member, sees, hidden)
                                                   : void(writer.value(member));
  }
  writer.close();
  if (hidden.empty()) return {};
  writer.key("hidden").open_list();
  for (const std::string& part : hidden) writer.text(part);
  writer.close_list();
  return {};
}

Result<Response> show_decision(const ApiRoom& room, const Exchange& exchange) {
  const std::string* explain = exchange.query("explain");
  if (explain && *explain != "summary" && *explain != "full") {
    return fail(ErrorCode::kInvalid, "explain: wanted summary or full, found " + json_text(*explain));
  }
  const auto record = find_decision(room, exchange);
  if (!record) return tl::unexpected(record.error());
  JsonWriter writer;
  writer.open();
  write_head(writer, *record);
  if (auto written = write_stored(writer, record->request, room, exchange.identity.role); !written) {
    return tl::unexpected(written.error());
  }
  writer.key("decision");
  if (explain && *explain == "full") {
    const auto replayed = replay(room, exchange, *record);
    if (!replayed) return tl::unexpected(replayed.error());
    writer.raw(answer_json(replayed->placement, ExplainLevel::kFull, {}));
  } else {
    writer.raw(record->document);
  }
  writer.close();
  return json_response(writer.take());
}

Result<Response> post_replay(const ApiRoom& room, const Exchange& exchange) {
  const auto record = find_decision(room, exchange);
  if (!record) return tl::unexpected(record.error());
  const auto replayed = replay(room, exchange, *record);
  if (!replayed) return tl::unexpected(replayed.error());
  const std::string document = decision_document(replayed->placement);
  const auto lines = differences(record->document, document);
  JsonWriter writer;
  writer.open().text("id", to_string(record->id)).flag("identical", lines.empty());
  writer.flag("rules_changed", replayed->rules_changed).key("differences").open_list();
  for (const std::string& line : lines) writer.text(line);
  writer.close_list().key("decision").raw(document).close();
  return json_response(writer.take());
}

}  // namespace

void add_decision_routes(ApiRoutes& routes) {
  routes.push_back(
      {"GET", "/v1/decisions", Role::kReader, list_query({"host", "project", "vm"}), Where::kLine, list_decisions});
  routes.push_back({"GET", "/v1/decisions/{id}", Role::kReader, {"explain"}, Where::kPress, show_decision});
  routes.push_back({"POST", "/v1/decisions/{id}:replay", Role::kReader, {}, Where::kPress, post_replay});
}

}  // namespace emplace::http
