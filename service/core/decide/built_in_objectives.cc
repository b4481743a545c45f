#include <algorithm>
#include <array>
#include <cmath>

#include "service/core/base/clones.h"
#include "service/core/base/numbers.h"
#include "service/core/decide/built_in_rules.h"
#include "service/core/decide/cells.h"
#include "service/core/decide/resource_classes.h"

namespace emplace {
namespace {

using Rows = std::span<const std::uint32_t>;
using Amounts = std::vector<double>;

// Hosts are taken in blocks whose working set stays in the nearest cache.
constexpr std::size_t kHostsBlock = 512;
using Lanes = std::array<double, kHostsBlock>;

template <typename Body>
void for_each_block(std::size_t hosts, Body body) {
  for (std::size_t first = 0; first < hosts; first += kHostsBlock) body(first, std::min(kHostsBlock, hosts - first));
}

// Values of a column for rising rows, chunk by chunk. A row without a value gets no data.
void gather(const Picture& picture, Column<double> column, Rows hosts, double* amounts, Quality* quality) {
  const auto view = picture[column];
  for (std::size_t i = 0; i < hosts.size();) {
    const std::uint32_t chunk = hosts[i] / kChunkRows;
    const double* values = view.values(chunk);
    const std::byte* validity = view.chunk(chunk).validity.get();
    const auto end = static_cast<std::size_t>(
        std::lower_bound(hosts.begin() + static_cast<std::ptrdiff_t>(i), hosts.end(), (chunk + 1) * kChunkRows) -
        hosts.begin());
    pick(values, chunk * kChunkRows, hosts.subspan(i, end - i), amounts + i);
    const bool all_valid = !validity || all_ones(validity, hosts[i] % kChunkRows, hosts[end - 1] % kChunkRows);
    for (std::size_t j = i; j < end && !all_valid; ++j) {
      if (!bit(validity, hosts[j] % kChunkRows)) quality[j] = Quality::kNoData;
    }
    i = end;
  }
}

// One resource of a host: what there is, what is free, and what the vm takes.
struct Resource {
  Column<double> capacity, free;
  double wanted;
};

// Classes that the vm names stand in the place of its amounts. Dedicated cores are VCPU where hosts have no PCPU; of
// the hosts that the filter of capacity keeps all have it, or none.
std::array<Resource, 3> resources_of(const Query& query, Rows hosts) {
  const VmRequest& vm = query.vm;
  double vcpus = vm.vcpus, memory_mib = vm.memory_mib, disk_gib = vm.disk_gib;
  const auto take = [&](std::string_view name, double& amount) {
    const auto named = vm.resources.find(name);
    if (named != vm.resources.end()) amount = named->second;
  };
  const bool is_dedicated = vm.resources.contains("PCPU") && !hosts.empty();
  if (!is_dedicated || has_resource(query.picture, hosts.front(), "PCPU")) take("VCPU", vcpus);
  take("MEMORY_MB", memory_mib);
  take("DISK_GB", disk_gib);
  return {{{hosts::vcpus_capacity, hosts::vcpus_free, vcpus},
           {hosts::memory_capacity_mib, hosts::memory_free_mib, memory_mib},
           {hosts::disk_capacity_gib, hosts::disk_free_gib, disk_gib}}};
}

class BuiltInObjective : public Objective {
 public:
  BuiltInObjective(RuleTraits traits, std::string_view unit, double weight)
      : traits_(std::move(traits)), unit_(unit), weight_(weight) {}
  const RuleTraits& traits() const override { return traits_; }
  std::string_view unit() const override { return unit_; }
  double default_resolution() const override { return 1; }
  double default_weight() const override { return weight_; }

