#include "service/store/inventory.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "service/core/change/nova_state.h"
#include "service/core/change/takes.h"
#include "service/core/decide/cells.h"
#include "service/store/inventory_sql.h"
#include "service/store/ledger_sql.h"
#include "service/store/reservations.h"
#include "service/store/rows.h"

namespace emplace {
namespace {

using namespace inventory;

// The rows of one kind: of several with one key the last; and their places in the call, for messages.
template <typename Row>
struct Rows {
  std::vector<Row> rows;
  std::vector<std::size_t> places;
  std::size_t seen = 0;

  template <typename Key>
  void add(const Row& row, std::map<Key, std::size_t>& known, Key key) {
    const auto [at, fresh] = known.emplace(std::move(key), rows.size());
    if (fresh) {
      rows.push_back(row);
      places.push_back(seen);
    } else {
      rows[at->second] = row;
      places[at->second] = seen;
    }
    ++seen;
  }

  // Without the rows of which `same` is true.
  template <typename Same>
  void leave_out(const Same& same) {
    std::size_t kept = 0;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (same(rows[i])) continue;
      if (kept != i) {
        rows[kept] = std::move(rows[i]);
        places[kept] = places[i];
      }
      ++kept;
    }
    rows.resize(kept);
    places.resize(kept);
  }
};

bool is_same(const Change& a, const Change& b) { return to_json(a) == to_json(b); }

// What an import says of a vm that is on its way: how it is when it has arrived, for nobody here will bring it there.
VmState settled(VmState state) {
  if (state == VmState::kMigrating) return VmState::kRunning;
  return state == VmState::kClaimed || state == VmState::kStarting ? VmState::kPlaced : state;
}

std::pair<std::string, std::string> key(const TrafficRow& row) { return {row.a, row.b}; }
std::pair<std::string, std::string> key(const DataSourceRow& row) { return {row.vm, row.source}; }
std::string key(const SourceHostsRow& row) { return row.source; }

template <typename Row>
void leave_out_known(Rows<Row>& rows, const std::vector<Row>& known) {
  std::map<decltype(key(std::declval<Row>())), const Row*> present;
  for (const Row& row : known) present.emplace(key(row), &row);
  rows.leave_out([&](const Row& row) {
    const auto found = present.find(key(row));
    return found != present.end() && is_same(*found->second, row);
  });
}

template <typename Row>
std::map<std::string, Row> by_name(std::vector<Row> rows) {
  std::map<std::string, Row> map;
  for (Row& row : rows) map.emplace(row.name, std::move(row));
  return map;
}

class InventoryWrite {
 public:
  InventoryWrite(pqxx::work& transaction, const std::function<Uuid()>& new_uuid)
      : transaction_(transaction), new_uuid_(new_uuid) {}

  Result<InventoryWritten> run(const std::vector<Change>& changes, std::optional<std::int64_t> if_match) {
    for (const Change& change : changes) std::visit([this](const auto& row) { sort(row); }, change);
    return name_vms()
        .and_then([this] { return lock(); })
        .and_then([&] { return check_generations(if_match); })
        .and_then([this] { return check_removals(); })
        .map([this] { leave_out_unchanged(); })
        .map([this] { leave_out_known_edges(); })
        .and_then([this] { return put_inventory(); })
        .and_then([this] { return put_edges(); })
        .map([this] { remove(); })
        .map([this] { return std::move(written_); });
  }

 private:
  void sort(const HostRow& row) { hosts_.add(row, host_places_, row.name); }
  void sort(const VmRow& row) {
    vms_.rows.push_back(row);
    vms_.places.push_back(vms_.seen++);
  }
  void sort(const GroupRow& row) { groups_.add(row, group_places_, row.name); }
  void sort(const AggregateRow& row) { aggregates_.add(row, aggregate_places_, row.name); }
  void sort(TrafficRow row) {
    if (row.b < row.a) std::swap(row.a, row.b);  // an edge has no direction
    traffic_.add(row, traffic_places_, std::pair(row.a, row.b));
  }
  void sort(const DataSourceRow& row) { data_sources_.add(row, data_source_places_, std::pair(row.vm, row.source)); }
  void sort(const SourceHostsRow& row) { source_hosts_.add(row, source_places_, row.source); }
  void sort(const PageSampleRow& row) { samples_.add(row, sample_places_, row.vm); }
  void sort(const HostRemoved& row) { removed_hosts_.insert(row.name); }
  void sort(const VmRemoved& row) { removed_vms_.insert(row.id); }
  void sort(const GroupRemoved& row) { removed_groups_.insert(row.name); }
  void sort(const AggregateRemoved& row) { removed_aggregates_.insert(row.name); }

