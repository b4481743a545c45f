#include "aggregates.h"

#include <algorithm>

#include "extra_specs_ops.h"

namespace emplace::nova {

Aggregates::Aggregates(const Snapshot& snapshot, const Memberships::Combination& combination) {
  for (const std::uint32_t row : combination) {
    if (const Metadata* metadata = snapshot.aggregates.find(row)) all_.push_back(metadata);
  }
}

std::vector<std::string_view> Aggregates::values(std::string_view key) const {
  std::vector<std::string_view> found;
  for (const Metadata* metadata : all_) {
    for (const auto& [name, value] : *metadata) {
      if (name == key) found.push_back(value);
    }
  }
  return found;
}

std::vector<std::string> Aggregates::parts(std::string_view key) const {
  std::vector<std::string> all;
  for (const std::string_view value : values(key)) {
    for (std::string& part : split_at_commas(value)) all.push_back(std::move(part));
  }
  return all;
}

std::vector<std::string> Aggregates::keys(std::string_view prefix) const {
  std::vector<std::string> all;
  for (const Metadata* metadata : all_) {
    for (const auto& [name, value] : *metadata) {
      if (name.starts_with(prefix)) all.push_back(name);
    }
  }
  std::ranges::sort(all);
  all.erase(std::unique(all.begin(), all.end()), all.end());
  return all;
}

std::vector<std::string> split_at_commas(std::string_view text) {
  std::vector<std::string> parts;
  for (std::size_t start = 0; start <= text.size();) {
    const std::size_t comma = std::min(text.find(',', start), text.size());
    parts.emplace_back(strip(text.substr(start, comma - start)));
    start = comma + 1;
  }
  return parts;
}

std::string joined(const std::vector<std::string>& texts) {
  std::string all;
  for (const std::string& text : texts) all += (all.empty() ? "" : ",") + text;
  return all;
}

double least_whole(const Aggregates& aggregates, std::string_view key, double otherwise) {
  std::optional<double> least;
  for (const std::string_view value : aggregates.values(key)) {
    const auto number = python_int(value);
    if (!number) return otherwise;
    least = std::min(least.value_or(*number), *number);
  }
  return least.value_or(otherwise);
}

}  // namespace emplace::nova
