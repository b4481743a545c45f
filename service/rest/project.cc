#include "service/rest/project.h"

#include <algorithm>
#include <array>

#include "service/core/json/json.h"

namespace emplace::http {
namespace {

struct OpenRoute {
  std::string_view method, pattern;
};

constexpr auto kOpen = std::to_array<OpenRoute>({
    {"GET", "/v1/events"},
    {"POST", "/v1/placements"},
    {"GET", "/v1/decisions"},
    {"GET", "/v1/decisions/{id}"},
    {"POST", "/v1/decisions/{id}:replay"},
    {"GET", "/v1/vms"},
    {"GET", "/v1/vms/{id}"},
    {"DELETE", "/v1/vms/{id}"},
    {"GET", "/v1/groups"},
    {"GET", "/v1/groups/{name}"},
    {"PUT", "/v1/groups/{name}"},
    {"DELETE", "/v1/groups/{name}"},
    {"GET", "/v1/claims"},
    {"POST", "/v1/claims"},
    {"GET", "/v1/claims/{id}"},
    {"DELETE", "/v1/claims/{id}"},
    {"PUT", "/v1/claims/{id}:confirm"},
    {"GET", "/v1/operations/{id}"},
    {"GET", "/v1/profiles"},
    {"GET", "/v1/profiles/{name}"},
});

tl::unexpected<Error> not_for_projects(const std::string& field, const std::string& found) {
  return fail(ErrorCode::kForbidden, field + ": wanted none of a project's token, found " + found);
}

bool is_of_project(std::string_view group, std::string_view project) {
  return group.size() > project.size() && group.starts_with(project) && group[project.size()] == '/';
}

// Some row has this id that is of another project.
bool is_anothers(const Picture& picture, const Uuid& id, std::string_view project) {
  for (const auto& entry : picture.index(Index::kVmsById).find(id.low())) {
    if (picture[vms::id].get(entry.row) != id) continue;
    if (picture.text(picture[vms::project].get(entry.row).value_or(kNoRow)) != project) return true;
  }
  return false;
}

void write_vm_in(JsonWriter& writer, JsonValue vm, const std::string& project) {
  const auto named = vm.find("project");
  writer.open();
  for (std::size_t i = 0; i < vm.size(); ++i) {
    if (vm.key(i) != "project") writer.key(vm.key(i)).value(vm.member(i));
  }
  writer.key("project");
  named && !named->is_null() ? writer.value(*named) : writer.text(project);
  writer.close();
}

}  // namespace

bool is_open_to_projects(std::string_view method, std::string_view pattern) {
  const std::string_view asked = method == "HEAD" ? "GET" : method;
  return std::any_of(kOpen.begin(), kOpen.end(),
                     [&](const OpenRoute& route) { return route.method == asked && route.pattern == pattern; });
}

bool sees(const Identity& identity, std::string_view project) {
  return identity.project.empty() || identity.project == project;
}

bool sees_group(const Identity& identity, std::string_view group) {
  return identity.project.empty() || is_of_project(group, identity.project);
}

std::string in_project(const Identity& identity, std::string_view body) {
  if (identity.project.empty()) return std::string(body);
  const auto document = JsonDocument::parse(body);
  if (!document || !document->root().is_object()) return std::string(body);  // whoever reads it says what is wrong
  const JsonValue root = document->root();
  JsonWriter writer;
  writer.open();
  for (std::size_t i = 0; i < root.size(); ++i) {
    writer.key(root.key(i));
    const bool is_vm = root.key(i) == "vm" && root.member(i).is_object();
    is_vm ? write_vm_in(writer, root.member(i), identity.project) : void(writer.value(root.member(i)));
  }
  writer.close();
  return writer.take();
}

Result<void> check_vm(const Identity& identity, const VmRequest& vm, const Picture& picture) {
  if (identity.project.empty()) return {};
  const std::string own = json_text(identity.project);
  if (!vm.nova_spec.empty()) return not_for_projects("request_spec", "one");
  if (vm.project != identity.project)
    return fail(ErrorCode::kForbidden, "vm.project: wanted " + own + " or none, found " + json_text(vm.project));
  if (!vm.domain_template.empty()) return not_for_projects("vm.template", "one");
  if (!vm.parameters.empty()) return not_for_projects("vm.parameters", std::to_string(vm.parameters.size()));
  if (is_anothers(picture, vm.id, identity.project))
    return fail(ErrorCode::kInvalid,
                "vm.id: wanted a new one, or that of a vm of project " + own + ", found " + to_string(vm.id));
  const bool known = vm.group.empty() || sees_group(identity, vm.group);
  if (!known) return fail(ErrorCode::kInvalid, "vm.group: wanted the name of a group, found " + json_text(vm.group));
  if (vm.spread.by != SpreadBy::kNone && !sees_group(identity, vm.spread.group)) {
    return fail(ErrorCode::kInvalid, "vm.spread.group: wanted a name that begins with " +
                                         json_text(identity.project + '/') + ", found " + json_text(vm.spread.group));
  }
  return {};
}

Result<void> check_placement(const Identity& identity, const PlacementRequest& request, const Picture& picture) {
  const std::size_t what_if = request.options.what_if.size();
  if (!identity.project.empty() && what_if > 0) return not_for_projects("what_if", std::to_string(what_if));
  return check_vm(identity, request.vm, picture);
}

bool concerns(const Event& event, const std::string& project) {
  if (event.kind == kProfileEvent) return true;
  const auto change = change_from_json(event.payload);
  if (!change) return false;
  if (const auto* vm = std::get_if<VmRow>(&*change)) return vm->project == project;
  if (const auto* vm = std::get_if<VmRemoved>(&*change)) return vm->project == project;
  if (const auto* group = std::get_if<GroupRow>(&*change)) return is_of_project(group->name, project);
  if (const auto* group = std::get_if<GroupRemoved>(&*change)) return is_of_project(group->name, project);
  return false;
}

}  // namespace emplace::http
