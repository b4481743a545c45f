// LineWriter and LineReader: text lines in a zstd stream in a file. What flush() has returned for survives the process;
// a stream that was cut off reads as far as its last whole line.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "service/core/base/result.h"

namespace emplace::observe {

class LineWriter {
 public:
  static Result<std::unique_ptr<LineWriter>> create(const std::string& path);
  ~LineWriter();
  LineWriter(const LineWriter&) = delete;
  LineWriter& operator=(const LineWriter&) = delete;

  Result<void> write(std::string_view line);  // without its line feed
  Result<void> flush();

 private:
  struct State;
  explicit LineWriter(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// Calls `line` for each line until it returns false or the lines end.
Result<void> read_lines(const std::string& path, const std::function<bool(std::string_view)>& line);

}  // namespace emplace::observe
