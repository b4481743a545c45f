// An observer whose index is the sum of the vms' memory by host, of the hosts' watts and their times, of the lengths of
// the vms' names and of the hosts' aggregates: each moves with every change of what it is made from.
#include <map>

#include "emplace/plugin.hpp"

namespace {

namespace p = emplace::plugin;

struct Sums {
  std::map<std::uint32_t, double> memory;
  double others = 0;
};

class Mirror : public p::Snapshots<Sums> {
 protected:
  std::shared_ptr<const Sums> first(const p::View& after) const override {
    auto sums = std::make_shared<Sums>();
    for (std::uint32_t row = 0; row < after.table("vms").rows(); ++row) {
      add_vm(*sums, after, row, +1), add_name(*sums, after, row, +1);
    }
    for (std::uint32_t row = 0; row < after.table("hosts").rows(); ++row) {
      add_watts(*sums, after, row, +1), add_aggregates(*sums, after, row, +1);
    }
    return sums;
  }
  std::shared_ptr<const Sums> next(const Sums& index, const p::View& before, const p::View& after,
                                   const p::Changes& changes) const override {
    auto sums = std::make_shared<Sums>(index);
    const auto swap = [&](auto add, auto rows) {
      for (const std::uint32_t row : rows) add(*sums, before, row, -1), add(*sums, after, row, +1);
    };
    std::map<std::uint32_t, bool> vms;
    for (const char* column : {"host", "memory_mib"}) {
      for (const std::uint32_t row : changes.rows("vms", column)) vms[row] = true;
    }
    for (const auto& [row, changed] : vms) add_vm(*sums, before, row, -1), add_vm(*sums, after, row, +1);
    swap(add_name, changes.rows("vms", "name"));
    swap(add_watts, changes.rows("hosts", "power_watts"));
    swap(add_aggregates, changes.rows("hosts", "aggregates"));
    return sums;
  }

 private:
  static void add_vm(Sums& sums, const p::View& view, std::uint32_t row, int sign) {
    const auto host = view.column<std::uint32_t>("vms", "host").get(row);
    const auto memory = view.column<double>("vms", "memory_mib").get(row);
    if (host && memory) sums.memory[*host] += sign * *memory;
  }
  static void add_name(Sums& sums, const p::View& view, std::uint32_t row, int sign) {
    const auto name = view.column<std::string_view>("vms", "name").get(row);
    if (name) sums.others += sign * static_cast<double>(name->size());
  }
  static void add_watts(Sums& sums, const p::View& view, std::uint32_t row, int sign) {
    const auto watts = view.column<double>("hosts", "power_watts");
    if (watts.valid(row)) sums.others += sign * (watts[row] + static_cast<double>(watts.observed_at_us(row)));
  }
  static void add_aggregates(Sums& sums, const p::View& view, std::uint32_t row, int sign) {
    const auto list = view.column<std::span<const std::uint32_t>>("hosts", "aggregates").get(row);
    for (const std::uint32_t aggregate : list.value_or(std::span<const std::uint32_t>()))
      sums.others += sign * (1.0 + aggregate);
  }
};

class Memory : public p::Objective {
 public:
  explicit Memory(std::shared_ptr<const Mirror> mirror) : mirror_(std::move(mirror)) {}
  void evaluate(const p::Call& call, p::Costs& costs) const override {
    const Sums& sums = mirror_->of(call);
    const auto hosts = call.candidates();
    for (std::size_t i = 0; i < hosts.size(); ++i) {
      const auto at = sums.memory.find(hosts[i]);
      costs.set(i, sums.others + (at == sums.memory.end() ? 0 : at->second));
    }
  }

 private:
  const std::shared_ptr<const Mirror> mirror_;
};

void make(const p::Configuration&, p::Plugin& plugin) {
  const auto mirror = std::make_shared<Mirror>();
  plugin.set_observer(mirror);
  plugin.add("mirror.memory", std::make_unique<Memory>(mirror));
}

}  // namespace

EMPLACE_PLUGIN("mirror", "1.0.0", make)
