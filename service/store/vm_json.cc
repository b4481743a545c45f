#include "service/store/vm_json.h"

#include "service/core/json/json.h"

namespace emplace {
namespace {

constexpr std::size_t kAnyLength = std::size_t{1} << 30;

void write_list(JsonWriter& writer, std::string_view name, const std::vector<std::string>& values) {
  writer.key(name).open_list();
  for (const std::string& value : values) writer.text(value);
  writer.close_list();
}

void read_list(JsonFields& fields, std::string_view name, std::vector<std::string>& values) {
  fields.each(name, [&values](JsonValue value, const std::string&) {
    if (value.is_text()) values.emplace_back(value.text());
  });
}

}  // namespace

std::string definition_json(const VmRequest& vm) {
  JsonWriter writer;
  writer.open();
  writer.text("id", to_string(vm.id)).text("name", vm.name);
  writer.number("vcpus", vm.vcpus).number("memory_mib", vm.memory_mib).number("disk_gib", vm.disk_gib);
  writer.text("project", vm.project).text("group", vm.group).text("zone", vm.zone);
  write_list(writer, "traits", vm.traits);
  write_list(writer, "forbidden_traits", vm.forbidden_traits);
  writer.whole("numa_nodes", vm.numa_nodes);
  writer.text("spread_by", to_string(vm.spread.by)).text("spread_group", vm.spread.group);
  writer.text("spread_domain", vm.spread.domain);
  writer.text("image", vm.image).text("flavor", vm.flavor).text("template", vm.domain_template);
  writer.key("parameters").open();
  for (const auto& [name, value] : vm.parameters) writer.text(name, value);
  writer.close();
  writer.text("nova_spec", vm.nova_spec);
  return writer.close().take();
}

Result<VmRequest> vm_from_definition(std::string_view json) {
  const auto document = JsonDocument::parse(json, "definition");
  if (!document) return tl::unexpected(document.error());
  JsonErrors errors;
  JsonFields fields(document->root(), "definition", errors);
  VmRequest vm;
  fields.uuid("id", vm.id);
  fields.text("name", vm.name);
  fields.number("vcpus", vm.vcpus);
  fields.number("memory_mib", vm.memory_mib);
  fields.number("disk_gib", vm.disk_gib);
  fields.text("project", vm.project);
  fields.text("group", vm.group);
  fields.text("zone", vm.zone);
  read_list(fields, "traits", vm.traits);
  read_list(fields, "forbidden_traits", vm.forbidden_traits);
  fields.whole("numa_nodes", vm.numa_nodes);
  fields.choice("spread_by", vm.spread.by, "none, rack, zone", &parse_spread_by);
  fields.text("spread_group", vm.spread.group);
  fields.text("spread_domain", vm.spread.domain);
  fields.text("image", vm.image);
  fields.text("flavor", vm.flavor);
  fields.text("template", vm.domain_template, kAnyLength);
  fields.texts_by_name("parameters", vm.parameters);
  fields.text("nova_spec", vm.nova_spec, kAnyLength);
  fields.refuse_unknown();
  if (!errors.none()) return errors.failure();
  return vm;
}

}  // namespace emplace
