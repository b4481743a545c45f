// A plugin of a filter and an objective that breaks the contract in the one way that EMPLACE_BAD names. Each is written
// as the mistake is made in earnest, as far as that is possible in a line.
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <limits>
#include <random>

#include "emplace/plugin.hpp"

namespace {

enum Behaviour {
  kGood,
  kAnotherVersion,
  kUndeclaredColumn,
  kBorrowedColumn,
  kCrashing,
  kExiting,
  kThrowing,
  kNan,
  kWrongLength,
  kOverrun,
  kLeaking,
  kRandom,
  kPerProcess,
  kRowDependent,
  kCountDependent,
  kOtherHosts,
  kRemembering,
  kPair,
  kUndefined,
  kOverflow,
  kConfiguration,
  kHanging,
  kHurried,
  kSlow,
  kForgetful,
  kOtherCode,
  kNotReentrant,
  kThreaded,
  kTalking,
  kReading,
  kSpinning,
  kMute,
};
constexpr Behaviour kBehaviour = EMPLACE_BAD;

namespace p = emplace::plugin;

class Room : public p::Filter {
 public:
  void screen(const p::Call& call, p::Verdicts& verdicts) const override {
    const auto free = call.picture().column<double>("hosts", "memory_free_mib");
    const double wanted = call.request().column<double>("memory_mib").get(0).value_or(0);
    std::uint32_t known = 0;
    for (std::uint32_t row = 0; row < free.rows(); ++row) known += free.valid(row);
    if (kBehaviour == kMute) return;
    const double all = kBehaviour == kOtherHosts && known % 2 ? 1e9 : 0;
    const auto hosts = call.candidates();
    for (std::size_t i = 0; i < hosts.size(); ++i) {
      if (free.get(hosts[i]).value_or(0) < wanted + all) verdicts.refuse(i, 1);
    }
  }
  p::Refusal explain(const p::Call&, std::uint32_t, std::uint8_t) const override {
    if (kBehaviour == kMute) throw p::Error("nobody ever heard it say anything");
    return {kBehaviour == kOtherCode ? "No Room" : EMPLACE_BAD_NAME ".room"};
  }
};

struct Sums {
  std::vector<double> of;  // memory of the vms on each host
};

class MemorySums : public p::Snapshots<Sums> {
  std::shared_ptr<const Sums> first(const p::View& view) const override {
    auto sums = std::make_shared<Sums>();
    const auto hosts = view.column<std::uint32_t>("vms", "host");
    const auto memory = view.column<double>("vms", "memory_mib");
    for (std::uint32_t vm = 0; vm < hosts.rows(); ++vm) {
      const std::uint32_t host = hosts.get(vm).value_or(0);
      if (host >= sums->of.size()) sums->of.resize(host + 1);
      if (hosts.valid(vm)) sums->of[host] += memory.get(vm).value_or(0);
    }
    return sums;
  }
  std::shared_ptr<const Sums> next(const Sums& before, const p::View&, const p::View& after,
                                   const p::Changes&) const override {
    if (kBehaviour == kForgetful) return std::make_shared<Sums>(before);
    return first(after);
  }
};

class Cost : public p::Objective {
 public:
  Cost(double divisor, std::shared_ptr<MemorySums> sums) : divisor_(divisor), sums_(std::move(sums)) {}

  ~Cost() override {
    while (kBehaviour == kSpinning) sched_yield();
  }
  void evaluate(const p::Call& call, p::Costs& costs) const override {
    before(call);
    const auto free = call.picture().column<double>("hosts", "memory_free_mib");
    const auto hosts = call.candidates();
    for (std::size_t i = 0; i < hosts.size(); ++i) {
      if (!free.valid(hosts[i]) && kBehaviour != kUndefined) {
        costs.set_no_data(i);
      } else {
        costs.set(i,
                  cost(call, hosts[i], kBehaviour == kUndefined ? free.get(hosts[i]).value_or(kNone) : free[hosts[i]]));
      }
    }
  }

 private:
  static constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

