// Reading versioned objects of NUMA and PCI. What is missing or is no such thing becomes a plugin::Error that names the
// field, what was wanted and what was found.
//
// Whole numbers are bounded, so that the sums and products of fitting cannot overflow.
#pragma once

#include <optional>
#include <string>

#include "emplace/view.hpp"
#include "value.h"

namespace emplace::nova {

inline constexpr std::int64_t kMostAmount = std::int64_t{1} << 36;   // of CPUs, MiB, pages, devices
inline constexpr std::int64_t kMostPageKib = std::int64_t{1} << 24;  // the largest pages known are of 16 GiB

// A versioned object's fields, and where they were found.
class Reading {
 public:
  Reading(const Value& object, std::string path) : data_(object.fields()), path_(std::move(path)) {}

  // Null when it is absent or None.
  const Value* find(std::string_view key) const;
  std::int64_t whole(std::string_view key, std::int64_t least = -kMostAmount, std::int64_t most = kMostAmount) const;
  std::optional<std::int64_t> whole_or_none(std::string_view key, std::int64_t least = -kMostAmount,
                                            std::int64_t most = kMostAmount) const;
  std::string text(std::string_view key) const;  // empty when absent or None
  // The items of a list; none when it is absent or None.
  const Value::List& list(std::string_view key) const;
  Reading item(std::string_view key, std::size_t index) const;

  [[noreturn]] void refuse(std::string_view key, const std::string& wanted, const Value* found) const;

 private:
  std::string path_of(std::string_view key) const { return path_ + '.' + std::string(key); }
  const Value& data_;
  const std::string path_;
};

}  // namespace emplace::nova
