#include "service/core/act/scheduler.h"

#include <fmt/format.h>

#include <algorithm>

#include "service/core/act/recovery.h"
#include "service/core/answer/explanation.h"
#include "service/core/base/failpoint.h"

namespace emplace {
namespace {

constexpr int kRounds = 3;
constexpr std::size_t kTries = 8;
constexpr std::chrono::seconds kSeenWithin{1};  // mostly a few ms
// A start that could not be reported is found again by recover(), so this only bounds how long a host's thread waits.
constexpr std::chrono::seconds kReportDeadline{30};

bool no_host_fits(const Placement& placement) { return placement.instances.back().decision->ranking.order.empty(); }

std::shared_ptr<const Picture> with_changes(const std::shared_ptr<const Picture>& picture,
                                            std::span<const Change> changes) {
  PictureBuilder builder(picture);
  for (const Change& change : changes) apply(builder, change);
  return builder.finish(picture->version(), picture->made_at_us());
}

// What an instance takes of a host of the picture that it was decided on.
Result<std::string> takes_of(const Placement& placement, const Instance& instance, const std::string& host) {
  if (placement.rules->consumers.empty() && instance.vm.resources.empty()) return {};
  const auto query = bind(*placement.request, instance.vm, *instance.picture, placement.now_us);
  if (!query) return tl::unexpected(query.error());
  auto taking = take(*placement.rules, *query, instance.picture->find_host(host));
  if (!taking) return tl::unexpected(taking.error());
  return std::move(taking->takes);
}

// The next instance of a multi-create is decided as if the last one were there already.
Result<std::shared_ptr<const Picture>> with_last(const Placement& placement, const std::string& host) {
  const Instance& last = placement.instances.back();
  auto takes = takes_of(placement, last, host);
  if (!takes) return tl::unexpected(takes.error());
  VmRow row = placed_row(*last.picture, last.vm, host, *std::move(takes));
  if (row.id.is_zero()) row.id = id_of_instance(static_cast<std::uint32_t>(placement.instances.size()));
  const Change change = std::move(row);
  return with_changes(last.picture, {&change, 1});
}

bool is_unknown(const Error& error) {
  return error.code == ErrorCode::kUnavailable || error.code == ErrorCode::kTimeout ||
         error.code == ErrorCode::kUnknownOutcome;
}

// on_error = fail: no answer at all.
Error refusal(const Degraded& failed) {
  return {ErrorCode::kUnavailable,
          fmt::format("objective {} has no answer, and the profile wants none without it (on_error = fail): {}",
                      failed.plugin, failed.why),
          "emplace.objective.failed"};
}

// Claims that were found held have the vms they were taken for, and no decision of today's. Where today's line ended at
// an instance that fits nowhere, so do those after it.
void attach(Placement& placement, std::span<const Claim> claims) {
  auto& instances = placement.instances;
  while (instances.size() < claims.size()) {
    instances.push_back(instances.back());
    instances.back().vm = instance_of(*placement.request, static_cast<std::uint32_t>(instances.size() - 1));
  }
  for (std::size_t i = 0; i < claims.size(); ++i) {
    if (claims[i].existing) instances[i].vm.id = claims[i].vm;
    instances[i].claim = claims[i];
  }
  if (claims.front().existing) placement.decision_id = {};
}

}  // namespace

DecisionRecord record_of(const Placement& placement, std::string document) {
  const Instance& first = placement.instances.front();
  DecisionRecord record{.id = placement.decision_id,
                        .vm = first.vm.id,
                        .profile = placement.rules->profile.name,
                        .picture = placement.version,
                        .request = replay_request(placement),
                        .document = std::move(document),
                        .made_at_us = placement.now_us,
                        .vm_name = first.vm.name,
                        .project = first.vm.project,
                        .host = chosen_host(first)};
  if (placement.instances.size() == 1) return record;
  for (const Instance& instance : placement.instances) record.vms.push_back(instance.vm.id);
  return record;
}

Result<Placement> Scheduler::place(std::shared_ptr<const PlacementRequest> request, std::shared_ptr<const Rules> rules,
                                   Deadline deadline, std::optional<IdempotencyKey> key) {
  const bool claims = (request->options.claim || request->options.start) && !request->options.dry_run;
  std::optional<Conflict> conflict;
  for (int round = 0; round < kRounds; ++round) {
    auto placement = decide_on(request, rules, pictures_.latest(), ambient_.now_us());
    if (!placement || !claims) return placement;
    if (no_host_fits(*placement)) return find_held(*std::move(placement), deadline, key);
    placement->decision_id = ambient_.new_uuid();
    const auto taken = take_first(*placement, deadline, key);
    if (!taken) return tl::unexpected(taken.error());
    if ((conflict = taken->conflict)) {
      // What took their place is in the next picture.
      pictures_.wait_for(taken->event_seq, std::min(deadline, std::chrono::steady_clock::now() + kSeenWithin));
      continue;
    }
    attach(*placement, taken->claims);
    for (const Instance& instance : placement->instances)
      if (request->options.start && !instance.claim->existing) start({*instance.claim, instance.vm});
    placement->event_seq = taken->event_seq;
    return placement;
  }
  return fail(ErrorCode::kConflict,
              fmt::format("the hosts tried in {} rounds no longer fit; the last refused with {}", kRounds,
                          conflict ? conflict->why.code : "none"),
              "emplace.claim.conflict");
}

Result<Placement> Scheduler::decide_on(std::shared_ptr<const PlacementRequest> request,
                                       std::shared_ptr<const Rules> rules, std::shared_ptr<const Picture> picture,
                                       std::int64_t now_us, std::span<const PinnedInstance> pinned) const {
  const std::int64_t began_us = ambient_.tick_us();
  const bool claims = (request->options.claim || request->options.start) && !request->options.dry_run;
  Placement placement;
  placement.request = request;
  placement.rules = rules;
  placement.version = picture->version();
  placement.now_us = now_us;
  if (!request->options.what_if.empty()) picture = with_changes(picture, request->options.what_if);
  const std::size_t wanted = std::max<std::size_t>(1 + request->options.alternates, kTries);
  std::set<std::string> without_data;  // filters that lacked it
  for (std::uint32_t i = 0; i < request->options.count; ++i) {
    VmRequest vm = instance_of(*request, i);
    if (i < pinned.size()) vm.id = pinned[i].id;
    if (vm.id.is_zero() && claims && pinned.empty()) vm.id = ambient_.new_uuid();
    const auto query = bind(*request, vm, *picture, now_us);
    if (!query) return tl::unexpected(query.error());
    auto decision = std::make_shared<const Decision>(decide(*rules, *query, wanted));
    without_data.merge(unjudging(*decision));
    if (decision->costs.refused) return tl::unexpected(refusal(decision->costs.degraded.back()));
    placement.instances.push_back({std::move(vm), std::move(decision), picture});
    if (no_host_fits(placement)) break;
    const Instance& instance = placement.instances.back();
    const std::string chosen = i < pinned.size() && !pinned[i].host.empty() ? pinned[i].host : host_at(instance, 0);
    if (i + 1 == request->options.count) break;
    auto next = with_last(placement, chosen);
    if (!next) return tl::unexpected(next.error());
    picture = *std::move(next);
  }
  placement.not_considered = not_considered(*rules, *request, without_data);
  placement.took_us = ambient_.tick_us() - began_us;
  return placement;
}

Result<ClaimsTaken> Scheduler::take_first(const Placement& placement, Deadline deadline,
                                          const std::optional<IdempotencyKey>& key) {
  std::vector<std::size_t> choice(placement.instances.size(), 0);  // per instance: how far down its ranking
  Result<ClaimsTaken> taken;
  for (std::size_t attempt = 0; attempt < kTries; ++attempt) {
    auto orders = orders_for(placement, choice);
    if (!orders) return tl::unexpected(orders.error());
    taken = take(placement, *std::move(orders), deadline, key);
    if (!taken || !taken->conflict) break;
    const std::size_t refused = taken->conflict->order;
    if (++choice[refused] == placement.instances[refused].decision->ranking.order.size()) break;
  }
  return taken;
}

Result<std::vector<ClaimOrder>> Scheduler::orders_for(const Placement& placement, std::span<const std::size_t> choice) {
  std::vector<ClaimOrder> orders;
  for (std::size_t i = 0; i < choice.size(); ++i) {
    const Instance& instance = placement.instances[i];
    ClaimOrder order = order_for(*placement.request, i, instance.vm, host_at(instance, choice[i]));
    order.vm.group = group_name(instance.vm, *instance.picture);
    auto takes = takes_of(placement, instance, order.host);
    if (!takes) return tl::unexpected(takes.error());
    order.takes = *std::move(takes);
    orders.push_back(std::move(order));
  }
  return orders;
}

ClaimOrder Scheduler::order_for(const PlacementRequest& request, std::size_t i, const VmRequest& vm,
                                std::string host) const {
  return {.id = ambient_.new_uuid(),
          .vm = vm,
          .host = std::move(host),
          .ttl_s = request.options.ttl_s,
          .start = request.options.start,
          .unique_name = request.options.unique_name,
          .any_id = i > 0 || request.vm.id.is_zero()};
}

// What is held for an equal request may be the very thing that leaves no room for another.
Result<Placement> Scheduler::find_held(Placement placement, Deadline deadline,
                                       const std::optional<IdempotencyKey>& key) {
  if (!placement.request->options.unique_name) return placement;
  std::vector<ClaimOrder> orders;
  for (std::uint32_t i = 0; i < placement.request->options.count; ++i) {
    VmRequest vm = instance_of(*placement.request, i);
    if (vm.id.is_zero()) vm.id = ambient_.new_uuid();
    orders.push_back(order_for(*placement.request, i, vm, ""));
  }
  const auto taken = take(placement, std::move(orders), deadline, key);
  if (!taken) return tl::unexpected(taken.error());
  if (!taken->conflict) attach(placement, taken->claims);
  return placement;
}

Result<ClaimsTaken> Scheduler::take(const Placement& placement, std::vector<ClaimOrder> orders, Deadline deadline,
                                    const std::optional<IdempotencyKey>& key) {
  // The store may still be writing after our deadline, so what it calls owns all it needs.
  // It may call this more than once. What does not depend on the claims is written beforehand, since the store makes
  // one batch after the other.
  auto records = [answered = Placement(placement), document = decision_document(placement),
                  key](std::span<const Claim> claims) mutable {
    attach(answered, claims);
    ClaimRecords result;
    if (!claims.front().existing) result.decision = record_of(answered, document);
    if (key) {
      const int status = answered.request->options.start ? 202 : 200;
      result.answer = std::pair(*key, RememberedAnswer{status, answer_json(answered)});
    }
    return result;
  };
  return claims_.take(std::move(orders), std::move(records), deadline);
}

void Scheduler::start(StartOrder order) {
  if (fail_at("start.begin")) return;
  const Claim claim = order.claim;
  // The answer may come after this scheduler is gone, but not after the store is.
  hypervisors_.start(std::move(order), [&claims = claims_, &hypervisors = hypervisors_, claim,
                                        ended = ambient_.start_ended](const Result<void>& started) {
    ended(claim, started);
    const Deadline deadline = std::chrono::steady_clock::now() + kReportDeadline;
    if (fail_at(started ? "start.done" : "start.failed")) return;
    // A host that did not answer may be running the vm: the claim stays, and recover() asks the host again.
    if (!started) {
      const std::string& why = started.error().message;
      is_unknown(started.error()) ? void(claims.note(claim.id, why, deadline))
                                  : void(claims.give_back(claim.id, why, deadline));
      return;
    }
    const auto confirmed = claims.confirm(claim.id, VmState::kRunning, deadline);
    // Given back while it was being started, by another replica perhaps: the domain belongs to nobody.
    if (!confirmed && confirmed.error().code == ErrorCode::kNotFound)
      hypervisors.destroy(claim.host, claim.vm, claim.id, [](const Result<void>&) {});
  });
}

Result<void> Scheduler::recover(Store& store, Deadline deadline) {
  const auto unfinished = store.unfinished_starts(deadline);
  if (!unfinished) return tl::unexpected(unfinished.error());
  for (const StartOrder& order : *unfinished) start(order);
  return end_forsaken(store, hypervisors_, ambient_.now_us(), deadline);
}

}  // namespace emplace
