#include "service/wiring/complaint.h"

#include <fmt/format.h>

#include <cstdio>
#include <system_error>

#include "service/process/streams.h"

namespace emplace {

int complain(const Error& error) {
  fmt::print(stderr, "emplaced: {}\n", error.message);
  return error.code == ErrorCode::kInvalid ? kBadUsage : kCannotRun;
}

int end_of_output(int code) {
  const std::error_code error = flush_output();
  if (!error) return code;
  return complain({ErrorCode::kUnavailable, fmt::format("can't write to standard output: {}", error.message())});
}

}  // namespace emplace
