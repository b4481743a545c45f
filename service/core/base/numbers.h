// Loops over many numbers, as the stages of a decision need them: each gives the same bits on every instruction set.
// Total; `rows` rise.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace emplace {

struct Extremes {
  double low, high;
};

// Of at least one number, none of them NaN.
Extremes range_of(std::span<const double> values);
// Of at least one; nothing when one of them is not finite.
std::optional<Extremes> finite_range_of(std::span<const double> values);

// -limit <= value <= limit for all; false for NaN.
bool all_within(std::span<const double> values, double limit);
bool all_finite(std::span<const double> values);
bool all_nan(std::span<const double> values);

// values[rows[i] - first]. Rows are mostly neighbours, and those are copied together.
void pick(const double* values, std::uint32_t first, std::span<const std::uint32_t> rows, double* picked);

// Whether the bits `first` to `last` are 1; least significant first.
bool all_ones(const std::byte* bits, std::uint32_t first, std::uint32_t last);

bool is_rising(std::span<const std::uint32_t> values);

// How many bits are 1.
std::size_t count_bits(std::span<const std::uint64_t> words);

}  // namespace emplace