  Result<void> name_vms();
  Result<void> lock();
  Result<void> check_generations(std::optional<std::int64_t> if_match) const;
  Result<void> check_removals();
  void leave_out_unchanged();
  void leave_out_known_edges();
  Result<void> check_references();
  Result<void> put_inventory();
  void put_named_rows();
  Result<void> put_vm_rows();
  Result<void> check_cells() const;
  void keep_what_no_write_says(VmRow& vm) const;
  void choose_missing_cells();
  Result<void> put_edges();
  void remove();
  void remove_vm_rows();

  template <typename Row>
  void tell(const std::vector<Row>& rows) {
    written_.events.insert(written_.events.end(), rows.begin(), rows.end());
  }

  pqxx::work& transaction_;
  const std::function<Uuid()>& new_uuid_;
  InventoryWritten written_;

  Rows<HostRow> hosts_;
  Rows<VmRow> vms_;
  Rows<GroupRow> groups_;
  Rows<AggregateRow> aggregates_;
  Rows<TrafficRow> traffic_;
  Rows<DataSourceRow> data_sources_;
  Rows<SourceHostsRow> source_hosts_;
  Rows<PageSampleRow> samples_;
  std::map<std::string, std::size_t> host_places_, group_places_, aggregate_places_, source_places_, sample_places_;
  std::map<std::pair<std::string, std::string>, std::size_t> traffic_places_, data_source_places_;
  std::set<std::string> removed_hosts_, removed_groups_, removed_aggregates_;
  std::set<Uuid> removed_vms_;

