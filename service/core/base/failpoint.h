// fail_at: a named point where a test makes the service die, stop or see an error, to prove what the next line
// promises. A program built with EMPLACE_FAILPOINTS defines it (tests/scenario/failpoint.cc); everywhere else it is
// nothing. True: behave as if the act that follows had failed. Threads: any.
#pragma once

namespace emplace {

#ifdef EMPLACE_FAILPOINTS
bool fail_at(const char* name);
#else
constexpr bool fail_at(const char*) { return false; }
#endif

}  // namespace emplace
