#include <algorithm>
#include <cstdlib>

#include "cli/doctor.h"

namespace emplace::cli {
namespace {

constexpr std::string_view kBrake = "brake: ";

// "openstack.hosts: last read 3 s ago: brake: ..." is about the brake, whichever table it held.
std::pair<std::string, std::string> split(const std::string& line) {
  if (const std::size_t brake = line.find(kBrake); brake != std::string::npos) {
    return {"brake", line.substr(brake + kBrake.size())};
  }
  const std::size_t colon = line.find(": ");
  if (colon == std::string::npos) return {"ready", line};
  return {line.substr(0, colon), line.substr(colon + 2)};
}

}  // namespace

Complaints::Complaints(const Json& readyz) {
  for (const char* kind : {"reasons", "warnings"}) {
    for (const Json& line : readyz[kind].items()) lines_.push_back(split(line.text()));
  }
}

std::vector<std::string> Complaints::take(const std::string& name) {
  std::vector<std::string> texts;
  std::erase_if(lines_, [&](const auto& line) {
    if (line.first == name) texts.push_back(line.second);
    return line.first == name;
  });
  return texts;
}

std::vector<std::pair<std::string, std::string>> Complaints::rest() const { return lines_; }

std::vector<std::pair<std::string, double>> figures(const std::string& page, const std::string& name) {
  std::vector<std::pair<std::string, double>> rows;
  for (std::size_t at = 0; at < page.size();) {
    const std::size_t end = std::min(page.find('\n', at), page.size());
    const std::string line = page.substr(at, end - at);
    at = end + 1;
    if (!line.starts_with(name) || line.size() == name.size()) continue;
    const std::size_t space = line.rfind(' ');
    if (line[name.size()] != '{' && space != name.size()) continue;
    const std::size_t from = line.find('"'), to = line.rfind('"');
    const std::string label = from == std::string::npos ? std::string() : line.substr(from + 1, to - from - 1);
    rows.emplace_back(label, std::strtod(line.c_str() + space + 1, nullptr));
  }
  return rows;
}

}  // namespace emplace::cli
