#include "service/store/names.h"

#include <fmt/format.h>

#include <algorithm>

#include "service/store/sql.h"
#include "service/store/stored_claim.h"
#include "service/store/vm_json.h"

namespace emplace {
namespace {

// The order of the keys is the same in every transaction; different names with one key only wait for each other.
constexpr sql::Statement kLockNames{
    "lock_names",
    "SELECT pg_advisory_xact_lock(key) FROM (SELECT DISTINCT hashtextextended(project || E'\\n' || name, 0) AS key"
    " FROM unnest($1::text[], $2::text[]) AS w (project, name) ORDER BY key) AS keys"};

constexpr sql::Statement kVmsNamed{
    "vms_named",
    "SELECT v.project, v.name, v.id, v.state, coalesce(h.name, '')"
    " FROM unnest($1::text[], $2::text[]) AS w (project, name) JOIN vms v ON v.name = w.name AND v.project = w.project"
    " LEFT JOIN hosts h ON h.id = v.host_id WHERE v.state <> 'expected'"};

bool may_be_on(const VmRequest& vm, const std::string& host) {
  const auto has = [&](const std::vector<std::string>& hosts) { return std::ranges::find(hosts, host) != hosts.end(); };
  return (vm.only_hosts.empty() || has(vm.only_hosts)) && !has(vm.ignore_hosts);
}

Error name_taken(const VmRequest& vm, const std::string& found) {
  const std::string where = vm.project.empty() ? "" : fmt::format(" in project \"{}\"", vm.project);
  return {ErrorCode::kConflict,
          fmt::format("vm.name: wanted a name that is free{}, found \"{}\": {}", where, vm.name, found),
          "emplace.vm.name_taken"};
}

}  // namespace

void Names::want(std::span<const ClaimOrder> orders) {
  for (const ClaimOrder& order : orders)
    if (order.unique_name) wanted_.insert(name_of(order.vm));
}

void Names::lock(pqxx::work& transaction) const {
  if (wanted_.empty()) return;
  sql::Array projects, names;
  for (const auto& [project, name] : wanted_) {
    projects.add(project);
    names.add(name);
  }
  sql::run(transaction, kLockNames, projects.text(), names.text());
}

void Names::read(pqxx::work& transaction, std::int64_t now_us) {
  if (wanted_.empty()) return;
  read_vms(transaction);
  read_claims(transaction, now_us);
}

void Names::read_vms(pqxx::work& transaction) {
  sql::Array projects, names;
  for (const auto& [project, name] : wanted_) {
    projects.add(project);
    names.add(name);
  }
  for (const auto& row : sql::run(transaction, kVmsNamed, projects.text(), names.text())) {
    Holder holder;
    holder.claim.vm = sql::uuid(row[2]);
    holder.claim.host = sql::text(row[4]);
    holder.state = parse_vm_state(sql::text(row[3])).value_or(VmState::kClaimed);
    holders_.emplace(Name{sql::text(row[0]), sql::text(row[1])}, std::move(holder));
  }
}

void Names::read_claims(pqxx::work& transaction, std::int64_t now_us) {
  std::vector<std::string> names;
  for (const auto& [project, name] : wanted_) names.push_back(name);
  for (StoredClaim& stored : read_claims_named(transaction, names)) {
    const Name name{stored.vm.project, stored.vm.name};
    const bool expired = !stored.start && stored.claim.expires_at_us <= now_us;
    if (expired || stored.move || !wanted_.contains(name)) continue;
    Holder holder{.claim = std::move(stored.claim), .held = true, .start = stored.start};
    if (auto request = vm_from_definition(stored.definition)) holder.request = *std::move(request);
    holders_.emplace(name, std::move(holder));
  }
}

bool Names::is_equal(const Holder& holder, const ClaimOrder& order) {
  if (!holder.held || holder.start != order.start || !may_be_on(order.vm, holder.claim.host)) return false;
  VmRequest wanted = order.vm;
  if (order.any_id) wanted.id = holder.request.id;
  return definition_json(wanted) == definition_json(holder.request);
}

std::string Names::sentence(const Holder& holder) {
  if (holder.held)
    return fmt::format("claim {} holds it on {} for {} request", to_string(holder.claim.id), holder.claim.host,
                       holder.start ? "a starting vm of another" : "another");
  const std::string where = holder.claim.host.empty() ? "on no host" : "on " + holder.claim.host;
  return fmt::format("it is vm {}, {} {}", to_string(holder.claim.vm), to_string(holder.state), where);
}

const Names::Holder* Names::find(const ClaimOrder& order) const {
  if (!order.unique_name) return nullptr;
  const auto [begin, end] = holders_.equal_range(name_of(order.vm));
  if (begin == end) return nullptr;
  const auto equal = std::find_if(begin, end, [&](const auto& entry) { return is_equal(entry.second, order); });
  return equal == end ? &begin->second : &equal->second;
}

Result<std::vector<Claim>> Names::held_for(std::span<const ClaimOrder> orders) const {
  std::vector<Claim> held;
  for (const ClaimOrder& order : orders) {
    const Holder* const holder = find(order);
    if (holder == nullptr) continue;
    if (!is_equal(*holder, order)) return tl::unexpected(name_taken(order.vm, sentence(*holder)));
    held.push_back(holder->claim);
    held.back().existing = true;
  }
  if (held.empty() || held.size() == orders.size()) return held;
  const auto first = std::ranges::find_if(orders, [&](const ClaimOrder& order) { return find(order) != nullptr; });
  return tl::unexpected(name_taken(
      first->vm,
      fmt::format("it and {} of the {} others are held already, the rest is not", held.size() - 1, orders.size() - 1)));
}

void Names::take(const ClaimOrder& order, const Claim& claim) {
  if (!order.move && wanted_.contains(name_of(order.vm)))
    holders_.emplace(name_of(order.vm),
                     Holder{.claim = claim, .held = true, .start = order.start, .request = order.vm});
}

void Names::give_back(const Uuid& claim) {
  std::erase_if(holders_, [&](const auto& entry) { return entry.second.claim.id == claim; });
}

void Names::settle(const Uuid& claim, VmState state) {
  for (auto& [name, holder] : holders_) {
    if (holder.claim.id != claim) continue;
    holder.held = false;
    holder.state = state;
  }
}

}  // namespace emplace
