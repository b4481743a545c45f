#include "service/wiring/states.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

namespace emplace {
namespace {
constexpr std::uintmax_t kLeastDiskBytes = std::uintmax_t{64} << 20;  // a few WAL segments
}

// An old picture of the cloud is still one to decide on; what a brake holds may be far from the truth, and what was
// never read is no picture. Server groups are no part of that: rules do without.
std::vector<http::SourceState> source_states(const openstack::Openstack& cloud, bool was_read) {
  std::vector<http::SourceState> states;
  bool is_said = false;
  for (const openstack::PartState& part : cloud.states()) {
    const bool is_missing = !was_read && !part.error.empty() && part.needed;
    is_said |= is_missing;
    states.push_back(
        {"openstack." + part.name, part.error, is_missing || part.code == "emplace.brake", part.good_at_us});
  }
  if (!was_read && !is_said)
    states.push_back({"openstack", "its first reading is not written yet, by this replica or another", true, 0});
  return states;
}

std::vector<http::PluginState> plugin_states(const Plugins& loaded) {
  std::vector<http::PluginState> states;
  for (const PluginStatus& status : loaded.status()) {
    http::PluginState& state = states.emplace_back();
    state.id = status.id;
    state.version = status.version;
    state.isolation = status.isolation;
    state.state = status.state == "active" ? "running" : status.state;
    state.restarts = status.restarts;
    state.last_error = status.last_error;
    state.confinement = status.confinement;
    state.configuration = status.configuration;
    if (status.state != "active")
      state.why = status.last_error.empty() ? "too slow, again and again" : status.last_error;
    double total_us = 0;
    for (const RuleStatus& rule : status.rules) {
      state.rules.push_back(rule.id);
      state.calls += rule.counts.calls;
      total_us += static_cast<double>(rule.counts.total_us);
      state.last_us = std::max(state.last_us, static_cast<double>(rule.counts.last_us));
      state.misses += rule.counts.misses;
      state.errors += rule.counts.errors;
    }
    state.mean_us = state.calls > 0 ? total_us / static_cast<double>(state.calls) : 0;
  }
  return states;
}

std::vector<http::HypervisorState> hypervisor_states(const LibvirtHosts& hosts) {
  std::vector<http::HypervisorState> states;
  for (const HostStatus& status : hosts.states()) {
    states.push_back({status.name, status.connected, status.connected ? std::string() : status.last_error});
  }
  return states;
}

http::DatabaseState database_state(const PostgresStore& store) {
  DatabaseState state = store.database();
  return {std::move(state.full), state.clock_ahead_us, state.rewinds, state.rewound_at_us};
}

std::vector<std::string> own_warnings(const Config& config, const http::Tokens& tokens) {
  std::vector<std::string> warnings;
  if (tokens.empty() && config.openstack.auth_url.empty())
    warnings.push_back("tokens: there are none, so that nobody may do anything: name a tokens_file in [auth]");
  std::error_code error;
  const auto space = std::filesystem::space(config.data, error);
  if (!error && space.available < kLeastDiskBytes)
    warnings.push_back(fmt::format("disk: {} MiB are free in {}, wanted at least {}", space.available >> 20,
                                   config.data, kLeastDiskBytes >> 20));
  return warnings;
}

}  // namespace emplace
