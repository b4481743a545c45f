// Leader: the replica that does a job of which one replica at a time takes care, and the fence by which the store tells
// its acts from those of a replica that led before and does not know yet that it was replaced.
//
// Leading: what a thread asks of the store while one is alive there is asked as that leader: the store refuses it, with
// kConflict "emplace.lease.lost", once another has taken over. It goes with the thread as Acting does, and for the same
// reason.
//
// Threads: each has its own.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

namespace emplace {

struct Leader {
  std::string name;        // of the job
  std::int64_t fence = 0;  // rises with every new holder
};

class Leading {
 public:
  explicit Leading(Leader leader) : before_(std::exchange(current(), std::move(leader))) {}
  ~Leading() { current() = std::move(before_); }
  Leading(const Leading&) = delete;
  Leading& operator=(const Leading&) = delete;

  // Of the innermost that is alive on this thread; nothing: it leads no job.
  static const std::optional<Leader>& as() { return current(); }

 private:
  static std::optional<Leader>& current() {
    thread_local std::optional<Leader> leader;
    return leader;
  }

  std::optional<Leader> before_;
};

}  // namespace emplace
