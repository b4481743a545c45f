#include <fmt/format.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <filesystem>

#include "cli/commands.h"
#include "cli/simulate/replay.h"

namespace emplace::cli {
namespace {

constexpr std::size_t kMostShown = 10;  // violations, per policy

// A bar on a terminal; a line every tenth of the way elsewhere.
class Bar {
 public:
  explicit Bar(std::string title) : title_(std::move(title)), terminal_(isatty(STDERR_FILENO) != 0) {}
  ~Bar() {
    if (terminal_ && shown_ > 0) fmt::print(stderr, "\n");
  }
  void show(std::size_t done, std::size_t all) {
    const std::size_t step = done * (terminal_ ? kWidth : 10) / std::max<std::size_t>(all, 1);
    if (step == shown_) return;
    shown_ = step;
    if (terminal_) {
      fmt::print(stderr, "\r{:<20} [{}{}] {}/{}", title_, std::string(step, '#'), std::string(kWidth - step, ' '), done,
                 all);
    } else {
      fmt::print(stderr, "{}: {}/{}\n", title_, done, all);
    }
    std::fflush(stderr);
  }

 private:
  static constexpr std::size_t kWidth = 40;
  std::string title_;
  bool terminal_;
  std::size_t shown_ = 0;
};

Trace read_trace(const SimulateOptions& options) {
  if (options.format == "csv") return read_csv_trace(options.trace, options.hosts);
  const auto beside = std::filesystem::path(options.hosts).parent_path() / "topology_provider.csv";
  return read_huawei(options.trace, options.hosts, options.racks.empty() ? beside.string() : options.racks);
}

double percentile(const std::vector<double>& rising, double share) {
  if (rising.empty()) return 0;
  return rising[static_cast<std::size_t>(std::floor(share * static_cast<double>(rising.size() - 1)))];
}

void print_outcomes(const std::vector<Outcome>& outcomes) {
  Table table({"POLICY", "PLACED>", "REFUSED>", "HOSTS USED>", "STRANDED VCPUS>", "MEMORY>", "VIOLATIONS>",
               "DECISIONS/S>", "P50 MS>", "P99 MS>"});
  for (const Outcome& outcome : outcomes) {
    const bool timed = !outcome.latencies_ms.empty();
    table.row(
        {outcome.policy, std::to_string(outcome.placed), std::to_string(outcome.refused),
         std::to_string(outcome.hosts_used), fmt::format("{:.1f} %", 100 * outcome.stranded.vcpus_share),
         fmt::format("{:.1f} %", 100 * outcome.stranded.memory_share), std::to_string(outcome.violations.size()),
         fmt::format("{:.0f}", static_cast<double>(outcome.placed + outcome.refused) / std::max(outcome.seconds, 1e-9)),
         timed ? fmt::format("{:.2f}", percentile(outcome.latencies_ms, 0.5)) : "-",
         timed ? fmt::format("{:.2f}", percentile(outcome.latencies_ms, 0.99)) : "-"});
  }
  table.print();
  for (const Outcome& outcome : outcomes) {
    for (std::size_t i = 0; i < outcome.violations.size() && i < kMostShown; ++i) {
      fmt::print("violation  {}: {}\n", outcome.policy, printable(outcome.violations[i]));
    }
  }
}

void print_outcomes_json(const std::vector<Outcome>& outcomes) {
  JsonWriter writer;
  writer.begin_object().key("outcomes").begin_array();
  for (const Outcome& outcome : outcomes) {
    writer.begin_object().field("policy", outcome.policy).field("placed", static_cast<double>(outcome.placed));
    writer.field("refused", static_cast<double>(outcome.refused));
    writer.field("hosts_used", static_cast<double>(outcome.hosts_used));
    writer.field("stranded_vcpus", outcome.stranded.vcpus_share)
        .field("stranded_memory", outcome.stranded.memory_share);
    writer.field("violations", outcome.violations).field("seconds", outcome.seconds);
    if (!outcome.latencies_ms.empty()) {
      writer.field("p50_ms", percentile(outcome.latencies_ms, 0.5))
          .field("p99_ms", percentile(outcome.latencies_ms, 0.99));
    }
    writer.end_object();
  }
  fmt::print("{}\n", writer.end_array().end_object().take());
}

Outcome run_policy(Session& session, const Trace& trace, const SimulateOptions& options, const std::string& policy) {
  Bar bar(policy);
  const Progress progress = [&bar](std::size_t done, std::size_t all) { bar.show(done, all); };
  if (policy == "first-fit") return replay_policy(trace, Policy::kFirstFit, progress);
  if (policy == "best-fit") return replay_policy(trace, Policy::kBestFit, progress);
  if (policy == "in-process") {
    const std::string profile = options.profile_file.empty() ? std::string() : read_file(options.profile_file);
    return replay_in_process(trace, profile, progress);
  }
  return replay_service(trace, session.client(), options.replay, progress);
}

}  // namespace

void simulate(Session& session, const SimulateOptions& options) {
  const Trace trace = read_trace(options);
  if (trace.has_departures() && options.replay.clients > 1) {
    throw Failure(kBadInput, "--clients: a trace in which vms leave is replayed in order, by one client");
  }
  std::vector<Outcome> outcomes;
  for (const std::string& policy : options.policies) outcomes.push_back(run_policy(session, trace, options, policy));
  session.json ? print_outcomes_json(outcomes) : print_outcomes(outcomes);
  for (const Outcome& outcome : outcomes) {
    if (!outcome.violations.empty()) session.exit_code = kFailed;
  }
}

}  // namespace emplace::cli
