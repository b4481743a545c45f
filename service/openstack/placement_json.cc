#include "service/openstack/placement_json.h"

#include <optional>

#include "service/openstack/reading.h"

namespace emplace::openstack {
namespace {

constexpr std::string_view kPlacement = "Placement's answer";

// Calls read(object, class) for each resource class of the object `field`. A class with a fault is left out.
template <typename Value, typename Read>
Result<Told<std::map<std::string, Value>>> read_classes(std::string_view body, std::string_view field, Read read) {
  Told<std::map<std::string, Value>> all;
  const auto answer = read_answer(body, kPlacement, [&](JsonFields& fields, JsonErrors& errors) {
    fields.require(field);
    const auto classes = fields.value(field);
    const JsonFields is_object(classes, std::string(field), errors);
    for (std::size_t i = 0; classes && classes->is_object() && i < classes->size(); ++i) {
      const std::string name(classes->key(i));
      JsonErrors faults;
      JsonFields by_class(classes, std::string(field), faults);
      const Value value = read(by_class, name, faults);
      if (faults.none()) {
        all.rows[name] = value;
      } else {
        all.notes.push_back(left_out(kPlacement, faults, ""));
      }
    }
  });
  return answer.map([&] { return std::move(all); });
}

Result<Told<std::vector<std::string>>> read_names(std::string_view body, std::string_view list) {
  Told<std::vector<std::string>> all;
  const auto answer = read_answer(body, kPlacement, [&](JsonFields& fields, JsonErrors&) {
    fields.require(list);
    fields.each(list, [&](JsonValue item, const std::string& path) {
      if (item.is_text() && is_name(item.text())) return void(all.rows.emplace_back(item.text()));
      JsonErrors faults;
      faults.add(path + ": wanted " + std::string(kNameWanted) + ", found " + item.found());
      all.notes.push_back(left_out(kPlacement, faults, ""));
    });
  });
  return answer.map([&] { return std::move(all); });
}

}  // namespace

Result<Listed<Provider>> read_providers(std::string_view body) {
  Keys keys{"uuid", "generation", "root_provider_uuid"};
  return read_rows<Provider>(body, kPlacement, "resource_providers", keys, [&](JsonFields& row, JsonErrors&) {
    keys.look(row);
    Provider one;
    for (const auto* field : {"uuid", "generation", "root_provider_uuid"}) row.require(field);
    row.uuid("uuid", one.id);
    row.uuid("root_provider_uuid", one.root);
    row.text_or_null("name", one.name);
    row.whole("generation", one.generation, {0, 9e15});
    return std::optional(std::move(one));
  });
}

Result<Told<std::map<std::string, Inventory>>> read_inventories(std::string_view body) {
  return read_classes<Inventory>(body, "inventories",
                                 [](JsonFields& by_class, const std::string& name, JsonErrors& errors) {
                                   JsonFields row(by_class.value(name), by_class.path_of(name), errors);
                                   Inventory one;
                                   row.require("total");
                                   row.whole("total", one.total);
                                   row.whole("reserved", one.reserved);
                                   row.number("allocation_ratio", one.ratio, {0, 1e9});
                                   return one;
                                 });
}

Result<Told<std::map<std::string, double>>> read_usages(std::string_view body) {
  return read_classes<double>(body, "usages", [](JsonFields& by_class, const std::string& name, JsonErrors&) {
    double used = 0;
    by_class.require(name);
    by_class.whole(name, used, {0, 9e15});
    return used;
  });
}

Result<Told<std::vector<std::string>>> read_traits(std::string_view body) { return read_names(body, "traits"); }

Result<Told<std::vector<std::string>>> read_provider_aggregates(std::string_view body) {
  return read_names(body, "aggregates");
}

}  // namespace emplace::openstack
