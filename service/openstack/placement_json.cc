#include "service/openstack/placement_json.h"

#include <optional>

#include "service/openstack/reading.h"

namespace emplace::openstack {
namespace {

// Calls read(object, class) for each resource class of the object `field`. A class with a fault is left out.
template <typename Value, typename Read>
Result<Told<std::map<std::string, Value>>> read_classes(std::string_view body, std::string_view field, Read read) {
  Told<std::map<std::string, Value>> all;
  const auto answer = read_answer(body, kPlacementAnswer, [&](JsonFields& fields, JsonErrors& errors) {
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
        all.notes.push_back(left_out(kPlacementAnswer, faults, ""));
      }
    }
  });
  return answer.map([&] { return std::move(all); });
}

Result<Told<std::vector<std::string>>> read_names(std::string_view body, std::string_view list) {
  Told<std::vector<std::string>> all;
  const auto answer = read_answer(body, kPlacementAnswer, [&](JsonFields& fields, JsonErrors&) {
    fields.require(list);
    fields.each(list, [&](JsonValue item, const std::string& path) {
      if (item.is_text() && is_name(item.text())) return void(all.rows.emplace_back(item.text()));
      JsonErrors faults;
      faults.add(path + ": wanted " + std::string(kNameWanted) + ", found " + item.found());
      all.notes.push_back(left_out(kPlacementAnswer, faults, ""));
    });
  });
  return answer.map([&] { return std::move(all); });
}

}  // namespace

Result<Listed<Provider>> read_providers(std::string_view body) {
  Keys keys{"uuid", "generation", "root_provider_uuid"};
  return read_rows<Provider>(body, kPlacementAnswer, "resource_providers", keys, [&](JsonFields& row, JsonErrors&) {
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

Result<Told<std::map<Uuid, ResourceAmounts>>> read_allocations(std::string_view body) {
  auto by_text = read_classes<ResourceAmounts>(
      body, "allocations", [](JsonFields& by_consumer, const std::string& consumer, JsonErrors& errors) {
        JsonFields row(by_consumer.value(consumer), by_consumer.path_of(consumer), errors);
        if (!parse_uuid(consumer))
          errors.add(row.path_of("") + ": wanted a uuid as consumer, found " + json_text(consumer));
        row.require("resources");
        const auto resources = row.value("resources");
        JsonFields amounts(resources, row.path_of("resources"), errors);
        ResourceAmounts all;
        for (std::size_t i = 0; resources && resources->is_object() && i < resources->size(); ++i) {
          const std::string name(resources->key(i));
          amounts.require(name);
          amounts.whole(name, all[name], {0, 9e15});
        }
        return all;
      });
  return by_text.map([](Told<std::map<std::string, ResourceAmounts>>& told) {
    Told<std::map<Uuid, ResourceAmounts>> all{{}, std::move(told.notes)};
    for (auto& [consumer, amounts] : told.rows) all.rows.emplace(*parse_uuid(consumer), std::move(amounts));
    return all;
  });
}

Result<Told<std::vector<std::string>>> read_traits(std::string_view body) { return read_names(body, "traits"); }

Result<Told<std::vector<std::string>>> read_provider_aggregates(std::string_view body) {
  return read_names(body, "aggregates");
}

}  // namespace emplace::openstack