 private:
  const RuleTraits traits_;
  const std::string_view unit_;
  const double weight_;
};

// ---- resource.load

EMPLACE_CLONES void raise_to_load(const Lanes& capacity, const Lanes& free, double wanted, double* worst,
                                  std::size_t hosts) {
  for (std::size_t i = 0; i < hosts; ++i) {
    const double load = 100 * (capacity[i] - free[i] + wanted) / capacity[i];
    const double counted = capacity[i] > 0 ? load : 0;  // a host without any disk, say, takes only vms without disk
    worst[i] = counted > worst[i] ? counted : worst[i];
  }
}

class LoadObjective final : public BuiltInObjective {
 public:
  LoadObjective()
      : BuiltInObjective({"resource.load",
                          "How full the host's fullest resource is once the vm is there.",
                          CostClass::kCheap,
                          {"vm.vcpus", "vm.memory_mib", "vm.disk_gib"}},
                         "%", 1) {}

  Result<Costs> evaluate(const Query& query, Rows hosts) const override {
    Costs costs{Amounts(hosts.size(), 0.0), std::vector<Quality>(hosts.size(), Quality::kOk)};
    Lanes capacity, free;
    for_each_block(hosts.size(), [&](std::size_t first, std::size_t count) {
      const Rows block = hosts.subspan(first, count);
      for (const Resource& resource : resources_of(query, hosts)) {
        gather(query.picture, resource.capacity, block, capacity.data(), &costs.quality[first]);
        gather(query.picture, resource.free, block, free.data(), &costs.quality[first]);
        raise_to_load(capacity, free, resource.wanted, &costs.values[first], count);
      }
    });
    return costs;
  }
};

// ---- resource.stranding

// Per host, as shares of its capacity: the sum of what is free of each resource it has, and the largest share that is
// free of every one of them at once (evenly over its cells), before and after placing.
struct FreeShares {
  Lanes resources, total_before, total_after, least_before, least_after;
};

void start(FreeShares& shares) {
  shares.resources.fill(0);
  shares.total_before.fill(0);
  shares.total_after.fill(0);
  shares.least_before.fill(1);
  shares.least_after.fill(1);
}

// An overcommitted resource has nothing free.
EMPLACE_CLONES void add_free_share(const Lanes& capacity, const Lanes& free, double wanted, FreeShares& shares) {
  for (std::size_t i = 0; i < kHostsBlock; ++i) {
    const double has = capacity[i] > 0 ? 1 : 0;
    const double whole = capacity[i] > 0 ? capacity[i] : 1;
    const double before = free[i] > 0 ? free[i] / whole * has : 0;
    const double after = free[i] - wanted > 0 ? (free[i] - wanted) / whole * has : 0;
    const double limit_before = capacity[i] > 0 ? before : 1;
    const double limit_after = capacity[i] > 0 ? after : 1;
    shares.resources[i] += has;
    shares.total_before[i] += before;
    shares.total_after[i] += after;
    shares.least_before[i] = limit_before < shares.least_before[i] ? limit_before : shares.least_before[i];
    shares.least_after[i] = limit_after < shares.least_after[i] ? limit_after : shares.least_after[i];
  }
}

// Whole copies of 1/1, 1/2, 1/4 and 1/8 of the host in a share of at most 1, as a share of the host, averaged over the
// four.
inline double in_whole_copies(double share) {
  return (std::floor(share) + std::floor(share * 2) / 2 + std::floor(share * 4) / 4 + std::floor(share * 8) / 8) / 4;
}

// Without any resource nothing changes, so that the difference is 0. A choice between the two would keep the compiler
// from doing several hosts at once.
EMPLACE_CLONES void write_stranded(const FreeShares& shares, double* out, std::size_t hosts) {
  for (std::size_t i = 0; i < hosts; ++i) {
    const double resources = shares.resources[i] > 1 ? shares.resources[i] : 1;
    const double before = shares.total_before[i] / resources - in_whole_copies(shares.least_before[i]);
    const double after = shares.total_after[i] / resources - in_whole_copies(shares.least_after[i]);
    out[i] = 100 * (after - before);
  }
}

class StrandingObjective final : public BuiltInObjective {
 public:
  StrandingObjective()
      : BuiltInObjective(
            {"resource.stranding",
             "How much of the host's capacity becomes unusable, because other resources or cells run out first.",
             CostClass::kCheap,
             {"vm.vcpus", "vm.memory_mib", "vm.disk_gib", "vm.numa_nodes"}},
            "%", 1) {}

