#include "service/store/sightings.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "service/core/act/sighting.h"
#include "service/store/inventory_sql.h"
#include "service/store/rows.h"
#include "service/store/sql.h"

namespace emplace {
namespace {

constexpr sql::Statement kLoseHost{
    "lose_host",
    "UPDATE hosts SET state = 'down', generation = generation + 1 WHERE name = $1 AND state = 'enabled'"
    " RETURNING id"};
constexpr sql::Statement kLockVms{"lock_vms_seen",
                                  "SELECT id FROM vms WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE"};
constexpr sql::Statement kHeldOfSeen{"held_claims_of_seen",
                                     "SELECT vm, move FROM claims WHERE vm = ANY($1::uuid[]) AND state = 'held'"};
constexpr sql::Statement kClaimsOfSeen{"known_claims", "SELECT id FROM claims WHERE id = ANY($1::uuid[])"};
constexpr sql::Statement kSee{
    "see_vms",
    "INSERT INTO vms (id, name, host_id, state, source, vcpus, memory_mib, disk_gib, vcpus_max, memory_max_mib)"
    " SELECT n.id, n.name, h.id, n.state, n.source, n.vcpus, n.memory_mib, n.disk_gib, n.vcpus_max, n.memory_max_mib"
    " FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::float8[], $7::float8[], $8::float8[],"
    " $9::float8[], $10::float8[]) AS n (id, name, host, state, source, vcpus, memory_mib, disk_gib, vcpus_max,"
    " memory_max_mib) JOIN hosts h ON h.name = n.host"
    " ON CONFLICT (id) DO UPDATE SET name = excluded.name, host_id = excluded.host_id, state = excluded.state,"
    " vcpus = excluded.vcpus, memory_mib = excluded.memory_mib, disk_gib = excluded.disk_gib,"
    " vcpus_max = excluded.vcpus_max, memory_max_mib = excluded.memory_max_mib,"
    " cells = CASE WHEN vms.host_id = excluded.host_id THEN vms.cells ELSE '{}' END,"
    " takes = CASE WHEN vms.host_id = excluded.host_id THEN vms.takes ELSE '' END"};

bool is_others(const VmRow& vm) { return vm.source == "found" || vm.source == "nova" || vm.source == "duplicate"; }

auto reported(const VmRow& vm) {
  return std::tie(vm.name, vm.host, vm.state, vm.vcpus, vm.memory_mib, vm.disk_gib, vm.vcpus_max, vm.memory_max_mib);
}

class Comparison {
 public:
  Comparison(pqxx::work& transaction, const VmReport& report) : transaction_(transaction), report_(report) {}

  InventoryWritten run() {
    read();
    for (const DomainSeen& one : report_.seen) see(one, found_vm(report_.host, one));
    for (const DomainSeen& one : report_.copies) see_copy(one);
    for (const Uuid& id : report_.gone) miss(id);
    return store();
  }

 private:
  void read();
  void read_claims(const std::string& vms);
  void see(const DomainSeen& seen, VmRow fresh);
  void see_stored(const VmRow& stored, const DomainSeen& seen);
  void see_copy(DomainSeen seen);
  void miss(const Uuid& id);
  InventoryWritten store();

