#include "service/store/claim_batch.h"

#include <fmt/format.h>

#include <map>
#include <set>

#include "service/store/events.h"
#include "service/store/leases.h"
#include "service/store/ledger_sql.h"
#include "service/store/names.h"
#include "service/store/operations.h"
#include "service/store/records.h"
#include "service/store/sql.h"
#include "service/store/stored_claim.h"
#include "service/store/vm_json.h"

namespace emplace {
namespace {

// Where vms are; no host: a held claim.
constexpr sql::Statement kKnownVms{
    "known_vms",
    "SELECT v.id, h.name FROM vms v JOIN hosts h ON h.id = v.host_id WHERE v.id = ANY($1::uuid[]) UNION ALL"
    " SELECT vm, NULL FROM claims WHERE vm = ANY($1::uuid[]) AND state = 'held'"};

constexpr sql::Statement kInsertClaims{
    "insert_claims",
    "INSERT INTO claims (id, vm, vm_name, host_id, state, project, group_id, vcpus, memory_mib, disk_gib, numa_nodes, cells,"
    " spread_by, spread_group, spread_domain, start, move, definition, generation, expires_at_us, takes, taken_at_us)"
    " SELECT id, vm, vm_name, host_id, 'held', project, group_id, vcpus, memory_mib, disk_gib, numa_nodes, cells::int[],"
    " spread_by, spread_group, spread_domain, start, move, definition::jsonb, generation, expires_at_us, takes, $21::bigint"
    " FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::bigint[], $5::text[], $6::bigint[], $7::float8[], $8::float8[],"
    " $9::float8[], $10::int[], $11::text[], $12::text[], $13::text[], $14::text[], $15::bool[], $16::bool[], $17::text[],"
    " $18::bigint[], $19::bigint[], $20::text[]) AS n (id, vm, vm_name, host_id, project, group_id, vcpus, memory_mib, disk_gib,"
    " numa_nodes, cells, spread_by, spread_group, spread_domain, start, move, definition, generation, expires_at_us, takes)"};

constexpr sql::Statement kConfirmClaims{"confirm_claims",
                                        "UPDATE claims SET state = 'confirmed' WHERE id = ANY($1::uuid[])"};
constexpr sql::Statement kExpireClaims{"expire_claims",
                                       "UPDATE claims SET state = 'expired' WHERE id = ANY($1::uuid[])"};
constexpr sql::Statement kDeleteClaims{"delete_claims", "DELETE FROM claims WHERE id = ANY($1::uuid[])"};

// A vm that is there now; of a moved one the claim that started it stays.
constexpr sql::Statement kPlaceVms{
    "place_claimed_vms",
    "INSERT INTO vms (id, name, host_id, state, source, project, group_id, vcpus, memory_mib, disk_gib, numa_nodes, "
    "cells,"
    " spread_by, spread_group, spread_domain, claim_id, started, definition, takes)"
    " SELECT c.vm, c.vm_name, c.host_id, p.state, h.source, c.project, c.group_id, c.vcpus, c.memory_mib, c.disk_gib,"
    " c.numa_nodes, c.cells, c.spread_by, c.spread_group, c.spread_domain, CASE WHEN NOT c.move THEN c.id END,"
    " c.start, CASE WHEN NOT c.move THEN c.definition END, c.takes"
    " FROM unnest($1::uuid[], $2::text[]) AS p (id, state) JOIN claims c ON c.id = p.id JOIN hosts h ON h.id = "
    "c.host_id"
    " ON CONFLICT (id) DO UPDATE SET name = excluded.name, host_id = excluded.host_id, state = excluded.state,"
    " project = excluded.project, group_id = excluded.group_id, vcpus = excluded.vcpus,"
    " memory_mib = excluded.memory_mib, disk_gib = excluded.disk_gib, numa_nodes = excluded.numa_nodes,"
    " cells = excluded.cells, spread_by = excluded.spread_by, spread_group = excluded.spread_group,"
    " source = CASE WHEN excluded.claim_id IS NULL THEN vms.source ELSE excluded.source END,"
    " spread_domain = excluded.spread_domain, claim_id = coalesce(excluded.claim_id, vms.claim_id),"
    " started = vms.started OR excluded.started, definition = coalesce(excluded.definition, vms.definition), failure = '',"
    " takes = excluded.takes"};

constexpr sql::Statement kFailVms{
    "fail_claimed_vms",
    "INSERT INTO vms (id, name, host_id, state, source, project, group_id, vcpus, memory_mib, disk_gib, numa_nodes,"
    " spread_by, spread_group, spread_domain, definition, failure)"
    " SELECT c.vm, c.vm_name, NULL, 'failed', h.source, c.project, c.group_id, c.vcpus, c.memory_mib, c.disk_gib,"
    " c.numa_nodes, c.spread_by, c.spread_group, c.spread_domain, c.definition, p.failure"
    " FROM unnest($1::uuid[], $2::text[]) AS p (id, failure) JOIN claims c ON c.id = p.id JOIN hosts h ON h.id = c.host_id"
    " ON CONFLICT (id) DO UPDATE SET state = excluded.state, failure = excluded.failure WHERE vms.host_id IS NULL"};

// A vm takes the place of one that was only expected under its name.
constexpr sql::Statement kDropExpected{
    "drop_expected",
    "DELETE FROM vms WHERE state = 'expected' AND host_id IS NULL AND name = ANY($1::text[]) AND NOT id = ANY($2::uuid[])"
    " RETURNING id, project, name"};

Error no_claim(const Uuid& id) { return {ErrorCode::kNotFound, fmt::format("no claim {}", to_string(id))}; }
Error claim_expired(const Uuid& id) {
  return {ErrorCode::kConflict, fmt::format("claim {} has expired", to_string(id)), "emplace.claim.expired"};
}

// What nobody asked for, such as an expiry, is the doing of the replica that commits.
template <typename Act>
const std::string& actor_of(const Act& act) {
  return act.actor.empty() ? Acting::who() : act.actor;
}

class Batch {
 public:
  Batch(pqxx::work& transaction, std::span<const ClaimAct* const> acts, BatchLimits limits)
      : transaction_(transaction), acts_(acts), limits_(limits) {}