  Result<Costs> evaluate(const Query& query, Rows hosts) const override {
    Costs costs{Amounts(hosts.size(), 0.0), std::vector<Quality>(hosts.size(), Quality::kOk)};
    FreeShares shares;
    Lanes capacity{}, free{};
    for_each_block(hosts.size(), [&](std::size_t first, std::size_t count) {
      const Rows block = hosts.subspan(first, count);
      start(shares);
      for (const Resource& resource : resources_of(query, hosts)) {
        gather(query.picture, resource.capacity, block, capacity.data(), &costs.quality[first]);
        gather(query.picture, resource.free, block, free.data(), &costs.quality[first]);
        add_free_share(capacity, free, resource.wanted, shares);
      }
      lower_by_cells(query, block, shares);
      write_stranded(shares, &costs.values[first], count);
    });
    return costs;
  }

 private:
  // The share of the host that its scarcest cell still allows, when every cell holds an equal part.
  static double even_share(std::span<const CellFree> cells, double vcpus, double memory_mib) {
    double least = 1;
    const auto count = static_cast<double>(cells.size());
    for (const CellFree& cell : cells) {
      if (vcpus > 0) least = std::min(least, count * cell.vcpus / vcpus);
      if (memory_mib > 0) least = std::min(least, count * cell.memory_mib / memory_mib);
    }
    return std::max(least, 0.0);
  }

  static void lower_by_cells(const Query& query, Rows hosts, FreeShares& shares) {
    if (query.picture.rows(Table::kNumaCells) == 0) return;
    FreeCells free(query.picture);
    const auto vcpus = query.picture[hosts::vcpus_capacity];
    const auto memory_mib = query.picture[hosts::memory_capacity_mib];
    std::array<CellFree, kMaxCells> left;
    for (std::size_t i = 0; i < hosts.size(); ++i) {
      const auto cells = free.of(hosts[i]);
      if (cells.empty()) continue;
      std::copy(cells.begin(), cells.end(), left.begin());
      take_cells(query.vm, std::span(left).first(cells.size()));
      const auto rest = std::span<const CellFree>(left).first(cells.size());
      const double host_vcpus = vcpus[hosts[i]], host_memory_mib = memory_mib[hosts[i]];
      shares.least_before[i] = std::min(shares.least_before[i], even_share(cells, host_vcpus, host_memory_mib));
      shares.least_after[i] = std::min(shares.least_after[i], even_share(rest, host_vcpus, host_memory_mib));
    }
  }

  static void take_cells(const VmRequest& vm, std::span<CellFree> cells) {
    const auto mask = choose_cell_mask(cells, vm.vcpus, vm.memory_mib, vm.numa_nodes).value_or(0);
    for (std::size_t c = 0; c < cells.size(); ++c) {
      if (((mask >> c) & 1u) == 0) continue;
      cells[c].vcpus -= vm.vcpus / vm.numa_nodes;
      cells[c].memory_mib -= vm.memory_mib / vm.numa_nodes;
    }
  }
};

// ---- group.fit

// How many vms of this size fit into cells where each takes numa_nodes different ones: the largest t with enough places
// when no cell gives more than t of them.
double vms_in_cells(std::span<const CellFree> cells, const VmRequest& vm, double most) {
  const double nodes = vm.numa_nodes;
  std::array<double, kMaxCells> places;
  for (std::size_t c = 0; c < cells.size(); ++c) {
    places[c] = most;
    if (vm.vcpus > 0) places[c] = std::min(places[c], std::floor(cells[c].vcpus / (vm.vcpus / nodes)));
    if (vm.memory_mib > 0) places[c] = std::min(places[c], std::floor(cells[c].memory_mib / (vm.memory_mib / nodes)));
  }
  for (double vms = most;;) {
    double sum = 0;
    for (std::size_t c = 0; c < cells.size(); ++c) sum += std::clamp(places[c], 0.0, vms);
    const double possible = std::floor(sum / nodes);
    if (possible >= vms) return vms;
    vms = possible;
  }
}

class GroupFitObjective final : public BuiltInObjective {
 public:
  // Where the first member goes decides how many of its group can follow, which no later decision makes good: so it
  // weighs more than the load.
  GroupFitObjective()
      : BuiltInObjective({"group.fit",
                          "How many vms the host keeps from where their server group's policy wants them.",
                          CostClass::kCheap,
                          {"vm.group", "request_spec.instance_group"}},
                         "vms", 4) {}

