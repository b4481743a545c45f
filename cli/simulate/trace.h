// Trace: a recorded or made-up sequence of requests, and the hosts they are for: vms that arrive and leave, in order.
// Two formats are read:
//   csv     a header names the columns: arrive_s, depart_s, name, vcpus, memory_mib, disk_gib, numa_nodes, group,
//   policy,
//           spread_group, spread_domain, zone; the hosts are an inventory as `emplace import` reads it.
//   huawei  github mdl1104/Dataset-for-topology-aware-VM-placement: requests in file order, nobody leaves; a group is
//   named by
//           (strategy, group); vms of different `domain` in one fault_domain group share no rack; row i of the hosts'
//           file is host-i with two NUMA cells, whose rack is in topology_provider.csv beside it; numa = 2 asks for
//           half on each cell.
// Amounts: whole vCPUs, MiB, GiB.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

namespace emplace::cli {

struct TraceVm {
  std::string name;
  double vcpus = 0, memory_mib = 0, disk_gib = 0;
  int numa_nodes = 0;
  std::string group = {}, zone = {};
  std::string spread_group = {}, spread_domain = {};  // spread by rack
};

struct Cell {
  double vcpus = 0, memory_mib = 0;
};

struct TraceHost {
  std::string name = {}, zone = {}, rack = {};
  double vcpus = 0, memory_mib = 0, disk_gib = 0;
  std::vector<Cell> cells = {};
};

struct TraceEvent {
  double at_s = 0;
  bool arrives = true;
  std::size_t vm = 0;  // index into Trace::vms
};

struct Trace {
  std::vector<TraceHost> hosts;
  std::vector<TraceVm> vms;
  std::vector<TraceEvent> events;             // by time; who leaves goes before who comes
  std::map<std::string, std::string> groups;  // server groups: name → policy
  bool has_departures() const { return events.size() > vms.size(); }
};

// Failure{kBadInput} with file, line, what was wanted and found.
Trace read_huawei(const std::string& requests, const std::string& hosts, const std::string& racks);
Trace read_csv_trace(const std::string& requests, const std::string& inventory);

// The hosts and groups as the body of POST /v1/inventory:import.
std::string inventory_of(const Trace& trace);

}  // namespace emplace::cli
