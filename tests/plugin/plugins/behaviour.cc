// A plugin that behaves as EMPLACE_TEST_BEHAVIOUR says: kGood, or in one of the ways in which plugins go wrong.
#include <sched.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <limits>

#include "emplace/plugin.hpp"

namespace {

enum Behaviour {
  kGood,
  kWrongMajor,
  kNewerMinor,
  kShortEntry,
  kOtherVersion,
  kThrowingInitialiser,
  kCrashingCreate,
  kHangingCreate,
  kExitingCreate,
  kFailingCreate,
  kMissingRule,
  kNan,
  kWrongCount,
  kThrowing,
  kNoReason,
  kWrongQuality,
};
constexpr Behaviour kBehaviour = EMPLACE_TEST_BEHAVIOUR;

namespace p = emplace::plugin;

class Roomy : public p::Filter {
 public:
  explicit Roomy(double minimum_mib) : minimum_mib_(minimum_mib) {}

  void screen(const p::Call& call, p::Verdicts& verdicts) const override {
    if (kBehaviour == kThrowing) throw p::Error("no mood for this");
    const auto free = call.picture().column<double>("hosts", "memory_free_mib");
    const auto hosts = call.candidates();
    for (std::size_t i = 0; i < hosts.size(); ++i) {
      if (free.get(hosts[i]).value_or(0) < wanted(call)) verdicts.refuse(i, kBehaviour == kNoReason ? 0 : 7);
    }
  }
  p::Refusal explain(const p::Call& call, std::uint32_t host, std::uint8_t) const override {
    return {"test.memory", wanted(call), call.picture().column<double>("hosts", "memory_free_mib")[host], "MiB"};
  }

 private:
  double wanted(const p::Call& call) const { return call.request().column<double>("memory_mib")[0] + minimum_mib_; }
  const double minimum_mib_;
};

class Negative : public p::Objective {
 public:
  void evaluate(const p::Call& call, p::Costs& costs) const override {
    if (kBehaviour == kThrowing) throw 7;
    const auto free = call.picture().column<double>("hosts", "memory_free_mib");
    const auto hosts = call.candidates();
    for (std::size_t i = 0; i < hosts.size(); ++i) {
      costs.set(i, kBehaviour == kNan ? std::numeric_limits<double>::quiet_NaN() : -free[hosts[i]],
                kBehaviour == kWrongQuality ? 3 : 0);
    }
  }
};

std::int32_t few(void*, const emplace_call*, emplace_costs* costs, emplace_error*) {
  costs->count = 1;
  return EMPLACE_OK;
}

void make(const p::Configuration& configuration, p::Plugin& plugin) {
  if (kBehaviour == kCrashingCreate) std::abort();
  while (kBehaviour == kHangingCreate) sched_yield();
  if (kBehaviour == kExitingCreate) _exit(0);
  if (kBehaviour == kFailingCreate) throw p::Error("the moon is in the wrong place");
  if (configuration.text("label") == "y" && configuration.json().find("[1,2]") == std::string_view::npos)
    throw p::Error("list");
  plugin.add(EMPLACE_TEST_NAME ".filter", std::make_unique<Roomy>(configuration.number("minimum_mib")));
  if (kBehaviour != kMissingRule) plugin.add(EMPLACE_TEST_NAME ".cost", std::make_unique<Negative>());
}

const void* extension(void* instance, const char* id, const char* rule) {
  static const emplace_objective kFew{sizeof(emplace_objective), 0, nullptr, few};
  if (kBehaviour == kWrongCount && std::string_view(id) == EMPLACE_OBJECTIVE) return &kFew;
  return p::detail::get_extension(instance, id, rule);
}

int throws() {
  if (kBehaviour == kThrowingInitialiser) throw p::Error("thrown while loading");
  return 0;
}
[[maybe_unused]] const int initialised = throws();

}  // namespace

extern "C" EMPLACE_PLUGIN_EXPORT const emplace_entry emplace_plugin_entry = {
    kBehaviour == kShortEntry ? 16u : static_cast<std::uint32_t>(sizeof(emplace_entry)),
    kBehaviour == kWrongMajor ? 99u : EMPLACE_ABI_MAJOR,
    kBehaviour == kNewerMinor ? 99u : EMPLACE_ABI_MINOR,
    0,
    EMPLACE_TEST_NAME,
    kBehaviour == kOtherVersion ? "2.0.0" : "1.0.0",
    p::detail::create<make>,
    extension,
    p::detail::destroy};
