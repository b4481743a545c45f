// ComputeFilter: the host's service is enabled and was heard from. nova_state.service is judged as Nova does (disabled,
// forced_down, the age of its heartbeat); the host's own state in the picture counts too, since operators change it
// here.
#include <cstdlib>

#include "rules.h"

namespace emplace::nova {
namespace {

enum Reason : std::uint8_t { kPasses, kDisabled, kMaintenance, kDown, kServiceDisabled, kForcedDown, kNotHeard };

// As hosts.state has them.
constexpr std::uint32_t kStateEnabled = 0, kStateDisabled = 1, kStateMaintenance = 2, kStateDown = 3;

Reason judge_state(std::uint32_t state) {
  if (state == kStateDisabled) return kDisabled;
  if (state == kStateMaintenance) return kMaintenance;
  return state == kStateDown ? kDown : kPasses;
}

struct Deadline {
  std::int64_t now_us;
  std::int64_t down_time_us;
  // A clock that is ahead counts as one that is behind.
  bool met_by(std::int64_t heard_us) const { return std::abs(now_us - heard_us) <= down_time_us; }
};

class ComputeFilter : public plugin::Filter {
 public:
  explicit ComputeFilter(const Shared& shared) : shared_(shared) {}

  void screen(const plugin::Call& call, plugin::Verdicts& verdicts) const override {
    if (shared_.specs->of(call)->rebuild) return;
    const auto states = call.picture().column<std::uint32_t>("hosts", "state");
    const Snapshot& snapshot = shared_.hosts->of(call);
    const Deadline deadline{call.now_us(), shared_.settings->of(call)->service_down_time_us};
    for_each_block(call.candidates(), [&](std::uint32_t first, std::span<const std::uint32_t> rows, std::size_t at) {
      const HostBlock& hosts = snapshot.columns.block_of(first);
      const std::uint32_t* state = states.values_from(first);
      const unsigned char* valid = states.validity_from(first);
      const bool only_state_counts = all_valid(valid, rows.back() - first + 1) && all_services_up(hosts, deadline);
      for (std::size_t i = 0; i < rows.size(); ++i) {
        const std::uint32_t row = rows[i] - first;
        if (only_state_counts && state[row] == kStateEnabled) continue;
        const bool known = !valid || ((valid[row >> 3] >> (row & 7)) & 1);
        const Reason reason = judge(known ? state[row] : kStateDown, hosts, row, deadline);
        if (reason != kPasses) verdicts.refuse(at + i, reason);
      }
    });
  }

  plugin::Refusal explain(const plugin::Call& call, std::uint32_t host, std::uint8_t reason) const override {
    switch (reason) {
      case kDisabled:
        return {"nova.compute.disabled", "enabled", "disabled"};
      case kMaintenance:
        return {"nova.compute.disabled", "enabled", "maintenance"};
      case kServiceDisabled:
        return {"nova.compute.disabled", "enabled service", "disabled service"};
      case kForcedDown:
        return {"nova.compute.down", "up", "forced_down"};
      case kNotHeard:
        return not_heard(call, host);
      default:
        return {"nova.compute.down", "up", "down"};
    }
  }

 private:
  static bool all_services_up(const HostBlock& hosts, const Deadline& deadline) {
    if (hosts.any_other) return false;
    const bool none = hosts.first_heard_us > hosts.last_heard_us;
    return none || (deadline.met_by(hosts.first_heard_us) && deadline.met_by(hosts.last_heard_us));
  }

  static Reason judge(std::uint32_t state, const HostBlock& hosts, std::uint32_t i, const Deadline& deadline) {
    const Reason by_state = judge_state(state);
    if (by_state != kPasses) return by_state;
    switch (hosts.service[i]) {
      case ServiceState::kNone:
        return kPasses;
      case ServiceState::kDisabled:
        return kServiceDisabled;
      case ServiceState::kForcedDown:
        return kForcedDown;
      case ServiceState::kHeard:
        return deadline.met_by(hosts.heard_us[i]) ? kPasses : kNotHeard;
      default:
        return kNotHeard;
    }
  }

  plugin::Refusal not_heard(const plugin::Call& call, std::uint32_t row) const {
    const HostState* host = shared_.hosts->of(call).hosts.find(row);
    const double wanted = static_cast<double>(shared_.settings->of(call)->service_down_time_us) / 1e6;
    if (!host || !host->service || !host->service->heartbeat_us) {
      return {"nova.compute.not_heard_from", wanted, "never heard from", "s"};
    }
    return {"nova.compute.not_heard_from", wanted,
            static_cast<double>(std::abs(call.now_us() - *host->service->heartbeat_us)) / 1e6, "s"};
  }

  const Shared shared_;
};

}  // namespace

void add_compute_filter(plugin::Plugin& plugin, const Shared& shared) {
  plugin.add("ComputeFilter", std::make_unique<ComputeFilter>(shared));
}

}  // namespace emplace::nova
