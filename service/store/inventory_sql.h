// The statements behind write_inventory(), one function each, many rows a call.
#pragma once

#include <map>
#include <pqxx/pqxx>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "service/core/change/change.h"

namespace emplace::inventory {

struct PresentHost {
  std::int64_t id = 0, generation = 0;
};

std::map<Uuid, VmRow> vms_by_id(pqxx::work& transaction, const std::set<Uuid>& ids);
std::multimap<std::string, Uuid> vm_ids_by_name(pqxx::work& transaction, const std::set<std::string>& names);
// Of held claims: claim → its vm, and the hosts they are on.
struct ClaimOfVm {
  Uuid claim, vm;
  std::string host, project = {};
};
std::vector<ClaimOfVm> held_claims_of(pqxx::work& transaction, const std::set<Uuid>& vms);

// Both lock, in id order.
std::map<std::string, std::int64_t> lock_groups(pqxx::work& transaction,
                                                const std::set<std::string>& names);  // generations
std::map<std::string, PresentHost> lock_hosts(pqxx::work& transaction, const std::set<std::string>& names);
std::set<std::string> known_groups(pqxx::work& transaction, const std::set<std::string>& names);
std::set<std::string> known_hosts(pqxx::work& transaction, const std::set<std::string>& names);
std::map<std::string, std::uint32_t> cell_counts(pqxx::work& transaction, const std::set<std::string>& hosts);

inline std::string_view state_text(const VmRow& vm) { return to_string(vm.state); }  // for a column of states

// Upserts; generations are filled in.
void put_groups(pqxx::work& transaction, std::vector<GroupRow>& groups);
void put_aggregates(pqxx::work& transaction, const std::vector<AggregateRow>& aggregates);
std::vector<std::string> name_aggregates(pqxx::work& transaction, const std::set<std::string>& names);  // the new ones
void put_hosts(pqxx::work& transaction, std::vector<HostRow>& hosts);
void put_vms(pqxx::work& transaction, std::span<const VmRow> vms);
void put_cells_of_vms(pqxx::work& transaction, const std::vector<VmRow>& vms);
std::vector<VmRemoved> drop_expected(pqxx::work& transaction, const std::vector<VmRow>& vms);
void put_traffic(pqxx::work& transaction, const std::vector<TrafficRow>& edges);
void put_data_sources(pqxx::work& transaction, const std::vector<DataSourceRow>& edges);
void put_source_hosts(pqxx::work& transaction, const std::vector<SourceHostsRow>& rows);
void put_samples(pqxx::work& transaction, const std::vector<PageSampleRow>& samples);

void put_host_state(pqxx::work& transaction, const std::string& host, HostState state);
void put_nova_state(pqxx::work& transaction, const std::string& host, const std::string& nova_state);
bool put_vm_state(pqxx::work& transaction, const Uuid& vm, VmState state);  // false: no such vm

// Use of hosts and cells, summed again from vms and held claims.
void recount(pqxx::work& transaction, const std::set<std::string>& hosts);

std::set<std::string> hosts_with_vms(pqxx::work& transaction, const std::set<std::string>& hosts);
std::set<std::string> groups_with_members(pqxx::work& transaction, const std::set<std::string>& groups);
void remove_vms(pqxx::work& transaction, const std::set<Uuid>& vms);  // and their claims
void remove_groups(pqxx::work& transaction, const std::set<std::string>& groups);
void remove_hosts(pqxx::work& transaction, const std::set<std::string>& hosts);
std::vector<SourceHostsRow> forget_copies(pqxx::work& transaction, const std::set<std::string>& hosts);
bool remove_aggregate(pqxx::work& transaction, const std::string& name);
std::vector<std::string> leave_aggregate(pqxx::work& transaction, const std::string& name);  // hosts that were in it

}  // namespace emplace::inventory
