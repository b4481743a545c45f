// Table: rows of text as aligned columns for a person. Columns of numbers are right-aligned. When the table is wider
// than the terminal, its widest left-aligned columns are shortened (with "…"), never the numbers. Control characters
// are shown as '?': names come from users, and a terminal obeys what it is sent.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace emplace::cli {

class Table {
 public:
  // "VCPUS>" is right-aligned.
  explicit Table(std::vector<std::string> header);
  void row(std::vector<std::string> cells);
  std::size_t rows() const { return rows_.size(); }
  std::string render(std::size_t width) const;
  void print() const;  // to stdout: as wide as the terminal, or as it is where a program reads it

 private:
  std::vector<std::size_t> widths(std::size_t limit) const;

  std::vector<std::string> header_;
  std::vector<bool> right_;
  std::vector<std::vector<std::string>> rows_;
};

std::string printable(std::string_view text);                       // without control characters
std::string shortened(const std::string& text, std::size_t width);  // what is wider ends in "…"
std::size_t display_width(std::string_view text);                   // code points
std::size_t terminal_width();                                       // no limit where standard output is none

std::string amount(double value);              // "12", "0.31", "1.5"
std::string mebibytes(double mib);             // "512 MiB", "4 GiB", "1.5 TiB"
std::string share(double part, double whole);  // "37 %", "-" of nothing
std::string age(double seconds);               // "3 s", "12 min", "5 h"

}  // namespace emplace::cli
