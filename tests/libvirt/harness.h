// What the tests of the hypervisor door share: hosts of libvirt's test driver described by files in a temporary
// directory, a recorder of reports that can be waited on, and answers that can be waited for. Waits end with what is
// waited for; their limit only turns a hang into a failure.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "service/hypervisor/hosts.h"

namespace emplace::testing_libvirt {

inline constexpr std::chrono::seconds kLimit{60};

EventLoop& event_loop();  // the process's one; made before the first test

class TempDir {
 public:
  TempDir();
  ~TempDir();
  std::string write(const std::string& name, const std::string& text) const;  // the path
  std::filesystem::path path;
};

struct TestHost {
  int vcpus = 16;
  int memory_mib = 32768;
  int pools = 1;             // of 100 GiB each: the driver ignores what a file says
  std::string domains = {};  // XML of <domain>s that run from the start
};
std::string host_xml(const TestHost& host);
// A host of the test driver in a file of its own.
HostConfig test_host(const TempDir& dir, const std::string& name, const TestHost& host = {});
// XML of a domain that was there before us; metadata as given.
std::string foreign_domain(const std::string& name, const Uuid& id, const std::string& metadata);

class Recorder {
 public:
  Reports reports();

  struct News {
    std::vector<bool> connected;  // fresh_state of each
    std::vector<std::string> disconnected;
    std::vector<HostRow> inventory;
    std::vector<std::vector<DomainSeen>> domains;
    std::vector<DomainEvent> events;
  };
  // Waits until the news of the host are as wanted, and gives them.
  News wait(const std::string& host, const std::function<bool(const News&)>& wanted);
  News wait_connected(const std::string& host);

 private:
  template <typename Change>
  void note(const std::string& host, Change change) {
    const std::lock_guard lock(mutex_);
    change(news_[host]);
    changed_.notify_all();
  }
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, News> news_;
};

// A `done` that can be waited for; a second answer fails the test.
class Answer {
 public:
  Answer() : state_(std::make_shared<State>()) {}
  Done done() const;
  Result<void> wait() const;

 private:
  struct State {
    std::promise<Result<void>> promise;
    std::shared_future<Result<void>> future{promise.get_future()};
    std::atomic<int> answers{0};
  };
  std::shared_ptr<State> state_;
};

Result<void> start(Hypervisors& hosts, const StartOrder& order);
Result<void> destroy(Hypervisors& hosts, const std::string& host, const Uuid& vm);
Result<std::vector<DomainSeen>> domains(Hypervisors& hosts, const std::string& host);

Uuid uuid(int n);
StartOrder order(const std::string& host, int vm, int claim);  // named "vm-N", 1 vCPU, 256 MiB

inline Deadline soon() { return std::chrono::steady_clock::now() + kLimit; }

// Options that retry fast and poll only when told to by a connection.
HypervisorOptions quick();

// A TCP port of the loopback. `listening`: connections are accepted by the kernel and never answered; else refused.
class DeadPort {
 public:
  explicit DeadPort(bool listening);
  ~DeadPort();
  std::string uri() const;
  int accept_one() const;  // waits for a connection; its fd
  void close_listener();

 private:
  int fd_ = -1;
  int port_ = 0;
};

}  // namespace emplace::testing_libvirt