  std::map<Uuid, VmRow> present_vms_;
  std::vector<ClaimOfVm> claims_of_removed_;
  std::map<std::string, PresentHost> present_hosts_;
  std::map<std::string, std::int64_t> present_groups_;
};

// Gives every vm its id: its own, that of the one vm of its name, or a new one.
Result<void> InventoryWrite::name_vms() {
  std::set<std::string> nameless;
  for (const VmRow& vm : vms_.rows)
    if (vm.id.is_zero()) nameless.insert(vm.name);
  const auto known = vm_ids_by_name(transaction_, nameless);
  std::map<std::string, Uuid> ids;
  for (std::size_t i = 0; i < vms_.rows.size(); ++i) {
    VmRow& vm = vms_.rows[i];
    if (vm.claim)
      return fail(ErrorCode::kInvalid, fmt::format("vms[{}]: a claim is not written but taken", vms_.places[i]));
    if (!vm.id.is_zero()) continue;
    if (known.count(vm.name) > 1)
      return fail(ErrorCode::kInvalid, fmt::format("vms[{}].id: wanted an id, {} vms are named \"{}\"", vms_.places[i],
                                                   known.count(vm.name), vm.name));
    const auto found = known.find(vm.name);
    const auto [at, fresh] = ids.try_emplace(vm.name);
    if (fresh) at->second = found != known.end() ? found->second : new_uuid_();
    vm.id = at->second;
  }
  Rows<VmRow> once;
  std::map<Uuid, std::size_t> places;
  for (const VmRow& vm : vms_.rows) once.add(vm, places, vm.id);
  vms_ = std::move(once);
  return {};
}

// The order of all transactions: groups, then hosts, each by id. Where the vms are is read before and after.
Result<void> InventoryWrite::lock() {
  std::set<Uuid> ids = removed_vms_;
  for (const VmRow& vm : vms_.rows) ids.insert(vm.id);
  std::set<std::string> hosts = removed_hosts_, groups = removed_groups_;
  for (const GroupRow& group : groups_.rows) groups.insert(group.name);
  for (const HostRow& host : hosts_.rows) hosts.insert(host.name);
  for (const VmRow& vm : vms_.rows)
    if (!vm.host.empty()) hosts.insert(vm.host);
  for (const auto& [id, vm] : vms_by_id(transaction_, ids))
    if (!vm.host.empty()) hosts.insert(vm.host);
  for (const auto& claim : held_claims_of(transaction_, removed_vms_)) hosts.insert(claim.host);
  present_groups_ = lock_groups(transaction_, groups);
  present_hosts_ = lock_hosts(transaction_, hosts);
  present_vms_ = vms_by_id(transaction_, ids);
  claims_of_removed_ = held_claims_of(transaction_, removed_vms_);
  for (const auto& [id, vm] : present_vms_)
    if (!vm.host.empty() && !present_hosts_.contains(vm.host)) throw pqxx::serialization_failure("a vm moved");
  for (const auto& claim : claims_of_removed_)
    if (!present_hosts_.contains(claim.host)) throw pqxx::serialization_failure("a vm was claimed");
  return {};
}

Result<void> check_generation(const char* what, const std::string& name, std::optional<std::int64_t> now,
                              std::int64_t wanted) {
  if (now == wanted) return {};
  return fail(ErrorCode::kConflict,
              now ? fmt::format("{} {}: wanted generation {}, it is {}", what, name, wanted, *now)
                  : fmt::format("{} {}: wanted generation {}, it does not exist", what, name, wanted),
              "emplace.generation.conflict");
}

Result<void> InventoryWrite::check_generations(std::optional<std::int64_t> if_match) const {
  if (!if_match) return {};
  std::set<std::string> hosts = removed_hosts_, groups = removed_groups_;
  for (const HostRow& host : hosts_.rows) hosts.insert(host.name);
  for (const GroupRow& group : groups_.rows) groups.insert(group.name);
  for (const std::string& name : hosts) {
    const auto found = present_hosts_.find(name);
    const auto now = found == present_hosts_.end() ? std::nullopt : std::optional(found->second.generation);
    if (auto done = check_generation("host", name, now, *if_match); !done) return done;
  }
  for (const std::string& name : groups) {
    const auto found = present_groups_.find(name);
    const auto now = found == present_groups_.end() ? std::nullopt : std::optional(found->second);
    if (auto done = check_generation("group", name, now, *if_match); !done) return done;
  }
  return {};
}

Result<void> InventoryWrite::check_removals() {
  for (const Uuid& id : removed_vms_) {
    const bool claimed = std::any_of(claims_of_removed_.begin(), claims_of_removed_.end(),
                                     [&](const ClaimOfVm& claim) { return claim.vm == id; });
    if (!present_vms_.contains(id) && !claimed)
      return fail(ErrorCode::kNotFound, fmt::format("no vm {}", to_string(id)));
  }
  for (const std::string& name : removed_hosts_)
    if (!present_hosts_.contains(name)) return fail(ErrorCode::kNotFound, fmt::format("no host \"{}\"", name));
  for (const std::string& name : removed_groups_)
    if (!present_groups_.contains(name)) return fail(ErrorCode::kNotFound, fmt::format("no group \"{}\"", name));
  return {};
}

void InventoryWrite::leave_out_unchanged() {
  const auto leave_out_named = [this](auto& kind, auto present) {
    kind.leave_out([&](auto& row) {
      const auto found = present.find(row.name);
      if (found == present.end()) return false;
      row.generation = found->second.generation;
      if (!is_same(row, found->second)) return false;
      written_.generation = row.generation;
      return true;
    });
  };
  if (!groups_.rows.empty()) leave_out_named(groups_, by_name(read_groups(transaction_)));
  std::vector<std::string> names;
  for (const HostRow& host : hosts_.rows)
    if (present_hosts_.contains(host.name)) names.push_back(host.name);
  if (!names.empty()) {
    auto present = by_name(read_hosts(transaction_, names));
    for (HostRow& host : hosts_.rows) {
      if (const auto found = present.find(host.name); found != present.end())
        host.nova_state = keep_pushed(host.nova_state, found->second.nova_state);
    }
    leave_out_named(hosts_, std::move(present));
  }
  for (VmRow& vm : vms_.rows) keep_what_no_write_says(vm);
  vms_.leave_out([this](const VmRow& vm) {
    const auto found = present_vms_.find(vm.id);
    return found != present_vms_.end() && is_same(found->second, vm);
  });
  for (VmRow& vm : vms_.rows)
    if (vm.source == "static") vm.state = settled(vm.state);
  if (!aggregates_.rows.empty()) {
    const auto present = by_name(read_aggregates(transaction_));
    aggregates_.leave_out([&](const AggregateRow& row) {
      const auto found = present.find(row.name);
      return found != present.end() && is_same(found->second, row);
    });
  }
}

void InventoryWrite::leave_out_known_edges() {
  if (!traffic_.rows.empty()) leave_out_known(traffic_, read_traffic(transaction_, traffic_.rows));
  if (!data_sources_.rows.empty()) leave_out_known(data_sources_, read_data_sources(transaction_, data_sources_.rows));
  if (!source_hosts_.rows.empty()) leave_out_known(source_hosts_, read_source_hosts(transaction_));
  samples_.leave_out([this](const PageSampleRow& sample) {
    const auto known = read_sample(transaction_, sample.vm);
    return known && is_same(*known, sample);
  });
}

Result<void> InventoryWrite::check_references() {
  std::set<std::string> hosts, groups;
  for (const VmRow& vm : vms_.rows) {
    if (!vm.host.empty()) hosts.insert(vm.host);
    if (!vm.group.empty()) groups.insert(vm.group);
  }
  for (const SourceHostsRow& row : source_hosts_.rows) hosts.insert(row.hosts.begin(), row.hosts.end());
  const auto present_hosts = known_hosts(transaction_, hosts), present_groups = known_groups(transaction_, groups);
  for (std::size_t i = 0; i < vms_.rows.size(); ++i) {
    const VmRow& vm = vms_.rows[i];
    if (!vm.host.empty() && !present_hosts.contains(vm.host))
      return fail(ErrorCode::kInvalid, fmt::format("vms[{}].host: no host \"{}\"", vms_.places[i], vm.host));
    if (!vm.group.empty() && !present_groups.contains(vm.group))
      return fail(ErrorCode::kInvalid, fmt::format("vms[{}].group: no group \"{}\"", vms_.places[i], vm.group));
  }
  for (std::size_t i = 0; i < source_hosts_.rows.size(); ++i)
    for (const std::string& host : source_hosts_.rows[i].hosts)
      if (!present_hosts.contains(host))
        return fail(ErrorCode::kInvalid,
                    fmt::format("source_hosts[{}].hosts: no host \"{}\"", source_hosts_.places[i], host));
  return {};
}

// Groups, aggregates and hosts refer to nothing that may be missing.
void InventoryWrite::put_named_rows() {
  put_groups(transaction_, groups_.rows);
  put_aggregates(transaction_, aggregates_.rows);
  std::set<std::string> named, zones, racks;
  for (const HostRow& host : hosts_.rows) {
    named.insert(host.aggregates.begin(), host.aggregates.end());
    if (!host.zone.empty()) zones.insert(host.zone);
    if (!host.rack.empty()) racks.insert(host.rack);
  }
  for (std::string& name : name_aggregates(transaction_, named))
    written_.events.push_back(AggregateRow{.name = std::move(name)});
  ensure_fault_domains(transaction_, zones, racks);
  put_hosts(transaction_, hosts_.rows);
  tell(aggregates_.rows);
  tell(hosts_.rows);
  tell(groups_.rows);
  if (!groups_.rows.empty()) written_.generation = groups_.rows.back().generation;
  if (!hosts_.rows.empty()) written_.generation = hosts_.rows.back().generation;
}

// Why its last act failed, what its hypervisor reports, the cells of a vm that stays as it was, and what else one took
// of its host that stays there; of a cloud's vms the cloud says what classes of resources they take.
void InventoryWrite::keep_what_no_write_says(VmRow& vm) const {
  const auto found = present_vms_.find(vm.id);
  if (found == present_vms_.end()) return;
  const VmRow& old = found->second;
  vm.failure = old.failure;
  const std::string kept = old.host == vm.host ? old.takes : std::string();
  vm.takes = is_of_cloud(vm) ? with_resources_of(kept, vm.takes) : kept;
  vm.vcpus_max = old.vcpus_max;
  vm.memory_max_mib = old.memory_max_mib;
  if (!vm.cells.empty()) return;
  if (old.host == vm.host && old.numa_nodes == vm.numa_nodes && old.vcpus == vm.vcpus &&
      old.memory_mib == vm.memory_mib)
    vm.cells = old.cells;
}

Result<void> InventoryWrite::check_cells() const {
  std::set<std::string> hosts;
  for (const VmRow& vm : vms_.rows)
    if (!vm.cells.empty() && !vm.host.empty()) hosts.insert(vm.host);
  const auto counts = cell_counts(transaction_, hosts);
  for (std::size_t i = 0; i < vms_.rows.size(); ++i) {
    const VmRow& vm = vms_.rows[i];
    if (vm.cells.empty() || vm.host.empty()) continue;
    const std::uint32_t count = counts.at(vm.host);
    for (const std::uint32_t cell : vm.cells)
      if (cell >= count)
        return fail(ErrorCode::kInvalid, fmt::format("vms[{}].cells: wanted cells of host {}, which has {}, found {}",
                                                     vms_.places[i], vm.host, count, cell));
  }
  return {};
}

// Vms that ask for cells and came without get them where they fit; an import that fits nowhere is still true.
void InventoryWrite::choose_missing_cells() {
  LedgerWanted wanted{.cells = true};
  for (const VmRow& vm : vms_.rows)
    if (vm.numa_nodes > 0 && vm.cells.empty() && !vm.host.empty()) wanted.hosts.insert(vm.host);
  if (wanted.hosts.empty()) return;
  Ledger ledger = lock_ledger(transaction_, wanted);
  std::vector<VmRow> chosen;
  for (VmRow& vm : vms_.rows) {
    if (vm.numa_nodes == 0 || !vm.cells.empty() || vm.host.empty()) continue;
    HostLedger& host = ledger.hosts.at(vm.host);
    std::vector<CellFree> free;
    for (const CellLedger& cell : host.cells)
      free.push_back({cell.vcpus - cell.vcpus_used, cell.memory_mib - cell.memory_used_mib});
    const auto cells = choose_cells(free, vm.vcpus, vm.memory_mib, vm.numa_nodes);
    if (!cells) continue;
    vm.cells = *cells;
    use(host, counted({vm.vcpus, vm.memory_mib, vm.disk_gib}, vm.takes), vm.cells, 1);
    chosen.push_back(vm);
  }
  put_cells_of_vms(transaction_, chosen);
}

Result<void> InventoryWrite::put_vm_rows() {
  if (auto checked = check_cells(); !checked) return checked;
  put_vms(transaction_, vms_.rows);
  std::set<std::string> hosts;
  for (const VmRow& vm : vms_.rows)
    if (!vm.host.empty()) hosts.insert(vm.host);
  for (const VmRow& vm : vms_.rows)
    if (const auto old = present_vms_.find(vm.id); old != present_vms_.end() && !old->second.host.empty())
      hosts.insert(old->second.host);
  for (const HostRow& host : hosts_.rows) hosts.insert(host.name);
  recount(transaction_, hosts);
  choose_missing_cells();
  if (!vms_.rows.empty()) recount(transaction_, hosts);
  tell(vms_.rows);
  tell(drop_expected(transaction_, vms_.rows));
  return {};
}

Result<void> InventoryWrite::put_inventory() {
  put_named_rows();
  if (auto checked = check_references(); !checked) return checked;
  return put_vm_rows();
}

Result<void> InventoryWrite::put_edges() {
  put_traffic(transaction_, traffic_.rows);
  put_data_sources(transaction_, data_sources_.rows);
  put_source_hosts(transaction_, source_hosts_.rows);
  put_samples(transaction_, samples_.rows);
  tell(traffic_.rows);
  tell(data_sources_.rows);
  tell(source_hosts_.rows);
  tell(samples_.rows);
  if (!removed_vms_.empty()) remove_vm_rows();
  if (!removed_hosts_.empty())
    for (const std::string& name : hosts_with_vms(transaction_, removed_hosts_))
      return fail(ErrorCode::kConflict, fmt::format("host {} has vms or claims", name), "emplace.host.in_use");
  if (!removed_groups_.empty())
    for (const std::string& name : groups_with_members(transaction_, removed_groups_))
      return fail(ErrorCode::kConflict, fmt::format("group {} has members", name), "emplace.group.in_use");
  for (const std::string& name : removed_aggregates_) {
    tell(read_hosts(transaction_, leave_aggregate(transaction_, name)));
    if (!remove_aggregate(transaction_, name))
      return fail(ErrorCode::kNotFound, fmt::format("no aggregate \"{}\"", name));
    written_.events.push_back(AggregateRemoved{name});
  }
  return {};
}

void InventoryWrite::remove_vm_rows() {
  inventory::remove_vms(transaction_, removed_vms_);
  std::set<std::string> hosts;
  for (const ClaimOfVm& claim : claims_of_removed_) {
    hosts.insert(claim.host);
    written_.events.push_back(VmRemoved{claim.vm, claim.claim, claim.project});
  }
  for (const Uuid& id : removed_vms_) {
    const auto found = present_vms_.find(id);
    if (found == present_vms_.end()) continue;
    if (!found->second.host.empty()) hosts.insert(found->second.host);
    written_.events.push_back(VmRemoved{id, {}, found->second.project});
  }
  recount(transaction_, hosts);
}

void InventoryWrite::remove() {
  for (Change& gone : forget_reservations(transaction_, removed_hosts_, removed_vms_))
    written_.events.push_back(std::move(gone));
  if (!removed_groups_.empty()) remove_groups(transaction_, removed_groups_);
  for (const std::string& name : removed_groups_) written_.events.push_back(GroupRemoved{name});
  if (removed_hosts_.empty()) return;
  tell(forget_copies(transaction_, removed_hosts_));
  remove_hosts(transaction_, removed_hosts_);
  for (const std::string& name : removed_hosts_) written_.events.push_back(HostRemoved{name});
}

Result<void> lock_host(pqxx::work& transaction, const std::string& host, std::optional<std::int64_t> if_match) {
  const auto present = lock_hosts(transaction, {host});
  if (present.empty()) return fail(ErrorCode::kNotFound, fmt::format("no host \"{}\"", host));
  return if_match ? check_generation("host", host, present.at(host).generation, *if_match) : Result<void>();
}

InventoryWritten host_written(pqxx::work& transaction, const std::string& host) {
  InventoryWritten written;
  for (HostRow& row : read_hosts(transaction, {host})) {
    written.generation = row.generation;
    written.events.push_back(std::move(row));
  }
  return written;
}

}  // namespace