  BatchDone run(std::vector<std::size_t>& answered) {
    read();
    decide();
    store(answered);
    return std::move(done_);
  }

 private:
  void read();
  void want_orders(LedgerWanted& wanted, std::vector<Uuid>& vms);
  void read_stored(const std::vector<Uuid>& ids);
  void want_stored(LedgerWanted& wanted) const;
  void decide();
  void store(std::vector<std::size_t>& answered);

  template <typename Act>
  Result<ClaimsTaken> decide_as_leader(const Act& act) {
    if (act.leader && !leads(transaction_, *act.leader)) return tl::unexpected(lease_lost(*act.leader));
    return decide(act);
  }
  Result<ClaimsTaken> decide(const TakeAct& act);
  Result<ClaimsTaken> decide(const ConfirmAct& act);
  Result<ClaimsTaken> decide(const GiveBackAct& act);
  Result<ClaimsTaken> decide(const ExpireAct& act);

  std::optional<Error> check(const ClaimOrder& order) const;
  bool is_expired(const StoredClaim& stored) const {
    return stored.claim.state == "expired" ||
           (stored.claim.state == "held" && !stored.start && stored.claim.expires_at_us <= now_us_);
  }
  Claim to_claim(const ClaimOrder& order, const std::vector<std::uint32_t>& cells) const;
  VmRow claim_row(const ClaimOrder& order, const Claim& claim) const;
  void enter(const TakeAct& act, const std::vector<Claim>& claims);
  Result<ClaimsTaken> answer_held(const TakeAct& act, std::vector<Claim> held);
  std::optional<Error> remember(const TakeAct& act, const std::vector<Claim>& claims);  // with what it is to be kept
  void release(StoredClaim& stored);
  void forget(const StoredClaim& stored, const std::string& host);
  void insert_claims();
  void store_operations();

  struct Taken {
    const ClaimOrder* order;
    Claim claim;
    Uuid runner;  // one for all: a store is of one process
  };

