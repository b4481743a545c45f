// What Python takes for blanks and for digits in a text: those of all scripts.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace emplace::nova {

// str.strip() and str.split().
std::string_view strip(std::string_view text);
std::vector<std::string_view> split_words(std::string_view text);

// float() and int() of a text; nothing where it raises ValueError.
std::optional<double> python_float(std::string_view text);
std::optional<double> python_int(std::string_view text);

}  // namespace emplace::nova
