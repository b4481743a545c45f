// The Backlog is what answers hold in memory until slow clients have taken them, over all connections of a server. Over
// its limit it gives up connections until what is left fits: first those that have cost the most, bytes times the time
// that they have waited, so that old and large answers go first and a client that reads loses none.
//
// Threads: any. Lifetime: outlives the connections' parts of it. Complexity: constant below the limit; above, linear in
// the connections that wait.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <mutex>
#include <vector>

namespace emplace::http {

class Backlog {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // One connection's part. `give_up` is called at most once, under the backlog's lock: it may only pass the word on.
  // Until it has gone the connection counts for nothing.
  class Part {
   public:
    Part(Backlog& backlog, std::function<void()> give_up) : backlog_(backlog), give_up_(std::move(give_up)) {}
    ~Part() { hold(0, {}); }
    Part(const Part&) = delete;
    Part& operator=(const Part&) = delete;

    // What the connection holds from now on.
    void hold(std::size_t bytes, Time now);

   private:
    friend class Backlog;
    double cost(Time now) const;

    Backlog& backlog_;
    const std::function<void()> give_up_;
    std::size_t bytes_ = 0;
    Time since_ = {};        // when it began to wait
    std::size_t place_ = 0;  // in waiting_, while bytes_ > 0
    bool given_up_ = false;
  };

  explicit Backlog(std::size_t limit) : limit_(limit) {}
  Backlog(const Backlog&) = delete;
  Backlog& operator=(const Backlog&) = delete;

  std::size_t limit() const { return limit_; }
  std::size_t bytes() const;

  // Whether much less waits than did: true once each time. It is worth giving memory back to the system then.
  bool has_fallen();

 private:
  void set(Part& part, std::size_t bytes);
  void make_room(Time now);

  const std::size_t limit_;
  mutable std::mutex mutex_;  // guards what follows, and the parts
  std::size_t bytes_ = 0;
  std::size_t most_ = 0;  // since has_fallen() was last true
  std::vector<Part*> waiting_;
};

}  // namespace emplace::http
