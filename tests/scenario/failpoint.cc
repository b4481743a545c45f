// EMPLACE_FAIL_AT=name[:kill|stop|error]: what happens, once, when the service first comes to that point. kill, as when
// none is named: SIGKILL. stop: SIGSTOP, so that a test may go on elsewhere and then continue it. error: the act fails.
#include "service/core/base/failpoint.h"

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <string_view>

namespace emplace {

bool fail_at(const char* name) {
  static const char* const setting = std::getenv("EMPLACE_FAIL_AT");
  static std::atomic<bool> done{false};
  const std::string_view wanted = setting == nullptr ? "" : setting;
  const std::size_t colon = wanted.find(':');
  if (wanted.substr(0, colon) != name || done.exchange(true)) return false;
  const std::string_view act = colon == std::string_view::npos ? "kill" : wanted.substr(colon + 1);
  if (act == "error") return true;
  raise(act == "stop" ? SIGSTOP : SIGKILL);
  return false;
}

}  // namespace emplace
