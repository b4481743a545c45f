// Manifest: what a plugin says about itself, in JSON beside its shared object ("affinity.json" next to
// "libemplace_affinity.so"), read before any code of the plugin runs. It names the plugin's rules, the columns and
// parts of a request that each one reads, and the schema of its configuration:
//
//   {"id": "affinity", "version": "1.0.0", "abi": {"major": 1, "minor": 0}, "licence": "Apache-2.0",
//    "description": "...", "reentrant": true,
//    "filters":    [{"id", "description", "cost_class": "cheap|medium|expensive", "columns": ["hosts.state"],
//                    "reads": ["vm.zone"]}],
//    "objectives": [{..., "unit": "MiB", "resolution": 1, "weight": 1}],
//    "weighers":   [{..., "multiplier": 1}],
//    "observer":   {"columns": ["vms.host"]},
//    "consumer":   {"columns": ["vms.takes"]},
//    "configuration": {"type": "object",
//                      "properties": {"ttl_s": {"type": "number", "default": 60, "unit": "s", ...}}}}
//
// "abi" is the range of hosts it runs on: that major, that minor or a newer one. Read strictly: an unknown key, a
// column that the picture lacks or a rule without a description is an error that names file, key, what was wanted and
// what was found.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "service/core/base/result.h"
#include "service/core/decide/rules.h"

namespace emplace {

struct ManifestRule {
  std::string id;
  std::string description;
  CostClass cost_class = CostClass::kCheap;
  std::vector<std::string> columns = {};  // "hosts.memory_mib", "request_peers.host"
  std::vector<std::string> reads = {};    // parts of a request
  // objectives
  std::string unit = {};
  double resolution = 1;
  double weight = 1;
  // weighers
  double multiplier = 1;
};

struct Manifest {
  std::filesystem::path file;
  std::filesystem::path library;
  std::string id;
  std::string version;
  std::uint32_t abi_major = 0;
  std::uint32_t abi_minor = 0;
  std::string licence;
  std::string description;
  bool reentrant = false;
  std::vector<ManifestRule> filters = {};
  std::vector<ManifestRule> objectives = {};
  std::vector<ManifestRule> weighers = {};
  bool has_observer = false;
  std::vector<std::string> observed_columns = {};  // of the picture
  bool has_consumer = false;
  std::vector<std::string> consumer_columns = {};
  std::string configuration_schema = R"({"type":"object","properties":{}})";  // JSON

  // All columns that views of this plugin hold: those of its rules, observer and consumer, each once, in the order
  // named.
  std::vector<std::string> columns() const;
};

// "/p/libemplace_affinity.so" -> "/p/affinity.json"; "/p/libfoo.so" -> "/p/foo.json".
std::filesystem::path manifest_path(const std::filesystem::path& library);
// The library beside a manifest: "libemplace_affinity.so" or "libaffinity.so", whichever is there.
std::filesystem::path library_path(const std::filesystem::path& manifest);

Result<Manifest> read_manifest(const std::filesystem::path& file);
// `file` is for messages only.
Result<Manifest> parse_manifest(std::string_view json, const std::filesystem::path& file);

}  // namespace emplace