Result<InventoryWritten> write_inventory(pqxx::work& transaction, const std::vector<Change>& changes,
                                         std::optional<std::int64_t> if_match, const std::function<Uuid()>& new_uuid) {
  return InventoryWrite(transaction, new_uuid).run(changes, if_match);
}

Result<InventoryWritten> write_host_state(pqxx::work& transaction, const std::string& host, HostState state,
                                          std::optional<std::int64_t> if_match) {
  if (auto locked = lock_host(transaction, host, if_match); !locked) return tl::unexpected(locked.error());
  inventory::put_host_state(transaction, host, state);
  return host_written(transaction, host);
}

Result<InventoryWritten> write_pushed_state(pqxx::work& transaction, const std::string& host,
                                            const std::string& attributes, std::optional<std::int64_t> if_match) {
  if (auto locked = lock_host(transaction, host, if_match); !locked) return tl::unexpected(locked.error());
  const auto rows = read_hosts(transaction, {host});
  const auto state = with_pushed(rows.front().nova_state, attributes);
  if (!state) return tl::unexpected(state.error());
  if (*state != rows.front().nova_state) inventory::put_nova_state(transaction, host, *state);
  return host_written(transaction, host);
}

Result<InventoryWritten> write_vm_state(pqxx::work& transaction, const Uuid& vm, VmState state) {
  if (!inventory::put_vm_state(transaction, vm, state))
    return fail(ErrorCode::kNotFound, fmt::format("no vm {}", to_string(vm)));
  InventoryWritten written;
  for (VmRow& row : read_vms(transaction, {vm})) written.events.push_back(std::move(row));
  return written;
}

}  // namespace emplace
