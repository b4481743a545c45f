// A live migration in Nova's words (microversion kNovaVersion): what is sent to begin one, and what Nova says of it
// afterwards. Pure; errors as in nova_json.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "service/core/base/result.h"

namespace emplace::openstack {

// Instance actions tell in words why they failed; before that there is only a traceback.
inline constexpr std::string_view kActionVersion = "2.84";

struct Migration {
  std::int64_t id = 0;
  std::string status = {};  // accepted, queued, preparing, running, post-migrating; then an end
  std::string from = {}, to = {};
  double memory_total_mib = 0, memory_remaining_mib = 0;  // 0: not said
};

// Where a server is and what is being done with it.
struct Whereabouts {
  std::string host, vm_state, task_state, fault;  // fault: Nova's message about a server in error
};

struct ActionOutcome {
  bool failed = false;
  std::string why = {};  // of the first step that failed
};

// Body of POST /servers/ID/action. `block` absent: Nova finds out whether disks have to be copied. Never "force", which
// would pass by Nova's own scheduler.
std::string migrate_live_body(const std::string& host, std::optional<bool> block);

Result<std::vector<Migration>> read_migrations(std::string_view body);  // a list of them
Result<Migration> read_migration(std::string_view body);
Result<Whereabouts> read_whereabouts(std::string_view body);
Result<ActionOutcome> read_action(std::string_view body);

// Nova's sentence in an answer that refuses (refusal.h).
std::string refusal_of(std::string_view body);

}  // namespace emplace::openstack
