#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "service/configuration/sections.h"

namespace emplace {
namespace {

// As a browser writes them: no path, not even a slash.
bool is_origin(std::string_view text) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!text.starts_with(scheme)) continue;
    const std::string_view host = text.substr(scheme.size());
    const bool lower = std::none_of(host.begin(), host.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
    return !host.empty() && lower && host.find_first_of("/?#@, *") == std::string_view::npos;
  }
  return false;
}

void read_origins(Section& section, std::vector<std::string>& origins) {
  section.texts("cors_origins", origins);
  const bool any = origins.size() == 1 && origins.front() == "*";
  const bool good = any || std::all_of(origins.begin(), origins.end(), is_origin);
  if (good) return;
  section.wrong("cors_origins", *section.find("cors_origins"),
                "origins such as \"https://portal.example\" in lower case and without a path, or only \"*\"");
}

}  // namespace

void read_service(Section& root, Config& config) {
  root.table("service", [&](Section& s) {
    s.text("listen", config.listen);
    s.text("data", config.data);
    s.name("replica", config.replica);
    s.whole("line_threads", config.line_threads, 1, 1024);
    s.whole("http_threads", config.http_threads, 1, 256);
    read_origins(s, config.cors_origins);
  });
  root.table("database", [&](Section& s) {
    s.text("url", config.database_url);
    s.text("schema", config.database_schema);
  });
  root.table("auth", [&](Section& s) {
    s.text("tokens_file", config.tokens_file);
    s.text("policy_file", config.policy_file);
  });
  root.table("limits", [&](Section& s) {
    s.whole("header_kib", config.header_kib, 1, 1024);
    s.whole("body_mib", config.body_mib, 1, 4096);
    s.whole("answers_mib", config.answers_mib, 1, 65536);
    s.whole("connections", config.connections, 1, 1'000'000);
    s.whole("requests_per_s", config.requests_per_s, 0, 1'000'000'000);
  });
}

}  // namespace emplace
