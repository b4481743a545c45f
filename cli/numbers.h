// Numbers, sizes and times as people type them on the command line, read in the C locale whatever the environment says.
// `option` is what the message names: Failure{kBadInput} "--memory: wanted ..., found ...".
#pragma once

#include <string>

namespace emplace::cli {

inline constexpr double kMostAmount = 2147483648.0;  // 2^31, as the service has it

double whole_number(const std::string& option, const std::string& text, double least, double most = kMostAmount);

// "4GiB" and so on, KiB to PiB, of which the i and the B may be left out; a number alone is in MiB. One that can hardly
// be meant so (8 for 8 GiB) is refused. The sum must be a whole number of MiB.
double mebibytes_typed(const std::string& option, const std::string& text);
// Likewise, a number alone being in GiB, and the sum a whole number of them.
double gibibytes_typed(const std::string& option, const std::string& text);

// "90s", "15min", "2h", "1d": in seconds, more than 0.
double duration_typed(const std::string& option, const std::string& text);

bool is_positive(const std::string& text);  // a number above 0

// A name that says something: not empty, not blank.
const std::string& name_typed(const std::string& option, const std::string& text);

}  // namespace emplace::cli
