#include "aggregates/aggregates.h"

#include <algorithm>

#include "python_text.h"

namespace emplace::nova {

template <typename Body>
void Aggregates::each(Body body) const {
  for (const std::uint32_t row : combination_) {
    const Metadata* metadata = snapshot_.aggregates.find(row);
    if (!metadata) continue;
    for (const auto& [key, value] : *metadata) body(key, value);
  }
}

std::vector<std::string_view> Aggregates::values(std::string_view key) const {
  std::vector<std::string_view> found;
  each([&](std::string_view name, std::string_view value) {
    if (name == key) found.push_back(value);
  });
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
  each([&](std::string_view name, std::string_view) {
    if (name.starts_with(prefix)) all.emplace_back(name);
  });
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
