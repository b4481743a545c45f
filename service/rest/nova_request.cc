#include "service/rest/nova_request.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>

#include "service/core/decide/built_in_rules.h"
#include "service/core/request/request_json.h"

namespace emplace::http {
namespace {

constexpr std::string_view kSpec = "request_spec";
constexpr std::string_view kNovaPlugin = "nova", kCapacity = "capacity";
constexpr std::array<std::string_view, 3> kAskedOnRebuild{"AggregateImagePropertiesIsolation", "ImagePropertiesFilter",
                                                          "IsolatedHostsFilter"};
constexpr std::array<std::string_view, 4> kNotAskedOfForced{"state", "zone", "group", "spread"};

std::optional<JsonValue> below(std::optional<JsonValue> value, std::string_view key) {
  return value && value->is_object() ? value->find(key) : std::nullopt;
}

// Hints are lists of one; Nova takes a list of more for none of its types.
std::string_view check_type(JsonValue spec) {
  const auto hint = below(below(below(spec, "nova_object.data"), "scheduler_hints"), "_nova_check_type");
  if (!hint) return "";
  if (hint->is_text()) return hint->text();
  return hint->is_array() && hint->size() == 1 && hint->item(0).is_text() ? hint->item(0).text() : "";
}

Rules rules_for_rebuild(const Rules& rules) {
  Rules few = rules;
  std::erase_if(few.filters, [](const auto& filter) {
    return std::find(kAskedOnRebuild.begin(), kAskedOnRebuild.end(), filter->traits().id) == kAskedOnRebuild.end();
  });
  few.objectives.clear();
  few.profile.objectives.clear();
  few.weighers.clear();
  few.profile.weighers.clear();
  return few;
}

Rules rules_for_forced(const Rules& rules) {
  Rules few = rules;
  std::erase_if(few.filters, [](const auto& filter) {
    const RuleTraits& traits = filter->traits();
    return traits.plugin == kNovaPlugin || std::ranges::find(kNotAskedOfForced, traits.id) != kNotAskedOfForced.end();
  });
  return few;
}

}  // namespace

std::string_view name_of(Intent intent) {
  switch (intent) {
    case Intent::kCreate:
      return "create";
    case Intent::kRebuild:
      return "rebuild";
    case Intent::kResize:
      return "resize";
    case Intent::kLiveMigrate:
      return "live_migrate";
    case Intent::kEvacuate:
      return "evacuate";
  }
  return "";
}

Intent intent_of(JsonValue spec) {
  const std::string_view type = check_type(spec);
  for (const Intent intent : {Intent::kRebuild, Intent::kResize, Intent::kLiveMigrate, Intent::kEvacuate}) {
    if (type == name_of(intent)) return intent;
  }
  return Intent::kCreate;
}

Result<PlacementRequest> request_of_spec(JsonValue spec, std::string_view path) {
  JsonWriter document;
  document.open().key(kSpec).value(spec).close();
  auto request = parse_placement(document.take());
  if (request) return request;
  Error error = std::move(request).error();
  if (error.message.starts_with(kSpec)) error.message.replace(0, kSpec.size(), path);
  return tl::unexpected(std::move(error));
}

bool forces_hosts(JsonValue spec) {
  const auto has_some = [&](std::string_view field) {
    const auto forced = below(below(spec, "nova_object.data"), field);
    return forced && forced->is_array() && forced->size() > 0;
  };
  return has_some("force_hosts") || has_some("force_nodes");
}

Rules rules_for(Intent intent, bool forces_hosts, const Rules& rules) {
  if (intent == Intent::kRebuild) return rules_for_rebuild(rules);
  return intent == Intent::kCreate && forces_hosts ? rules_for_forced(rules) : rules;
}

bool hears_candidates(const Rules& rules) {
  return std::ranges::any_of(rules.filters, [](const auto& filter) { return filter->traits().id == kCapacity; });
}

Rules with_candidates(Rules rules) {
  if (hears_candidates(rules)) return rules;
  for (auto& filter : built_in_filters()) {
    if (filter->traits().id == kCapacity) rules.filters.insert(rules.filters.begin(), std::move(filter));
  }
  return rules;
}

}  // namespace emplace::http
