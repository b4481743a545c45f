#include "service/openstack/consumers.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

namespace emplace::openstack {
namespace {

ResourceAmounts larger(ResourceAmounts a, const ResourceAmounts& b) {
  for (const auto& [name, amount] : b) {
    auto& other = a[name];
    other = std::max(other, amount);
  }
  return a;
}

double amount_of(const ResourceAmounts& amounts, std::string_view name) {
  const auto found = amounts.find(name);
  return found == amounts.end() ? 0 : found->second;
}

// By the flavor alone. Cores that Placement has given as dedicated are none of the shared ones, where the flavor does
// not say so itself: an image may have asked for them.
ResourceAmounts by_flavor(const Server& server, const ResourceAmounts* allocated) {
  ResourceAmounts amounts = server.resources;
  amounts.emplace("MEMORY_MB", server.memory_mib);
  amounts.emplace("DISK_GB", server.disk_gib);
  if (amounts.contains("VCPU")) return amounts;
  const double dedicated = allocated ? amount_of(*allocated, "PCPU") : 0;
  amounts["VCPU"] = std::max(0.0, server.vcpus - dedicated);
  return amounts;
}

// A host without an inventory of PCPU gives dedicated cores from its VCPU.
ResourceAmounts as_given_by(const Provider* provider, const Server& server, ResourceAmounts amounts) {
  if (provider && provider->inventories.contains("PCPU")) return amounts;
  if (amounts.erase("PCPU") > 0) amounts["VCPU"] = std::max(amounts["VCPU"], server.vcpus);
  return amounts;
}

// The same for the same two, and no other uuid's that Nova would make.
Uuid mixed(const Uuid& consumer, const Uuid& host) {
  Uuid id;
  for (std::size_t i = 0; i < id.bytes.size(); ++i) {
    id.bytes[i] = static_cast<std::uint8_t>(consumer.bytes[i] ^ host.bytes[(i + 5) % host.bytes.size()]);
  }
  id.bytes[6] = static_cast<std::uint8_t>((id.bytes[6] & 0x0f) | 0x80);
  id.bytes[8] = static_cast<std::uint8_t>((id.bytes[8] & 0x3f) | 0x80);
  return id;
}

class Counting {
 public:
  Counting(const Cloud& cloud, const std::map<Uuid, Provider>& providers, const std::map<Uuid, Uuid>& places)
      : cloud_(cloud), providers_(providers), places_(places) {
    for (const auto& [host, provider] : providers_) {
      for (const auto& [consumer, amounts] : provider.allocations) hosts_of_[consumer].insert(host);
    }
  }

  Consumptions run() {
    for (const auto& [id, server] : cloud_.servers.rows) {
      if (const auto host = host_of(server)) count_server(server, *host);
    }
    for (const Hypervisor& one : cloud_.hypervisors.rows) count_others(one.id);
    return std::move(all_);
  }

 private:
  // One that Nova is about to put somewhere has its room there already.
  std::optional<Uuid> host_of(const Server& server) const {
    if (const auto place = places_.find(server.id); place != places_.end()) return place->second;
    const auto allocated = hosts_of_.find(server.id);
    const bool is_on_its_way = server.host.empty() && allocated != hosts_of_.end() && allocated->second.size() == 1;
    return is_on_its_way ? std::optional(*allocated->second.begin()) : std::nullopt;
  }

  const Provider* provider_of(const Uuid& host) const {
    const auto found = providers_.find(host);
    return found == providers_.end() ? nullptr : &found->second;
  }

  // Its own allocation there; of a server that moves, one that belongs to no server: its migration's.
  const ResourceAmounts* allocation_of(const Server& server, const Uuid& host) {
    const Provider* provider = provider_of(host);
    if (!provider) return nullptr;
    if (const auto own = provider->allocations.find(server.id); own != provider->allocations.end()) return &own->second;
    if (!hosts_of_.contains(server.id)) return nullptr;
    for (const auto& [consumer, amounts] : provider->allocations) {
      if (cloud_.servers.rows.contains(consumer) || cloud_.departed.contains(consumer)) continue;
      if (paired_.insert({host, consumer}).second) return &amounts;
    }
    return nullptr;
  }

