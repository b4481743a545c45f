// Operations: starts, moves and deletes of vms that were asked for, while they are under way and for a day after their
// end, so that whoever asked learns how it ended and why. Those of starts and moves begin and end with their claim, in
// its transaction; a delete is begun and ended by whoever carries it out.
//
// An operation whose process has died has nobody who would end it: forsaken() finds it, and Scheduler::recover() looks
// up what came of it.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "service/core/base/result.h"
#include "service/core/base/uuid.h"

namespace emplace {

struct Operation {
  Uuid id;           // of the claim, of a start or move
  std::string kind;  // "start", "move", "delete"
  Uuid vm;
  std::string vm_name;
  std::string host;                     // where it starts, goes, or is deleted
  std::string from = {};                // of a move
  std::string state = "running";        // "running", "succeeded", "failed", "unknown"
  std::optional<double> progress = {};  // 0..1
  std::string error = {};               // why it failed, or what keeps a running one from its end
  std::int64_t started_at_us = 0;
  std::int64_t ended_at_us = 0;  // 0: it runs
};

struct OperationFilter {
  std::optional<Uuid> vm = {};
  std::string state = {};  // empty: all
  Uuid marker = {};        // those after it, by id
  std::size_t limit = 100;
};

class Operations {
 public:
  using Deadline = std::chrono::steady_clock::time_point;

  virtual ~Operations() = default;
  virtual Result<Operation> operation(const Uuid& id, Deadline deadline) = 0;  // kNotFound
  virtual Result<std::vector<Operation>> operations(const OperationFilter& filter, Deadline deadline) = 0;
  virtual Result<void> begin(Operation operation, Deadline deadline) = 0;
  // Ends one that runs; another stays as it is. `error` of a failed one becomes its vm's failure. The event_seq of the
  // change is returned.
  virtual Result<std::int64_t> end(const Uuid& id, const std::string& state, const std::string& error,
                                   Deadline deadline) = 0;
  virtual Result<void> note_progress(const Uuid& id, double progress, Deadline deadline) = 0;
  // Those that run and whose process has not been heard of for half a minute, or was of this replica and is gone.
  virtual Result<std::vector<Operation>> forsaken(Deadline deadline) = 0;
};

}  // namespace emplace
