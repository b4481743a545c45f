// Nova's own verb over REST: a host for each instance of a request, and alternates for each.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "service/core/answer/explanation.h"
#include "service/core/base/shown_text.h"
#include "service/core/request/request_json.h"
#include "service/rest/destinations.h"
#include "service/rest/metrics.h"
#include "service/rest/nova_request.h"
#include "service/rest/route.h"

namespace emplace::http {
namespace {

constexpr std::int64_t kAlternates = 2;  // Nova's [scheduler]max_attempts of 3, less the first attempt
constexpr std::size_t kMostInstances = 1000;

struct Call {
  DestinationsWish wish;
  std::shared_ptr<const Rules> rules;
  bool reserve = true;
};

// What it shares with a placement is read as a placement's.
Result<PlacementRequest> read_request(JsonFields& fields) {
  JsonWriter asked;
  asked.open();
  for (const std::string_view field : {"request_spec", "profile", "explain", "ttl_s", "allocation_candidates"}) {
    if (const auto value = fields.value(field)) asked.key(field).value(*value);
  }
  const auto alternates = fields.value("alternates");
  alternates ? asked.key("alternates").value(*alternates) : asked.whole("alternates", kAlternates);
  asked.close();
  return parse_placement(asked.take());
}

std::vector<Uuid> read_ids(JsonFields& fields, JsonErrors& errors) {
  std::vector<Uuid> ids;
  std::set<Uuid> seen;
  fields.each("instance_uuids", [&](JsonValue item, const std::string& path) {
    const auto id = item.is_text() ? parse_uuid(item.text()) : std::nullopt;
    if (!id) return errors.add(path + ": wanted a uuid, found " + item.found());
    if (!seen.insert(*id).second) errors.add(path + ": wanted each uuid once, found " + item.found() + " twice");
    ids.push_back(*id);
  });
  if (fields.has("instance_uuids") && errors.none() && (ids.empty() || ids.size() > kMostInstances)) {
    errors.add(fmt::format("instance_uuids: wanted 1 to {} uuids, found {}", kMostInstances, ids.size()));
  }
  return ids;
}

std::vector<std::string> read_hosts(JsonFields& fields, JsonErrors& errors) {
  std::vector<std::string> hosts;
  fields.names("hosts", hosts);
  if (fields.has("hosts") && errors.none() && hosts.empty()) {
    errors.add("hosts: wanted at least one, or no such field for all, found none");
  }
  return hosts;
}

// Those that may be considered are known; what must be said of a cloud that was never read.
Result<std::string> check_hosts(const ApiRoom& room, const std::vector<std::string>& hosts, const VmRequest& vm) {
  const auto picture = room.parts.pictures.latest();
  const auto& named = hosts.empty() ? vm.only_hosts : hosts;
  auto unread = unread_cloud(room, *picture, {named.empty() ? nullptr : &named, !hosts.empty()});
  if (!unread) return unread;
  for (std::size_t i = 0; i < hosts.size(); ++i) {
    if (picture->find_host(hosts[i]) != kNoRow) continue;
    return fail(ErrorCode::kInvalid,
                fmt::format("hosts[{}]: wanted the name of a host, found {}", i, json_text(hosts[i])));
  }
  return unread;
}

// Asks Placement where it is to be asked, and says so where it does not answer: the picture then says what has room. A
// request that it refuses has no candidates, as in Nova.
void ask_placement(const ApiRoom& room, PlacementRequest& request) {
  if (!room.parts.candidates || request.vm.allocation_candidates) return;
  auto told = room.parts.candidates->candidates(request.vm, room.deadline());
  if (told && !*told) return;
  if (told) {
    if ((*told)->cut_off)
      request.placement_note = "Placement gave the first of its allocation candidates; other hosts were refused";
    return take_candidates(std::move((*told)->providers), request);
  }
  const bool is_refused = told.error().code == ErrorCode::kInvalid;
  request.placement_note = fmt::format("{}: {}",
                                       is_refused ? "Placement has no allocation candidates"
                                                  : "Placement did not say its allocation candidates, so that what "
                                                    "the picture has free was added up",
                                       told.error().message);
  if (is_refused) take_candidates({}, request);
}

// num_instances tells how many the spec was first made for, which a move does not share: as in Nova, ids say how many.
void count_instances(std::vector<Uuid> ids, PlacementRequest& request, DestinationsWish& wish) {
  if (ids.empty()) {
    ids.resize(request.options.count);
    ids.front() = request.vm.id;
  }
  request.options.count = static_cast<std::uint32_t>(ids.size());
  wish.ids = std::move(ids);
}

Result<Call> read_call(const ApiRoom& room, const std::string& body) {
  const auto document = JsonDocument::parse(body);
  if (!document) return tl::unexpected(document.error());
  JsonErrors errors;
  JsonFields fields(document->root(), "", errors);
  Call call;
  fields.require("request_spec");
  fields.flag("reserve", call.reserve);
  std::vector<Uuid> ids = read_ids(fields, errors);
  call.wish.hosts = read_hosts(fields, errors);
  if (!errors.none()) return errors.failure();
  auto request = read_request(fields);
  fields.refuse_unknown();
  if (!request) return tl::unexpected(request.error());
  if (!errors.none()) return errors.failure();
  auto unread = check_hosts(room, call.wish.hosts, request->vm);
  if (!unread) return tl::unexpected(unread.error());
  request->unread_cloud = *std::move(unread);
  auto rules = room.parts.rule_book.find(request->options.profile);
  if (!rules) return tl::unexpected(rules.error());
  const JsonValue spec = *document->root().find("request_spec");
  const Intent intent = intent_of(spec);
  if (intent != Intent::kRebuild) ask_placement(room, *request);
  Rules asked = rules_for(intent, forces_hosts(spec), **rules);
  if (request->vm.allocation_candidates) asked = with_candidates(std::move(asked));
  call.rules = std::make_shared<const Rules>(std::move(asked));
  call.reserve &= intent != Intent::kRebuild;
  count_instances(std::move(ids), *request, call.wish);
  call.wish.request = std::make_shared<const PlacementRequest>(*std::move(request));
  return call;
}

// ---- the answer

bool has_numa_limits(const Call& call) {
  const auto& parts = call.wish.request->parts;
  const bool asks = std::ranges::find(parts, "request_spec.numa_topology") != parts.end();
  return asks && std::ranges::any_of(call.rules->filters,
                                     [](const auto& filter) { return filter->traits().id == "NUMATopologyFilter"; });
}

std::string answer_of(const Call& call, const Destinations& made, const Picture& picture, const Staleness& staleness) {
  const bool numa = has_numa_limits(call);
  JsonWriter writer;
  writer.open().key("selections").open_list();
  for (const auto& selection : made.selections) {
    writer.open_list();
    for (const std::uint32_t host : selection) write_selection(writer, picture, host, numa);
    writer.close_list();
  }
  writer.close_list();
  std::vector<Degraded> degraded = made.degraded;
  for (Degraded& one : unread_cloud(*call.wish.request)) degraded.push_back(std::move(one));
  write_degraded(writer, degraded);
  write_texts(writer, "not_considered", made.placement.not_considered);
  writer.key("decision").raw(answer_json(made.placement, staleness)).close();
  return writer.take();
}

// One line per decision.
void report(const ApiRoom& room, const Request& request, const Destinations& made, const Picture& picture) {
  const Placement& placement = made.placement;
  room.metrics.decided(made.selections.empty() ? "none" : "placed", static_cast<double>(placement.took_us) / 1e6);
  const std::string_view host = made.selections.empty() ? "-" : picture[hosts::name][made.selections.front().front()];
  room.log("info", fmt::format("event=destinations request={} global={} profile={} vm={} count={} host={} degraded={} "
                               "picture={}/{} event_seq={} took_us={}",
                               request.id, request.global_id.empty() ? "-" : request.global_id,
                               log_text(placement.rules->profile.name), log_text(placement.request->vm.name),
                               placement.request->options.count, log_text(host), made.degraded.size(),
                               placement.version.replica, placement.version.version, placement.version.event_seq,
                               placement.took_us));
}

struct Outcome {
  Destinations made;
  std::shared_ptr<const Picture> picture;  // that it was made on
};

Result<Outcome> select_on(const ApiRoom& room, const Call& call, std::shared_ptr<const Picture> picture) {
  auto made = select_destinations(room.parts.scheduler, call.wish, call.rules, picture, room.now_us());
  if (!made) return tl::unexpected(made.error());
  return Outcome{*std::move(made), std::move(picture)};
}

std::vector<Reservation> firsts_of(const Outcome& outcome) {
  std::vector<Reservation> firsts;
  for (std::size_t i = 0; i < outcome.made.selections.size(); ++i) {
    const auto name = (*outcome.picture)[hosts::name][outcome.made.selections[i].front()];
    firsts.push_back({outcome.made.placement.instances[i].vm, std::string(name), outcome.made.takes[i]});
  }
  return firsts;
}

Result<Outcome> select_and_reserve(const ApiRoom& room, const Call& call) {
  if (!call.reserve) return select_on(room, call, room.parts.pictures.latest());
  std::optional<Result<Outcome>> outcome;
  const std::uint32_t ttl_s = call.wish.request->options.ttl_s;
  room.parts.reservations.reserve(call.wish.ids, ttl_s, [&](const std::shared_ptr<const Picture>& picture) {
    outcome.emplace(select_on(room, call, picture));
    return *outcome ? firsts_of(**outcome) : std::vector<Reservation>();
  });
  return *std::move(outcome);
}

Result<Response> post_select_destinations(const ApiRoom& room, const Exchange& exchange) {
  const auto call = read_call(room, exchange.request->body);
  if (!call) return tl::unexpected(call.error());
  const auto outcome = select_and_reserve(room, *call);
  if (!outcome) return tl::unexpected(outcome.error());
  report(room, *exchange.request, outcome->made, *outcome->picture);
  return json_response(answer_of(*call, outcome->made, *outcome->picture, staleness_of(room)));
}

}  // namespace

void add_destination_routes(ApiRoutes& routes) {
  routes.push_back({"POST", "/v1/select_destinations", Role::kPlanner, {}, Where::kLine, post_select_destinations});
}

}  // namespace emplace::http
