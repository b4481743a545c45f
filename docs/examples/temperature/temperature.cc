// temperature: keeps vms away from hosts whose air is hot already. Air that takes up P watts while V cubic metres an
// hour pass warms by P / (density * heat capacity * V) kelvin; P is what the host was seen to draw, and what the vm
// adds.
#include <cmath>

#include "emplace/plugin.hpp"

namespace {

namespace p = emplace::plugin;

struct Air {
  double inlet_celsius;
  double m3_per_h;
  double watts_per_vcpu;

  double exhaust_celsius(double host_watts, double vm_vcpus) const {
    constexpr double kJoulesPerM3Kelvin = 1.2 * 1005;  // kg/m3 times J/(kg K)
    const double watts = host_watts + vm_vcpus * watts_per_vcpu;
    return inlet_celsius + watts * 3600 / (kJoulesPerM3Kelvin * m3_per_h);
  }
};

double vcpus_of(const p::Call& call) { return call.request().column<double>("vcpus").get(0).value_or(0); }

class Limit : public p::Filter {
 public:
  Limit(const Air& air, double limit_celsius) : air_(air), limit_celsius_(limit_celsius) {}

  void screen(const p::Call& call, p::Verdicts& verdicts) const override {
    const auto power = call.picture().column<double>("hosts", "power_watts");
    const double vcpus = vcpus_of(call);
    const auto hosts = call.candidates();
    for (std::size_t i = 0; i < hosts.size(); ++i) {
      const auto watts = power.get(hosts[i]);
      if (watts && air_.exhaust_celsius(*watts, vcpus) > limit_celsius_) verdicts.refuse(i, kTooHot);
    }
  }
  p::Refusal explain(const p::Call& call, std::uint32_t host, std::uint8_t) const override {
    const double watts = call.picture().column<double>("hosts", "power_watts").get(host).value_or(0);
    return {"temperature.limit.too_hot", limit_celsius_, air_.exhaust_celsius(watts, vcpus_of(call)), "celsius"};
  }

 private:
  enum Reason : std::uint8_t { kTooHot = 1 };
  const Air air_;
  const double limit_celsius_;
};

class Exhaust : public p::Objective {
 public:
  Exhaust(const Air& air, std::int64_t stale_after_us) : air_(air), stale_after_us_(stale_after_us) {}

  void evaluate(const p::Call& call, p::Costs& costs) const override {
    const auto power = call.picture().column<double>("hosts", "power_watts");
    const double vcpus = vcpus_of(call);
    const auto hosts = call.candidates();
    for (std::size_t i = 0; i < hosts.size(); ++i) {
      const auto watts = power.get(hosts[i]);
      const double celsius = watts ? air_.exhaust_celsius(*watts, vcpus) : 0;
      if (!watts || !std::isfinite(celsius)) {
        costs.set_no_data(i);
        continue;
      }
      const bool stale = call.now_us() - power.observed_at_us(hosts[i]) > stale_after_us_;
      costs.set(i, celsius, stale ? EMPLACE_QUALITY_STALE : EMPLACE_QUALITY_OK);
    }
  }

 private:
  const Air air_;
  const std::int64_t stale_after_us_;
};

void make(const p::Configuration& configuration, p::Plugin& plugin) {
  const Air air{configuration.number("inlet_celsius"), configuration.number("airflow_m3_per_h"),
                configuration.number("watts_per_vcpu")};
  const auto stale_after_us = static_cast<std::int64_t>(configuration.number("stale_after_s") * 1e6);
  plugin.add("temperature.limit", std::make_unique<Limit>(air, configuration.number("limit_celsius")));
  plugin.add("temperature.exhaust", std::make_unique<Exhaust>(air, stale_after_us));
}

}  // namespace

EMPLACE_PLUGIN("temperature", "1.0.0", make)
