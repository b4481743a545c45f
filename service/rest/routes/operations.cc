#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "service/core/answer/explanation.h"
#include "service/core/base/time_text.h"
#include "service/rest/event_feed.h"
#include "service/rest/metrics.h"
#include "service/rest/openapi_document.h"
#include "service/rest/route.h"
#include "service/rest/version.h"

namespace emplace::http {
namespace {

// Where the client reached us, so that the links lead back.
std::string base_of(const Request& request) {
  const std::string* host = request.header("host");
  return host ? "http://" + *host : "";
}

Result<Response> versions(const ApiRoom&, const Exchange& exchange) {
  return versions_document(base_of(*exchange.request));
}
Result<Response> version(const ApiRoom&, const Exchange& exchange) {
  return version_document(base_of(*exchange.request));
}

Result<Response> document(const ApiRoom&, const Exchange&) {
  Response response = json_response(std::string(openapi_document()));
  response.content_type = "application/yaml";
  return response;
}

Result<Response> metrics(const ApiRoom& room, const Exchange&) {
  Response response = json_response(room.metrics.page(room));
  response.content_type = "text/plain; version=0.0.4; charset=utf-8";
  return response;
}

Result<Response> health(const ApiRoom& room, const Exchange&) {
  JsonWriter writer;
  writer.open().text("status", "ok").text("replica", room.parts.replica).text("version", room.parts.version).close();
  return json_response(writer.take());
}

constexpr std::int64_t kRewoundFor_us = 3'600'000'000;
constexpr double kClockTolerance_s = 2;

void tell_database(const ApiRoom& room, std::vector<std::string>& reasons, std::vector<std::string>& warnings) {
  const DatabaseState state = room.parts.database ? room.parts.database() : DatabaseState();
  if (!state.full.empty()) reasons.push_back("store: no room to write: " + state.full);
  const double ahead_s = static_cast<double>(state.clock_ahead_us) / 1e6;
  if (std::abs(ahead_s) > kClockTolerance_s)
    warnings.push_back(fmt::format("clock: {:.1f} s {} the database's, which decides what has expired",
                                   std::abs(ahead_s), ahead_s > 0 ? "ahead of" : "behind"));
  if (state.rewinds > 0 && room.now_us() - state.rewound_at_us < kRewoundFor_us)
    warnings.push_back("store: the database was replaced by an older one at " + time_text(state.rewound_at_us) +
                       ": what had been written since is lost");
}

// Reasons keep traffic away; warnings are for an operator: the service still answers.
Result<Response> ready(const ApiRoom& room, const Exchange&) {
  std::vector<std::string> reasons, warnings;
  const StoreState store = room.parts.store.state();
  if (!store.connected) reasons.push_back("store: " + store.message);
  tell_database(room, reasons, warnings);
  for (std::string& warning : room.parts.warnings ? room.parts.warnings() : std::vector<std::string>())
    warnings.push_back(std::move(warning));
  if (room.parts.pictures.latest()->version().version == 0) reasons.push_back("picture: not loaded yet");
  for (const auto& one :
       room.parts.hypervisor_states ? room.parts.hypervisor_states() : std::vector<HypervisorState>()) {
    if (!one.connected) warnings.push_back("host " + one.host + ": " + one.why);
  }
  for (const auto& one : room.parts.findings ? room.parts.findings() : std::vector<Finding>()) {
    if (one.name != "unreachable") warnings.push_back("host " + one.host + ": " + one.name + ": " + one.text);
  }
  const auto cloud = room.parts.cloud ? room.parts.cloud() : std::nullopt;
  if (cloud && cloud->read_at_us != 0 && cloud->older) {
    warnings.push_back(
        fmt::format("openstack: the picture is {:.0f} s old: the cloud was not read since this service began",
                    staleness_of(room).age_s));
  }
  for (const auto& one : room.parts.sources ? room.parts.sources() : std::vector<SourceState>()) {
    if (one.why.empty()) continue;
    const double age_s = static_cast<double>(room.now_us() - one.good_at_us) / 1e6;
    const std::string age = one.good_at_us == 0 ? "never" : std::to_string(std::llround(age_s)) + " s ago";
    (one.blocks ? reasons : warnings).push_back(one.name + ": last read " + age + ": " + one.why);
  }
  for (const auto& one : room.parts.plugins ? room.parts.plugins() : std::vector<PluginState>()) {
    if (one.state != "running") warnings.push_back("plugin " + one.id + ": " + one.state + ": " + one.why);
  }
  JsonWriter writer;
  writer.open().flag("ready", reasons.empty()).key("reasons").open_list();
  for (const std::string& reason : reasons) writer.text(reason);
  writer.close_list().key("warnings").open_list();
  for (const std::string& warning : warnings) writer.text(warning);
  writer.close_list().close();
  return json_response(writer.take(), reasons.empty() ? 200 : 503);
}

// ---- events

Result<std::int64_t> first_seq(const ApiRoom& room, const Exchange& exchange) {
  const std::string* header = exchange.request->header("last-event-id");
  const std::string* query = exchange.query("after");
  const std::string* text = header ? header : query;
  if (!text) return room.parts.pictures.latest()->version().event_seq;
  std::int64_t seq = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), seq);
  if (error != std::errc() || end != text->data() + text->size() || seq < 0) {
    return fail(ErrorCode::kInvalid, std::string(header ? "Last-Event-ID" : "after") +
                                         ": wanted the id of an event, found " + json_text(*text));
  }
  return seq;
}

void events(const ApiRoom& room, ExchangePtr exchange, Finish finish) {
  const auto seq = first_seq(room, *exchange);
  if (!seq) return finish(tl::unexpected(seq.error()));
  Response head;
  head.content_type = "text/event-stream";
  head.headers.emplace_back("Cache-Control", "no-store");
  head.body = ":\n\n";
  stamp(kMinimumVersion, head);
  auto stream = exchange->reply.stream(std::move(head));
  if (stream) room.events.join(std::move(stream), *seq, exchange->identity.project);
}

}  // namespace

void add_operation_routes(ApiRoutes& routes) {
  routes.push_back({"GET", "/", Role::kAnyone, {}, Where::kWorker, versions});
  routes.push_back({"GET", "/v1", Role::kAnyone, {}, Where::kWorker, version});
  routes.push_back({"GET", "/openapi.yaml", Role::kAnyone, {}, Where::kWorker, document});
  routes.push_back({"GET", "/healthz", Role::kAnyone, {}, Where::kWorker, health});
  routes.push_back({"GET", "/readyz", Role::kAnyone, {}, Where::kWorker, ready});
  routes.push_back({"GET", "/metrics", Role::kReader, {}, Where::kWorker, metrics});
  routes.push_back(
      {.method = "GET", .pattern = "/v1/events", .role = Role::kReader, .query = {"after"}, .chooser = events});
}

}  // namespace emplace::http
