// FakeCloud: tests/openstack/fake_cloud.py as a child process, for as long as this lives, and a Web to talk to it.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>

#include "service/openstack/keystone.h"
#include "service/openstack/web.h"

namespace emplace::openstack {

inline Deadline in_ms(int ms) { return std::chrono::steady_clock::now() + std::chrono::milliseconds(ms); }

inline std::int64_t wall_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

class FakeCloud {
 public:
  FakeCloud(int hosts, int servers);
  ~FakeCloud();
  FakeCloud(const FakeCloud&) = delete;
  FakeCloud& operator=(const FakeCloud&) = delete;

  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  Web& web() { return *web_; }
  // As the head of the script says.
  void set(const std::string& json);
  int calls(const std::string& which);  // "GET /compute/v2.1/servers"
  KeystoneOptions options() const;

 private:
  pid_t pid_ = -1;
  int stdin_ = -1, port_ = 0;
  std::unique_ptr<Web> web_;
};

template <typename Condition>
bool eventually(Condition condition) {
  for (int i = 0; i < 2'000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return false;
}

}  // namespace emplace::openstack
