// The service's log: one key=value line per decision or change on stderr. error = someone must act; warn = we coped;
// info = one per decision or change; debug = off. Threads: any.
#pragma once

#include <string_view>

namespace emplace {

void log_line(std::string_view level, std::string_view line);

}  // namespace emplace
