#include "service/wiring/log.h"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include "service/core/base/shown_text.h"

namespace emplace {

void log_line(std::string_view level, std::string_view line) {
  static const auto logger = [] {
    auto made = spdlog::stderr_color_mt("emplace");
    made->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %v");
    made->flush_on(spdlog::level::info);
    return made;
  }();
  logger->log(spdlog::level::from_str(std::string(level)), "level={} {}", level, shown_text(line));
}

}  // namespace emplace
