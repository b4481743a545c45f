// Explanation: a placement as the JSON of the REST contract, at three levels. none: ranking and claim; summary: with
// counts of refusals by filter; full: with the first refusal of every host and the costs of every other. One writer
// makes the answer, the stored decision and the replay's document, so that a replay can be compared byte for byte.
//
// Nothing in it names a vm other than the request's own: a tenant never learns of other tenants' vms.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "service/core/decide/placement.h"
#include "service/core/json/json.h"

namespace emplace {

// What the shell knows about a picture that the picture does not: it may be old, since the store is away, or the cloud
// that it is of was not read since this replica began.
struct Staleness {
  bool stale = false;
  double age_s = 0;  // since the store was last heard of, or the cloud was read
};

// The answer to POST /v1/placements.
std::string answer_json(const Placement& placement, const Staleness& staleness = {});
// The same at a level of the caller's choice.
std::string answer_json(const Placement& placement, ExplainLevel level, const Staleness& staleness);

// What a replay must reproduce: the answer at level summary, without the parts that are not the decision's
// (decision_id, took_us, claim), and with two sums that stand for what level full would add: one over every refusal,
// one over every cost. (A stored decision would otherwise be as big as the cluster; the full text comes from a replay.)
std::string decision_document(const Placement& placement);

// What a replay needs besides the picture: {"request","vms","profile","digest","now_us","chosen"}.
std::string replay_request(const Placement& placement);

// A claim as it appears in answers: {"id","vm","vm_name","project","group","host","cells","state",...}.
void write_claim(JsonWriter& writer, const Claim& claim);
// {"host"|"name": host, "refused_by"|"filter": filter, "code","wanted","found","unit"}
struct RefusalKeys {
  std::string_view host;
  std::string_view filter;
};
void write_refusal(JsonWriter& writer, const RefusalKeys& keys, std::string_view host, std::string_view filter,
                   const Refusal& refusal);

// Why a filter refused a host; one that failed refused them all and has no reason of its own: "<filter>.failed".
Refusal refusal_of(const Filter& filter, const Query& query, std::uint32_t host, std::uint8_t reason);
// "weighers": {id: {"raw","normalized","multiplier"}} of the host at `index` of what was weighed.
void write_weighers(JsonWriter& writer, const Ranking& ranking, std::size_t index);

// "degraded": [{"plugin","why"}]
void write_degraded(JsonWriter& writer, std::span<const Degraded> degraded);
// What each stage of a decision went without, in the order of the stages.
Degraded degraded_of(const Unjudged& unjudged);
std::vector<Degraded> degraded_of(const Decision& decision);
// That a cloud's hosts are none of the candidates: no part of the decision, which is one on its picture.
std::vector<Degraded> unread_cloud(const PlacementRequest& request);
// key: ["..."]
void write_texts(JsonWriter& writer, std::string_view key, std::span<const std::string> texts);

// Differences between two decision documents as lines a person reads ("ranking[0].host: stored h7, now h9"), at most
// 100 and a last one that counts the rest; empty: none.
std::vector<std::string> differences(std::string_view stored, std::string_view replayed);

}  // namespace emplace
