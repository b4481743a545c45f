#include "cli/simulate/replay.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <map>
#include <memory>

#include "cli/in_process/decider.h"
#include "cli/session.h"
#include "cli/simulate/interrupt.h"

namespace emplace::cli {
namespace {

using Clock = std::chrono::steady_clock;
using Placements = std::map<std::size_t, Placed>;  // by vm

double since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// Puts the placements onto a fleet of its own in the order of the trace: rules broken, and the fullest moment.
void judge(const Trace& trace, const Placements& placements, Outcome& outcome) {
  Fleet fleet(trace);
  double fullest = 0;
  for (const TraceEvent& event : trace.events) {
    const auto placed = placements.find(event.vm);
    if (placed == placements.end()) continue;
    if (!event.arrives) {
      fleet.remove(placed->second);
      continue;
    }
    if (const auto why = fleet.broken_by(placed->second)) {
      outcome.violations.push_back(
          fmt::format("{} on {}: {}", trace.vms[event.vm].name, trace.hosts[placed->second.host].name, *why));
    }
    fleet.put(placed->second);
    outcome.hosts_used = std::max(outcome.hosts_used, fleet.hosts_used());
    if (fleet.vcpus_used() < fullest) continue;
    fullest = fleet.vcpus_used();
    outcome.stranded = fleet.stranded();
  }
  outcome.placed = placements.size();
  outcome.refused = trace.vms.size() - placements.size();
}

std::string placement_of(const TraceVm& vm, const ReplayOptions& options) {
  JsonWriter body;
  body.begin_object().key("vm").begin_object();
  body.field("name", vm.name)
      .field("vcpus", vm.vcpus)
      .field("memory_mib", vm.memory_mib)
      .field("disk_gib", vm.disk_gib);
  body.field_if("group", vm.group).field_if("zone", vm.zone);
  if (vm.numa_nodes > 0) body.field("numa_nodes", static_cast<double>(vm.numa_nodes));
  if (!vm.spread_group.empty()) {
    body.key("spread").begin_object().field("by", "rack").field("group", vm.spread_group);
    body.field("domain", vm.spread_domain).end_object();
  }
  body.end_object()
      .field("claim", true)
      .field("ttl_s", options.ttl_s)
      .field("alternates", 0.0)
      .field("explain", "none");
  return body.field_if("profile", options.profile).end_object().take();
}

// A trace on its way through a service.
class ServiceReplay {
 public:
  ServiceReplay(const Trace& trace, Client& client, const ReplayOptions& options, const Progress& progress)
      : trace_(trace), client_(client), options_(options), progress_(progress) {
    for (std::size_t i = 0; i < trace.hosts.size(); ++i) host_of_[trace.hosts[i].name] = i;
  }

  void prepare() {
    for (const Json& host : list_all(client_, "/v1/hosts?limit=1000", "hosts")) {
      if (host_of_.contains(host["name"].string())) continue;
      throw Failure(kBadInput,
                    fmt::format("the service has a host of its own, {}; simulate needs a service with an empty "
                                "data directory",
                                printable(host["name"].text())));
    }
    if (const Json page = client_.ask({.target = "/v1/vms?limit=1"}); page["vms"].size() > 0) {
      throw Failure(kBadInput, "the service has vms; simulate needs a service with an empty data directory");
    }
    client_.ask({.method = "POST", .target = "/v1/inventory:import", .body = inventory_of(trace_)}, 300);
  }

  void run() {
    client_.send_all(
        options_.clients, [this] { return next(); },
        [this](const Request& request, const Answer& answer) { take(request, answer); });
  }

  // Who is there at the end, from the service's claims, not from its answers; who has left, from the answers.
  Placements placements(std::vector<std::string>& violations) {
    Placements result = left_;
    for (const Json& claim : list_all(client_, "/v1/claims?limit=1000", "claims")) {
      const auto known = vm_of_claim_.find(claim["id"].string());
      if (known == vm_of_claim_.end()) {
        violations.push_back(fmt::format("claim {} was never answered", claim["id"].text()));
        continue;
      }
      const auto host = host_of_.find(claim["host"].string());
      if (host == host_of_.end()) {
        violations.push_back(fmt::format("claim {} is on the unknown host {}", known->first, claim["host"].text()));
        continue;
      }
      Placed placed{known->second, host->second};
      for (const Json& cell : claim["cells"].items()) placed.cells.push_back(static_cast<int>(cell.number(-1)));
      result[known->second] = placed;
      answered_.erase(known->second);
    }
    for (const auto& [vm, claim] : answered_) {
      violations.push_back(fmt::format("claim {} of {} was answered but is not stored", claim, trace_.vms[vm].name));
    }
    return result;
  }

  // How many claims were given back.
  std::size_t clean_up() {
    auto claim = vm_of_claim_.begin();
    const auto next_release = [&]() -> std::optional<Request> {
      if (claim == vm_of_claim_.end()) return std::nullopt;
      return Request{.method = "DELETE", .target = path_of("claims", (claim++)->first)};
    };
    client_.send_all(std::max(options_.clients, 8), next_release, [](const Request&, const Answer&) {});
    return vm_of_claim_.size();
  }

  std::vector<double> take_latencies() {
    std::sort(latencies_ms_.begin(), latencies_ms_.end());
    return std::move(latencies_ms_);
  }

