#include "service/rest/metrics.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include <prometheus/counter.h>
#include <prometheus/histogram.h>
#include <prometheus/metric_family.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include "service/core/picture/arena.h"
#include "service/rest/event_feed.h"
#include "service/rest/route.h"

namespace emplace::http {
namespace {

using prometheus::Histogram;

const Histogram::BucketBoundaries kRequestSeconds{0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                                  0.1,    0.25,   0.5,   1,      2.5,   5,    10};
const Histogram::BucketBoundaries kLineSeconds{0.00001, 0.00005, 0.0001, 0.00025, 0.0005, 0.001,
                                               0.0025,  0.005,   0.01,   0.05,    0.1};

// What somebody else counts or measures, as it is when the page is asked for. It is made anew for each page, so that
// what a plugin or table showed that is gone is gone, too, and two pages at once do not add up. Of two values of one
// name and the same labels the last is shown, since a scraper refuses a page with both.
class Shown {
 public:
  using Labels = std::map<std::string, std::string>;

  // Goes up and down.
  void gauge(const std::string& name, const std::string& help, double value, const Labels& labels = {}) {
    add(name, help, prometheus::MetricType::Gauge, labels).gauge.value = value;
  }
  // Only grows while the service runs.
  void total(const std::string& name, const std::string& help, std::uint64_t value, const Labels& labels = {}) {
    add(name + "_total", help, prometheus::MetricType::Counter, labels).counter.value = static_cast<double>(value);
  }
  const std::vector<prometheus::MetricFamily>& families() const { return families_; }

 private:
  prometheus::ClientMetric& add(const std::string& name, const std::string& help, prometheus::MetricType type,
                                const Labels& labels) {
    auto family = std::ranges::find(families_, name, &prometheus::MetricFamily::name);
    if (family == families_.end()) family = families_.insert(family, {name, help, type, {}});
    prometheus::ClientMetric metric;
    for (const auto& [label, value] : labels) metric.label.push_back({label, value});
    const auto same = std::ranges::find(family->metric, metric.label, &prometheus::ClientMetric::label);
    return same != family->metric.end() ? *same : family->metric.emplace_back(std::move(metric));
  }

