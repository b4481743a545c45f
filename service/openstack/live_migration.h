// A live migration: one server moved to another host by Nova (os-migrateLive), followed to its end. Nova answers the
// request long before it begins to copy, so that answer counts for nothing: the move is done once Nova's record of the
// migration is completed, or there is none, and the server is seen on the destination with nothing under way. What
// fails fails with Nova's own words: of the refusal, of the instance action, or of the server's fault.
//
// Nova or Keystone may be away for a while in the middle: they are asked until the time is up. Then the migration is
// aborted where Nova lets us, and followed a little longer. kTimeout: it was aborted, the server is where it was.
// kUnknownOutcome: nobody could say how it ended, or it goes on; the message says which.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "service/core/base/result.h"
#include "service/core/doors/hypervisors.h"
#include "service/openstack/keystone.h"
#include "service/openstack/migration_json.h"

namespace emplace::openstack {

struct LiveMigrationOptions {
  std::chrono::milliseconds interval{1'000};      // between two looks
  std::chrono::milliseconds call{30'000};         // of one question
  std::chrono::milliseconds after_abort{20'000};  // how long an aborted migration may take to end
  int quiet_looks = 10;                           // so many looks at a server with which nothing is done: nothing began
};

struct LiveMigrationJob {
  MoveOrder order;  // hosts by Nova's names
  std::chrono::milliseconds timeout = kMoveTimeout;
  std::optional<bool> block = {};  // absent: Nova finds out whether disks have to be copied
  std::function<void(const MoveProgress&)> progress;
  std::function<bool(std::chrono::milliseconds)> wait;  // false: the service stops; nobody follows any more
};

// "timeout_s" and "copy_storage" of a MoveOrder; kInvalid for others, which are Nova's to choose.
Result<LiveMigrationJob> read_job(MoveOrder order);

// Blocks until the end, however long that takes.
Result<void> migrate_live(Keystone& keystone, const LiveMigrationOptions& options, const LiveMigrationJob& job);

}  // namespace emplace::openstack