  void count_server(const Server& server, const Uuid& host) {
    const ResourceAmounts* allocated = allocation_of(server, host);
    ResourceAmounts amounts = by_flavor(server, allocated);
    if (allocated) amounts = larger(std::move(amounts), *allocated);
    amounts = as_given_by(provider_of(host), server, std::move(amounts));
    all_.servers[server.id] = {server.id, server.id, host, std::move(amounts)};
  }

  void count_others(const Uuid& host) {
    const Provider* provider = provider_of(host);
    if (!provider) return;
    for (const auto& [consumer, amounts] : provider->allocations) {
      const auto server = all_.servers.find(consumer);
      const bool is_here = server != all_.servers.end() && server->second.host == host;
      if (is_here || paired_.contains({host, consumer}) || cloud_.departed.contains(consumer)) continue;
      const bool is_server = cloud_.servers.rows.contains(consumer);
      all_.others.push_back(
          {mixed(consumer, host), is_server ? consumer : Uuid{}, host, amounts, !cloud_.unfamiliar.contains(consumer)});
    }
  }

  const Cloud& cloud_;
  const std::map<Uuid, Provider>& providers_;
  const std::map<Uuid, Uuid>& places_;
  std::map<Uuid, std::set<Uuid>> hosts_of_;  // by consumer
  std::set<std::pair<Uuid, Uuid>> paired_;   // host, consumer
  Consumptions all_;
};

void add_child(Provider& merged, const Provider& child) {
  for (const auto& [name, inventory] : child.inventories) {
    const auto [at, is_new] = merged.inventories.emplace(name, inventory);
    if (is_new) continue;
    at->second.total += inventory.total;
    at->second.reserved += inventory.reserved;
  }
  for (const auto& [consumer, amounts] : child.allocations) {
    for (const auto& [name, amount] : amounts) merged.allocations[consumer][name] += amount;
  }
  for (const std::string& trait : child.traits) {
    if (std::ranges::find(merged.traits, trait) == merged.traits.end()) merged.traits.push_back(trait);
  }
}

}  // namespace

std::map<Uuid, Provider> root_providers(const std::map<Uuid, Provider>& all) {
  std::map<Uuid, Provider> roots;
  for (const auto& [id, one] : all) {
    if (one.id == one.root || one.root.is_zero()) roots.emplace(id, one);
  }
  for (const auto& [id, one] : all) {
    const auto root = roots.find(one.root);
    if (one.id != one.root && root != roots.end()) add_child(root->second, one);
  }
  return roots;
}

std::set<Uuid> doubtful_providers(const Cloud& cloud) {
  if (!cloud.servers.known() || !cloud.hypervisors.known()) return {};
  std::map<Uuid, const Hypervisor*> hypervisors;
  for (const Hypervisor& one : cloud.hypervisors.rows) hypervisors.emplace(one.id, &one);
  std::set<Uuid> doubtful;
  for (const auto& [id, provider] : cloud.providers.rows) {
    const auto hypervisor = hypervisors.find(provider.root.is_zero() ? id : provider.root);
    const auto is_there = [&](const auto& allocation) {
      const auto server = cloud.servers.rows.find(allocation.first);
      if (server == cloud.servers.rows.end() || hypervisor == hypervisors.end()) return false;
      const Server& one = server->second;
      return one.host == hypervisor->second->host && (one.node.empty() || one.node == hypervisor->second->node);
    };
    if (!std::ranges::all_of(provider.allocations, is_there)) doubtful.insert(id);
  }
  return doubtful;
}

std::set<Uuid> other_consumers(const Cloud& cloud) {
  std::set<Uuid> others;
  for (const auto& [id, provider] : cloud.providers.rows) {
    for (const auto& [consumer, amounts] : provider.allocations) {
      if (!cloud.servers.rows.contains(consumer)) others.insert(consumer);
    }
  }
  return others;
}

Consumptions consumptions(const Cloud& cloud, const std::map<Uuid, Provider>& providers,
                          const std::map<Uuid, Uuid>& places) {
  return Counting(cloud, providers, places).run();
}

}  // namespace emplace::openstack
