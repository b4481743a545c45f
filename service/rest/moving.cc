#include "service/rest/moving.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <future>

#include "service/core/answer/explanation.h"
#include "service/core/base/failpoint.h"
#include "service/core/base/shown_text.h"
#include "service/rest/placing.h"

namespace emplace::http {
namespace {

// A claim outlives its move by this: when the service dies in the middle, the room comes back by itself.
constexpr std::uint32_t kMoveGraceS = 100;
constexpr std::size_t kTries = 8;
constexpr std::chrono::seconds kReportDeadline{30};
constexpr std::chrono::seconds kProgressEvery{1};

// A vm can't go from a host of libvirt's to one of OpenStack's.
bool have_one_source(const Picture& picture, const std::string& from, const std::string& to) {
  return picture[hosts::source].get(picture.find_host(from)) == picture[hosts::source].get(picture.find_host(to));
}

MoveOrder order_of(const VmRow& vm, const std::string& to, const MoveWish& wish) {
  return {.vm = vm.id, .vm_name = vm.name, .from = vm.host, .to = to, .options = wish.options};
}

// Those to which the vm could be moved; else why not to the last.
Result<std::vector<std::string>> driven_hosts(const Hypervisors& hypervisors, const Picture& picture, const VmRow& vm,
                                              const MoveWish& wish) {
  std::vector<std::string> driven;
  Result<void> checked;
  for (std::uint32_t host = 0; host < picture.rows(Table::kHosts); ++host) {
    if (picture[hosts::alive].get(host) != std::uint8_t{1}) continue;
    std::string name(picture[hosts::name][host]);
    if (name == vm.host || !have_one_source(picture, vm.host, name) || !hypervisors.drives(name)) continue;
    checked = hypervisors.check(order_of(vm, name, wish));
    if (checked) driven.push_back(std::move(name));
  }
  if (driven.empty() && !checked) return tl::unexpected(checked.error());
  return driven;
}

std::shared_ptr<const PlacementRequest> request_of(const VmRow& vm, std::vector<std::string> candidates) {
  auto request = std::make_shared<PlacementRequest>();
  VmRequest& wanted = request->vm;
  wanted.id = vm.id;
  wanted.name = vm.name;
  wanted.vcpus = vm.vcpus;
  wanted.memory_mib = vm.memory_mib;
  wanted.disk_gib = vm.disk_gib;
  wanted.project = vm.project;
  wanted.group = vm.group;
  wanted.numa_nodes = vm.numa_nodes;
  wanted.spread = vm.spread;
  wanted.ignore_hosts = {vm.host};
  wanted.only_hosts = std::move(candidates);
  request->options.alternates = kTries;
  request->document = "{}";
  return request;
}

// "capacity refused b (capacity.memory: wanted 4096, found 812 MiB)", one for each filter that refused any.
std::string why_none(const Placement& placement) {
  const Instance& instance = placement.instances.front();
  const Screened& screened = instance.decision->screened;
  const auto query = bind(*placement.request, instance.vm, *instance.picture, placement.now_us);
  std::string text;
  for (std::size_t i = 0; query && i < screened.counts.size(); ++i) {
    const auto first = std::find(screened.refused_by.begin(), screened.refused_by.end(), i + 1);
    if (screened.counts[i] == 0 || first == screened.refused_by.end()) continue;
    const auto row = static_cast<std::uint32_t>(first - screened.refused_by.begin());
    const Filter& filter = *placement.rules->filters[i];
    const std::string others = screened.counts[i] > 1 ? fmt::format(" and {} more", screened.counts[i] - 1) : "";
    text += fmt::format("{}{} refused {}{} ({})", text.empty() ? "" : "; ", filter.traits().id,
                        (*instance.picture)[hosts::name][row], others,
                        sentence(refusal_of(filter, *query, row, screened.reasons[row])));
  }
  return text.empty() ? "there is no other host that could take it" : text;
}

// Hosts to try, best first; kConflict when no filter lets one pass.
Result<std::vector<std::string>> destinations(const ApiRoom& room, const std::shared_ptr<const Picture>& picture,
                                              const std::shared_ptr<const PlacementRequest>& request,
                                              const MoveWish& wish) {
  const auto rules = room.parts.rule_book.find(wish.profile);
  if (!rules) return tl::unexpected(rules.error());
  const auto placement = room.parts.scheduler.decide_on(request, *rules, picture, room.now_us());
  if (!placement) return tl::unexpected(placement.error());
  const Instance& instance = placement->instances.front();
  std::vector<std::string> names;
  for (const Ranked& ranked : instance.decision->ranking.order) {
    std::string name((*instance.picture)[hosts::name][instance.decision->costs.hosts[ranked.index]]);
    if (names.size() < kTries) names.push_back(std::move(name));
  }
  if (!names.empty()) return names;
  return fail(ErrorCode::kConflict, "no host can take the vm: " + why_none(*placement), "emplace.claim.conflict");
}

// The hypervisor refuses what does not read.
std::uint32_t timeout_s(const MoveWish& wish) {
  const auto given = wish.options.find("timeout_s");
  std::uint32_t seconds = kMoveTimeout.count();
  if (given != wish.options.end())
    std::ignore = std::from_chars(given->second.data(), given->second.data() + given->second.size(), seconds);
  return std::min<std::uint32_t>(seconds, 86400);
}

Result<Claim> claim_first(const ApiRoom& room, const VmRequest& vm, std::uint32_t ttl_s,
                          const std::vector<std::string>& names) {
  std::string reason;
  for (const std::string& name : names) {
    std::vector<ClaimOrder> orders{
        {.id = room.parts.ambient.new_uuid(), .vm = vm, .host = name, .ttl_s = ttl_s, .move = true}};
    const auto taken = room.parts.store.take(
        std::move(orders), [](std::span<const Claim>) { return ClaimRecords{}; }, room.deadline());
    if (!taken) return tl::unexpected(taken.error());
    if (!taken->conflict) return taken->claims.front();
    reason = name + " refused with " + sentence(taken->conflict->why);
  }
  return fail(ErrorCode::kConflict, fmt::format("no host can take the vm: {}; {} tried", reason, names.size()),
              "emplace.claim.conflict");
}

void log_move(const Log& log, const Claim& claim, const Result<void>& moved, const Result<void>& recorded) {
  if (!log) return;
  const bool is_unknown = !moved && moved.error().code == ErrorCode::kUnknownOutcome;
  const char* const outcome = is_unknown ? "unknown" : moved ? "true" : "false";
  const std::string why = !moved ? moved.error().message : recorded ? "" : recorded.error().message;
  log(moved && recorded ? "info" : "warn",
      fmt::format("event=migrated vm={} to={} moved={} recorded={} why={}", to_string(claim.vm), log_text(claim.host),
                  outcome, recorded.has_value(), log_text(why)));
}

// Follows one move for the store: its progress, seldom; how it left the vm; and its end. Called by a hypervisor,
// perhaps when this room is gone already; the store outlives the hypervisors.
class MoveNews {
 public:
  MoveNews(Store& store, Log log, Claim claim, VmState before)
      : store_(store), log_(std::move(log)), claim_(std::move(claim)), left_in_(before) {}