 private:
  std::optional<Request> next() {
    while (at_ < trace_.events.size() && !Interrupt::came()) {
      const TraceEvent& event = trace_.events[at_++];
      if (event.arrives) {
        return Request{.method = "POST",
                       .target = "/v1/placements",
                       .body = placement_of(trace_.vms[event.vm], options_),
                       .headers = {{"Idempotency-Key", new_key()}},
                       .tag = event.vm};
      }
      const auto claim = answered_.find(event.vm);
      if (claim == answered_.end()) {  // it was refused when it came
        ++done_;
        continue;
      }
      const std::string id = claim->second;
      left_[event.vm] = placed_.at(event.vm);
      answered_.erase(claim);
      vm_of_claim_.erase(id);
      return Request{.method = "DELETE", .target = path_of("claims", id)};
    }
    return std::nullopt;
  }

  void take(const Request& request, const Answer& answer) {
    progress_(++done_, trace_.events.size());
    if (request.method == "DELETE") {
      if (!answer.is_ok()) raise(answer);
      return;
    }
    latencies_ms_.push_back(answer.took_ms);
    if (answer.status == 409) return;  // no host of the ranking could be had
    if (!answer.is_ok()) raise(answer);
    const Json claim = answer.json()["claim"];
    if (claim.is_null()) return;
    const std::size_t vm = request.tag;
    const std::string id = claim.need("id").string();
    vm_of_claim_[id] = vm;
    answered_[vm] = id;
    Placed placed{vm, host_of_.at(claim.need("host").string())};
    for (const Json& cell : claim["cells"].items()) placed.cells.push_back(static_cast<int>(cell.number(-1)));
    placed_[vm] = placed;
  }

  const Trace& trace_;
  Client& client_;
  const ReplayOptions& options_;
  const Progress& progress_;
  std::size_t at_ = 0, done_ = 0;
  std::map<std::string, std::size_t> host_of_, vm_of_claim_;
  std::map<std::size_t, std::string> answered_;  // claims that should be there, by vm
  Placements placed_, left_;
  std::vector<double> latencies_ms_;
};

}  // namespace

Outcome replay_policy(const Trace& trace, Policy policy, const Progress& progress) {
  Outcome outcome{.policy = policy == Policy::kFirstFit ? "first-fit" : "best-fit"};
  Fleet fleet(trace);
  Placements all, present;
  const auto start = Clock::now();
  std::size_t done = 0;
  for (const TraceEvent& event : trace.events) {
    if (event.arrives) {
      if (const auto placed = choose(trace, fleet, policy, event.vm)) {
        fleet.put(*placed);
        all[event.vm] = present[event.vm] = *placed;
      }
    } else if (const auto leaving = present.find(event.vm); leaving != present.end()) {
      fleet.remove(leaving->second);
      present.erase(leaving);
    }
    progress(++done, trace.events.size());
  }
  outcome.seconds = since(start);
  judge(trace, all, outcome);
  return outcome;
}

Outcome replay_in_process(const Trace& trace, const std::string& profile, const Progress& progress) {
  Outcome outcome{.policy = "in-process"};
  const auto checked = [](auto result) {
    if (!result) throw Failure(kBadInput, result.error().message);
    return *std::move(result);
  };
  Decider decider = checked(Decider::make(inventory_of(trace), profile));
  std::map<std::string, std::size_t> host_of;
  for (std::size_t i = 0; i < trace.hosts.size(); ++i) host_of[trace.hosts[i].name] = i;
  Placements placements;
  std::size_t done = 0;
  for (const TraceEvent& event : trace.events) {
    const auto start = Clock::now();
    if (!event.arrives) {
      decider.remove(trace.vms[event.vm].name);
    } else if (const auto place = checked(decider.place(placement_of(trace.vms[event.vm], {})))) {
      placements[event.vm] = {event.vm, host_of.at(place->host), {place->cells.begin(), place->cells.end()}};
    }
    const double took_s = since(start);
    outcome.seconds += took_s;
    if (event.arrives) outcome.latencies_ms.push_back(1000 * took_s);
    progress(++done, trace.events.size());
  }
  std::sort(outcome.latencies_ms.begin(), outcome.latencies_ms.end());
  judge(trace, placements, outcome);
  return outcome;
}

Outcome replay_service(const Trace& trace, Client& client, const ReplayOptions& options, const Progress& progress) {
  Outcome outcome{.policy = "service" + (options.profile.empty() ? "" : ":" + options.profile)};
  ServiceReplay replay(trace, client, options, progress);
  replay.prepare();
  const Interrupt interrupt;
  const auto start = Clock::now();
  try {
    replay.run();
  } catch (const Failure&) {
    if (!options.keep) replay.clean_up();
    throw;
  }
  if (Interrupt::came()) {
    const std::size_t given_back = options.keep ? 0 : replay.clean_up();
    throw Failure(kInterrupted, fmt::format("interrupted; {} claims were given back", given_back));
  }
  outcome.seconds = since(start);
  const Placements placements = replay.placements(outcome.violations);
  judge(trace, placements, outcome);
  outcome.latencies_ms = replay.take_latencies();
  if (!options.keep) replay.clean_up();
  return outcome;
}

}  // namespace emplace::cli