  Result<Costs> evaluate(const Query& query, Rows hosts) const override {
    Costs costs{Amounts(hosts.size(), 0.0), std::vector<Quality>(hosts.size(), Quality::kOk)};
    switch (wish_of(query)) {
      case Wish::kNone:
        std::fill(costs.quality.begin(), costs.quality.end(), Quality::kNoData);
        break;
      case Wish::kApart:
        costs.values = members_on(query, hosts);
        break;
      case Wish::kTogether:
        costs.values = members_elsewhere(query, hosts);
        break;
      case Wish::kRoom:
        costs.values = missing_room(query, hosts, costs.quality);
        break;
    }
    return costs;
  }

 private:
  enum class Wish { kNone, kApart, kTogether, kRoom };
  static constexpr double kMostVms = 1000;

  static Wish wish_of(const Query& query) {
    if (!query.group) return Wish::kNone;
    const GroupPolicy policy = query.group->policy;
    if (policy == GroupPolicy::kSoftAntiAffinity) return Wish::kApart;
    if (policy == GroupPolicy::kAntiAffinity) return Wish::kNone;
    if (query.members.empty()) return Wish::kRoom;
    return policy == GroupPolicy::kSoftAffinity ? Wish::kTogether : Wish::kNone;
  }

  static Amounts members_on(const Query& query, Rows hosts) {
    Amounts counts(hosts.size(), 0.0);
    for (const HostCount& member : query.members) {
      const auto at = std::lower_bound(hosts.begin(), hosts.end(), member.host);
      if (at != hosts.end() && *at == member.host) counts[static_cast<std::size_t>(at - hosts.begin())] = member.count;
    }
    return counts;
  }

  static Amounts members_elsewhere(const Query& query, Rows hosts) {
    double all = 0;
    for (const HostCount& member : query.members) all += member.count;
    Amounts counts = members_on(query, hosts);
    for (double& count : counts) count = all - count;
    return counts;
  }

  static Amounts missing_room(const Query& query, Rows hosts, std::vector<Quality>& quality) {
    Amounts room(hosts.size(), kMostVms);
    Amounts free(hosts.size());
    for (const Resource& resource : resources_of(query, hosts)) {
      if (resource.wanted <= 0) continue;
      gather(query.picture, resource.free, hosts, free.data(), quality.data());
      for (std::size_t i = 0; i < hosts.size(); ++i) room[i] = std::min(room[i], std::floor(free[i] / resource.wanted));
    }
    if (query.vm.numa_nodes > 0) {
      FreeCells cells(query.picture);
      for (std::size_t i = 0; i < hosts.size(); ++i) {
        room[i] = vms_in_cells(cells.of(hosts[i]), query.vm, std::max(room[i], 0.0));
      }
    }
    double best = 0;
    for (std::size_t i = 0; i < hosts.size(); ++i)
      best = quality[i] == Quality::kNoData ? best : std::max(best, room[i]);
    for (double& vms : room) vms = best - vms;
    return room;
  }
};

}  // namespace

std::vector<std::shared_ptr<const Objective>> built_in_objectives() {
  return {std::make_shared<LoadObjective>(), std::make_shared<StrandingObjective>(),
          std::make_shared<GroupFitObjective>()};
}

}  // namespace emplace
