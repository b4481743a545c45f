#include "cli/table.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>

namespace emplace::cli {
namespace {

constexpr std::size_t kGap = 2;
constexpr std::size_t kShortest = 12;  // no column is shortened below this

bool continues(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) == 0x80; }

std::string fit(const std::string& text, std::size_t width, bool right) {
  const std::size_t length = display_width(text);
  if (length > width) return shortened(text, width);
  const std::string padding(width - length, ' ');
  return right ? padding + text : text + padding;
}

}  // namespace

std::string shortened(const std::string& text, std::size_t width) {
  if (display_width(text) <= width) return text;
  std::size_t end = 0;
  for (std::size_t points = 0; end < text.size(); ++end) {
    if (!continues(text[end]) && points++ == width - 1) break;
  }
  return text.substr(0, end) + "…";
}

std::string printable(std::string_view text) {
  std::string result(text);
  for (char& byte : result) {
    if (static_cast<unsigned char>(byte) < 0x20 || byte == 0x7F) byte = '?';
  }
  return result;
}

std::size_t display_width(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char byte) { return !continues(byte); }));
}

std::size_t terminal_width() {
  if (isatty(STDOUT_FILENO) == 0) return std::numeric_limits<std::size_t>::max();
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  const char* columns = std::getenv("COLUMNS");
  const long asked = columns ? std::strtol(columns, nullptr, 10) : 0;
  return asked >= 40 ? static_cast<std::size_t>(asked) : 120;
}

Table::Table(std::vector<std::string> header) : header_(std::move(header)) {
  for (std::string& title : header_) {
    right_.push_back(title.ends_with('>'));
    if (right_.back()) title.pop_back();
  }
}

void Table::row(std::vector<std::string> cells) {
  cells.resize(header_.size());
  for (std::string& cell : cells) cell = printable(cell);
  rows_.push_back(std::move(cells));
}

std::vector<std::size_t> Table::widths(std::size_t limit) const {
  std::vector<std::size_t> width;
  for (std::size_t c = 0; c < header_.size(); ++c) {
    width.push_back(display_width(header_[c]));
    for (const auto& cells : rows_) width[c] = std::max(width[c], display_width(cells[c]));
  }
  std::size_t total = kGap * (header_.size() - 1);
  for (const std::size_t w : width) total += w;
  while (total > limit) {
    std::size_t widest = header_.size();
    for (std::size_t c = 0; c < header_.size(); ++c) {
      if (!right_[c] && width[c] > kShortest && (widest == header_.size() || width[c] > width[widest])) widest = c;
    }
    if (widest == header_.size()) break;
    --width[widest];
    --total;
  }
  return width;
}

std::string Table::render(std::size_t limit) const {
  const std::vector<std::size_t> width = widths(limit);
  std::string result;
  const auto line = [&](const std::vector<std::string>& cells) {
    std::string text;
    for (std::size_t c = 0; c < cells.size(); ++c) {
      text += fit(cells[c], width[c], right_[c]);
      if (c + 1 < cells.size()) text.append(kGap, ' ');
    }
    text.erase(text.find_last_not_of(' ') + 1);
    result += text + "\n";
  };
  line(header_);
  for (const auto& cells : rows_) line(cells);
  return result;
}

void Table::print() const { fmt::print("{}", render(terminal_width())); }

std::string amount(double value) {
  return std::trunc(value) == value ? fmt::format("{:.0f}", value) : fmt::format("{:.2f}", value);
}

std::string mebibytes(double mib) {
  const char* unit = "MiB";
  if (std::abs(mib) >= 1024.0 * 1024) {
    mib /= 1024.0 * 1024;
    unit = "TiB";
  } else if (std::abs(mib) >= 1024) {
    mib /= 1024;
    unit = "GiB";
  }
  const double tenths = std::round(mib * 10) / 10;
  return fmt::format(
      "{} {}", std::trunc(tenths) == tenths ? fmt::format("{:.0f}", tenths) : fmt::format("{:.1f}", tenths), unit);
}

std::string share(double part, double whole) {
  return whole > 0 ? fmt::format("{:.0f} %", 100 * part / whole) : std::string("-");
}

std::string age(double seconds) {
  if (seconds < 120) return fmt::format("{:.0f} s", std::max(0.0, seconds));
  if (seconds < 7200) return fmt::format("{:.0f} min", seconds / 60);
  return fmt::format("{:.0f} h", seconds / 3600);
}

}  // namespace emplace::cli
