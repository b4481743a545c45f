// What a RequestSpec of Nova's scheduler says besides what is wanted: which act it is for, and which rules that act
// lets ask. Nova itself decides these outside of its filters, so a profile can't.
#pragma once

#include <string_view>

#include "service/core/base/result.h"
#include "service/core/decide/rules.h"
#include "service/core/json/json.h"
#include "service/core/request/request.h"

namespace emplace::http {

enum class Intent { kCreate, kRebuild, kResize, kLiveMigrate, kEvacuate };

std::string_view name_of(Intent intent);

// The scheduler hint _nova_check_type of a RequestSpec primitive; kCreate without one, or for a word that is none of
// ours.
Intent intent_of(JsonValue spec);

// The request that a primitive asks for. Faults name fields below `path`, as the caller calls the primitive.
Result<PlacementRequest> request_of_spec(JsonValue spec, std::string_view path);

// Of these rules those that are asked for the act. The host of a rebuild is settled: of the filters only those that
// Nova asks (RUN_ON_REBUILD), and no costs. Hosts that a new vm is forced onto pass all that stand for Nova's filters
// unasked, ours of state, zone, groups and spread among them; capacity and traits stand for Placement, which is asked.
Rules rules_for(Intent intent, bool forces_hosts, const Rules& rules);
bool forces_hosts(JsonValue spec);

// The filter that hears Placement's allocation candidates, among these rules.
bool hears_candidates(const Rules& rules);
// These rules and, where they lack it, that filter: profiles that were made of a nova.conf leave Placement's part to
// it.
Rules with_candidates(Rules rules);

}  // namespace emplace::http
