#include "service/wiring/notes.h"

#include <fmt/format.h>

#include <cstdio>

#include "service/core/base/shown_text.h"
#include "service/core/json/json.h"
#include "service/wiring/log.h"
#include "service/wiring/states.h"

namespace emplace {
namespace {

void log_nova(const Config& config) {
  for (const novaconf::Finding& finding : config.nova_findings) {
    log_line(finding.level == novaconf::Finding::Level::kNote ? "info" : "warn",
             fmt::format("event=nova_conf file={} option={} what={}", log_text(config.nova_config),
                         log_text(finding.about), log_text(finding.text)));
  }
}

void log_cloud(const Config& config) {
  for (const CloudNote& note : config.openstack.notes) {
    log_line(note.level == CloudNote::Level::kNote ? "info" : "warn",
             fmt::format("event=clouds_yaml key={} what={}", log_text(note.about), log_text(note.text)));
  }
}

}  // namespace

void log_notes(const Config& config) {
  log_nova(config);
  log_cloud(config);
}

void log_ready(const Config& config, const http::Tokens& tokens, const Picture& picture, const std::string& url) {
  for (const std::string& warning : own_warnings(config, tokens))
    log_line("warn", fmt::format("event=warning what={}", json_text(warning)));
  // The log first: who waits for the line on the standard output may read the log at once.
  log_line("info", fmt::format("event=ready hosts={} vms={} url={}", picture.rows(Table::kHosts),
                               picture.rows(Table::kVms), url));
  fmt::print("emplaced ready url={} data={}\n", url, config.data);
  std::fflush(stdout);
}

}  // namespace emplace
