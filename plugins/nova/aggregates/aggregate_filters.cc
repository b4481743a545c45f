// Filters that only look at the metadata of a host's aggregates: AggregateMultiTenancyIsolation,
// AggregateTypeAffinityFilter, AggregateInstanceExtraSpecsFilter, AggregateImagePropertiesIsolation; and
// AvailabilityZoneFilter, for which a host's own zone counts too where its aggregates name none. Master has the latter
// no more, since placement does its work there; a profile that names it gets Zed's.
#include <algorithm>
#include <functional>

#include "aggregates/aggregates.h"
#include "extra_specs_ops.h"
#include "rules.h"

namespace emplace::nova {
namespace {

// Why hosts in these aggregates are refused; nothing: they pass.
using Judge = std::function<std::optional<plugin::Refusal>(const Aggregates&)>;
// What a request asks; empty: nothing.
using MakeJudge = Judge (*)(const Spec&, const Options&);

bool contains(const std::vector<std::string>& all, std::string_view one) {
  return std::ranges::find(all, one) != all.end();
}

class AggregateFilter : public plugin::Filter {
 public:
  AggregateFilter(const Shared& shared, MakeJudge make, bool on_rebuild)
      : shared_(shared), make_(make), on_rebuild_(on_rebuild) {}

  void screen(const plugin::Call& call, plugin::Verdicts& verdicts) const override {
    const auto spec = shared_.specs->of(call);
    if (spec->rebuild && !on_rebuild_) return;
    const Judge judge = make_(*spec, *shared_.settings->of(call));
    if (!judge) return;
    const Snapshot& snapshot = shared_.hosts->of(call);
    const auto& combinations = snapshot.memberships.combinations();
    std::vector<std::optional<bool>> known(combinations.size());
    const auto candidates = call.candidates();
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      const std::uint32_t position = snapshot.memberships.position(candidates[i]);
      if (!known[position]) known[position] = !judge(Aggregates(snapshot, combinations[position]));
      if (!*known[position]) verdicts.refuse(i, 1);
    }
  }

  plugin::Refusal explain(const plugin::Call& call, std::uint32_t host, std::uint8_t) const override {
    const Judge judge = make_(*shared_.specs->of(call), *shared_.settings->of(call));
    const Memberships& memberships = shared_.hosts->of(call).memberships;
    const auto& combination = memberships.combinations()[memberships.position(host)];
    const auto refusal = judge ? judge(Aggregates(shared_.hosts->of(call), combination)) : std::nullopt;
    return refusal.value_or(plugin::Refusal{"nova.aggregate"});
  }

 private:
  const Shared shared_;
  const MakeJudge make_;
  const bool on_rebuild_;
};

// ---- tenants

constexpr std::string_view kTenants = "filter_tenant_id";

// Master also reads keys with something behind that name, since one value holds only so many projects.
std::vector<std::string> tenants(const Aggregates& aggregates, Release release) {
  if (release == Release::kZed) return aggregates.parts(kTenants);
  std::vector<std::string> all;
  for (const std::string& key : aggregates.keys(kTenants)) {
    for (std::string& part : aggregates.parts(key)) all.push_back(std::move(part));
  }
  return all;
}

Judge multi_tenancy(const Spec& spec, const Options& options) {
  return [project = spec.project, release = options.release](const Aggregates& aggregates) {
    const auto allowed = tenants(aggregates, release);
    const bool passes = allowed.empty() || (project && contains(allowed, *project));
    return passes ? std::nullopt
                  : std::optional(plugin::Refusal{"nova.aggregate.tenant", joined(allowed), project.value_or("none")});
  };
}

// ---- flavors

Judge type_affinity(const Spec& spec, const Options&) {
  return [flavor = spec.flavor](const Aggregates& aggregates) {
    const auto allowed = aggregates.parts("instance_type");
    return allowed.empty() || contains(allowed, flavor)
               ? std::nullopt
               : std::optional(plugin::Refusal{"nova.aggregate.flavor", joined(allowed), flavor});
  };
}

// ---- extra specs

struct AggregateSpec {
  std::string key;
  std::string wanted;
};

// Keys without a namespace, and those of this filter's own.
std::vector<AggregateSpec> requirements(const Spec& spec) {
  constexpr std::string_view kNamespace = "aggregate_instance_extra_specs";
  std::vector<AggregateSpec> all;
  for (const auto& [key, wanted] : spec.extra_specs) {
    const std::size_t colon = key.find(':');
    if (colon == std::string::npos) {
      all.push_back({key, wanted});
    } else if (std::string_view(key).substr(0, colon) == kNamespace) {
      all.push_back({key.substr(colon + 1), wanted});
    }
  }
  return all;
}

// Nova looks at the values in no particular order and stops at one that fits, or with an error at one that can't be
// compared. Here such a value only counts where none fits.
bool any_matches(const std::vector<std::string>& values, const std::string& wanted) {
  std::optional<plugin::Error> error;
  for (const std::string& value : values) {
    try {
      if (match(value, wanted)) return true;
    } catch (const plugin::Error& raised) {
      error = raised;
    }
  }
  if (error) throw *error;
  return false;
}

Judge instance_extra_specs(const Spec& spec, const Options&) {
  auto all = requirements(spec);
  if (all.empty()) return {};
  return [all = std::move(all)](const Aggregates& aggregates) -> std::optional<plugin::Refusal> {
    for (const auto& [key, wanted] : all) {
      const auto values = aggregates.parts(key);
      if (any_matches(values, wanted)) continue;
      return plugin::Refusal{"nova.aggregate.extra_specs", key + " " + wanted,
                             values.empty() ? "none" : joined(values)};
    }
    return std::nullopt;
  };
}

// ---- image properties

// A property that is false, zero or empty counts as none, as in Nova.
std::vector<std::pair<std::string, std::string>> given_properties(const Spec& spec) {
  std::vector<std::pair<std::string, std::string>> all;
  const Value* image = spec.data.find("image");
  const Value* properties = image ? image->fields().find("properties") : nullptr;
  const Value::Dict* dict = properties ? properties->fields().dict() : nullptr;
  for (const auto& [key, value] : dict ? *dict : Value::Dict()) {
    if (value.truthy()) all.emplace_back(key, value.str());
  }
  return all;
}

Judge image_properties(const Spec& spec, const Options& options) {
  auto given = given_properties(spec);
  const std::string& name = options.aggregate_image_properties_isolation_namespace;
  const std::string prefix = name.empty() ? "" : name + options.aggregate_image_properties_isolation_separator;
  std::erase_if(given, [&](const auto& property) { return !property.first.starts_with(prefix); });
  if (given.empty()) return {};
  return [given = std::move(given)](const Aggregates& aggregates) -> std::optional<plugin::Refusal> {
    for (const auto& [key, value] : given) {
      const auto allowed = aggregates.parts(key);
      if (allowed.empty() || contains(allowed, value)) continue;
      return plugin::Refusal{"nova.aggregate.image_properties", key + " " + joined(allowed), value};
    }
    return std::nullopt;
  };
}

// ---- availability zones

class AvailabilityZoneFilter : public plugin::Filter {
 public:
  explicit AvailabilityZoneFilter(const Shared& shared) : shared_(shared) {}

