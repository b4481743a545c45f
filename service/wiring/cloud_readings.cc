#include "service/wiring/cloud_readings.h"

#include <algorithm>

#include "service/wiring/states.h"

namespace emplace {
namespace {

constexpr char kCloud[] = "openstack";

Deadline in_five_seconds() { return std::chrono::steady_clock::now() + std::chrono::seconds(5); }

// "openstack.servers, openstack.providers: why; ...": many tables have one reason where Keystone does not answer.
std::string missing_of(const std::vector<http::SourceState>& states) {
  std::vector<std::pair<std::string, std::string>> reasons;  // why, and of which
  for (const http::SourceState& state : states) {
    if (!state.blocks) continue;
    const auto same = std::ranges::find(reasons, state.why, &std::pair<std::string, std::string>::first);
    same == reasons.end() ? void(reasons.emplace_back(state.why, state.name)) : void(same->second += ", " + state.name);
  }
  std::string text;
  for (const auto& [why, names] : reasons) text += (text.empty() ? "" : "; ") + names + ": " + why;
  return text;
}

}  // namespace

void CloudReadings::look() {
  const auto known = store_.last_reading(kCloud, in_five_seconds());
  if (known && *known) read_at_us_ = std::max(read_at_us_.load(), **known);
}

void CloudReadings::wrote(std::int64_t read_at_us) {
  if (read_at_us <= read_at_us_) return;
  // A replica that does not hear of it now does so from the next report.
  if (store_.note_reading(kCloud, read_at_us, in_five_seconds())) read_at_us_ = read_at_us;
}

http::CloudView view_of(const CloudReadings& readings, const openstack::Openstack& cloud) {
  http::CloudView view{readings.read_at_us(), readings.is_older(), {}};
  if (view.read_at_us != 0) return view;
  view.missing = missing_of(source_states(cloud, false));
  return view;
}

}  // namespace emplace
