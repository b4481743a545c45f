#include "service/openstack/placement_json.h"

#include <functional>

#include "service/openstack/reading.h"

namespace emplace::openstack {
namespace {

constexpr std::string_view kPlacement = "Placement's answer";

// Calls read(object, class) for each resource class of the object `field`.
void each_class(JsonFields& fields, std::string_view field, JsonErrors& errors,
                const std::function<void(JsonFields&, const std::string&)>& read) {
  fields.require(field);
  const auto classes = fields.value(field);
  JsonFields by_class(classes, std::string(field), errors);
  for (std::size_t i = 0; classes && classes->is_object() && i < classes->size(); ++i) {
    read(by_class, std::string(classes->key(i)));
  }
}

Result<std::vector<std::string>> read_names(std::string_view body, std::string_view list) {
  std::vector<std::string> names;
  auto read = read_answer(body, kPlacement, [&](JsonFields& fields, JsonErrors&) {
    fields.require(list);
    fields.names(list, names);
  });
  return read.map([&] { return std::move(names); });
}

}  // namespace

Result<std::vector<Provider>> read_providers(std::string_view body) {
  std::vector<Provider> all;
  auto read = read_list(body, kPlacement, "resource_providers", [&](JsonFields& row, JsonErrors&) {
    Provider& one = all.emplace_back();
    for (const auto* field : {"uuid", "generation", "root_provider_uuid"}) row.require(field);
    row.uuid("uuid", one.id);
    row.uuid("root_provider_uuid", one.root);
    row.text_or_null("name", one.name);
    row.whole("generation", one.generation, {0, 9e15});
  });
  return read.map([&] { return std::move(all); });
}

Result<std::map<std::string, Inventory>> read_inventories(std::string_view body) {
  std::map<std::string, Inventory> all;
  auto read = read_answer(body, kPlacement, [&](JsonFields& fields, JsonErrors& errors) {
    each_class(fields, "inventories", errors, [&](JsonFields& by_class, const std::string& name) {
      JsonFields row(by_class.value(name), by_class.path_of(name), errors);
      Inventory& one = all[name];
      row.require("total");
      row.whole("total", one.total);
      row.whole("reserved", one.reserved);
      row.number("allocation_ratio", one.ratio, {0, 1e9});
    });
  });
  return read.map([&] { return std::move(all); });
}

Result<std::map<std::string, double>> read_usages(std::string_view body) {
  std::map<std::string, double> all;
  auto read = read_answer(body, kPlacement, [&](JsonFields& fields, JsonErrors& errors) {
    each_class(fields, "usages", errors, [&](JsonFields& by_class, const std::string& name) {
      by_class.whole(name, all[name], {0, 9e15});
    });
  });
  return read.map([&] { return std::move(all); });
}

Result<std::vector<std::string>> read_traits(std::string_view body) { return read_names(body, "traits"); }

Result<std::vector<std::string>> read_provider_aggregates(std::string_view body) {
  return read_names(body, "aggregates");
}

}  // namespace emplace::openstack
