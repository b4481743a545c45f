#include "service/core/request/request_json.h"

#include <algorithm>
#include <array>

#include "service/core/change/inventory_json.h"
#include "service/core/json/json.h"
#include "service/core/request/nova_spec.h"

namespace emplace {
namespace {

constexpr Range kCount{1, 1000};
constexpr Range kTtl{1, 86400};
constexpr Range kAlternates{0, 10000};
constexpr Range kDeadline{0, 600000};

// What the core reads without any rule: amounts are checked by every claim, names and what a start needs are kept with
// the vm.
constexpr std::array<std::string_view, 23> kCoreParts{
    "vm.vcpus",
    "vm.memory_mib",
    "vm.disk_gib",
    "vm.project",
    "vm.image",
    "vm.flavor",
    "vm.template",
    "vm.parameters.*",
    "vm.only_hosts",
    "vm.ignore_hosts",
    "request_spec.flavor.vcpus",
    "request_spec.flavor.memory_mb",
    "request_spec.flavor.root_gb",
    "request_spec.flavor.ephemeral_gb",
    "request_spec.flavor.swap",
    "request_spec.is_bfv",
    "request_spec.num_instances",
    "request_spec.project_id",
    "request_spec.ignore_hosts",
    "request_spec.force_hosts",
    "request_spec.force_nodes",
    "request_spec.requested_destination.host",
    "request_spec.requested_destination.node",
};

std::optional<ExplainLevel> parse_explain(std::string_view word) {
  if (word == "none") return ExplainLevel::kNone;
  if (word == "summary") return ExplainLevel::kSummary;
  if (word == "full") return ExplainLevel::kFull;
  return std::nullopt;
}

void list_vm_parts(const VmRequest& vm, std::vector<std::string>& parts) {
  const auto add = [&](bool asked, std::string_view part) {
    if (asked) parts.push_back("vm." + std::string(part));
  };
  add(vm.vcpus > 0, "vcpus");
  add(vm.memory_mib > 0, "memory_mib");
  add(vm.disk_gib > 0, "disk_gib");
  add(!vm.project.empty(), "project");
  add(!vm.group.empty(), "group");
  add(!vm.zone.empty(), "zone");
  add(!vm.traits.empty(), "traits");
  add(!vm.forbidden_traits.empty(), "forbidden_traits");
  add(vm.numa_nodes > 0, "numa_nodes");
  add(vm.spread.by != SpreadBy::kNone, "spread");
  add(!vm.image.empty(), "image");
  add(!vm.flavor.empty(), "flavor");
  add(!vm.domain_template.empty(), "template");
  for (const auto& [key, value] : vm.parameters) add(true, "parameters." + key);
  add(!vm.only_hosts.empty(), "only_hosts");
  add(!vm.ignore_hosts.empty(), "ignore_hosts");
}

void read_vm(JsonValue value, VmRequest& vm, JsonErrors& errors) {
  JsonFields fields(value, "vm", errors);
  fields.require("vcpus");
  fields.require("memory_mib");
  fields.uuid("id", vm.id);
  fields.name_or_null("name", vm.name);
  if (!vm.name.empty() && vm.name.find_first_not_of(' ') == std::string::npos)
    errors.add("vm.name: wanted a name that is not blank, found " + std::to_string(vm.name.size()) + " blanks");
  fields.whole("vcpus", vm.vcpus);
  fields.whole("memory_mib", vm.memory_mib);
  fields.whole("disk_gib", vm.disk_gib);
  fields.name_or_null("project", vm.project);
  fields.name_or_null("group", vm.group);
  fields.name_or_null("zone", vm.zone);
  fields.names("traits", vm.traits);
  fields.names("forbidden_traits", vm.forbidden_traits);
  fields.whole("numa_nodes", vm.numa_nodes, kNumaNodes);
  if (fields.has("spread")) read_spread(*fields.value("spread"), fields.path_of("spread"), vm.spread, errors);
  fields.value("spread");
  fields.text_or_null("image", vm.image, kMaxName);
  fields.text_or_null("flavor", vm.flavor, kMaxName);
  fields.text_or_null("template", vm.domain_template);
  fields.texts_by_name("parameters", vm.parameters);
  fields.names("only_hosts", vm.only_hosts);
  fields.names("ignore_hosts", vm.ignore_hosts);
  fields.refuse_unknown();
}

void read_options(JsonFields& fields, PlacementOptions& options, const Picture* picture, JsonErrors& errors) {
  fields.whole("count", options.count, kCount);
  fields.name("profile", options.profile);
  fields.flag("dry_run", options.dry_run);
  fields.flag("claim", options.claim);
  fields.whole("ttl_s", options.ttl_s, kTtl);
  fields.flag("start", options.start);
  fields.flag("unique_name", options.unique_name);
  fields.whole("alternates", options.alternates, kAlternates);
  fields.choice("explain", options.explain, "none, summary, full", &parse_explain);
  fields.flag("record", options.record);
  fields.whole("deadline_ms", options.deadline_ms, kDeadline);
  fields.each("what_if", [&](JsonValue item, const std::string& path) {
    if (auto change = read_change(item, path, picture, errors)) options.what_if.push_back(*std::move(change));
  });
  options.claim |= options.start;
}

void read_candidates(JsonFields& fields, PlacementRequest& request, JsonErrors& errors) {
  const auto given = fields.value("allocation_candidates");
  if (!given || given->is_null()) return;
  std::vector<Uuid> all;
  fields.each("allocation_candidates", [&](JsonValue item, const std::string& path) {
    const auto id = item.is_text() ? parse_uuid(item.text()) : std::nullopt;
    id ? all.push_back(*id) : errors.add(path + ": wanted the uuid of a resource provider, found " + item.found());
  });
  if (errors.none()) take_candidates(std::move(all), request);
}

void check_options(const PlacementRequest& request, JsonErrors& errors) {
  const PlacementOptions& options = request.options;
  if (options.dry_run && options.claim) errors.add("dry_run: wanted false together with claim or start, found true");
  if (!options.what_if.empty() && options.claim) {
    errors.add("what_if: wanted none together with claim or start: a claim is taken on what is, found " +
               std::to_string(options.what_if.size()));
  }
  if (options.unique_name && !options.claim)
    errors.add("unique_name: wanted false without claim or start: only a claim takes a name, found true");
  if (options.claim && request.vm.name.empty())
    errors.add("vm.name: wanted a name together with claim or start, found none");
  if (options.count > 1 && options.claim && !request.vm.id.is_zero() && request.vm.nova_spec.empty()) {
    errors.add("vm.id: wanted none together with a count over 1, found " + to_string(request.vm.id));
  }
}

}  // namespace

std::span<const std::string_view> core_parts() { return kCoreParts; }

void read_asked_vm(JsonFields& fields, PlacementRequest& request, JsonErrors& errors) {
  const auto vm = fields.value("vm");
  const auto spec = fields.value("request_spec");
  if (errors.none() && vm.has_value() == spec.has_value()) {
    errors.add(std::string("vm: wanted exactly one of vm and request_spec, found ") + (vm ? "both" : "none"));
  }
  if (errors.none() && vm) {
    read_vm(*vm, request.vm, errors);
    list_vm_parts(request.vm, request.parts);
  }
  if (errors.none() && spec) read_nova_spec(*spec, request.vm, request.options.count, request.parts, errors);
}

void take_candidates(std::vector<Uuid> providers, PlacementRequest& request) {
  constexpr std::array<std::string_view, 6> kJudged = {"request_spec.flavor.extra_specs.trait",
                                                       "request_spec.flavor.extra_specs.group_policy",
                                                       "request_spec.requested_resources",
                                                       "request_spec.request_level_params",
                                                       "request_spec.requested_destination.aggregates",
                                                       "request_spec.requested_destination.forbidden_aggregates"};
  std::ranges::sort(providers);
  request.vm.allocation_candidates = std::move(providers);
  std::erase_if(request.parts, [&](const std::string& part) {
    return std::ranges::any_of(kJudged, [&](std::string_view judged) { return part.starts_with(judged); });
  });
}

Result<PlacementRequest> parse_placement(std::string_view json, const Picture* picture) {
  const auto document = JsonDocument::parse(json);
  if (!document) return tl::unexpected(document.error());
  JsonErrors errors;
  PlacementRequest request;
  JsonFields fields(document->root(), "", errors);
  read_asked_vm(fields, request, errors);
  read_candidates(fields, request, errors);
  read_options(fields, request.options, picture, errors);
  fields.refuse_unknown();
  check_options(request, errors);
  if (!errors.none()) return errors.failure();
  request.document = json;
  return request;
}

Result<ClaimWish> parse_claim(std::string_view json) {
  const auto document = JsonDocument::parse(json);
  if (!document) return tl::unexpected(document.error());
  JsonErrors errors;
  ClaimWish wish;
  JsonFields fields(document->root(), "", errors);
  fields.require("vm");
  fields.require("host");
  if (const auto vm = fields.value("vm"); vm && errors.none()) read_vm(*vm, wish.vm, errors);
  fields.name("host", wish.host);
  fields.whole("ttl_s", wish.ttl_s, kTtl);
  fields.refuse_unknown();
  if (wish.vm.name.empty()) errors.add("vm.name: wanted a name, found none");
  if (!errors.none()) return errors.failure();
  return wish;
}

}  // namespace emplace
