// Aggregates: the metadata of the aggregates that a host is in, as Nova's filters read it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "host_states.h"

namespace emplace::nova {

// Valid for as long as both.
class Aggregates {
 public:
  Aggregates(const Snapshot& snapshot, const Memberships::Combination& combination)
      : snapshot_(snapshot), combination_(combination) {}

  // The values of a key, one per aggregate that has it.
  std::vector<std::string_view> values(std::string_view key) const;
  // The same, each taken apart at its commas, without blanks at either end.
  std::vector<std::string> parts(std::string_view key) const;
  // Every key that starts with `prefix`, once.
  std::vector<std::string> keys(std::string_view prefix = {}) const;

 private:
  template <typename Body>
  void each(Body body) const;  // body(key, value)

  const Snapshot& snapshot_;
  const Memberships::Combination& combination_;
};

std::vector<std::string> split_at_commas(std::string_view text);
std::string joined(const std::vector<std::string>& texts);

// The least of the values of a key that are whole numbers to Python; `otherwise` when there is none, or when one of
// them is no such number.
double least_whole(const Aggregates& aggregates, std::string_view key, double otherwise);

}  // namespace emplace::nova
