#include "tests/fuzz/targets.h"

#include "service/core/base/utf8.h"

namespace emplace::fuzz {

void require_clear(const Error& error) {
  require(error.code == ErrorCode::kInvalid, "bad input is kInvalid, found: " + error.message);
  require(!error.message.empty(), "an error says why");
  require(error.message.size() <= 2000, "a message is short, found: " + error.message);
  require(is_utf8(error.message), "a message is UTF-8");
}

std::string_view first_line(std::string_view& input) {
  const std::size_t end = input.find('\n');
  const std::string_view line = input.substr(0, end);
  input.remove_prefix(end == std::string_view::npos ? input.size() : end + 1);
  return line;
}

}  // namespace emplace::fuzz
