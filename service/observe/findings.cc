#include "service/observe/findings.h"

#include <fmt/format.h>

#include <algorithm>

#include "service/core/base/shown_text.h"

namespace emplace::observe {

void Findings::replace(const std::string& host, const std::string& name, const std::vector<std::string>& texts) {
  const auto say = [&](const char* level, const char* event, const std::string& text) {
    log_(level, fmt::format("event={} name={} host={} text={}", event, name, log_text(host), log_text(text)));
  };
  const std::lock_guard lock(mutex_);
  for (auto at = since_us_.lower_bound({host, name, ""}); at != since_us_.end();) {
    const auto& [of, named, text] = at->first;
    if (of != host || named != name) break;
    const bool stays = std::find(texts.begin(), texts.end(), text) != texts.end();
    if (!stays) say("info", "finding_over", text);
    at = stays ? std::next(at) : since_us_.erase(at);
  }
  for (const std::string& text : texts) {
    if (since_us_.emplace(Key{host, name, text}, now_us_()).second) say("warn", "finding", text);
  }
}

std::vector<Finding> Findings::all() const {
  const std::lock_guard lock(mutex_);
  std::vector<Finding> findings;
  for (const auto& [key, since_us] : since_us_) {
    findings.push_back({std::get<0>(key), std::get<1>(key), std::get<2>(key), since_us});
  }
  return findings;
}

void replace_findings(Findings& findings, const CloudReport& report) {
  std::map<std::pair<std::string_view, std::string_view>, std::vector<std::string>> texts;
  for (const Finding& one : report.findings) texts[{one.host, one.name}].push_back(one.text);
  for (const HostRow& host : report.hosts.value_or(std::vector<HostRow>())) {
    for (const char* const name : kCloudFindings) findings.replace(host.name, name, texts[{host.name, name}]);
  }
}

}  // namespace emplace::observe
