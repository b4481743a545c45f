// plugin_name: keeps some memory of each host free, and prefers hosts that are less full. Replace both rules by yours;
// the contract is in the comments of emplace/plugin.h, the guide in docs/plugins.md of Emplace.
#include "plugin_name.h"

#include "emplace/plugin.hpp"

namespace {

namespace p = emplace::plugin;

// May it? One call judges all candidates; a reason is yours to number, from 1 to 255.
class Room : public p::Filter {
 public:
  explicit Room(double minimum_free_mib) : minimum_free_mib_(minimum_free_mib) {}

  void screen(const p::Call& call, p::Verdicts& verdicts) const override {
    const auto free = call.picture().column<double>("hosts", "memory_free_mib");
    const double wanted = call.request().column<double>("memory_mib").get(0).value_or(0);
    const auto hosts = call.candidates();
    for (std::size_t i = 0; i < hosts.size(); ++i) {
      const auto here = free.get(hosts[i]);
      if (!here) verdicts.refuse(i, kUnknown);
      if (here && free_after(*here, wanted) < minimum_free_mib_) verdicts.refuse(i, kFull);
    }
  }
  // Only when somebody asks; never for a host that was kept.
  p::Refusal explain(const p::Call& call, std::uint32_t host, std::uint8_t reason) const override {
    const double wanted = call.request().column<double>("memory_mib").get(0).value_or(0) + minimum_free_mib_;
    if (reason == kUnknown) return {"plugin_name.room.unknown", wanted, "not known", "MiB"};
    return {"plugin_name.room.full", wanted, call.picture().column<double>("hosts", "memory_free_mib")[host], "MiB"};
  }

 private:
  enum Reason : std::uint8_t { kFull = 1, kUnknown = 2 };
  const double minimum_free_mib_;
};

// At what cost? The marginal cost of having the vm on each candidate, in the unit that the manifest names; lower is
// better.
class Fill : public p::Objective {
 public:
  void evaluate(const p::Call& call, p::Costs& costs) const override {
    const auto used = call.picture().column<double>("hosts", "memory_used_mib");
    const auto capacity = call.picture().column<double>("hosts", "memory_capacity_mib");
    const double wanted = call.request().column<double>("memory_mib").get(0).value_or(0);
    const auto hosts = call.candidates();
    for (std::size_t i = 0; i < hosts.size(); ++i) {
      const auto now = used.get(hosts[i]), all = capacity.get(hosts[i]);
      const auto percent = now && all ? fill_percent(*now, wanted, *all) : std::nullopt;
      percent ? costs.set(i, *percent) : costs.set_no_data(i);
    }
  }
};

void make(const p::Configuration& configuration, p::Plugin& plugin) {
  plugin.add("plugin_name.room", std::make_unique<Room>(configuration.number("minimum_free_mib")));
  plugin.add("plugin_name.fill", std::make_unique<Fill>());
}

}  // namespace

EMPLACE_PLUGIN("plugin_name", "1.0.0", make)
