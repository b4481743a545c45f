// The call of a Nova with SAP's option external_scheduler_api_url, after its own filters and weighers: in which order
// would we take these hosts? The answer is {"hosts": [...]} and nothing else, since the caller refuses more; what else
// there is to say goes into the log and a header. What it must never be: a host that was not named (the caller fails),
// nor empty while one host may do (the caller finds no valid host).
#include <fmt/format.h>

#include <set>

#include "service/core/answer/explanation.h"
#include "service/core/base/shown_text.h"
#include "service/rest/host_order.h"
#include "service/rest/metrics.h"
#include "service/rest/nova_request.h"
#include "service/rest/route.h"

namespace emplace::http {
namespace {

constexpr std::size_t kLongestHeader = 1000;
constexpr std::uint32_t kReservationTtlS = 60;

struct ExternalCall {
  HostQuestion question;
  Intent intent = Intent::kCreate;
  bool forces_hosts = false;
  std::string pipeline;
  std::string asker = "-";  // the request of the scheduler, as it knows it
};

void read_hosts(JsonFields& fields, std::vector<NamedHost>& hosts, JsonErrors& errors) {
  fields.require("hosts");
  fields.each("hosts", [&](JsonValue item, const std::string& path) {
    JsonFields host(item, path, errors);
    NamedHost named;
    host.require("host");
    host.name("host", named.host);
    host.name_or_null("hypervisor_hostname", named.node);
    hosts.push_back(std::move(named));
  });
}

void read_weights(JsonFields& fields, HostQuestion& question, JsonErrors& errors) {
  const auto weights = fields.value("weights");
  if (!weights || weights->is_null()) return;
  if (!weights->is_object()) return fields.wanted("weights", "an object of numbers", *weights);
  for (std::size_t i = 0; i < weights->size(); ++i) {
    const JsonValue weight = weights->member(i);
    if (!weight.is_number()) {
      return errors.add("weights." + shortened(weights->key(i)) + ": wanted a number, found " + weight.found());
    }
    question.weights.emplace(weights->key(i), weight.number());
  }
}

// Older callers say by flags what newer ones say by a hint.
Intent read_intent(JsonFields& fields, const std::optional<JsonValue>& spec) {
  bool rebuild = false, resize = false, live = false, vmware = false;
  fields.flag("rebuild", rebuild);
  fields.flag("resize", resize);
  fields.flag("live", live);
  fields.flag("vmware", vmware);  // which hosts are vmware's is the picture's business
  const Intent hinted = spec ? intent_of(*spec) : Intent::kCreate;
  if (hinted != Intent::kCreate) return hinted;
  return rebuild ? Intent::kRebuild : resize ? Intent::kResize : live ? Intent::kLiveMigrate : Intent::kCreate;
}

void read_context(JsonFields& fields, ExternalCall& call, JsonErrors& errors) {
  const auto value = fields.value("context");
  if (!value || value->is_null()) return;
  JsonFields context(*value, "context", errors);
  context.text_or_null("request_id", call.asker, kMaxName);
  context.text_or_null("global_request_id", call.asker, kMaxName);
}

// Fields that are not known are let pass, against the manners of the rest of the API: the contract is theirs, they add
// to it, and a refusal would silently cost them our order.
Result<ExternalCall> read_call(const std::string& body) {
  const auto document = JsonDocument::parse(body);
  if (!document) return tl::unexpected(document.error());
  JsonErrors errors;
  JsonFields fields(document->root(), "", errors);
  ExternalCall call;
  fields.require("spec");
  const auto spec = fields.value("spec");
  call.intent = read_intent(fields, spec);
  read_hosts(fields, call.question.hosts, errors);
  read_weights(fields, call.question, errors);
  read_context(fields, call, errors);
  fields.name_or_null("pipeline", call.pipeline);
  if (!errors.none()) return errors.failure();
  auto request = request_of_spec(*spec, "spec");
  if (!request) return tl::unexpected(request.error());
  call.question.request = *std::move(request);
  call.forces_hosts = forces_hosts(*spec);
  return call;
}

// Pipelines are named on their side, mostly after ours nobody knows of.
Result<std::shared_ptr<const Rules>> rules_of(const ApiRoom& room, const std::string& pipeline) {
  auto named = pipeline.empty() ? fail(ErrorCode::kNotFound, "") : room.parts.rule_book.find(pipeline);
  return named ? named : room.parts.rule_book.find("default");
}

std::string texts_of(const std::vector<Degraded>& degraded) {
  std::string text;
  for (const Degraded& one : degraded) text += (text.empty() ? "" : "; ") + one.plugin + ": " + one.why;
  return text;
}

std::string names_of(const std::vector<Degraded>& degraded) {
  std::set<std::string_view> names;
  for (const Degraded& one : degraded) names.insert(one.plugin);
  return shortened(fmt::format("{}", fmt::join(names, ", ")), kLongestHeader);
}

// One line per decision.
void report(const ApiRoom& room, const Request& request, const ExternalCall& call, std::string_view profile,
            const HostOrder& order, std::int64_t took_us) {
  room.metrics.decided(order.hosts.empty() ? "none" : "placed", static_cast<double>(took_us) / 1e6);
  room.log(
      "info",
      fmt::format("event=external request={} global={} profile={} intent={} vm={} hosts={} passed={} unknown={} "
                  "host={} took_us={} degraded={}",
                  request.id, log_text(request.global_id.empty() ? call.asker : request.global_id), log_text(profile),
                  name_of(call.intent), log_text(call.question.request.vm.name), call.question.hosts.size(),
                  order.hosts.size(), order.unknown, log_text(order.hosts.empty() ? "-" : order.hosts.front()), took_us,
                  log_text(texts_of(order.degraded))));
}

Response answer_of(const HostOrder& order) {
  JsonWriter writer;
  writer.open().key("hosts").open_list();
  for (const std::string& host : order.hosts) writer.text(host);
  writer.close_list().close();
  Response response = json_response(writer.take());
  if (!order.degraded.empty()) response.headers.emplace_back("X-Emplace-Degraded", names_of(order.degraded));
  return response;
}

// The first host counts as taken by the vm, but for a rebuild, whose host it has already.
Result<HostOrder> order_and_reserve(const ApiRoom& room, const ExternalCall& call, const Rules& rules) {
  const Uuid& vm = call.question.request.vm.id;
  if (call.intent == Intent::kRebuild || vm.is_zero()) {
    return order_hosts(rules, call.question, *room.parts.pictures.latest(), room.now_us());
  }
  std::optional<Result<HostOrder>> order;
  room.parts.reservations.reserve({&vm, 1}, kReservationTtlS, [&](const std::shared_ptr<const Picture>& picture) {
    order.emplace(order_hosts(rules, call.question, *picture, room.now_us()));
    const bool known = *order && !(*order)->first.empty();
    return known ? std::vector<Reservation>{{call.question.request.vm, (*order)->first, (*order)->takes}}
                 : std::vector<Reservation>();
  });
  return *std::move(order);
}

Result<std::string> unread_cloud_among(const ApiRoom& room, const HostQuestion& question) {
  std::vector<std::string> names;
  for (const NamedHost& one : question.hosts) names.push_back(one.host);
  return unread_cloud(room, *room.parts.pictures.latest(), {&names});
}

Result<Response> post_external(const ApiRoom& room, const Exchange& exchange) {
  const auto call = read_call(exchange.request->body);
  if (!call) return tl::unexpected(call.error());
  const auto rules = rules_of(room, call->pipeline);
  if (!rules) return tl::unexpected(rules.error());
  const Rules asked = rules_for(call->intent, call->forces_hosts, **rules);
  const auto unread = unread_cloud_among(room, call->question);
  if (!unread) return tl::unexpected(unread.error());
  const std::int64_t began_us = room.parts.ambient.tick_us();
  auto order = order_and_reserve(room, *call, asked);
  if (!order) return tl::unexpected(order.error());
  if (!unread->empty()) order->degraded.push_back({"openstack", *unread});
  if (const Staleness old = staleness_of(room); old.stale) {
    order->degraded.push_back({"picture", fmt::format("is {:.0f} s old", old.age_s)});
  }
  report(room, *exchange.request, *call, asked.profile.name, *order, room.parts.ambient.tick_us() - began_us);
  return answer_of(*order);
}

}  // namespace

void add_external_routes(ApiRoutes& routes) {
  routes.push_back({"POST", "/compat/nova/external", Role::kPlanner, {}, Where::kLine, post_external});
}

}  // namespace emplace::http
