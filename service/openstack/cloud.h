// What Nova and Placement say, as values in our own words and units: one struct per kind of row of their answers. A
// number that was not said is absent.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "service/core/base/uuid.h"
#include "service/core/change/change.h"
#include "service/core/change/takes.h"

namespace emplace::openstack {

struct Hypervisor {  // a compute node
  Uuid id;           // also of its resource provider
  std::string node;  // hypervisor_hostname
  std::string host;  // of its nova-compute
  bool enabled = true, up = true;
  std::string type = {}, host_ip = {}, cpu_info = {};  // cpu_info: JSON, or empty
  std::optional<std::int64_t> version = {}, disk_available_least_gib = {};
};

struct ComputeService {
  std::string host, zone = {};
  bool disabled = false, forced_down = false, up = true;
  std::string seen_at = {};  // ISO 8601 in UTC; empty: never
  bool unreachable = false;  // its cell does not answer: nothing but the host is known
};

struct NovaAggregate {
  std::string name;
  std::map<std::string, std::string> metadata = {};
  std::vector<std::string> hosts = {};
};

struct ServerGroup {
  Uuid id;
  GroupPolicy policy = GroupPolicy::kAntiAffinity;
  double max_per_host = 1;
  std::vector<Uuid> members = {};
};

struct Server {
  Uuid id;
  std::string name = {}, host = {}, node = {}, project = {};  // host, node empty: on none
  std::string vm_state = {}, task_state = {};
  double vcpus = 0, memory_mib = 0, disk_gib = 0;
  ResourceAmounts resources = {};  // what its flavor asks for otherwise, or beside these
  bool deleted = false;
  bool unreachable = false;  // its cell does not answer: nothing but the id is known
};

struct Inventory {
  double total = 0, reserved = 0, ratio = 1;
};

struct Provider {
  Uuid id;
  std::string name = {};
  std::int64_t generation = 0;
  Uuid root = {};
  std::map<std::string, Inventory> inventories = {};  // by resource class
  std::map<Uuid, ResourceAmounts> allocations = {};   // by consumer
  std::vector<std::string> traits = {}, aggregates = {};
  std::vector<std::string> notes = {};  // on what of these was left out
};

// What Nova's own databases say of hypervisors and its API does not.
struct ComputeNode {
  std::map<std::string, std::string> attributes = {};  // of HostState: JSON by name; one that can't be read is absent
  std::vector<std::string> notes = {};                 // on those

  const std::string* find(std::string_view attribute) const {
    const auto found = attributes.find(std::string(attribute));
    return found == attributes.end() ? nullptr : &found->second;
  }
};
struct ComputeNodes {
  std::map<Uuid, ComputeNode> rows = {};          // by hypervisor
  std::map<std::string, std::string> cells = {};  // uuid of its cell, by host
};

// One answer with a list of rows.
template <typename Row>
struct Listed {
  std::vector<Row> rows = {};
  bool more = false;                    // a following page is announced
  std::size_t listed = 0;               // with those that were left out
  std::string marker = {};              // of the last row, where it has an id
  std::vector<std::string> notes = {};  // one for each row that was left out
};

// A table, and what of it was left out.
template <typename Rows>
struct Told {
  Rows rows = {};
  std::vector<std::string> notes = {};
};

// One kind of row as it was last read; read_at_us 0: never.
template <typename Rows>
struct Reading {
  Rows rows = {};
  std::int64_t read_at_us = 0;
  std::vector<std::string> notes = {};
  bool failed = false;  // the last try to read it
  bool known() const { return read_at_us != 0; }
};

struct Cloud {
  Reading<std::vector<Hypervisor>> hypervisors;
  Reading<std::map<std::string, ComputeService>> services;  // by host
  Reading<std::vector<NovaAggregate>> aggregates;
  Reading<std::vector<ServerGroup>> groups;
  Reading<std::map<Uuid, Server>> servers;
  Reading<std::map<Uuid, Provider>> providers;
  // Servers that are gone, and when that was found out: what Placement was last read to have given to them is theirs no
  // more, until a later reading says it again.
  std::map<Uuid, std::int64_t> departed = {};
  // Consumers, none of them a server, that Placement's last reading was the first to name: perhaps a server that is
  // newer than the list of servers.
  std::set<Uuid> unfamiliar = {};
  bool reads_compute_nodes = false;
  Reading<ComputeNodes> compute_nodes;  // where they are read
};

}  // namespace emplace::openstack