  pqxx::work& transaction_;
  const std::span<const ClaimAct* const> acts_;
  const BatchLimits limits_;
  std::int64_t now_us_ = 0;

  Ledger ledger_;
  Names names_;
  std::map<Uuid, StoredClaim> stored_;
  std::map<Uuid, std::string> placed_;  // vm → host
  std::set<Uuid> claimed_;              // vms with a held claim

  std::size_t act_ = 0;  // that is being decided
  std::vector<Taken> taken_;
  std::vector<std::pair<Uuid, std::string>> confirmed_, failed_;  // claim, and the vm's state or why it failed
  OperationEnds ended_, stayed_;  // failed operations; vms that were to move, and why they are still where they were
  std::vector<Uuid> deleted_, expired_;
  std::vector<DecisionRecord> decisions_;
  std::vector<KeyedAnswer> answers_;
  std::vector<std::size_t> answer_acts_;
  std::vector<Change> changes_;
  std::vector<std::string> actors_;                  // per change
  std::map<std::string, std::string> confirmed_by_;  // vms of these names
  std::map<Uuid, std::string> stayed_by_;            // vms
  std::vector<std::size_t> last_change_;             // per act: how many changes there were after it
  BatchDone done_;
};

std::vector<Uuid> claims_named(std::span<const ClaimAct* const> acts) {
  std::vector<Uuid> ids;
  for (const ClaimAct* const act : acts) {
    if (const auto* confirm = std::get_if<ConfirmAct>(act)) ids.push_back(confirm->claim);
    if (const auto* give_back = std::get_if<GiveBackAct>(act)) ids.push_back(give_back->claim);
    if (const auto* expire = std::get_if<ExpireAct>(act)) ids.push_back(expire->claim);
  }
  return ids;
}

void Batch::want_orders(LedgerWanted& wanted, std::vector<Uuid>& vms) {
  for (const ClaimAct* const act : acts_) {
    const auto* const take = std::get_if<TakeAct>(act);
    if (take == nullptr) continue;
    names_.want(take->orders);
    for (const ClaimOrder& order : take->orders) {
      wanted.hosts.insert(order.host);
      if (!order.vm.group.empty()) wanted.groups.insert(order.vm.group);
      if (order.vm.spread.by != SpreadBy::kNone) {
        wanted.spreads.emplace(order.vm.spread.by, order.vm.spread.group);
        wanted.spread_hosts.emplace(order.vm.spread.by, order.host);
      }
      wanted.cells |= order.vm.numa_nodes > 0;
      wanted.takes |= !order.takes.empty();
      vms.push_back(order.vm.id);
    }
  }
}

void Batch::read_stored(const std::vector<Uuid>& ids) {
  stored_.clear();
  if (ids.empty()) return;
  for (StoredClaim& claim : read_claims(transaction_, ids)) {
    const Uuid id = claim.claim.id;
    stored_.emplace(id, std::move(claim));
  }
}

void Batch::want_stored(LedgerWanted& wanted) const {
  for (const auto& [id, claim] : stored_) {
    wanted.hosts.insert(claim.claim.host);
    if (!claim.placed_on.empty()) wanted.hosts.insert(claim.placed_on);
    wanted.cells |= !claim.claim.cells.empty() || !claim.placed_cells.empty();
  }
}

void Batch::read() {
  const std::vector<Uuid> ids = claims_named(acts_);
  std::vector<Uuid> vms;
  LedgerWanted wanted;
  want_orders(wanted, vms);
  read_stored(ids);
  want_stored(wanted);
  names_.lock(transaction_);
  ledger_ = lock_ledger(transaction_, wanted);
  now_us_ = sql::now_us(transaction_);  // not before: the locks may have been waited for
  names_.read(transaction_, now_us_);
  read_stored(ids);  // again, now that nobody else can change them
  for (const auto& [id, claim] : stored_)
    if (!claim.placed_on.empty() && !ledger_.hosts.contains(claim.placed_on))
      throw pqxx::serialization_failure("a vm moved");
  if (vms.empty()) return;
  for (const auto& row : sql::run(transaction_, kKnownVms, sql::array_of(vms))) {
    if (row[1].is_null()) {
      claimed_.insert(sql::uuid(row[0]));
    } else {
      placed_.emplace(sql::uuid(row[0]), sql::text(row[1]));
    }
  }
}

// What makes room comes first.
void Batch::decide() {
  done_.outcomes.resize(acts_.size());
  last_change_.resize(acts_.size());
  for (const bool taking : {false, true}) {
    for (act_ = 0; act_ < acts_.size(); ++act_) {
      if (std::holds_alternative<TakeAct>(*acts_[act_]) != taking) continue;
      done_.outcomes[act_] = std::visit([this](const auto& act) { return decide_as_leader(act); }, *acts_[act_]);
      last_change_[act_] = changes_.size();
      actors_.resize(changes_.size(), std::visit([](const auto& act) { return actor_of(act); }, *acts_[act_]));
    }
  }
}

std::optional<Error> Batch::check(const ClaimOrder& order) const {
  if (order.vm.id.is_zero() || order.id.is_zero()) return Error{ErrorCode::kInternal, "a claim order without an id"};
  if (!order.vm.group.empty() && !ledger_.groups.contains(order.vm.group))
    return Error{ErrorCode::kInvalid, fmt::format("vm.group: no group \"{}\"", order.vm.group)};
  if (claimed_.contains(order.vm.id))
    return Error{ErrorCode::kConflict, fmt::format("vm {} has a claim already", to_string(order.vm.id)),
                 "emplace.vm.claimed"};
  const auto placed = placed_.find(order.vm.id);
  if (placed != placed_.end() && (!order.move || placed->second == order.host))
    return Error{ErrorCode::kConflict,
                 fmt::format("vm {} is on host {} already", to_string(order.vm.id), placed->second),
                 "emplace.vm.placed"};
  return std::nullopt;
}

Result<ClaimsTaken> Batch::decide(const TakeAct& act) {
  auto held = names_.held_for(act.orders);
  if (!held) return tl::unexpected(held.error());
  if (!held->empty()) return answer_held(act, *std::move(held));
  ClaimsTaken result;
  std::vector<Claim> claims;
  std::optional<Error> error;
  for (const ClaimOrder& order : act.orders) {
    std::vector<std::uint32_t> cells;
    error = check(order);
    if (!error)
      if (auto why = refuse(ledger_, order, cells)) result.conflict = Conflict{claims.size(), std::move(*why)};
    if (error || result.conflict) break;
    promise(ledger_, order, cells);
    claimed_.insert(order.vm.id);
    claims.push_back(to_claim(order, cells));
  }
  if (!error && !result.conflict) {
    error = remember(act, claims);
    if (!error) {
      enter(act, claims);
      result.claims = std::move(claims);
      return result;
    }
  }
  for (std::size_t i = claims.size(); i-- > 0;) {
    take_back(ledger_, act.orders[i], claims[i].cells);
    claimed_.erase(act.orders[i].vm.id);
  }
  if (error) return tl::unexpected(std::move(*error));
  return result;
}

// What an earlier order of an equal request took.
Result<ClaimsTaken> Batch::answer_held(const TakeAct& act, std::vector<Claim> held) {
  if (auto error = remember(act, held)) return tl::unexpected(*std::move(error));
  return ClaimsTaken{.claims = std::move(held)};
}

Claim Batch::to_claim(const ClaimOrder& order, const std::vector<std::uint32_t>& cells) const {
  return {.id = order.id,
          .vm = order.vm.id,
          .vm_name = order.vm.name,
          .project = order.vm.project,
          .group = order.vm.group,
          .host = order.host,
          .cells = cells,
          .state = "held",
          .expires_at_us = now_us_ + std::int64_t{order.ttl_s} * 1'000'000,
          .generation = ledger_.hosts.at(order.host).claims_generation,
          .taken_at_us = now_us_};
}

VmRow Batch::claim_row(const ClaimOrder& order, const Claim& claim) const {
  const VmRequest& vm = order.vm;
  return {.id = vm.id,
          .name = vm.name,
          .host = order.host,
          .state = order.start ? VmState::kStarting : VmState::kClaimed,
          .source = ledger_.hosts.at(order.host).source,
          .project = vm.project,
          .group = vm.group,
          .vcpus = vm.vcpus,
          .memory_mib = vm.memory_mib,
          .disk_gib = vm.disk_gib,
          .numa_nodes = vm.numa_nodes,
          .cells = claim.cells,
          .spread = vm.spread,
          .claim = claim.id,
          .takes = order.takes};
}

void Batch::enter(const TakeAct& act, const std::vector<Claim>& claims) {
  for (std::size_t i = 0; i < claims.size(); ++i) {
    taken_.push_back({&act.orders[i], claims[i], act.runner});
    names_.take(act.orders[i], claims[i]);
    changes_.push_back(claim_row(act.orders[i], claims[i]));
  }
  done_.claims += static_cast<std::int64_t>(claims.size());
}

std::optional<Error> Batch::remember(const TakeAct& act, const std::vector<Claim>& claims) {
  ClaimRecords records = act.records ? act.records(claims) : ClaimRecords{};
  if (records.answer && !limits_.may_remember)
    return Error{ErrorCode::kTooMany, "too many idempotency keys are remembered; try later", "", 60};
  if (records.decision) decisions_.push_back(std::move(*records.decision));
  if (!records.answer) return std::nullopt;
  answers_.push_back(std::move(*records.answer));
  answer_acts_.push_back(act_);
  return std::nullopt;
}

// Members that are counted no longer.
void Batch::forget(const StoredClaim& stored, const std::string& host) {
  const HostLedger& place = ledger_.hosts.at(host);
  if (const auto group = ledger_.groups.find(stored.vm.group); group != ledger_.groups.end())
    std::erase_if(group->second.members,
                  [&](const Member& member) { return member.vm == stored.vm.id && member.host == place.id; });
  const Spread& spread = stored.vm.spread;
  if (const auto group = ledger_.spreads.find({spread.by, spread.group}); group != ledger_.spreads.end())
    std::erase_if(group->second, [&](const SpreadMember& member) {
      return member.vm == stored.vm.id && member.place == place_of(place, spread.by);
    });
}

Result<ClaimsTaken> Batch::decide(const ConfirmAct& act) {
  const auto found = stored_.find(act.claim);
  if (found == stored_.end()) return tl::unexpected(no_claim(act.claim));
  StoredClaim& stored = found->second;
  if (is_expired(stored)) return tl::unexpected(claim_expired(act.claim));
  if (stored.claim.state == "confirmed") return ClaimsTaken{};
  if (stored.claim.state != "held") return tl::unexpected(no_claim(act.claim));
  if (!stored.placed_on.empty()) {
    use(ledger_.hosts.at(stored.placed_on), stored.placed, stored.placed_cells, -1);
    if (stored.placed_on != stored.claim.host) forget(stored, stored.placed_on);
  }
  confirmed_.emplace_back(act.claim, to_string(act.state));
  confirmed_by_[stored.vm.name] = actor_of(act);
  names_.settle(act.claim, act.state);
  VmRow vm = stored.vm;
  vm.state = act.state;
  vm.claim.reset();
  vm.failure.clear();
  vm.vcpus_max = stored.placed_vcpus_max;
  vm.memory_max_mib = stored.placed_memory_max_mib;
  if (stored.move && !stored.placed_source.empty()) vm.source = stored.placed_source;
  changes_.push_back(std::move(vm));
  changes_.push_back(VmRemoved{stored.vm.id, act.claim, stored.vm.project});
  stored.claim.state = "confirmed";
  return ClaimsTaken{};
}

void Batch::release(StoredClaim& stored) {
  HostLedger& host = ledger_.hosts.at(stored.claim.host);
  use(host, counted({stored.vm.vcpus, stored.vm.memory_mib, stored.vm.disk_gib}, stored.vm.takes), stored.claim.cells,
      -1);
  use_takes(host, stored.vm.takes, -1);
  ++host.claims_generation;
  forget(stored, stored.claim.host);
  claimed_.erase(stored.vm.id);
  changes_.push_back(VmRemoved{stored.vm.id, stored.claim.id, stored.vm.project});
}

Result<ClaimsTaken> Batch::decide(const GiveBackAct& act) {
  const auto found = stored_.find(act.claim);
  if (found == stored_.end() || found->second.claim.state == "expired" || found->second.claim.state == "gone")
    return tl::unexpected(no_claim(act.claim));
  StoredClaim& stored = found->second;
  if (stored.claim.state == "confirmed")
    return fail(ErrorCode::kConflict,
                fmt::format("claim {} is confirmed: its vm is on {}", to_string(act.claim), stored.claim.host),
                "emplace.claim.confirmed");
  release(stored);
  stored.claim.state = "gone";
  deleted_.push_back(act.claim);
  const bool is_failed = !act.failure.empty() && !stored.move && stored.placed_on.empty();
  is_failed ? names_.settle(act.claim, VmState::kFailed) : names_.give_back(act.claim);
  ended_.emplace_back(act.claim, act.failure.empty() ? "its claim was given back" : act.failure);
  if (act.failure.empty()) return ClaimsTaken{};
  if (stored.move || !stored.placed_on.empty()) {
    stayed_.emplace_back(stored.vm.id, act.failure);
    stayed_by_[stored.vm.id] = actor_of(act);
    return ClaimsTaken{};
  }
  failed_.emplace_back(act.claim, act.failure);
  VmRow vm = stored.vm;
  vm.host.clear();
  vm.cells.clear();
  vm.takes.clear();
  vm.state = VmState::kFailed;
  vm.claim.reset();
  vm.failure = act.failure;
  changes_.push_back(std::move(vm));
  return ClaimsTaken{};
}

Result<ClaimsTaken> Batch::decide(const ExpireAct& act) {
  const auto found = stored_.find(act.claim);
  if (found == stored_.end() || found->second.claim.state != "held" || !is_expired(found->second)) return ClaimsTaken{};
  release(found->second);
  found->second.claim.state = "expired";
  expired_.push_back(act.claim);
  names_.give_back(act.claim);
  return ClaimsTaken{};
}

void Batch::insert_claims() {
  sql::Array ids, vms, names, hosts, projects, groups, vcpus, memory_mib, disk_gib, nodes, cells, by, spread_groups,
      domains, starts, moves, definitions, generations, expiries, takes;
  for (const auto& [order, claim, runner] : taken_) {
    const VmRequest& vm = order->vm;
    ids.add(claim.id);
    vms.add(vm.id);
    names.add(vm.name);
    hosts.add(ledger_.hosts.at(order->host).id);
    projects.add(vm.project);
    if (vm.group.empty()) {
      groups.add_null();
    } else {
      groups.add(ledger_.groups.at(vm.group).id);
    }
    vcpus.add(vm.vcpus);
    memory_mib.add(vm.memory_mib);
    disk_gib.add(vm.disk_gib);
    nodes.add(vm.numa_nodes);
    cells.add(sql::array(claim.cells));
    by.add(to_string(vm.spread.by));
    spread_groups.add(vm.spread.group);
    domains.add(vm.spread.domain);
    starts.add(order->start);
    moves.add(order->move);
    definitions.add(definition_json(vm));
    generations.add(claim.generation);
    expiries.add(claim.expires_at_us);
    takes.add(order->takes);
  }
  sql::run(transaction_, kInsertClaims, ids.text(), vms.text(), names.text(), hosts.text(), projects.text(),
           groups.text(), vcpus.text(), memory_mib.text(), disk_gib.text(), nodes.text(), cells.text(), by.text(),
           spread_groups.text(), domains.text(), starts.text(), moves.text(), definitions.text(), generations.text(),
           expiries.text(), takes.text(), now_us_);
}

void run_on_claims(pqxx::work& transaction, const sql::Statement& statement,
                   const std::vector<std::pair<Uuid, std::string>>& claims) {
  sql::Array ids, texts;
  for (const auto& [id, text] : claims) {
    ids.add(id);
    texts.add(text);
  }
  if (!claims.empty()) sql::run(transaction, statement, ids.text(), texts.text());
}

void run_on_claims(pqxx::work& transaction, const sql::Statement& statement, const std::vector<Uuid>& ids) {
  if (!ids.empty()) sql::run(transaction, statement, sql::array_of(ids));
}

// Begun and ended with their claims; a claim that somebody else acts on has none.
void Batch::store_operations() {
  std::vector<Operation> begun;
  Uuid runner;
  for (const Taken& taken : taken_) {
    if (!taken.order->start && !taken.order->move) continue;
    const Claim& claim = taken.claim;
    const auto from = placed_.find(claim.vm);
    runner = taken.runner;
    begun.push_back({.id = claim.id,
                     .kind = taken.order->move ? "move" : "start",
                     .vm = claim.vm,
                     .vm_name = claim.vm_name,
                     .host = claim.host,
                     .from = from == placed_.end() ? std::string() : from->second});
  }
  OperationEnds succeeded, lost, failed;
  const auto is_operation = [&](const Uuid& claim) { return stored_.at(claim).start || stored_.at(claim).move; };
  for (const auto& [id, state] : confirmed_)
    if (is_operation(id)) succeeded.emplace_back(id, "");
  for (const Uuid& id : expired_)
    if (is_operation(id)) lost.emplace_back(id, "its time ran out before anybody could say how it ended");
  for (const auto& end : ended_)
    if (is_operation(end.first)) failed.push_back(end);
  insert_operations(transaction_, begun, runner);
  end_operations(transaction_, succeeded, "succeeded");
  end_operations(transaction_, lost, "unknown");
  end_operations(transaction_, failed, "failed");
  for (VmRow& vm : put_failures(transaction_, stayed_)) {
    actors_.push_back(stayed_by_.at(vm.id));
    changes_.push_back(std::move(vm));
  }
}

void Batch::store(std::vector<std::size_t>& answered) {
  for (const std::size_t place : insert_answers(transaction_, answers_)) answered.push_back(answer_acts_[place]);
  if (!answered.empty()) return;
  done_.answers = static_cast<std::int64_t>(answers_.size());
  insert_decisions(transaction_, decisions_);
  run_on_claims(transaction_, kPlaceVms, confirmed_);
  run_on_claims(transaction_, kFailVms, failed_);
  std::vector<Uuid> confirmed_ids, vm_ids;
  std::vector<std::string> vm_names;
  for (const auto& [id, state] : confirmed_) {
    confirmed_ids.push_back(id);
    vm_ids.push_back(stored_.at(id).vm.id);
    vm_names.push_back(stored_.at(id).vm.name);
  }
  run_on_claims(transaction_, kConfirmClaims, confirmed_ids);
  run_on_claims(transaction_, kExpireClaims, expired_);
  run_on_claims(transaction_, kDeleteClaims, deleted_);
  if (!taken_.empty()) insert_claims();
  store_operations();
  if (!changes_.empty()) store_ledger(transaction_, ledger_);
  if (!vm_ids.empty()) {
    for (const auto& row : sql::run(transaction_, kDropExpected, sql::array(vm_names), sql::array_of(vm_ids))) {
      actors_.push_back(confirmed_by_.at(sql::text(row[2])));
      changes_.push_back(VmRemoved{sql::uuid(row[0]), {}, sql::text(row[1])});
    }
  }
  const Appended appended = append_events(transaction_, changes_, actors_);
  done_.transaction_id = appended.transaction_id;
  done_.backend = appended.backend;
  const std::int64_t before = appended.last_seq - static_cast<std::int64_t>(changes_.size());
  for (std::size_t i = 0; i < acts_.size(); ++i)
    if (done_.outcomes[i]) done_.outcomes[i]->event_seq = before + static_cast<std::int64_t>(last_change_[i]);
}

}  // namespace

BatchDone run_claim_batch(pqxx::work& transaction, std::span<const ClaimAct* const> acts, BatchLimits limits,
                          std::vector<std::size_t>& answered) {
  return Batch(transaction, acts, limits).run(answered);
}

}  // namespace emplace