  void screen(const plugin::Call& call, plugin::Verdicts& verdicts) const override {
    const auto spec = shared_.specs->of(call);
    const auto options = shared_.settings->of(call);
    if (spec->rebuild || spec->availability_zone.empty()) return;
    const Zones zones(call, *shared_.hosts, *options);
    const auto said = zones.say_to(spec->availability_zone);
    const auto candidates = call.candidates();
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      const Said here = said[zones.combination(candidates[i])];
      const bool passes =
          here == Said::kNothing ? zones.own(candidates[i]) == spec->availability_zone : here == Said::kYes;
      if (!passes) verdicts.refuse(i, 1);
    }
  }

  plugin::Refusal explain(const plugin::Call& call, std::uint32_t host, std::uint8_t) const override {
    const auto options = shared_.settings->of(call);
    return {"nova.availability_zone", shared_.specs->of(call)->availability_zone,
            Zones(call, *shared_.hosts, *options).of(host)};
  }

 private:
  // What the aggregates of a combination say to the zone that is asked for.
  enum class Said : std::uint8_t { kNothing, kYes, kNo };

  class Zones {
   public:
    Zones(const plugin::Call& call, const HostStates& hosts, const Options& options)
        : snapshot_(hosts.of(call)),
          own_(call.picture().column<std::uint32_t>("hosts", "zone")),
          texts_(call.picture().column<std::string_view>("strings", "text")),
          default_(options.default_availability_zone) {}

    std::vector<Said> say_to(const std::string& zone) const {
      std::vector<Said> said;
      for (const auto& combination : snapshot_.memberships.combinations()) {
        const auto zones = Aggregates(snapshot_, combination).parts(kKey);
        said.push_back(zones.empty() ? Said::kNothing : contains(zones, zone) ? Said::kYes : Said::kNo);
      }
      return said;
    }
    std::uint32_t combination(std::uint32_t host) const { return snapshot_.memberships.position(host); }
    // Where its aggregates say nothing.
    std::string_view own(std::uint32_t host) const {
      const auto code = own_.get(host);
      return code ? texts_.get(*code).value_or("") : default_;
    }
    std::string of(std::uint32_t host) const {
      const auto& combination = snapshot_.memberships.combinations()[snapshot_.memberships.position(host)];
      const auto zones = Aggregates(snapshot_, combination).parts(kKey);
      return zones.empty() ? std::string(own(host)) : joined(zones);
    }

   private:
    static constexpr std::string_view kKey = "availability_zone";
    const Snapshot& snapshot_;
    const plugin::Column<std::uint32_t> own_;
    const plugin::Column<std::string_view> texts_;
    const std::string_view default_;  // of the options
  };

  const Shared shared_;
};

}  // namespace

void add_aggregate_filters(plugin::Plugin& plugin, const Shared& shared) {
  const auto add = [&](const char* name, MakeJudge make, bool on_rebuild = false) {
    plugin.add(name, std::make_unique<AggregateFilter>(shared, make, on_rebuild));
  };
  add("AggregateMultiTenancyIsolation", multi_tenancy);
  add("AggregateTypeAffinityFilter", type_affinity);
  add("AggregateInstanceExtraSpecsFilter", instance_extra_specs);
  add("AggregateImagePropertiesIsolation", image_properties, true);
  plugin.add("AvailabilityZoneFilter", std::make_unique<AvailabilityZoneFilter>(shared));
}

}  // namespace emplace::nova