  void before(const p::Call& call) const {
    const std::size_t hosts = call.candidates().size();
    last_wanted_ = call.request().column<double>("memory_mib").get(0).value_or(0);
    most_wanted_ = std::max(most_wanted_, last_wanted_);
    if (kBehaviour == kRandom) noise_ = std::random_device{}();
    if (kBehaviour == kUndeclaredColumn) call.picture().column<double>("hosts", "power_watts");
    if (kBehaviour == kBorrowedColumn) call.picture().column<double>("hosts", "vm_count");
    if (kBehaviour == kCrashing) *static_cast<volatile int*>(nullptr) = 1;
    if (kBehaviour == kExiting) _exit(0);
    if (kBehaviour == kReading) open("/etc/hostname", O_RDONLY);
    if (kBehaviour == kPair && hosts == 2) __builtin_trap();
    while (kBehaviour == kHanging && call.deadline_us() != 0) sched_yield();
    if (kBehaviour == kSlow && hosts >= 20000) usleep(50'000);
    if (kBehaviour == kNotReentrant) usleep(20);
  }
  double cost(const p::Call& call, std::uint32_t host, double free) const {
    if (kBehaviour == kNan) return kNone;
    if (kBehaviour == kRandom) return free + noise_;
    if (kBehaviour == kPerProcess) return free + getpid();
    if (kBehaviour == kRowDependent) return host;
    if (kBehaviour == kCountDependent) return free / static_cast<double>(call.candidates().size());
    if (kBehaviour == kRemembering) return free + most_wanted_;
    if (kBehaviour == kNotReentrant) return free + last_wanted_;
    if (kBehaviour == kOverflow) return free * 1e10;
    if (kBehaviour == kHurried && call.deadline_us() != 0) return 0;
    if (kBehaviour == kForgetful)
      return host < sums_->of(call).of.size() ? std::clamp(sums_->of(call).of[host], -1e300, 1e300) : 0;
    return std::clamp(free / divisor_, -1e300, 1e300) + (divisor_ == 0 ? kNone : 0);
  }

  const double divisor_;
  const std::shared_ptr<MemorySums> sums_;
  mutable double last_wanted_ = 0, most_wanted_ = 0, noise_ = 0;
};

void make(const p::Configuration& configuration, p::Plugin& plugin) {
  [[maybe_unused]] static char* volatile lost;
  if (kBehaviour == kTalking) socket(AF_INET, SOCK_STREAM, 0);
  if (kBehaviour == kLeaking) lost = new char[100];
  const auto sums = std::make_shared<MemorySums>();
  plugin.set_observer(sums);
  plugin.add(EMPLACE_BAD_NAME ".room", std::make_unique<Room>());
  // A divisor of 0 is what its schema allows and nobody meant.
  const double divisor = configuration.number("divisor");
  plugin.add(EMPLACE_BAD_NAME ".cost",
             std::make_unique<Cost>(kBehaviour == kConfiguration ? divisor : divisor + 1, sums));
}

void* stay(void*) {
  while (true) pause();
}
int start_thread() {
  pthread_t thread;
  return kBehaviour == kThreaded ? pthread_create(&thread, nullptr, stay, nullptr) : 0;
}
[[maybe_unused]] const int started = start_thread();

// Not plugin.hpp's functions with their guard: what a plugin in plain C++ might do.
std::int32_t evaluate(void*, const emplace_call* call, emplace_costs* costs, emplace_error*) {
  if (kBehaviour == kThrowing) throw p::Error("across the border");
  for (std::uint32_t i = 0; i < call->candidate_count + (kBehaviour == kOverrun ? 1 : 0); ++i) costs->costs[i] = 1;
  costs->count = call->candidate_count - (kBehaviour == kWrongLength && call->candidate_count != 0 ? 1 : 0);
  return EMPLACE_OK;
}

const void* extension(void* instance, const char* id, const char* rule) {
  static const emplace_objective kUnguarded{sizeof(emplace_objective), 0, nullptr, evaluate};
  const bool unguarded = kBehaviour == kThrowing || kBehaviour == kOverrun || kBehaviour == kWrongLength;
  if (unguarded && std::string_view(id) == EMPLACE_OBJECTIVE) return &kUnguarded;
  return p::detail::get_extension(instance, id, rule);
}

}  // namespace

extern "C" EMPLACE_PLUGIN_EXPORT const emplace_entry emplace_plugin_entry = {
    sizeof(emplace_entry),   EMPLACE_ABI_MAJOR,
    EMPLACE_ABI_MINOR,       0,
    EMPLACE_BAD_NAME,        kBehaviour == kAnotherVersion ? "2.0.0" : "1.0.0",
    p::detail::create<make>, extension,
    p::detail::destroy};
