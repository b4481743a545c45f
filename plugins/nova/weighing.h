// What Nova's weighers share: values are computed for whole blocks of hosts and picked for the candidates; the
// multiplier of a host is the least that its aggregates' metadata name, else the configuration's, else the profile's.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "rules.h"

namespace emplace::nova {

struct Multiplier {
  std::string_view key;  // "cpu_weight_multiplier"
  double sign = 1;       // Nova negates what is named for one of its weighers
};

// Writes the multipliers of all candidates that have one other than the profile's.
void write_multipliers(const plugin::Call& call, const Shared& shared, const Multiplier& multiplier,
                       plugin::Weights& weights);

// The candidates' values, out of those of their block.
void pick(const double* block, std::uint32_t first, std::span<const std::uint32_t> candidates, double* values);

// A host with numbers that overflow must not take the weigher from all others: the service refuses what is not finite.
void make_finite(double* values, std::size_t count);

void raise_to(double minimum, double* values, std::size_t count);

// A weigher whose value of a host depends on nothing but the host. Values is made once per call from the call and its
// snapshot; fill(candidates of one block, HostBlock of it, out) writes the first values of the block, as many as `out`
// takes, without regard to which of them are candidates. Where Values has same(HostBlock), that is the value of all
// hosts of the block, or nothing when they differ: few clusters have many blocks that do. Where Values says
// kMayBeUnread, a NaN that fill() writes is a host without data.
template <typename Values>
class BlockWeigher : public plugin::Weigher {
 public:
  BlockWeigher(const Shared& shared, Multiplier multiplier, std::optional<double> minimum = std::nullopt)
      : shared_(shared), multiplier_(multiplier), minimum_(minimum) {}

  void weigh(const plugin::Call& call, plugin::Weights& weights) const override {
    const Snapshot& snapshot = shared_.hosts->of(call);
    if (minimum_) weights.set_minimum(*minimum_);
    write_multipliers(call, shared_, multiplier_, weights);
    if constexpr (requires { &Values::same; }) {
      if (const auto same = same_of_all(call.candidates(), snapshot)) return weights.set_all(finite(*same));
    }
    const Values values(call);
    std::array<double, kBlockRows> block;
    for_each_block(call.candidates(), [&](std::uint32_t first, std::span<const std::uint32_t> rows, std::size_t at) {
      values.fill(rows, snapshot.columns.block_of(first), std::span(block).first(rows.back() - first + 1));
      double* out = weights.values() + at;
      pick(block.data(), first, rows, out);
      if constexpr (!requires { Values::kMayBeUnread; }) make_finite(out, rows.size());
      if (minimum_) raise_to(*minimum_, out, rows.size());
    });
  }

 private:
  static std::optional<double> same_of_all(std::span<const std::uint32_t> candidates, const Snapshot& snapshot) {
    if (candidates.empty()) return std::nullopt;
    const auto all = Values::same(snapshot.columns.block_of(candidates.front()));
    for (std::uint32_t row = candidates.front() / kBlockRows * kBlockRows; all && row <= candidates.back();
         row += kBlockRows) {
      if (Values::same(snapshot.columns.block_of(row)) != all) return std::nullopt;
    }
    return all;
  }

  double finite(double value) const {
    make_finite(&value, 1);
    return minimum_ ? std::max(value, *minimum_) : value;
  }

  const Shared shared_;
  const Multiplier multiplier_;
  const std::optional<double> minimum_;
};

}  // namespace emplace::nova
