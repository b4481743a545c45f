#include "service/openstack/compute_nodes.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "service/core/base/shown_text.h"
#include "service/core/change/nova_state.h"
#include "service/core/json/json.h"

namespace emplace::openstack {
namespace {

// Metrics that the database has as shares of 1 and HostState as hundredths, cut to whole numbers.
constexpr std::array<std::string_view, 5> kShares = {"cpu.user.percent", "cpu.kernel.percent", "cpu.idle.percent",
                                                     "cpu.iowait.percent", "cpu.percent"};

void write_metric(JsonWriter& writer, JsonValue metric) {
  const auto name = metric.is_object() ? metric.find("name") : std::nullopt;
  const bool is_share = name && name->is_text() && std::ranges::find(kShares, name->text()) != kShares.end();
  if (!metric.is_object()) return void(writer.raw(to_json(metric)));
  writer.open();
  for (std::size_t i = 0; i < metric.size(); ++i) {
    const JsonValue value = metric.member(i);
    if (metric.key(i) == "timestamp") continue;  // no rule reads it, and each reading would change the host
    writer.key(metric.key(i));
    if (metric.key(i) == "value" && value.is_number()) {
      writer.number(std::trunc(is_share ? value.number() * 100 : value.number()));
    } else {
      writer.raw(to_json(value));
    }
  }
  writer.close();
}

Result<std::string> metrics_of(JsonValue listed) {
  auto metrics = nova_attribute("metrics", listed);
  if (!metrics) return metrics;
  const auto document = JsonDocument::parse(*metrics, "metrics");
  if (!document) return tl::unexpected(document.error());
  if (!document->root().is_array()) return metrics;  // null: none are known
  JsonWriter writer;
  writer.open_list();
  for (std::size_t i = 0; i < document->root().size(); ++i) write_metric(writer, document->root().item(i));
  return writer.close_list().take();
}

}  // namespace

ComputeNode compute_node_of(const Uuid& id, const ComputeNodeRow& row) {
  ComputeNode node;
  const auto put = [&](std::string_view name, std::optional<std::string_view> text, std::string_view none) {
    if (!text || text->empty()) return void(node.attributes.emplace(name, none));
    const auto document = JsonDocument::parse(*text, name);
    auto read = !document           ? tl::unexpected(document.error())
                : name == "metrics" ? metrics_of(document->root())
                                    : nova_attribute(name, document->root());
    if (read) return void(node.attributes.emplace(name, *std::move(read)));
    node.notes.push_back("Nova's database: " + read.error().message + ", of compute node " + to_string(id) +
                         ": it is left out");
  };
  put("numa_topology", row.numa_topology, "null");
  put("pci_stats", row.pci_stats, "[]");
  put("supported_instances", row.supported_instances, "[]");
  put("metrics", row.metrics, "[]");
  put("stats", row.stats, "{}");
  return node;
}

}  // namespace emplace::openstack
