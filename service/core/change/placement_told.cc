#include "service/core/change/placement_told.h"

#include "service/core/change/takes.h"
#include "service/core/json/json.h"

namespace emplace {
namespace {

// Of the picture.
bool has_columns(std::string_view name) { return name == kVcpuClass || name == kMemoryClass || name == kDiskClass; }

double number_of(JsonValue object, std::string_view key, double otherwise) {
  const auto value = object.find(key);
  return value && value->is_number() ? value->number() : otherwise;
}

}  // namespace

std::optional<PlacementTold> placement_told(std::string_view nova_state) {
  if (nova_state.find("\"placement\"") == std::string_view::npos) return std::nullopt;
  const auto document = JsonDocument::parse(nova_state, "nova_state");
  if (!document || !document->root().is_object()) return std::nullopt;
  const auto placement = document->root().find("placement");
  const auto all = placement && placement->is_object() ? placement->find("inventories") : std::nullopt;
  if (!all || !all->is_object()) return std::nullopt;
  ResourceAmounts capacities;
  for (std::size_t i = 0; i < all->size(); ++i) {
    const JsonValue one = all->member(i);
    if (!one.is_object() || has_columns(all->key(i))) continue;
    const double total = number_of(one, "total", 0) - number_of(one, "reserved", 0);
    capacities.emplace(all->key(i), total * number_of(one, "allocation_ratio", 1));
  }
  const auto id = document->root().find("uuid");
  return PlacementTold{id && id->is_text() ? parse_uuid(id->text()) : std::nullopt, to_text(capacities)};
}

}  // namespace emplace