  pqxx::work& transaction_;
  const VmReport& report_;
  std::map<Uuid, VmRow> stored_;
  std::map<Uuid, bool> held_;  // vms with a held claim, and whether it is one of a move
  std::set<Uuid> known_claims_;
  std::vector<VmRow> changed_;
  std::set<Uuid> removed_;
  std::set<std::string> hosts_;  // whose use changes
};

// Hosts are locked before vms, as everywhere; where the vms are is read before and after.
void Comparison::read() {
  std::set<Uuid> ids(report_.gone.begin(), report_.gone.end());
  for (const DomainSeen& one : report_.seen) ids.insert(one.id);
  for (const DomainSeen& one : report_.copies) ids.insert(copy_id(one.id, report_.host));
  std::set<std::string> hosts{report_.host};
  for (const auto& [id, vm] : inventory::vms_by_id(transaction_, ids))
    if (!vm.host.empty()) hosts.insert(vm.host);
  const auto locked = inventory::lock_hosts(transaction_, hosts);
  const std::string vms = sql::array_of(ids);
  sql::run(transaction_, kLockVms, vms);
  for (VmRow& vm : read_vms(transaction_, {ids.begin(), ids.end()})) {
    if (!vm.host.empty() && !locked.contains(vm.host)) throw pqxx::serialization_failure("a vm moved");
    const Uuid id = vm.id;
    stored_.emplace(id, std::move(vm));
  }
  read_claims(vms);
}

void Comparison::read_claims(const std::string& vms) {
  for (const auto& row : sql::run(transaction_, kHeldOfSeen, vms))
    held_.emplace(sql::uuid(row[0]), sql::boolean(row[1]));
  sql::Array claims;
  for (const DomainSeen& one : report_.seen)
    if (one.claim) claims.add(*one.claim);
  if (claims.empty()) return;
  for (const auto& row : sql::run(transaction_, kClaimsOfSeen, claims.text())) known_claims_.insert(sql::uuid(row[0]));
}

void Comparison::see(const DomainSeen& seen, VmRow fresh) {
  const auto stored = stored_.find(seen.id);
  const auto held = held_.find(seen.id);
  // Whoever starts or moves it will say what came of it.
  if (held != held_.end() && (held->second || stored == stored_.end())) return;
  if (stored != stored_.end()) return see_stored(stored->second, seen);
  // Its claim is stored, but not the vm: it is being started or deleted.
  if (seen.claim && known_claims_.contains(*seen.claim)) return;
  changed_.push_back(std::move(fresh));
  hosts_.insert(report_.host);
}

void Comparison::see_copy(DomainSeen seen) {
  seen.id = copy_id(seen.id, report_.host);
  seen.claim.reset();
  VmRow fresh = found_vm(report_.host, seen);
  fresh.source = "duplicate";
  see(seen, std::move(fresh));
}

void Comparison::see_stored(const VmRow& stored, const DomainSeen& seen) {
  if (stored.host != report_.host && !report_.arrived.contains(seen.id)) return;
  VmRow next = as_seen(stored, seen);
  next.host = report_.host;
  if (next.host != stored.host) next.cells.clear(), next.takes.clear();  // nobody knows what it has there
  if (reported(next) == reported(stored)) return;
  if (!stored.host.empty()) hosts_.insert(stored.host);
  hosts_.insert(report_.host);
  changed_.push_back(std::move(next));
}

void Comparison::miss(const Uuid& id) {
  const auto found = stored_.find(id);
  if (found == stored_.end() || found->second.host != report_.host || held_.contains(id)) return;
  VmRow& vm = found->second;
  if (is_others(vm)) {
    removed_.insert(id);
    hosts_.insert(report_.host);
  } else if (vm.source == "libvirt" && (vm.state == VmState::kRunning || vm.state == VmState::kMigrating)) {
    vm.state = VmState::kStopped;
    changed_.push_back(vm);
  }
}

InventoryWritten Comparison::store() {
  InventoryWritten written;
  if (!changed_.empty()) {
    const auto column = [&](auto field) { return sql::column(changed_, field); };
    sql::run(transaction_, kSee, column(&VmRow::id), column(&VmRow::name), column(&VmRow::host),
             column(inventory::state_text), column(&VmRow::source), column(&VmRow::vcpus), column(&VmRow::memory_mib),
             column(&VmRow::disk_gib), column(&VmRow::vcpus_max), column(&VmRow::memory_max_mib));
    written.events.insert(written.events.end(), changed_.begin(), changed_.end());
    for (VmRemoved& gone : inventory::drop_expected(transaction_, changed_)) written.events.push_back(std::move(gone));
  }
  if (!removed_.empty()) inventory::remove_vms(transaction_, removed_);
  for (const Uuid& id : removed_) written.events.push_back(VmRemoved{id});
  inventory::recount(transaction_, hosts_);
  return written;
}

}  // namespace

Result<InventoryWritten> write_host_seen(pqxx::work& transaction, HostRow seen, const std::function<Uuid()>& new_uuid) {
  inventory::lock_hosts(transaction, {seen.name});
  seen.state = HostState::kEnabled;
  for (const HostRow& known : read_hosts(transaction, {seen.name})) {
    if (known.state != HostState::kDown) seen.state = known.state;
    seen.cpu_util = known.cpu_util;
    seen.memory_used_observed_mib = known.memory_used_observed_mib;
    seen.power_watts = known.power_watts;
    seen.observed_at_us = known.observed_at_us;
    seen.nova_state = known.nova_state;
  }
  return write_inventory(transaction, {std::move(seen)}, std::nullopt, new_uuid);
}

InventoryWritten write_host_lost(pqxx::work& transaction, const std::string& host) {
  InventoryWritten written;
  if (sql::run(transaction, kLoseHost, host).empty()) return written;
  for (HostRow& row : read_hosts(transaction, {host})) written.events.push_back(std::move(row));
  return written;
}

InventoryWritten write_vms_seen(pqxx::work& transaction, const VmReport& report) {
  return Comparison(transaction, report).run();
}

}  // namespace emplace
