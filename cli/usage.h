// What the command line says of itself: examples of each command, and what somebody who mistyped may have meant.
#pragma once

#include <string>
#include <vector>

namespace emplace::cli {

// Lines to show below the help of a command ("vms migrate"; empty: emplace itself). Empty: there are none.
std::string examples_of(const std::string& command);

// The candidate that the word is most likely a misspelling of: at most two letters are missing, added, wrong or
// swapped, and more than half are right; or the only one that the word begins. Empty: none is close.
std::string closest(const std::string& word, const std::vector<std::string>& candidates);

}  // namespace emplace::cli
