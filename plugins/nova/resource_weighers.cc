// RAMWeigher, CPUWeigher, DiskWeigher: what is free, higher wins, 0 as the lower bound when Nova normalises. The
// multiplier of a host is the least that its aggregates' metadata name, else the profile's.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>

#include "amounts.h"
#include "rules.h"

namespace emplace::nova {
namespace {

// Writes what is free on the first hosts of the block that the candidates lie in.
using Free = void (*)(const Amounts&, Amounts::Candidates candidates, const HostBlock&, std::span<double>);

bool all_finite(const double* values, std::size_t count) {
  // An exponent of ones means an infinity or no number; adding one to it carries into the highest bit.
  constexpr std::uint64_t kExponent = 0x7ff0'0000'0000'0000, kOne = 0x0010'0000'0000'0000;
  std::uint64_t found = 0;
  for (std::size_t i = 0; i < count; ++i) {
    std::uint64_t bits;
    std::memcpy(&bits, values + i, sizeof bits);
    found |= (bits & kExponent) + kOne;
  }
  return found >> 63 == 0;
}

// A host with numbers that overflow must not take the weigher from all others: the service refuses what is not finite.
void make_finite(double* values, std::size_t count) {
  if (all_finite(values, count)) return;
  constexpr double kMost = std::numeric_limits<double>::max();
  for (std::size_t i = 0; i < count; ++i) values[i] = std::isnan(values[i]) ? 0 : std::clamp(values[i], -kMost, kMost);
}

// The candidates' values, out of those of their block.
void pick(const double* block, std::uint32_t first, Amounts::Candidates candidates, double* values) {
  constexpr std::size_t kTogether = 8;  // neighbours, as most are
  std::size_t i = 0;
  for (; i + kTogether <= candidates.size(); i += kTogether) {
    if (candidates[i + kTogether - 1] - candidates[i] == kTogether - 1) {
      std::memcpy(values + i, block + (candidates[i] - first), kTogether * sizeof(double));
    } else {
      for (std::size_t j = i; j < i + kTogether; ++j) values[j] = block[candidates[j] - first];
    }
  }
  for (; i < candidates.size(); ++i) values[i] = block[candidates[i] - first];
}

class ResourceWeigher : public plugin::Weigher {
 public:
  ResourceWeigher(const Shared& shared, std::string_view multiplier, Free free)
      : shared_(shared), multiplier_(multiplier), free_(free) {}

  void weigh(const plugin::Call& call, plugin::Weights& weights) const override {
    const Snapshot& snapshot = shared_.hosts->of(call);
    const Amounts amounts(call.picture());
    const auto* multipliers = snapshot.multipliers.find(multiplier_);  // by host
    std::array<double, kBlockRows> free;
    for_each_block(call.candidates(), [&](std::uint32_t first, Amounts::Candidates rows, std::size_t at) {
      free_(amounts, rows, snapshot.columns.block_of(first), std::span(free).first(rows.back() - first + 1));
      pick(free.data(), first, rows, weights.values() + at);
      make_finite(weights.values() + at, rows.size());
      const auto* own = multipliers ? multipliers->find(first) : nullptr;
      if (own) pick(own->values.data(), first, rows, weights.multipliers() + at);
    });
    weights.set_minimum(0);
  }

 private:
  const Shared shared_;
  const std::string_view multiplier_;
  const Free free_;
};

}  // namespace

void add_resource_weighers(plugin::Plugin& plugin, const Shared& shared) {
  const auto add = [&](const char* name, std::string_view multiplier, Free free) {
    plugin.add(name, std::make_unique<ResourceWeigher>(shared, multiplier, free));
  };
  add("RAMWeigher", "ram_weight_multiplier",
      [](const Amounts& amounts, Amounts::Candidates rows, const HostBlock&, auto free) {
        amounts.free_ram_mb(rows, free);
      });
  add("CPUWeigher", "cpu_weight_multiplier",
      [](const Amounts& amounts, Amounts::Candidates rows, const HostBlock&, auto free) {
        amounts.free_vcpus(rows, free);
      });
  add("DiskWeigher", "disk_weight_multiplier",
      [](const Amounts& amounts, Amounts::Candidates rows, const HostBlock& hosts, auto free) {
        amounts.free_disk_mb(rows, hosts, free);
      });
}

}  // namespace emplace::nova