  std::vector<prometheus::MetricFamily> families_;
};

}  // namespace

struct Metrics::Inside {
  prometheus::Registry registry;
  prometheus::Family<prometheus::Counter>& requests = prometheus::BuildCounter()
                                                          .Name("emplace_http_requests_total")
                                                          .Help("Answers, by route and status")
                                                          .Register(registry);
  prometheus::Family<Histogram>& seconds = prometheus::BuildHistogram()
                                               .Name("emplace_http_request_seconds")
                                               .Help("From routing to the answer's queueing")
                                               .Register(registry);
  prometheus::Family<prometheus::Counter>& decisions =
      prometheus::BuildCounter().Name("emplace_decisions_total").Help("Decisions, by outcome").Register(registry);
  prometheus::Family<Histogram>& line = prometheus::BuildHistogram()
                                            .Name("emplace_decision_seconds")
                                            .Help("The line from picture to ranking")
                                            .Register(registry);
  Histogram& line_seconds = line.Add({}, kLineSeconds);
};

Metrics::Metrics() : inside_(std::make_unique<Inside>()) {}
Metrics::~Metrics() = default;

void Metrics::answered(const std::string& method, const std::string& pattern, int status, double seconds) {
  const std::string route = method + ' ' + pattern;
  inside_->requests.Add({{"route", route}, {"status", std::to_string(status)}}).Increment();
  inside_->seconds.Add({{"route", route}}, kRequestSeconds).Observe(seconds);
}

void Metrics::decided(std::string_view outcome, double line_seconds) {
  inside_->decisions.Add({{"outcome", std::string(outcome)}}).Increment();
  inside_->line_seconds.Observe(line_seconds);
}

std::string Metrics::page(const ApiRoom& room) {
  const auto picture = room.parts.pictures.latest();
  const StoreState store = room.parts.store.state();
  const auto number = [](auto value) { return static_cast<double>(value); };
  Shown to;
  to.gauge("emplace_picture_version", "Which picture of this replica is the newest",
           number(picture->version().version));
  to.gauge("emplace_picture_event_seq", "Last event of the store in the picture", number(picture->version().event_seq));
  to.gauge("emplace_picture_age_seconds", "Since the picture was made",
           number(room.now_us() - picture->made_at_us()) / 1e6);
  to.gauge("emplace_arena_bytes_in_use", "Shared memory that chunks lie in", number(picture->arena()->bytes_in_use()));
  to.gauge("emplace_store_connected", "1 while the database answers", store.connected ? 1 : 0);
  const DatabaseState database = room.parts.database ? room.parts.database() : DatabaseState();
  to.gauge("emplace_store_full", "1 while the database has no room to write", database.full.empty() ? 0 : 1);
  to.total("emplace_store_rewinds", "Times that the database lacked events that it had had", database.rewinds);
  to.gauge("emplace_store_clock_ahead_seconds", "Our clock's lead over the database's",
           number(database.clock_ahead_us) / 1e6);
  to.gauge("emplace_store_queued_claims", "Claims that wait for their group commit", number(store.queued_claims));
  to.total("emplace_store_committed_batches", "Group commits since the start", store.committed_batches);
  to.total("emplace_store_committed_claims", "Claims committed since the start", store.committed_claims);
  to.gauge("emplace_line_threads_busy", "Line threads at work", number(room.parts.lines.busy()));
  to.gauge("emplace_line_queue", "Requests that wait for a line thread", number(room.parts.lines.queued()));
  to.gauge("emplace_event_streams", "Open event streams", number(room.events.streams()));
  if (room.parts.server_counters) {
    const Counters counters = room.parts.server_counters();
    to.gauge("emplace_http_connections", "Open connections", number(counters.connections_now));
    to.gauge("emplace_http_requests_now", "Requests in handlers", number(counters.requests_now));
    to.gauge("emplace_http_body_bytes", "Of large request bodies in hand", number(counters.body_bytes_now));
    to.gauge("emplace_http_unsent_bytes", "Of answers that clients have yet to take",
             number(counters.unsent_bytes_now));
    to.total("emplace_http_answers_lost", "Answers whose client had gone", counters.answers_lost);
    to.total("emplace_http_answers_dropped", "Answers given up for the memory that they held unread",
             counters.answers_dropped);
    to.total("emplace_http_slow_closed", "Clients cut off because they took too little", counters.slow_closed);
    to.total("emplace_http_exceptions", "Exceptions that reached the border", counters.exceptions);
    for (const auto& [status, count] : counters.refused) {
      to.total("emplace_http_refused", "Requests refused before a route", count, {{"status", std::to_string(status)}});
    }
  }
  std::map<std::string, int> findings;
  for (const Finding& one : room.parts.findings ? room.parts.findings() : std::vector<Finding>()) ++findings[one.name];
  const auto write = [&](const char* name) {
    to.gauge("emplace_findings", "What is wrong with hosts, by name", number(findings[name]), {{"name", name}});
  };
  std::ranges::for_each(kHypervisorFindings, write);
  std::ranges::for_each(kCloudFindings, write);
  for (const auto& source : room.parts.sources ? room.parts.sources() : std::vector<SourceState>()) {
    to.gauge("emplace_source_good", "1 when the last try to read this table went well", source.why.empty() ? 1 : 0,
             {{"source", source.name}});
    if (source.good_at_us == 0) continue;
    to.gauge("emplace_source_age_seconds", "Since this table was last read",
             number(room.now_us() - source.good_at_us) / 1e6, {{"source", source.name}});
  }
  if (room.parts.plugins) {
    for (const PluginState& plugin : room.parts.plugins()) {
      to.total("emplace_plugin_calls", "Calls of a plugin", plugin.calls, {{"plugin", plugin.id}});
      to.total("emplace_plugin_errors", "Calls of a plugin without a good result", plugin.errors,
               {{"plugin", plugin.id}});
      to.total("emplace_plugin_misses", "Missed deadlines and lost workers of a plugin", plugin.misses,
               {{"plugin", plugin.id}});
      to.total("emplace_plugin_restarts", "Times that a plugin's worker was started again", plugin.restarts,
               {{"plugin", plugin.id}});
      to.gauge("emplace_plugin_running", "1 while a plugin takes calls", plugin.state == "running" ? 1 : 0,
               {{"plugin", plugin.id}});
    }
  }
  std::vector<prometheus::MetricFamily> families = inside_->registry.Collect();
  families.insert(families.end(), to.families().begin(), to.families().end());
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace emplace::http
