#include "cli/check/cluster.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

namespace emplace::check {
namespace {

constexpr std::uint64_t kArenaBytes = std::uint64_t{8} << 30;
constexpr std::size_t kPicturesAtOnce = 8;

// Of the process, as what it may do is of the process too: pictures of different clusters lie apart.
std::vector<std::shared_ptr<Arena>>& arenas() {
  static std::vector<std::shared_ptr<Arena>> all;
  return all;
}
constexpr std::int64_t kHourUs = 3'600'000'000;
constexpr std::uint32_t kAggregates = 3, kSources = 4;

std::string host_name(std::uint64_t n) { return fmt::format("h{}", n); }

std::string nova_state(Random& random) {
  const char* heard[] = {"2026-11-21T08:37:01.000000", "2026-11-21T08:00:00.000000", "2026-11-21T08:36:40.500000"};
  return fmt::format(
      R"({{"hypervisor_type":"{}","hypervisor_version":{},"supported_instances":[["{}","kvm","hvm"]],"stats":{{"num_vms":"{}"}},)"
      R"("service":{{"disabled":{},"forced_down":false,"last_seen_up":"{}"}}}})",
      one_in(random, 5) ? "xen" : "QEMU", 6001000 + below(random, 3) * 1000, one_in(random, 4) ? "aarch64" : "x86_64",
      below(random, 20), one_in(random, 6), heard[below(random, 3)]);
}

HostRow random_host(Random& random, std::uint64_t n) {
  HostRow row;
  row.name = host_name(n);
  if (!one_in(random, 8)) row.zone = fmt::format("z{}", n % 3);
  if (!one_in(random, 8)) row.rack = fmt::format("r{}", n % 7);
  if (one_in(random, 12)) row.state = static_cast<HostState>(below(random, 4));
  for (std::uint32_t i = 0; i < kAggregates; ++i) {
    if (one_in(random, 4)) row.aggregates.push_back(fmt::format("a{}", i));
  }
  if (one_in(random, 3)) row.traits.push_back("HW_CPU_X86_AVX2");
  const double size = static_cast<double>(std::uint64_t{1} << below(random, 4));
  row.vcpus = 16 * size, row.memory_mib = 65536 * size, row.disk_gib = 500 * size;
  if (one_in(random, 4)) row.vcpus_reserved = 1, row.memory_reserved_mib = 1024, row.disk_reserved_gib = 10;
  if (one_in(random, 3)) row.cpu_allocation_ratio = 4, row.ram_allocation_ratio = 1.5;
  if (one_in(random, 3)) row.cells.assign(2, CellRow{row.vcpus / 2, row.memory_mib / 2});
  if (!one_in(random, 4)) row.cpu_util = static_cast<double>(below(random, 257)) / 256;
  if (!one_in(random, 4)) row.memory_used_observed_mib = static_cast<double>(below(random, 65536));
  if (!one_in(random, 4)) row.power_watts = static_cast<double>(below(random, 1000));
  row.observed_at_us = kNowUs - static_cast<std::int64_t>(below(random, 3)) * kHourUs;
  if (!one_in(random, 3)) row.nova_state = nova_state(random);
  return row;
}

VmRow random_vm(Random& random, std::uint64_t n, std::uint32_t hosts) {
  VmRow row;
  row.id = vm_id(n);
  row.name = vm_name(n);
  if (hosts != 0 && !one_in(random, 10)) row.host = host_name(below(random, hosts));
  row.state = row.host.empty() ? VmState::kStopped : VmState::kRunning;
  row.project = fmt::format("p{}", n % 3);
  if (one_in(random, 3)) row.group = fmt::format("g{}", below(random, kGroups));
  row.vcpus = static_cast<double>(1 + below(random, 4));
  row.memory_mib = static_cast<double>(512 * (1 + below(random, 16)));
  row.disk_gib = static_cast<double>(10 * below(random, 5));
  return row;
}

PageSampleRow random_sample(Random& random, std::uint64_t vm) {
  PageSampleRow row;
  row.vm = vm_name(vm);
  row.rate = std::int64_t{16} << (below(random, 3) * 2);
  const std::uint64_t count = below(random, 40);
  for (std::uint64_t i = 0; i < count; ++i) {
    row.hashes.push_back((1 + below(random, 200)) * 1024 * static_cast<std::uint64_t>(row.rate));
  }
  std::ranges::sort(row.hashes);
  row.hashes.erase(std::ranges::unique(row.hashes).begin(), row.hashes.end());
  row.distinct_pages = static_cast<double>(row.hashes.size() * static_cast<std::uint64_t>(row.rate));
  row.zero_pages = static_cast<double>(below(random, 1000));
  row.pages = row.distinct_pages + row.zero_pages + static_cast<double>(below(random, 1000));
  row.observed_at_us = kNowUs - static_cast<std::int64_t>(below(random, 3)) * kHourUs;
  return row;
}

TrafficRow random_traffic(Random& random, std::uint32_t vms) {
  const std::uint64_t a = below(random, vms), b = below(random, vms);
  return {vm_name(a), vm_name(a == b ? b + 1 : b), static_cast<double>(below(random, 1 << 20)) * 64, kNowUs};
}

void add_relations(Random& random, std::uint32_t hosts, std::uint32_t vms, std::vector<Change>& cluster) {
  for (std::uint64_t vm = 0; vm < vms; ++vm) {
    if (one_in(random, 2)) cluster.emplace_back(random_sample(random, vm));
    if (one_in(random, 2)) cluster.emplace_back(random_traffic(random, vms));
    if (one_in(random, 4)) {
      cluster.emplace_back(DataSourceRow{vm_name(vm), fmt::format("s{}", below(random, kSources)),
                                         static_cast<double>(below(random, 1 << 20)) * 64, kNowUs});
    }
  }
  for (std::uint32_t i = 0; i < kSources; ++i) {
    SourceHostsRow row{fmt::format("s{}", i), {}};
    for (std::uint64_t n = 0; n < std::min<std::uint64_t>(hosts, 3); ++n) {
      const std::string host = host_name(below(random, hosts));
      if (std::ranges::find(row.hosts, host) == row.hosts.end()) row.hosts.push_back(host);
    }
    cluster.emplace_back(std::move(row));
  }
}

}  // namespace

Uuid vm_id(std::uint64_t n) {
  Uuid id;
  id.bytes[0] = 0xe0;
  for (std::size_t i = 0; i < 8; ++i) id.bytes[15 - i] = static_cast<std::uint8_t>(n >> (8 * i));
  return id;
}

std::string vm_name(std::uint64_t n) { return fmt::format("vm-{}", n); }

Random random_for(std::uint64_t seed, std::string_view test) {
  std::uint64_t hash = 14695981039346656037u ^ seed;
  for (const char c : test) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  return Random(hash);
}

std::vector<Change> random_cluster(Random& random, std::uint32_t hosts, std::uint32_t vms) {
  std::vector<Change> cluster;
  for (std::uint32_t i = 0; i < kAggregates; ++i) {
    cluster.emplace_back(AggregateRow{fmt::format("a{}", i), {{"ram_weight_multiplier", i == 0 ? "2.5" : "x"}}});
  }
  for (std::uint32_t i = 0; i < kGroups; ++i) {
    cluster.emplace_back(GroupRow{fmt::format("g{}", i), static_cast<GroupPolicy>(i), static_cast<double>(1 + i % 2)});
  }
  for (std::uint64_t n = 0; n < hosts; ++n) cluster.emplace_back(random_host(random, n));
  for (std::uint64_t n = 0; n < vms; ++n) cluster.emplace_back(random_vm(random, n, hosts));
  add_relations(random, hosts, vms, cluster);
  return cluster;
}

Change random_change(Random& random, std::uint32_t hosts, std::uint32_t vms, std::uint64_t step) {
  const auto time = [&](auto row) {
    row.observed_at_us += static_cast<std::int64_t>(step);
    return row;
  };
  switch (below(random, 8)) {
    case 0:
      return time(random_host(random, below(random, hosts + 3)));
    case 1:
      return HostRemoved{host_name(below(random, hosts))};
    case 2:
      return VmRemoved{vm_id(below(random, vms))};
    case 3:
      return time(random_sample(random, below(random, vms)));
    case 4:
      return random_traffic(random, vms);
    case 5:
      return AggregateRow{fmt::format("a{}", below(random, kAggregates)),
                          {{"cpu_weight_multiplier", fmt::format("{}", below(random, 4))}}};
    default:
      return random_vm(random, below(random, vms + 5), hosts);
  }
}

std::vector<Change> shuffled(std::vector<Change> cluster, Random& random) {
  for (std::size_t begin = 0, end = 0; begin < cluster.size(); begin = end) {
    while (end < cluster.size() && cluster[end].index() == cluster[begin].index()) ++end;
    // Two rows of one edge: the later one holds, so those stay in order.
    if (std::holds_alternative<TrafficRow>(cluster[begin]) || std::holds_alternative<DataSourceRow>(cluster[begin]))
      continue;
    for (std::size_t i = end - begin; i > 1; --i) {
      std::swap(cluster[begin + i - 1], cluster[begin + below(random, i)]);
    }
  }
  return cluster;
}

std::shared_ptr<const Picture> with_changes(std::shared_ptr<const Picture> base, const std::vector<Change>& changes) {
  const std::uint64_t version = base->version().version + 1;
  PictureBuilder builder(std::move(base));
  for (const Change& change : changes) apply(builder, change);
  return builder.finish({"check", version, 0}, kNowUs);
}

void prepare_memory() {
  while (arenas().size() < kPicturesAtOnce) {
    auto arena = Arena::create(kArenaBytes);
    if (!arena) throw std::runtime_error(arena.error().message);
    arenas().push_back(*std::move(arena));
  }
}

std::shared_ptr<const Picture> picture_of(const std::vector<Change>& cluster) {
  const auto free = std::ranges::find(arenas(), 1, [](const auto& arena) { return arena.use_count(); });
  if (free == arenas().end()) throw std::runtime_error("wanted fewer pictures at once");
  return with_changes(std::make_shared<const Picture>(*free), cluster);
}

}  // namespace emplace::check
