// ComputeCapabilitiesFilter: every extra spec of the flavor that names a capability is satisfied by the host. Keys with
// the namespace "capabilities" are walked through the host's attributes; keys without a namespace count only where they
// name an attribute or a key of its stats; other namespaces belong to others.
#include <algorithm>
#include <iterator>

#include "amounts.h"
#include "extra_specs_ops.h"
#include "rules.h"

namespace emplace::nova {
namespace {

constexpr std::string_view kNamespace = "capabilities";

std::vector<std::string> split(const std::string& key) {
  std::vector<std::string> parts;
  std::size_t start = 0;
  for (std::size_t colon = 0; (colon = key.find(':', start)) != std::string::npos; start = colon + 1) {
    parts.push_back(key.substr(start, colon - start));
  }
  parts.push_back(key.substr(start));
  return parts;
}

// One requirement of a flavor.
struct Requirement {
  std::string key;
  std::vector<std::string> scope;  // without the namespace
  bool namespaced;
  std::string wanted;
};

// Master reads the flavor's own word for address bits as a capability.
std::optional<Requirement> address_bits(const std::string& key, const std::string& wanted, Release release) {
  if (release != Release::kMaster || key != "hw:maxphysaddr_bits") return std::nullopt;
  return Requirement{key, {"cpu_info", "maxphysaddr", "bits"}, true, ">= " + wanted};
}

std::vector<Requirement> requirements(const Spec& spec, Release release) {
  std::vector<Requirement> all;
  for (const auto& [key, wanted] : spec.extra_specs) {
    if (auto bits = address_bits(key, wanted, release)) all.push_back(*std::move(bits));
    auto scope = split(key);
    const bool namespaced = scope.size() > 1;
    if (namespaced && scope.front() != kNamespace) continue;
    if (namespaced) scope.erase(scope.begin());
    all.push_back({key, std::move(scope), namespaced, wanted});
  }
  return all;
}

class Capabilities {
 public:
  Capabilities(const Amounts& amounts, std::uint32_t host, const HostState* state)
      : amounts_(amounts), host_(host), state_(state) {}

  bool applies(const Requirement& requirement) const {
    const std::string& name = requirement.scope.front();
    return requirement.namespaced || has_attribute(name) || find_stat(name) ||
           (state_ && state_->attributes.find(name));
  }
  // What lies at the end of the scope; None when the way there ends early. A text on the way is read as JSON.
  // Nova's host states hold the service in something that is no dict, so there is no way into it.
  Value walk(const std::vector<std::string>& scope) const {
    if (scope.size() > 1 && scope.front() == "service") return Value();
    Value value = first(scope.front());
    for (std::size_t i = 1; i < scope.size() && !value.is_none(); ++i) {
      if (value.text()) value = parse_json(*value.text()).value_or(Value());
      const Value* next = value.find(scope[i]);
      value = next ? Value(*next) : Value();
    }
    return value;
  }

 private:
  const Value* find_stat(std::string_view name) const {
    const Value* stats = state_ ? state_->attributes.find("stats") : nullptr;
    return stats ? stats->find(name) : nullptr;
  }
  Value first(const std::string& name) const {
    Value value = amounts_.attribute(name, host_, state_);
    if (!value.is_none()) return value;
    const Value* stat = find_stat(name);
    return stat ? *stat : Value();
  }

  const Amounts& amounts_;
  const std::uint32_t host_;
  const HostState* const state_;
};

bool names_kind(const Requirement& requirement) {
  return std::ranges::find(kKindAttributes, requirement.scope.front()) != std::end(kKindAttributes);
}

// Whether only the host's kind decides. Nova looks into stats for an attribute that a host lacks.
bool decided_by_kind(const std::vector<Requirement>& all, const HostState* host) {
  return host && std::ranges::all_of(all, [&](const Requirement& requirement) {
           const Value* attribute =
               names_kind(requirement) ? host->attributes.find(requirement.scope.front()) : nullptr;
           return attribute && !attribute->is_none();
         });
}

// The first requirement that the host does not satisfy; null when it satisfies all.
const Requirement* find_unmet(const std::vector<Requirement>& all, const Capabilities& host) {
  for (const Requirement& requirement : all) {
    if (!host.applies(requirement)) continue;
    const Value found = host.walk(requirement.scope);
    if (found.is_none() || !match(found.str(), requirement.wanted)) return &requirement;
  }
  return nullptr;
}

class ComputeCapabilitiesFilter : public plugin::Filter {
 public:
  explicit ComputeCapabilitiesFilter(const Shared& shared) : shared_(shared) {}

  void screen(const plugin::Call& call, plugin::Verdicts& verdicts) const override {
    const auto spec = shared_.specs->of(call);
    const auto all = requirements(*spec, shared_.settings->of(call)->release);
    if (spec->rebuild || all.empty()) return;
    const Amounts amounts(call.picture());
    const Snapshot& snapshot = shared_.hosts->of(call);
    std::vector<Known> known(snapshot.columns.kinds().size(), Known::kNothing);
    const auto satisfied = [&](std::uint32_t row, Known& kind) {
      if (kind == Known::kSatisfied || kind == Known::kRefused) return kind == Known::kSatisfied;
      const HostState* state = snapshot.hosts.find(row);
      const bool all_met = !find_unmet(all, Capabilities(amounts, row, state));
      if (kind == Known::kNothing) {
        const Known found = all_met ? Known::kSatisfied : Known::kRefused;
        kind = decided_by_kind(all, state) ? found : Known::kHostByHost;
      }
      return all_met;
    };
    for_each_block(call.candidates(), [&](std::uint32_t first, auto rows, std::size_t at) {
      const HostBlock& hosts = snapshot.columns.block_of(first);
      for (std::size_t i = 0; i < rows.size(); ++i) {
        if (!satisfied(rows[i], known[hosts.kind[rows[i] - first]])) verdicts.refuse(at + i, 1);
      }
    });
  }

  plugin::Refusal explain(const plugin::Call& call, std::uint32_t host, std::uint8_t) const override {
    const auto all = requirements(*shared_.specs->of(call), shared_.settings->of(call)->release);
    const Amounts amounts(call.picture());
    const Capabilities capabilities(amounts, host, shared_.hosts->of(call).hosts.find(host));
    const Requirement* unmet = find_unmet(all, capabilities);
    if (!unmet) return {"nova.capabilities"};
    const Value found = capabilities.walk(unmet->scope);
    return {"nova.capabilities", unmet->key + " " + unmet->wanted, found.is_none() ? "none" : found.str()};
  }

 private:
  enum class Known : std::uint8_t { kNothing, kSatisfied, kRefused, kHostByHost };  // of a kind of hosts

  const Shared shared_;
};

}  // namespace

void add_capabilities_filter(plugin::Plugin& plugin, const Shared& shared) {
  plugin.add("ComputeCapabilitiesFilter", std::make_unique<ComputeCapabilitiesFilter>(shared));
}

}  // namespace emplace::nova
