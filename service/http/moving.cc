#include "service/http/moving.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <future>

#include "service/core/failpoint.h"

namespace emplace::http {
namespace {

// A claim outlives its move by this: when the service dies in the middle, the room comes back by itself.
constexpr std::uint32_t kMoveGraceS = 100;
constexpr std::size_t kTries = 8;
constexpr std::chrono::seconds kReportDeadline{30};

// A vm can't go from a host of libvirt's to one of OpenStack's.
bool have_one_source(const Picture& picture, const std::string& from, const std::string& to) {
  return picture[hosts::source].get(picture.find_host(from)) == picture[hosts::source].get(picture.find_host(to));
}

std::vector<std::string> driven_hosts(const Hypervisors& hypervisors, const Picture& picture, const std::string& from) {
  std::vector<std::string> driven;
  for (std::uint32_t host = 0; host < picture.rows(Table::kHosts); ++host) {
    if (picture[hosts::alive].get(host) != std::uint8_t{1}) continue;
    std::string name(picture[hosts::name][host]);
    if (have_one_source(picture, from, name) && hypervisors.drives(name)) driven.push_back(std::move(name));
  }
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

// Hosts to try, best first.
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
  return names;
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
  std::string reason = "none is fit";
  for (const std::string& name : names) {
    std::vector<ClaimOrder> orders{
        {.id = room.parts.ambient.new_uuid(), .vm = vm, .host = name, .ttl_s = ttl_s, .move = true}};
    const auto taken = room.parts.store.take(
        std::move(orders), [](std::span<const Claim>) { return ClaimRecords{}; }, room.deadline());
    if (!taken) return tl::unexpected(taken.error());
    if (!taken->conflict) return taken->claims.front();
    reason = "the last refused with " + taken->conflict->why.code;
  }
  return fail(ErrorCode::kConflict, fmt::format("no host can take the vm: {} of {} tried", reason, names.size()),
              "emplace.claim.conflict");
}

void log_move(const Log& log, const Claim& claim, const Result<void>& moved, const Result<void>& recorded) {
  if (!log) return;
  const bool is_unknown = !moved && moved.error().code == ErrorCode::kUnknownOutcome;
  const char* const outcome = is_unknown ? "unknown" : moved ? "true" : "false";
  const std::string why = !moved ? moved.error().message : recorded ? "" : recorded.error().message;
  log(moved && recorded ? "info" : "warn",
      fmt::format("event=migrated vm={} to={} moved={} recorded={} why={}", to_string(claim.vm), json_text(claim.host),
                  outcome, recorded.has_value(), json_text(why)));
}

// Called by a hypervisor, perhaps when this room is gone already; the store outlives the hypervisors.
void settle_move(Store& store, const Log& log, const Claim& claim, const Result<void>& moved) {
  if (fail_at("move.done")) return;
  const Deadline deadline = std::chrono::steady_clock::now() + kReportDeadline;
  // It may be there or come there: the claim ends by itself, or when the vm is seen.
  const bool is_unknown = !moved && moved.error().code == ErrorCode::kUnknownOutcome;
  if (is_unknown) return log_move(log, claim, moved, {});
  const auto done =
      moved ? store.confirm(claim.id, VmState::kRunning, deadline) : store.give_back(claim.id, "", deadline);
  if (!moved) std::ignore = store.set_vm_state(claim.vm, VmState::kRunning, deadline);
  log_move(log, claim, moved, done.map([](auto) {}));
}

Result<void> check_movable(const ApiRoom& room, const Picture& picture, const VmRow& vm, const MoveWish& wish) {
  const auto not_driven = [](const std::string& message) {
    return fail(ErrorCode::kConflict, message, "emplace.host.not_driven");
  };
  if (vm.claim || vm.host.empty())
    return fail(ErrorCode::kConflict, "the vm is not on a host yet", "emplace.vm.not_placed");
  if (!room.parts.hypervisors.drives(vm.host))
    return not_driven("no hypervisor drives the vm's host " + json_text(vm.host));
  if (vm.state == VmState::kMigrating) return fail(ErrorCode::kConflict, "the vm is migrating", "emplace.vm.migrating");
  if (wish.host.empty()) return {};
  if (wish.host == vm.host) {
    return fail(ErrorCode::kInvalid, "host: wanted another host than the vm's, found " + json_text(wish.host));
  }
  if (!room.parts.hypervisors.drives(wish.host)) return not_driven("no hypervisor drives host " + json_text(wish.host));
  if (!have_one_source(picture, vm.host, wish.host)) {
    return not_driven("hosts " + json_text(vm.host) + " and " + json_text(wish.host) +
                      " are not of one source: one is Nova's, the other is not");
  }
  return {};
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
  const auto request = request_of(vm, wish.host.empty() ? driven_hosts(room.parts.hypervisors, *picture, vm.host)
                                                        : std::vector<std::string>{wish.host});
  const auto names = destinations(room, picture, request, wish);
  if (!names) return tl::unexpected(names.error());
  auto claim = claim_first(room, request->vm, timeout_s(wish) + kMoveGraceS, *names);
  if (!claim) return claim;
  // Best effort: the move itself does not depend on it.
  std::ignore = room.parts.store.set_vm_state(vm.id, VmState::kMigrating, room.deadline());
  if (fail_at("move.begin")) return claim;
  MoveOrder order{.vm = vm.id, .vm_name = vm.name, .from = vm.host, .to = claim->host, .options = wish.options};
  room.parts.hypervisors.move(
      std::move(order), [](const MoveProgress&) {},
      [&store = room.parts.store, log = room.parts.log, taken = *claim](const Result<void>& moved) {
        settle_move(store, log, taken, moved);
      });
  return claim;
}

Result<void> destroy_and_wait(Hypervisors& hypervisors, const std::string& host, const Uuid& vm, Deadline deadline) {
  auto promise = std::make_shared<std::promise<Result<void>>>();
  auto done = promise->get_future();
  hypervisors.destroy(host, vm, {}, [promise](Result<void> result) { promise->set_value(std::move(result)); });
  if (done.wait_until(deadline) == std::future_status::ready) return done.get();
  return fail(ErrorCode::kTimeout, "host " + json_text(host) + " did not answer in time; the vm is kept");
}

}  // namespace emplace::http
