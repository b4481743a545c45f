#include "tests/fuzz/cluster.h"

#include <stdexcept>

#include "service/core/change/inventory_json.h"

namespace emplace::fuzz {
namespace {

constexpr std::string_view kInventory = R"({
  "hosts": [
    {"name": "h1", "vcpus": 16, "memory_mib": 65536, "disk_gib": 500, "zone": "z1", "rack": "r1", "aggregates": ["a1"],
     "numa": [{"vcpus": 8, "memory_mib": 32768}, {"vcpus": 8, "memory_mib": 32768}], "observed": {"cpu_util": 0.5}},
    {"name": "h2", "vcpus": 16, "memory_mib": 65536, "disk_gib": 500, "zone": "z1", "rack": "r1", "traits": ["SSD"]},
    {"name": "h3", "vcpus": 32, "memory_mib": 131072, "disk_gib": 100, "zone": "z2", "rack": "r2"},
    {"name": "h4", "vcpus": 32, "memory_mib": 131072, "disk_gib": 100, "zone": "z2", "rack": "r2", "state": "maintenance"}],
  "aggregates": [{"name": "a1", "metadata": {"ssd": "true"}}],
  "groups": [{"name": "g1", "policy": "anti-affinity", "max_per_host": 1}],
  "vms": [
    {"name": "v1", "id": "00000000-0000-4000-8000-000000000001", "host": "h1", "vcpus": 2, "memory_mib": 4096, "group": "g1"},
    {"name": "v2", "id": "00000000-0000-4000-8000-000000000002", "host": "h3", "vcpus": 4, "memory_mib": 8192}],
  "traffic": [{"a": "v1", "b": "v2", "bytes_per_s": 1000000}],
  "data_sources": [{"vm": "v1", "source": "d1", "bytes_per_s": 5000}],
  "source_hosts": [{"source": "d1", "hosts": ["h2"]}]})";

constexpr std::uint64_t kArenaBytes = std::uint64_t{1} << 28;

}  // namespace

std::shared_ptr<const Picture> picture_of(std::span<const Change> changes) {
  static const std::shared_ptr<Arena> kArena = *Arena::create(kArenaBytes);
  PictureBuilder builder(std::make_shared<Picture>(kArena));
  std::uint32_t next = 0;
  for (Change change : changes) {
    if (auto* vm = std::get_if<VmRow>(&change); vm && vm->id.is_zero()) {
      vm->id.bytes = {0xfe};
      vm->id.bytes[14] = static_cast<std::uint8_t>(++next >> 8U);
      vm->id.bytes[15] = static_cast<std::uint8_t>(next);
    }
    emplace::apply(builder, change);  // std::apply fits a variant, too
  }
  return builder.finish({"fuzz", 1, 1}, 0);
}

std::shared_ptr<const Picture> cluster() {
  static const std::shared_ptr<const Picture> kCluster = [] {
    const auto changes = parse_inventory(kInventory, 0);
    if (!changes) throw std::logic_error(changes.error().message);
    return picture_of(*changes);
  }();
  return kCluster;
}

}  // namespace emplace::fuzz
