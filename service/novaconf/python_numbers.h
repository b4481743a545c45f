// Numbers as Python's int() and float() read them, and flags as oslo.config does: blanks around, underscores between
// digits, leading zeros, "1e3", "inf". Nothing: Python refuses the text, or no int64_t or double holds the number.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace emplace::novaconf {

std::optional<std::int64_t> python_int(std::string_view text);
std::optional<double> python_float(std::string_view text);
std::optional<bool> oslo_flag(std::string_view text);

}  // namespace emplace::novaconf