  void progress(const MoveProgress& now) {
    if (now.left_in) left_in_ = *now.left_in;
    const auto time = std::chrono::steady_clock::now();
    if (now.left_in || time < next_) return;
    next_ = time + kProgressEvery;
    std::ignore = store_.note_progress(claim_.id, now.fraction, time + kProgressEvery);
  }

  void settle(const Result<void>& moved) {
    if (fail_at("move.done")) return;
    const Deadline deadline = std::chrono::steady_clock::now() + kReportDeadline;
    // It may be there or come there: the claim ends by itself, or when the vm is seen.
    if (!moved && moved.error().code == ErrorCode::kUnknownOutcome) {
      std::ignore = store_.end(claim_.id, "unknown", moved.error().message, deadline);
      return log_move(log_, claim_, moved, {});
    }
    if (!moved) std::ignore = store_.set_vm_state(claim_.vm, left_in_, deadline);
    const auto done = moved ? store_.confirm(claim_.id, VmState::kRunning, deadline)
                            : store_.give_back(claim_.id, moved.error().message, deadline);
    log_move(log_, claim_, moved, done.map([](auto) {}));
  }

 private:
  Store& store_;
  const Log log_;
  const Claim claim_;
  std::atomic<VmState> left_in_;  // a deadline may end the move on another thread
  std::chrono::steady_clock::time_point next_ = {};
};

Result<void> check_movable(const ApiRoom& room, const Picture& picture, const VmRow& vm, const MoveWish& wish) {
  const auto not_driven = [](const std::string& message) {
    return fail(ErrorCode::kConflict, message, "emplace.host.not_driven");
  };
  if (vm.claim || vm.host.empty())
    return fail(ErrorCode::kConflict, "the vm is not on a host yet", "emplace.vm.not_placed");
  if (!room.parts.hypervisors.drives(vm.host))
    return not_driven("no hypervisor drives the vm's host " + json_text(vm.host));
  if (vm.state == VmState::kMigrating) return fail(ErrorCode::kConflict, "the vm is migrating", "emplace.vm.migrating");
  if (vm.state != VmState::kRunning) {
    return fail(ErrorCode::kConflict, "state: wanted a vm that is running, found " + std::string(to_string(vm.state)),
                "emplace.vm.not_running");
  }
  if (wish.host.empty()) return room.parts.hypervisors.check(order_of(vm, "", wish));
  if (wish.host == vm.host) {
    return fail(ErrorCode::kInvalid, "host: wanted another host than the vm's, found " + json_text(wish.host));
  }
  if (!room.parts.hypervisors.drives(wish.host)) return not_driven("no hypervisor drives host " + json_text(wish.host));
  if (!have_one_source(picture, vm.host, wish.host)) {
    return not_driven("hosts " + json_text(vm.host) + " and " + json_text(wish.host) +
                      " are not of one source: one is Nova's, the other is not");
  }
  return room.parts.hypervisors.check(order_of(vm, wish.host, wish));
}

}  // namespace

Result<MoveWish> parse_move(std::string_view json) {
  MoveWish wish;
  if (json.empty()) return wish;
  const auto document = JsonDocument::parse(json);
  if (!document) return tl::unexpected(document.error());
  JsonErrors errors;
  JsonFields fields(document->root(), "", errors);
  fields.name_or_null("host", wish.host);
  fields.name("profile", wish.profile);
  fields.texts_by_name("options", wish.options);
  fields.refuse_unknown();
  if (!errors.none()) return errors.failure();
  return wish;
}

Result<Claim> start_move(const ApiRoom& room, std::shared_ptr<const Picture> picture, const VmRow& vm,
                         const MoveWish& wish) {
  if (!wish.host.empty() && picture->find_host(wish.host) == kNoRow) {
    return fail(ErrorCode::kInvalid, "host: wanted the name of a host, found " + json_text(wish.host));
  }
  if (const auto movable = check_movable(room, *picture, vm, wish); !movable) return tl::unexpected(movable.error());
  auto candidates = wish.host.empty() ? driven_hosts(room.parts.hypervisors, *picture, vm, wish)
                                      : Result<std::vector<std::string>>({wish.host});
  if (!candidates) return tl::unexpected(candidates.error());
  if (candidates->empty()) return fail(ErrorCode::kConflict, "no other host can take the vm: there is none");
  const auto request = request_of(vm, *std::move(candidates));
  const auto names = destinations(room, picture, request, wish);
  if (!names) return tl::unexpected(names.error());
  auto claim = claim_first(room, request->vm, timeout_s(wish) + kMoveGraceS, *names);
  if (!claim) return claim;
  // Best effort: the move itself does not depend on it.
  std::ignore = room.parts.store.set_vm_state(vm.id, VmState::kMigrating, room.deadline());
  if (fail_at("move.begin")) return claim;
  const auto news = std::make_shared<MoveNews>(room.parts.store, room.parts.log, *claim, vm.state);
  room.parts.hypervisors.move(
      order_of(vm, claim->host, wish), [news](const MoveProgress& now) { news->progress(now); },
      [news](const Result<void>& moved) { news->settle(moved); });
  return claim;
}

namespace {

// Whoever saw its domain go may have been quicker.
Result<std::int64_t> forget(Store& store, const VmRow& vm, Deadline deadline) {
  const auto forgotten =
      vm.claim
          ? store.give_back(*vm.claim, "", deadline)
          : store.write({VmRemoved{vm.id, {}}}, std::nullopt, std::nullopt, deadline).map([](const Written& written) {
              return written.event_seq;
            });
  if (!forgotten && forgotten.error().code == ErrorCode::kNotFound) return 0;
  return forgotten;
}

// Called by a hypervisor, as MoveNews is.
Result<std::int64_t> settle_removal(Store& store, const Uuid& operation, const VmRow& vm,
                                    const Result<void>& destroyed) {
  const Deadline deadline = std::chrono::steady_clock::now() + kReportDeadline;
  const auto forgotten = [&]() -> Result<std::int64_t> {
    if (!destroyed) return tl::unexpected(destroyed.error());
    if (fail_at("delete.destroyed")) return fail(ErrorCode::kUnavailable, "the vm is destroyed, but not yet forgotten");
    return forget(store, vm, deadline);
  }();
  if (forgotten) {
    std::ignore = store.end(operation, "succeeded", "", deadline);
    return forgotten;
  }
  const Error& why = forgotten.error();
  // A host that did not answer may still do it; the next report of it tells.
  const bool may_happen = !destroyed && why.code == ErrorCode::kTimeout;
  if (!destroyed && !may_happen && !vm.claim) std::ignore = store.set_vm_state(vm.id, vm.state, deadline);
  std::ignore = store.end(operation, may_happen ? "unknown" : "failed", why.message, deadline);
  return forgotten;
}

}  // namespace

Result<Removal> start_removal(const ApiRoom& room, const VmRow& vm) {
  Store& store = room.parts.store;
  auto promise = std::make_shared<std::promise<Result<std::int64_t>>>();
  Removal removal{room.parts.ambient.new_uuid(), promise->get_future().share()};
  if (vm.host.empty() || !room.parts.hypervisors.drives(vm.host)) {
    promise->set_value(forget(store, vm, room.deadline()));
    return removal;
  }
  const auto begun = store.begin(
      {.id = removal.operation, .kind = "delete", .vm = vm.id, .vm_name = vm.name, .host = vm.host}, room.deadline());
  if (!begun) return tl::unexpected(begun.error());
  // That it will stop is recorded first, so that nobody takes its end for news.
  if (!vm.claim) std::ignore = store.set_vm_state(vm.id, VmState::kStopped, room.deadline());
  room.parts.hypervisors.destroy(vm.host, vm.id, {},
                                 [&store, vm, promise, id = removal.operation](const Result<void>& destroyed) {
                                   promise->set_value(settle_removal(store, id, vm, destroyed));
                                 });
  return removal;
}

}  // namespace emplace::http
