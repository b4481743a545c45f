// Replay: a trace sent through a policy or through a running service, and what came of it. What a service promised is
// read back from its claims and checked against the rules on a Fleet of our own; the service's answers alone prove
// nothing.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cli/client.h"
#include "cli/simulate/fleet.h"

namespace emplace::cli {

struct ReplayOptions {
  std::string profile;  // of the service; empty: its default
  int clients = 1;      // requests on their way at once
  double ttl_s = 86400;
  bool keep = false;  // leave the claims in the service
};

struct Outcome {
  std::string policy;
  std::size_t placed = 0, refused = 0;
  std::size_t hosts_used = 0;  // at the fullest moment, as the next one
  Stranded stranded = {};
  std::vector<std::string> violations = {};
  double seconds = 0;                     // of the requests, without import and check
  std::vector<double> latencies_ms = {};  // of a service, rising
};

// Told how many of the trace's events are done.
using Progress = std::function<void(std::size_t done, std::size_t all)>;

Outcome replay_policy(const Trace& trace, Policy policy, const Progress& progress);
// The service's own straight line in this process, with its built-in rules.
// `profile`: as JSON; empty: the default.
Outcome replay_in_process(const Trace& trace, const std::string& profile, const Progress& progress);
// The service must have no other hosts and no vms: Failure{kBadInput} otherwise.
Outcome replay_service(const Trace& trace, Client& client, const ReplayOptions& options, const Progress& progress);

}  // namespace emplace::cli
