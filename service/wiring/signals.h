// Signals: SIGTERM, SIGINT and SIGHUP as calls on the main thread's event loop. They are blocked for every thread, so
// block() comes before the first thread is made, and read from a signalfd.
#pragma once

#include <functional>
#include <memory>

namespace emplace {

class Signals {
 public:
  static void block();

  // Needs the QCoreApplication. `stop` for SIGTERM and SIGINT, `reload` for SIGHUP.
  Signals(std::function<void()> stop, std::function<void()> reload);
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

 private:
  struct Inside;
  std::unique_ptr<Inside> inside_;
};

}  // namespace emplace
