// Interrupt: while one lives, the first SIGINT or SIGTERM is only noted, so that a command can put back what it took;
// the second ends the program as usual. At most one at a time.
#pragma once

#include <csignal>

namespace emplace::cli {

class Interrupt {
 public:
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  static bool came();

 private:
  struct sigaction before_int_ {
  }, before_term_{};
};

}  // namespace emplace::cli
