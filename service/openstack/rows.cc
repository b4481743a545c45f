#include "service/openstack/rows.h"

#include <algorithm>
#include <array>
#include <set>
#include <unordered_map>

#include "service/core/json/json.h"
#include "service/core/request/nova_spec.h"
#include "service/openstack/consumers.h"

namespace emplace::openstack {
namespace {

constexpr std::string_view kSharing = "MISC_SHARES_VIA_AGGREGATE";

template <std::size_t N>
bool is_one_of(std::string_view word, const std::array<std::string_view, N>& words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

using Providers = std::map<Uuid, Provider>;  // of hosts, with all below them

// A hypervisor that changed its name leaves its old node behind, with a provider that nobody uses: of a service's nodes
// then exactly one is in use. Only Ironic has several.
struct Nodes {
  std::map<Uuid, std::string> names;  // of hosts, by hypervisor
  std::set<Uuid> stale;
};

bool is_in_use(const Hypervisor& one, const Providers& providers,
               const std::set<std::pair<std::string, std::string>>& used) {
  const auto provider = providers.find(one.id);
  return used.contains({one.host, one.node}) || (provider != providers.end() && !provider->second.allocations.empty());
}

Nodes nodes_of(const Cloud& cloud, const Providers& providers, std::vector<Finding>& findings) {
  std::set<std::pair<std::string, std::string>> used;  // host and node
  for (const auto& [id, server] : cloud.servers.rows) used.emplace(server.host, server.node);
  std::map<std::string_view, std::vector<const Hypervisor*>> by_host;
  for (const Hypervisor& one : cloud.hypervisors.rows) by_host[one.host].push_back(&one);
  Nodes nodes;
  for (const auto& [host, all] : by_host) {
    const auto in_use = [&](const Hypervisor* one) { return is_in_use(*one, providers, used); };
    const bool is_renamed = all.size() > 1 && all.front()->type != "ironic" && std::ranges::count_if(all, in_use) == 1;
    for (const Hypervisor* one : all) {
      const bool is_stale = is_renamed && !in_use(one);
      nodes.names[one->id] = all.size() == 1 || (is_renamed && !is_stale) ? one->host : one->host + '/' + one->node;
      if (!is_stale) continue;
      nodes.stale.insert(one->id);
      findings.push_back(
          {nodes.names[one->id], "leftover_node",
           "node " + one->node + " of " + std::string(host) +
               " has no servers and no allocations, and another node of it is in use: the host was renamed "
               "(openstack resource provider delete " +
               to_string(one->id) + ")"});
    }
  }
  return nodes;
}

// ---- amounts

const Inventory* find_class(const Provider& provider, const std::string& name) {
  const auto found = provider.inventories.find(name);
  return found == provider.inventories.end() ? nullptr : &found->second;
}

bool share_aggregate(const Provider& a, const Provider& b) {
  return std::any_of(a.aggregates.begin(), a.aggregates.end(), [&](const std::string& one) {
    return std::find(b.aggregates.begin(), b.aggregates.end(), one) != b.aggregates.end();
  });
}

const Inventory* find_shared_disk(const Provider& provider, const std::vector<const Provider*>& sharing) {
  for (const Provider* other : sharing) {
    if (share_aggregate(provider, *other)) return find_class(*other, "DISK_GB");
  }
  return nullptr;
}

std::vector<const Provider*> sharing_providers(const std::map<Uuid, Provider>& all) {
  std::vector<const Provider*> sharing;
  for (const auto& [id, one] : all) {
    if (std::find(one.traits.begin(), one.traits.end(), kSharing) != one.traits.end()) sharing.push_back(&one);
  }
  return sharing;
}

void set_amounts(HostRow& row, const Provider& provider, const std::vector<const Provider*>& sharing) {
  const auto put = [](const Inventory* inventory, double& total, double& reserved, double& ratio) {
    if (!inventory) return;
    total = inventory->total;
    reserved = inventory->reserved;
    ratio = inventory->ratio;
  };
  put(find_class(provider, "VCPU"), row.vcpus, row.vcpus_reserved, row.cpu_allocation_ratio);
  put(find_class(provider, "MEMORY_MB"), row.memory_mib, row.memory_reserved_mib, row.ram_allocation_ratio);
  const Inventory* disk = find_class(provider, "DISK_GB");
  put(disk ? disk : find_shared_disk(provider, sharing), row.disk_gib, row.disk_reserved_gib,
      row.disk_allocation_ratio);
}

// ---- nova_state

void write_placement(JsonWriter& writer, const Provider& provider) {
  ResourceAmounts used;
  for (const auto& [consumer, amounts] : provider.allocations) {
    for (const auto& [name, amount] : amounts) used[name] += amount;
  }
  writer.key("placement").open().key("used").open();
  for (const auto& [name, amount] : used) writer.number(name, amount);
  writer.close().key("inventories").open();
  for (const auto& [name, inventory] : provider.inventories) {
    writer.key(name).open().number("total", inventory.total).number("reserved", inventory.reserved);
    writer.number("allocation_ratio", inventory.ratio).close();
  }
  writer.close().key("aggregates").open_list();
  for (const std::string& one : provider.aggregates) writer.text(one);
  writer.close_list().close();
}

void write_service(JsonWriter& writer, const ComputeService& service) {
  if (!service.disabled && !service.forced_down && service.up) return;
  writer.key("service").open().flag("disabled", service.disabled).flag("forced_down", service.forced_down);
  const bool is_silent = !service.up && !service.forced_down;
  if (is_silent && !service.seen_at.empty()) writer.text("last_seen_up", service.seen_at);
  writer.close();
}

// `provider`, `service`: null where there is none; `io_heavy`: servers on it at such work.
struct HostFacts {
  const Provider* provider;
  const ComputeService* service;
  const ComputeNode* node;  // null: Nova's database was not read, or does not know it
  std::string_view cell;    // empty: not read
  int io_heavy;
  bool groups;  // were read
};

// What Nova's scheduler knows of a host and its API does not tell: rules that need it can't judge, where its database
// was not read either.
void write_from_database(JsonWriter& writer, const HostFacts& told, std::vector<std::string_view>& unread) {
  for (const std::string_view name : {"supported_instances", "numa_topology", "pci_stats", "metrics", "stats"}) {
    if (const std::string* const known = told.node ? told.node->find(name) : nullptr) {
      writer.key(name).raw(*known);
      continue;
    }
    unread.push_back(name);
    if (name != "stats") continue;
    writer.key(name).open().text("io_workload", std::to_string(told.io_heavy)).close();
    unread.push_back("failed_builds");  // it is one of them
  }
  told.cell.empty() ? unread.push_back("cell_uuid") : void(writer.text("cell_uuid", told.cell));
}

std::string nova_state(const Hypervisor& one, const HostFacts& told) {
  JsonWriter writer;
  writer.open().text("host", one.host).text("nodename", one.node).text("hypervisor_hostname", one.node);
  writer.text("uuid", to_string(one.id));
  if (!one.host_ip.empty()) writer.text("host_ip", one.host_ip);
  if (!one.type.empty()) writer.text("hypervisor_type", one.type);
  if (one.version) writer.whole("hypervisor_version", *one.version);
  if (!one.cpu_info.empty()) writer.text("cpu_info", one.cpu_info);  // a text of JSON, as Nova keeps it
  if (one.disk_available_least_gib) writer.whole("disk_available_least", *one.disk_available_least_gib);
  writer.whole("num_io_ops", told.io_heavy);
  std::vector<std::string_view> unread;
  write_from_database(writer, told, unread);
  if (one.cpu_info.empty()) unread.push_back("cpu_info");
  if (!told.groups) unread.push_back(kServerGroups);
  writer.key("unread").open_list();
  for (const std::string_view attribute : unread) writer.text(attribute);
  writer.close_list();
  if (told.service) write_service(writer, *told.service);
  if (told.provider) write_placement(writer, *told.provider);
  writer.close();
  return writer.take();
}

// ---- hosts

class Hosts {
 public:
  Hosts(const Cloud& cloud, const Providers& providers, const Nodes& nodes, std::vector<std::string>& notes)
      : cloud_(cloud), providers_(providers), nodes_(nodes), sharing_(sharing_providers(providers)), notes_(notes) {
    for (const auto& [id, server] : cloud.servers.rows) {
      if (is_io_heavy(server)) ++io_heavy_[{server.host, server.node}];
    }
    for (const NovaAggregate& aggregate : cloud.aggregates.rows) {
      for (const std::string& host : aggregate.hosts) aggregates_[host].push_back(aggregate.name);
    }
  }

  HostRow row(const Hypervisor& one) const {
    const auto at = cloud_.services.rows.find(one.host);
    const ComputeService* const service = at == cloud_.services.rows.end() ? nullptr : &at->second;
    const auto found = providers_.find(one.id);
    const Provider* const provider = found == providers_.end() ? nullptr : &found->second;
    HostRow row;
    row.name = nodes_.names.at(one.id);
    row.source = kCloudSource;
    row.state = nodes_.stale.contains(one.id) ? HostState::kDown : state(one, service, provider);
    if (service) row.zone = service->zone;
    const auto member = aggregates_.find(one.host);
    if (member != aggregates_.end()) row.aggregates = member->second;
    if (provider) {
      row.traits = provider->traits;
      set_amounts(row, *provider, sharing_);
    } else {
      notes_.push_back("host " + row.name + ": Placement has no resource provider " + to_string(one.id));
    }
    row.nova_state =
        nova_state(one, {provider, service, node_of(one), cell_of(one), io_heavy(one), cloud_.groups.known()});
    return row;
  }

 private:
  const ComputeNode* node_of(const Hypervisor& one) const {
    const auto& nodes = cloud_.compute_nodes;
    const auto found = nodes.rows.rows.find(one.id);
    if (found != nodes.rows.rows.end()) return &found->second;
    if (nodes.known()) {
      notes_.push_back("host " + nodes_.names.at(one.id) + ": Nova's database has no compute node " +
                       to_string(one.id) + " that has reported");
    }
    return nullptr;
  }
  std::string_view cell_of(const Hypervisor& one) const {
    const auto& cells = cloud_.compute_nodes.rows.cells;
    const auto found = cells.find(one.host);
    return found == cells.end() ? std::string_view() : found->second;
  }
  static HostState state(const Hypervisor& one, const ComputeService* service, const Provider* provider) {
    const bool down = !provider || (service ? service->forced_down || !service->up : !one.up);
    if (down) return HostState::kDown;
    return (service ? service->disabled : !one.enabled) ? HostState::kDisabled : HostState::kEnabled;
  }
  int io_heavy(const Hypervisor& one) const {
    const auto found = io_heavy_.find({one.host, one.node});
    return found == io_heavy_.end() ? 0 : found->second;
  }

  const Cloud& cloud_;
  const Providers& providers_;
  const Nodes& nodes_;
  const std::vector<const Provider*> sharing_;
  std::vector<std::string>& notes_;
  std::map<std::pair<std::string, std::string>, int> io_heavy_;  // by host and node
  std::map<std::string, std::vector<std::string>> aggregates_;   // by host
};

// ---- vms

// The hypervisor of each server that is on one. A node that Nova does not list is any of its service's.
std::map<Uuid, Uuid> places_of(const Cloud& cloud, const Nodes& nodes) {
  std::map<std::pair<std::string, std::string>, Uuid> by_node;
  std::unordered_map<std::string, Uuid> by_host;
  for (const Hypervisor& one : cloud.hypervisors.rows) {
    by_node[{one.host, one.node}] = one.id;
    if (!nodes.stale.contains(one.id)) by_host[one.host] = one.id;
  }
  std::map<Uuid, Uuid> places;
  for (const auto& [id, server] : cloud.servers.rows) {
    const auto exact = by_node.find({server.host, server.node});
    const auto any = by_host.find(server.host);
    if (exact != by_node.end()) {
      places.emplace(id, exact->second);
    } else if (any != by_host.end()) {
      places.emplace(id, any->second);
    }
  }
  return places;
}

// What a row's vCPUs, memory and disk do not say.
std::string takes_of(const ResourceAmounts& amounts, const VmRow& row, const Provider* provider) {
  const std::map<std::string_view, double> said{
      {"VCPU", row.vcpus}, {"MEMORY_MB", row.memory_mib}, {"DISK_GB", row.disk_gib}};
  std::vector<Taken> takes;
  for (const auto& [name, amount] : amounts) {
    const auto same = said.find(name);
    if (same == said.end() ? amount == 0 : amount == same->second) continue;
    const Inventory* inventory = provider ? find_class(*provider, name) : nullptr;
    const double limit = inventory ? (inventory->total - inventory->reserved) * inventory->ratio : amount;
    takes.push_back({std::string(kResourceTake) + name, amount, std::max(0.0, limit)});
  }
  return write_takes(takes);
}

class Vms {
 public:
  Vms(const Cloud& cloud, const Providers& providers, const Nodes& nodes, CloudRows& rows)
      : cloud_(cloud),
        providers_(providers),
        nodes_(nodes),
        notes_(rows.notes),
        findings_(rows.report.findings),
        all_(consumptions(cloud, providers, places_of(cloud, nodes))) {
    for (const ServerGroup& group : cloud.groups.rows) {
      for (const Uuid& member : group.members) groups_[member] = to_string(group.id);
    }
  }

  std::vector<VmRow> rows() {
    std::vector<VmRow> rows;
    rows.reserve(cloud_.servers.rows.size() + all_.others.size());
    for (const auto& [id, server] : cloud_.servers.rows) rows.push_back(row_of(server));
    for (const Consumption& one : all_.others) {
      if (nodes_.names.contains(one.host)) rows.push_back(row_of(one));
    }
    find_orphans();
    return rows;
  }

 private:
  const Provider* provider_of(const Uuid& host) const {
    const auto found = providers_.find(host);
    return found == providers_.end() ? nullptr : &found->second;
  }

  VmRow row_of(const Server& server) {
    VmRow row;
    row.id = server.id;
    row.name = server.name;
    row.state = vm_state_of(server);
    row.source = kCloudSource;
    row.project = server.project;
    const auto group = groups_.find(server.id);
    if (group != groups_.end()) row.group = group->second;
    row.vcpus = server.vcpus, row.memory_mib = server.memory_mib, row.disk_gib = server.disk_gib;
    const auto counted = all_.servers.find(server.id);
    if (counted != all_.servers.end() && nodes_.names.contains(counted->second.host)) {
      row.host = nodes_.names.at(counted->second.host);
      row.takes = takes_of(counted->second.amounts, row, provider_of(counted->second.host));
    } else if (!server.host.empty()) {
      notes_.push_back("vm " + to_string(server.id) + ": on host " + server.host + ", which Nova's hypervisors lack");
    }
    return row;
  }

  // What Placement has given to others than a host's servers: a row of its own that takes the room.
  VmRow row_of(const Consumption& one) const {
    const auto amount = [&](std::string_view name) {
      const auto found = one.amounts.find(name);
      return found == one.amounts.end() ? 0 : found->second;
    };
    VmRow row;
    row.id = one.id;
    const auto server = cloud_.servers.rows.find(one.server);
    const bool moves = server != cloud_.servers.rows.end();
    row.name = moves ? "allocation of " + server->second.name : "allocation of no server";
    row.state = moves ? VmState::kMigrating : VmState::kPlaced;
    row.source = kAllocationSource;
    if (moves) row.project = server->second.project;
    row.host = nodes_.names.at(one.host);
    row.vcpus = amount("VCPU"), row.memory_mib = amount("MEMORY_MB"), row.disk_gib = amount("DISK_GB");
    row.takes = takes_of(one.amounts, row, provider_of(one.host));
    return row;
  }

  void find_orphans() {
    std::map<std::string, ResourceAmounts> by_host;
    for (const Consumption& one : all_.others) {
      if (!one.server.is_zero() || !one.is_familiar || !nodes_.names.contains(one.host)) continue;
      for (const auto& [name, amount] : one.amounts) by_host[nodes_.names.at(one.host)][name] += amount;
    }
    for (const auto& [host, amounts] : by_host) {
      findings_.push_back({host, "orphan_allocations",
                           "Placement has given " + to_text(amounts) +
                               " to consumers that are none of its servers: orphans, or resizes that wait for their"
                               " confirmation; they count (nova-manage placement audit)"});
    }
  }

  const Cloud& cloud_;
  const Providers& providers_;
  const Nodes& nodes_;
  std::vector<std::string>& notes_;
  std::vector<Finding>& findings_;
  const Consumptions all_;
  std::map<Uuid, std::string> groups_;  // by member
};

// When the oldest table of those that hosts and vms are made of was read; 0: one never was.
std::int64_t whole_since_us(const Cloud& cloud) {
  const auto is_awaited = [](const auto& reading) { return !reading.known() && !reading.failed; };
  if (is_awaited(cloud.groups) || (cloud.reads_compute_nodes && is_awaited(cloud.compute_nodes))) return 0;
  return std::min({cloud.hypervisors.read_at_us, cloud.services.read_at_us, cloud.aggregates.read_at_us,
                   cloud.servers.read_at_us, cloud.providers.read_at_us});
}

// On what of the tables was left out.
std::vector<std::string> notes_of(const Cloud& cloud) {
  std::vector<std::string> all;
  const auto take = [&](const std::vector<std::string>& notes) { all.insert(all.end(), notes.begin(), notes.end()); };
  take(cloud.groups.notes);
  take(cloud.hypervisors.notes);
  take(cloud.services.notes);
  take(cloud.aggregates.notes);
  take(cloud.servers.notes);
  take(cloud.providers.notes);
  for (const auto& [id, provider] : cloud.providers.rows) take(provider.notes);
  for (const auto& [id, node] : cloud.compute_nodes.rows.rows) take(node.notes);
  return all;
}

}  // namespace

bool is_io_heavy(const Server& server) {
  static constexpr std::array<std::string_view, 7> kTasks = {
      "resize_migrating", "rebuilding", "resize_prep", "image_snapshot", "image_backup", "rescuing", "unshelving"};
  return server.vm_state == "building" || is_one_of(server.task_state, kTasks);
}

VmState vm_state_of(const Server& server) {
  static constexpr std::array<std::string_view, 5> kMoves = {"migrating", "resize_prep", "resize_migrating",
                                                             "resize_migrated", "resize_finish"};
  static constexpr std::array<std::string_view, 5> kRunning = {"active", "paused", "rescued", "resized", "resize"};
  if (is_one_of(server.task_state, kMoves)) return VmState::kMigrating;
  if (server.vm_state == "building") return VmState::kStarting;
  if (server.vm_state == "error") return VmState::kFailed;
  return is_one_of(server.vm_state, kRunning) ? VmState::kRunning : VmState::kStopped;
}

CloudRows rows_of(const Cloud& cloud) {
  CloudRows rows;
  rows.notes = notes_of(cloud);
  if (cloud.aggregates.known()) {
    auto& all = rows.report.aggregates.emplace();
    for (const NovaAggregate& one : cloud.aggregates.rows) all.push_back({one.name, one.metadata});
  }
  if (cloud.groups.known()) {
    auto& all = rows.report.groups.emplace();
    for (const ServerGroup& one : cloud.groups.rows) all.push_back({to_string(one.id), one.policy, one.max_per_host});
  }
  rows.report.read_at_us = whole_since_us(cloud);
  if (rows.report.read_at_us == 0) return rows;
  const Providers providers = root_providers(cloud.providers.rows);
  const Nodes nodes = nodes_of(cloud, providers, rows.report.findings);
  const Hosts hosts(cloud, providers, nodes, rows.notes);
  auto& all = rows.report.hosts.emplace();
  for (const Hypervisor& one : cloud.hypervisors.rows) all.push_back(hosts.row(one));
  rows.report.vms = Vms(cloud, providers, nodes, rows).rows();
  return rows;
}

}  // namespace emplace::openstack
