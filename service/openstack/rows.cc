#include "service/openstack/rows.h"

#include <algorithm>
#include <array>
#include <unordered_map>

#include "service/core/json.h"

namespace emplace::openstack {
namespace {

constexpr std::string_view kSource = "openstack";
constexpr std::string_view kSharing = "MISC_SHARES_VIA_AGGREGATE";

template <std::size_t N>
bool is_one_of(std::string_view word, const std::array<std::string_view, N>& words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

using Names = std::map<Uuid, std::string>;  // of hosts, by hypervisor

Names host_names(const std::vector<Hypervisor>& hypervisors) {
  std::map<std::string_view, int> nodes;
  for (const Hypervisor& one : hypervisors) ++nodes[one.host];
  Names names;
  for (const Hypervisor& one : hypervisors) {
    names[one.id] = nodes[one.host] == 1 ? one.host : one.host + '/' + one.node;
  }
  return names;
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
  const Inventory* cpus = find_class(provider, "VCPU");
  put(cpus ? cpus : find_class(provider, "PCPU"), row.vcpus, row.vcpus_reserved, row.cpu_allocation_ratio);
  put(find_class(provider, "MEMORY_MB"), row.memory_mib, row.memory_reserved_mib, row.ram_allocation_ratio);
  const Inventory* disk = find_class(provider, "DISK_GB");
  put(disk ? disk : find_shared_disk(provider, sharing), row.disk_gib, row.disk_reserved_gib,
      row.disk_allocation_ratio);
}

// ---- nova_state

void write_placement(JsonWriter& writer, const Provider& provider) {
  writer.key("placement").open().key("used").open();
  for (const auto& [name, amount] : provider.used) writer.number(name, amount);
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

// `provider`, `service`: null where there is none; `io_heavy`: servers on it at such work, negative where not known.
std::string nova_state(const Hypervisor& one, const Provider* provider, const ComputeService* service, int io_heavy) {
  JsonWriter writer;
  writer.open().text("host", one.host).text("nodename", one.node).text("hypervisor_hostname", one.node);
  writer.text("uuid", to_string(one.id));
  if (!one.host_ip.empty()) writer.text("host_ip", one.host_ip);
  if (!one.type.empty()) writer.text("hypervisor_type", one.type);
  if (one.version) writer.whole("hypervisor_version", *one.version);
  if (!one.cpu_info.empty()) writer.text("cpu_info", one.cpu_info);  // a text of JSON, as Nova keeps it
  if (one.disk_available_least_gib) writer.whole("disk_available_least", *one.disk_available_least_gib);
  if (io_heavy >= 0) {
    writer.whole("num_io_ops", io_heavy);
    writer.key("stats").open().text("io_workload", std::to_string(io_heavy)).close();
  }
  // What Nova's scheduler knows of a host and its API does not tell: rules that need it can't judge.
  writer.key("unread").open_list();
  for (const char* attribute : {"supported_instances", "numa_topology", "pci_stats", "metrics", "failed_builds", "cell_uuid"})
    writer.text(attribute);
  if (io_heavy < 0) writer.text("num_io_ops");
  if (one.cpu_info.empty()) writer.text("cpu_info");
  writer.text("stats").close_list();
  if (service) write_service(writer, *service);
  if (provider) write_placement(writer, *provider);
  writer.close();
  return writer.take();
}

// ---- hosts

class Hosts {
 public:
  Hosts(const Cloud& cloud, const Names& names, std::vector<std::string>& notes)
      : cloud_(cloud), names_(names), sharing_(sharing_providers(cloud.providers.rows)), notes_(notes) {
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
    const auto found = cloud_.providers.rows.find(one.id);
    const Provider* const provider = found == cloud_.providers.rows.end() ? nullptr : &found->second;
    HostRow row;
    row.name = names_.at(one.id);
    row.source = kSource;
    row.state = state(one, service, provider);
    if (service) row.zone = service->zone;
    const auto member = aggregates_.find(one.host);
    if (member != aggregates_.end()) row.aggregates = member->second;
    if (provider) {
      row.traits = provider->traits;
      set_amounts(row, *provider, sharing_);
    } else {
      notes_.push_back("host " + row.name + ": Placement has no resource provider " + to_string(one.id));
    }
    row.nova_state = nova_state(one, provider, service, io_heavy(one));
    return row;
  }

 private:
  static HostState state(const Hypervisor& one, const ComputeService* service, const Provider* provider) {
    const bool down = !provider || (service ? service->forced_down || !service->up : !one.up);
    if (down) return HostState::kDown;
    return (service ? service->disabled : !one.enabled) ? HostState::kDisabled : HostState::kEnabled;
  }
  int io_heavy(const Hypervisor& one) const {
    if (!cloud_.servers.known()) return -1;
    const auto found = io_heavy_.find({one.host, one.node});
    return found == io_heavy_.end() ? 0 : found->second;
  }

  const Cloud& cloud_;
  const Names& names_;
  const std::vector<const Provider*> sharing_;
  std::vector<std::string>& notes_;
  std::map<std::pair<std::string, std::string>, int> io_heavy_;  // by host and node
  std::map<std::string, std::vector<std::string>> aggregates_;   // by host
};

// ---- vms

struct Places {
  std::map<std::pair<std::string, std::string>, std::string> by_node;  // host name by host and node
  std::unordered_map<std::string, std::string> by_host;
};

Places places_of(const Cloud& cloud, const Names& names) {
  Places places;
  for (const Hypervisor& one : cloud.hypervisors.rows) {
    places.by_node[{one.host, one.node}] = names.at(one.id);
    places.by_host[one.host] = names.at(one.id);
  }
  return places;
}

// The name of the host that a server is on; empty for none, and for one that Nova does not list.
std::string place_of(const Server& server, const Places& places) {
  const auto exact = places.by_node.find({server.host, server.node});
  if (exact != places.by_node.end()) return exact->second;
  const auto only = places.by_host.find(server.host);
  return only == places.by_host.end() ? std::string() : only->second;
}

std::vector<VmRow> vm_rows(const Cloud& cloud, const Names& names, std::vector<std::string>& notes) {
  const Places places = places_of(cloud, names);
  std::map<Uuid, std::string> groups;
  for (const ServerGroup& group : cloud.groups.rows) {
    for (const Uuid& member : group.members) groups[member] = to_string(group.id);
  }
  std::vector<VmRow> rows;
  rows.reserve(cloud.servers.rows.size());
  for (const auto& [id, server] : cloud.servers.rows) {
    VmRow& row = rows.emplace_back();
    row.id = id;
    row.name = server.name;
    row.host = place_of(server, places);
    row.state = vm_state_of(server);
    row.source = kSource;
    row.project = server.project;
    const auto group = groups.find(id);
    if (group != groups.end()) row.group = group->second;
    row.vcpus = server.vcpus, row.memory_mib = server.memory_mib, row.disk_gib = server.disk_gib;
    if (row.host.empty() && !server.host.empty()) {
      notes.push_back("vm " + to_string(id) + ": on host " + server.host + ", which Nova's hypervisors lack");
    }
  }
  return rows;
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
  const Names names = host_names(cloud.hypervisors.rows);
  if (cloud.aggregates.known()) {
    auto& all = rows.report.aggregates.emplace();
    for (const NovaAggregate& one : cloud.aggregates.rows) all.push_back({one.name, one.metadata});
  }
  if (cloud.groups.known()) {
    auto& all = rows.report.groups.emplace();
    for (const ServerGroup& one : cloud.groups.rows) all.push_back({to_string(one.id), one.policy, one.max_per_host});
  }
  if (cloud.hypervisors.known() && cloud.services.known() && cloud.providers.known() && cloud.aggregates.known()) {
    const Hosts hosts(cloud, names, rows.notes);
    auto& all = rows.report.hosts.emplace();
    for (const Hypervisor& one : cloud.hypervisors.rows) all.push_back(hosts.row(one));
  }
  if (cloud.servers.known() && rows.report.hosts && cloud.groups.known()) {
    rows.report.vms = vm_rows(cloud, names, rows.notes);
  }
  return rows;
}

}  // namespace emplace::openstack
