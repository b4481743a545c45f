#include "service/hypervisor/session.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <string_view>
#include <utility>

#include "service/hypervisor/storage.h"

namespace emplace {
namespace {

constexpr double kKibPerMib = 1024;
constexpr double kCellTolerance = 0.02;  // of the host's memory: firmware and kernel take some of it from the cells

std::int64_t now_us() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::microseconds>(now).count();
}

std::string version_text(unsigned long version) {
  return fmt::format("{}.{}.{}", version / 1'000'000, version / 1'000 % 1'000, version % 1'000);
}

std::string describe(virConnectPtr connection) {
  const char* const type = virConnectGetType(connection);
  unsigned long hypervisor = 0, library = 0;
  virConnectGetVersion(connection, &hypervisor);
  virConnectGetLibVersion(connection, &library);
  return fmt::format("{} {}, libvirt {}", type == nullptr ? "?" : type, version_text(hypervisor),
                     version_text(library));
}

// "qemu:///system", "qemu+unix:///system?socket=...": no machine between "//" and "/".
bool is_local(const std::string& uri) { return uri.find(":///") != std::string::npos; }

// Host uuids and names are not always set, and not always different: all that a host says of itself stands for it. The
// test driver's hosts are their connection's own, but for the default one.
std::string identity_of(const HostSession& session, const std::string& uri, const std::string& capabilities) {
  if (session.test) return uri == "test:///default" ? uri : std::string();
  const LibvirtText name(virConnectGetHostname(session.get()));
  const LibvirtText firmware(virConnectGetSysinfo(session.get(), 0));
  return fmt::format("{}\n{}\n{}\n{}", session.capabilities.host_uuid, name == nullptr ? "" : name.get(),
                     firmware == nullptr ? "" : firmware.get(), capabilities);
}

struct NodeMemory {
  double total_mib = 0;
  std::optional<double> used_mib = {};
};

Result<NodeMemory> read_memory(const HostSession& session, const virNodeInfo& info) {
  int count = 0;
  if (virNodeGetMemoryStats(session.get(), VIR_NODE_MEMORY_STATS_ALL_CELLS, nullptr, &count, 0) != 0 || count <= 0) {
    return NodeMemory{static_cast<double>(info.memory) / kKibPerMib};
  }
  std::vector<virNodeMemoryStats> stats(static_cast<std::size_t>(count));
  if (virNodeGetMemoryStats(session.get(), VIR_NODE_MEMORY_STATS_ALL_CELLS, stats.data(), &count, 0) != 0) {
    return libvirt_fail("memory of host " + session.host);
  }
  double total = 0, unused = 0;
  for (const virNodeMemoryStats& one : stats) {
    const std::string_view field = one.field;
    const double mib = static_cast<double>(one.value) / kKibPerMib;
    if (field == VIR_NODE_MEMORY_STATS_TOTAL) total = mib;
    if (field == VIR_NODE_MEMORY_STATS_FREE || field == VIR_NODE_MEMORY_STATS_BUFFERS ||
        field == VIR_NODE_MEMORY_STATS_CACHED) {
      unused += mib;
    }
  }
  if (total <= 0) return NodeMemory{static_cast<double>(info.memory) / kKibPerMib};
  return NodeMemory{total, std::max(0.0, total - unused)};
}

std::optional<CpuTimes> read_cpu_times(const HostSession& session) {
  int count = 0;
  if (session.test || virNodeGetCPUStats(session.get(), VIR_NODE_CPU_STATS_ALL_CPUS, nullptr, &count, 0) != 0)
    return {};
  std::vector<virNodeCPUStats> stats(static_cast<std::size_t>(std::max(count, 0)));
  if (virNodeGetCPUStats(session.get(), VIR_NODE_CPU_STATS_ALL_CPUS, stats.data(), &count, 0) != 0) return {};
  CpuTimes times;
  for (const virNodeCPUStats& one : stats) {
    const std::string_view field = one.field;
    const bool idle = field == VIR_NODE_CPU_STATS_IDLE || field == VIR_NODE_CPU_STATS_IOWAIT;
    if (idle) times.idle_ns += static_cast<double>(one.value);
    if (field == VIR_NODE_CPU_STATS_USER || field == VIR_NODE_CPU_STATS_KERNEL) {
      times.busy_ns += static_cast<double>(one.value);
    }
  }
  return times;
}

// Busy share since the last inventory.
std::optional<double> cpu_util(HostSession& session) {
  const std::optional<CpuTimes> now = read_cpu_times(session);
  const std::optional<CpuTimes> before = std::exchange(session.cpu_before, now);
  if (!now || !before) return {};
  const double busy = now->busy_ns - before->busy_ns, all = busy + now->idle_ns - before->idle_ns;
  if (all <= 0 || busy < 0) return {};
  return std::min(1.0, busy / all);
}

// Whole GiB that change only when they are off by one, so that a file that grows and shrinks makes no news.
double steady_gib(double before_gib, double bytes) {
  const double gib = bytes / kBytesPerGib;
  return gib <= before_gib && gib > before_gib - 2 ? before_gib : std::ceil(gib);
}

Result<void> take_storage(HostSession& session, const HostConfig& host, const std::vector<DiskSeen>& disks,
                          Inventory& inventory) {
  if (host.disk_gib) return inventory.row.disk_gib = *host.disk_gib, Result<void>();
  const auto pools = read_pools(session);
  if (!pools) return tl::unexpected<Error>(pools.error());
  Storage storage = sum_up(*pools, disks);
  session.files_gib = steady_gib(session.files_gib, storage.files_bytes);
  inventory.row.disk_gib = std::floor(storage.capacity_bytes / kBytesPerGib);
  inventory.row.disk_reserved_gib += session.files_gib;
  inventory.shared_filesystems = std::move(storage.shared_filesystems);
  return {};
}

// Cells that sum up; then the host's memory is what they have together.
void take_cells(const CapabilitiesXml& capabilities, HostRow& row) {
  double vcpus = 0, memory_mib = 0;
  std::vector<CellRow> cells;
  for (const CellXml& cell : capabilities.cells) {
    cells.push_back({static_cast<double>(cell.cpus.size()), std::floor(cell.memory_mib)});
    vcpus += cells.back().vcpus;
    memory_mib += cells.back().memory_mib;
  }
  if (vcpus != row.vcpus || std::abs(memory_mib - row.memory_mib) > kCellTolerance * row.memory_mib) return;
  row.cells = std::move(cells);
  row.memory_mib = memory_mib;
}

HostRow configured(const HostConfig& host) {
  HostRow row;
  row.name = host.name;
  row.source = "libvirt";
  row.zone = host.zone;
  row.rack = host.rack;
  row.traits = host.traits;
  row.aggregates = host.aggregates;
  row.vcpus_reserved = host.reserved_vcpus;
  row.memory_reserved_mib = host.reserved_memory_mib;
  row.disk_reserved_gib = host.reserved_disk_gib;
  row.cpu_allocation_ratio = host.cpu_allocation_ratio;
  row.ram_allocation_ratio = host.ram_allocation_ratio;
  row.disk_allocation_ratio = host.disk_allocation_ratio;
  return row;
}

}  // namespace

Result<HostSession> open_session(const HostConfig& host, const HypervisorOptions& options) {
  HostSession session{host.name};
  session.connection.reset(virConnectOpen(host.uri.c_str()));
  if (session.connection == nullptr) return libvirt_fail(fmt::format("host {} at {}", host.name, host.uri));
  // Local drivers know no keepalive and need none.
  virConnectSetKeepAlive(session.get(), options.keepalive_s, static_cast<unsigned>(options.keepalive_count));
  const char* const type = virConnectGetType(session.get());
  session.test = type != nullptr && std::string_view(type) == "TEST";
  session.hypervisor = describe(session.get());
  const LibvirtText xml(virConnectGetCapabilities(session.get()));
  if (xml == nullptr) return libvirt_fail("capabilities of host " + host.name);
  auto capabilities = read_capabilities_xml(xml.get());
  if (!capabilities) return tl::unexpected<Error>(capabilities.error());
  session.capabilities = std::move(*capabilities);
  session.local = is_local(host.uri);
  session.identity = identity_of(session, host.uri, xml.get());
  return session;
}

Result<Inventory> read_inventory(HostSession& session, const HostConfig& host, const std::vector<DiskSeen>& disks) {
  virNodeInfo info{};
  if (virNodeGetInfo(session.get(), &info) != 0) return libvirt_fail("inventory of host " + host.name);
  const auto memory = read_memory(session, info);
  if (!memory) return tl::unexpected<Error>(memory.error());
  Inventory inventory{configured(host)};
  HostRow& row = inventory.row;
  row.vcpus = static_cast<double>(info.cpus);
  row.memory_mib = std::floor(memory->total_mib);
  take_cells(session.capabilities, row);
  if (const auto taken = take_storage(session, host, disks, inventory); !taken)
    return tl::unexpected<Error>(taken.error());
  row.cpu_util = cpu_util(session);
  row.memory_used_observed_mib = memory->used_mib;
  row.observed_at_us = now_us();
  return inventory;
}

}  // namespace emplace
