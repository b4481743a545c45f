// Sync: keeps reading what Nova and Placement say and hands it over as rows. Each table ("hypervisors", "services",
// "aggregates", "groups", "servers", "providers") is read on its own: one that fails is tried again with back-off,
// keeps its last rows and says how old they are, and holds up no other. Everything is read at first; then servers by
// what changed and providers by their generations, and everything again from time to time and after a brake.
//
// Life: starts a thread of its own, which waits for the network and for `take`. stop() (or the destructor) waits for
// it; stop the Web before, or that may take as long as a call.
//
// Threads: states() and stop() from any.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "service/openstack/backoff.h"
#include "service/openstack/cloud.h"
#include "service/openstack/readers.h"
#include "service/openstack/rows.h"

namespace emplace::openstack {

struct SyncOptions {
  std::chrono::milliseconds interval{30'000};
  std::chrono::milliseconds full_interval{3'600'000};
  std::chrono::milliseconds deadline{600'000};  // of one table
  std::chrono::milliseconds overlap{60'000};    // of two readings of what changed: clocks differ
  Backoff backoff = {std::chrono::seconds(2), std::chrono::seconds(120)};
};

// One table, or "picture": the handing over.
struct PartState {
  std::string name;
  std::string error;            // one line; empty: the last try went well
  std::string code;             // of the error: "emplace.brake", or empty
  std::int64_t good_at_us = 0;  // when it last went well; 0: never
};

class Sync {
 public:
  struct Doors {
    std::function<Result<void>(const CloudReport&)> take;
    std::function<bool()> leads;  // false: another replica does it
    std::function<std::int64_t()> now_us;
    Log log;
  };

  Sync(NovaReader& nova, PlacementReader& placement, SyncOptions options, Doors doors);
  ~Sync();
  void stop();
  // Something changed at Nova: servers and providers are read now, whatever their next time was.
  void hurry();

  std::vector<PartState> states() const;
  std::int64_t rounds() const { return rounds_; }  // that were handed over

 private:
  enum Part { kHypervisors, kServices, kAggregates, kGroups, kServers, kProviders, kPicture };
  static constexpr std::size_t kParts = kPicture + 1;
  struct Attempt {
    int failures = 0;
    std::int64_t next_us = 0;
  };

  void run();
  void round();
  template <typename Rows>
  void refresh(Part part, Reading<Rows>& reading, const std::function<Result<Told<Rows>>(Deadline)>& read);
  Result<Told<std::vector<Hypervisor>>> read_hypervisors(Deadline deadline);
  Result<Told<std::map<Uuid, Server>>> read_servers(Deadline deadline);
  void hand_over();
  void settle(Part part, const Result<void>& outcome);
  bool is_due(Part part) const;
  void forget();

  NovaReader& nova_;
  PlacementReader& placement_;
  const SyncOptions options_;
  const Doors doors_;

  // Of the thread.
  Cloud cloud_;
  std::set<Uuid> deleted_;
  std::array<Attempt, kParts> attempts_;
  std::int64_t round_us_ = 0, full_us_ = 0;
  bool nova_checked_ = false, placement_checked_ = false, something_new_ = false;
  bool all_servers_ = true, all_providers_ = true;  // read them all, whatever is known
  std::vector<std::string> notes_;

  std::atomic<std::int64_t> rounds_{0};
  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::array<PartState, kParts> states_;
  bool stopping_ = false, hurried_ = false;
  std::thread thread_;
};

}  // namespace emplace::openstack
