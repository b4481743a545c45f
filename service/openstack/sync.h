// Sync: keeps reading what Nova and Placement say and hands it over as rows. Each table ("hypervisors", "services",
// "aggregates", "groups", "servers", "providers", and "compute_nodes" where Nova's database is read) is read on its
// own: one that fails is tried again with back-off, keeps its last rows and says how old they are, and holds up no
// other. Everything is read at first; then servers and compute nodes by what changed and providers by their
// generations, and everything again from time to time and after a brake.
//
// A table that takes long loses nothing: providers that were read are kept by their generation, and a list of servers
// goes on at the page where it failed. What changed since is asked by the cloud's own clock, as its answers tell it.
//
// Life: starts a thread of its own, which takes what was read together and waits for `take`, and one for each table
// while that is read, so that a list of servers that takes minutes does not keep a host from going down. (Pages of
// several tables in turn on one thread would be held up by one slow page.) stop() (or the destructor) waits for all;
// stop the Web before, or that may take as long as a call.
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
#include "service/openstack/nova_database.h"
#include "service/openstack/readers.h"
#include "service/openstack/rows.h"

namespace emplace::openstack {

struct SyncOptions {
  std::chrono::milliseconds interval{30'000};
  std::chrono::milliseconds full_interval{3'600'000};
  Patience patience{600'000};
  std::chrono::milliseconds overlap{60'000};  // of two readings of what changed: the cloud's own clocks differ
  std::chrono::milliseconds together{1'000};  // how long what was read waits for what is being read
  Backoff backoff = {std::chrono::seconds(2), std::chrono::seconds(120)};
};

// One table, or "picture": the handing over.
struct PartState {
  std::string name;
  std::string error;            // one line; empty: the last try went well
  std::string code;             // of the error: "emplace.brake", or empty
  std::int64_t good_at_us = 0;  // when it last went well; 0: never
  bool needed = true;           // false: where it was never read rules do without it
};

class Sync {
 public:
  struct Doors {
    std::function<Result<void>(const CloudReport&)> take;
    std::function<bool()> leads;  // false: another replica does it
    std::function<std::int64_t()> now_us;
    Log log;
  };

  struct Sources {
    NovaReader& nova;
    PlacementReader& placement;
    NovaDatabase* database = nullptr;  // null: none is read
  };

  Sync(Sources sources, SyncOptions options, Doors doors);
  ~Sync();
  void stop();
  // Something changed at Nova: servers and providers are read now, whatever their next time was.
  void hurry();

  std::vector<PartState> states() const;
  std::int64_t rounds() const { return rounds_; }  // that were handed over

 private:
  enum Part { kHypervisors, kServices, kAggregates, kGroups, kServers, kProviders, kComputeNodes, kPicture };
  static constexpr std::size_t kParts = kPicture + 1;
  static constexpr std::array<Part, kParts> kAllParts = {kHypervisors, kServices,  kAggregates,   kGroups,
                                                         kServers,     kProviders, kComputeNodes, kPicture};
  struct Attempt {
    int failures = 0;
    std::int64_t next_us = 0, began_us = 0;
    bool running = false, again = false;  // again: it was hurried while it ran
    std::thread thread = {};
  };
  // What a reading has brought, put in its place; called by the one thread that the cloud is of.
  using Merge = std::function<Result<void>()>;
  struct Finished {
    Part part;
    Merge merge;
  };

  void run();
  bool wait();
  std::int64_t next_us() const;
  bool is_there(Part part) const { return part != kComputeNodes || sources_.database != nullptr; }
  static bool is_needed(Part part) { return part != kGroups && part != kComputeNodes; }
  bool waits_for_time(Part part) const;
  bool is_ready(Part part) const;
  bool is_any_ready() const;
  void start_ready();
  void start(Part part, std::function<Merge()> read);
  template <typename Rows, typename Read>
  void start_table(Part part, Reading<Rows>& reading, Read read);
  void start_hypervisors();
  void start_servers();
  void start_providers();
  void start_compute_nodes();
  Result<void> check_nova();
  Result<void> check_placement();
  void merge_finished();
  Result<void> merge_hypervisors(Told<std::vector<Hypervisor>> told);
  bool stays_without_word(const std::string& host);
  Result<void> merge_servers();
  void merge_providers(Told<std::map<Uuid, Provider>> told);
  void hand_over();
  void settle(Part part, const Result<void>& outcome);
  void forget();
  bool runs() const;

  const Sources sources_;
  const SyncOptions options_;
  const Doors doors_;

  // Of the thread; what a reading needs is its own while it runs.
  Cloud cloud_;
  std::map<std::string, std::int64_t> missed_;  // hosts that Nova lists no more, since when
  ServerPages pages_;                           // servers as far as they are read
  std::map<Uuid, Provider> providers_;          // likewise
  std::int64_t servers_at_us_ = 0;              // by the cloud's clock: what changed since then is not known
  std::set<Uuid> deleted_;
  std::set<Uuid> others_;  // consumers that were no servers when Placement was last read
  std::array<Attempt, kParts> attempts_;
  std::int64_t full_us_ = 0, news_us_ = 0;  // news: since when something new waits; 0: nothing does
  bool all_servers_ = true, all_providers_ = true, all_nodes_ = true;  // read them all, whatever is known
  bool whole_begun_ = false;  // all providers are being read, perhaps in several tries
  bool leads_ = false;
  std::vector<std::string> notes_;
  std::atomic<bool> nova_checked_{false}, placement_checked_{false};

  std::atomic<std::int64_t> rounds_{0};
  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::array<PartState, kParts> states_;
  std::vector<Finished> finished_;
  bool stopping_ = false, hurried_ = false;
  std::thread thread_;
};

}  // namespace emplace::openstack
