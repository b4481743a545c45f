// Filters of scheduler hints: DifferentHostFilter and SameHostFilter (the host has none, or one, of the named
// instances), and SimpleCIDRAffinityFilter (its address lies in a network).
#include <algorithm>

#include "aggregates/aggregates.h"
#include "ip_network.h"
#include "rules.h"

namespace emplace::nova {
namespace {

// What a hint names; empty: nothing, or that one text is empty, which Nova takes for the same.
std::vector<std::string> texts_of(const Value* hint) {
  if (!hint || !hint->truthy()) return {};
  if (!hint->list()) return {hint->str()};
  std::vector<std::string> all;
  for (const Value& item : *hint->list()) all.push_back(item.str());
  return all;
}

class InstanceHintFilter : public plugin::Filter {
 public:
  InstanceHintFilter(const Shared& shared, std::string_view hint, bool same)
      : shared_(shared), hint_(hint), same_(same) {}

  void screen(const plugin::Call& call, plugin::Verdicts& verdicts) const override {
    const auto spec = shared_.specs->of(call);
    const auto named = texts_of(spec->hint(hint_));
    if (spec->rebuild || named.empty()) return;
    const auto hosts = hosts_of(named, shared_.hosts->of(call).instances);
    const auto candidates = call.candidates();
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      if (std::ranges::binary_search(hosts, candidates[i]) != same_) verdicts.refuse(i, 1);
    }
  }

  plugin::Refusal explain(const plugin::Call& call, std::uint32_t host, std::uint8_t) const override {
    const auto named = texts_of(shared_.specs->of(call)->hint(hint_));
    const Instances& instances = shared_.hosts->of(call).instances;
    std::vector<std::string> here;
    for (const std::string& one : named) {
      if (std::ranges::binary_search(hosts_of({one}, instances), host)) here.push_back(one);
    }
    const std::string wanted = same_ ? "one of " : "none of ";
    return {"nova." + std::string(hint_), wanted + joined(named), here.empty() ? "none" : joined(here)};
  }

 private:
  static std::vector<std::uint32_t> hosts_of(const std::vector<std::string>& named, const Instances& instances) {
    std::vector<std::uint32_t> all;
    for (const std::string& one : named) {
      const auto id = exact_uuid(one);
      for (const std::uint32_t host : id ? instances.hosts(*id) : std::vector<std::uint32_t>()) all.push_back(host);
    }
    std::ranges::sort(all);
    return all;
  }

  const Shared shared_;
  const std::string_view hint_;
  const bool same_;
};

class SimpleCIDRAffinityFilter : public plugin::Filter {
 public:
  explicit SimpleCIDRAffinityFilter(const Shared& shared) : shared_(shared) {}

  void screen(const plugin::Call& call, plugin::Verdicts& verdicts) const override {
    const auto spec = shared_.specs->of(call);
    const std::string wanted = network_of(*spec);
    if (spec->rebuild || wanted.empty()) return;
    const IpNetwork network(wanted);
    const auto candidates = call.candidates();
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      const auto address = parse_ip_address(address_of(call, candidates[i]));
      if (!address || !network.contains(*address)) verdicts.refuse(i, 1);
    }
  }

  plugin::Refusal explain(const plugin::Call& call, std::uint32_t host, std::uint8_t) const override {
    const std::string found = address_of(call, host);
    return {"nova.cidr_affinity", network_of(*shared_.specs->of(call)), found.empty() ? "no address" : found};
  }

 private:
  // The one hint behind the other, whatever they are: so does Nova. Empty: the request asks for none.
  static std::string network_of(const Spec& spec) {
    const Value* near = spec.hint("build_near_host_ip");
    if (!near || !near->truthy()) return {};
    const Value* cidr = spec.hint("cidr");
    return near->str() + (cidr ? cidr->str() : "/24");
  }
  std::string address_of(const plugin::Call& call, std::uint32_t host) const {
    const HostState* state = shared_.hosts->of(call).hosts.find(host);
    const Value* address = state ? state->attributes.find("host_ip") : nullptr;
    return address && address->text() ? *address->text() : std::string();
  }

  const Shared shared_;
};

}  // namespace

void add_hint_filters(plugin::Plugin& plugin, const Shared& shared) {
  plugin.add("DifferentHostFilter", std::make_unique<InstanceHintFilter>(shared, "different_host", false));
  plugin.add("SameHostFilter", std::make_unique<InstanceHintFilter>(shared, "same_host", true));
  plugin.add("SimpleCIDRAffinityFilter", std::make_unique<SimpleCIDRAffinityFilter>(shared));
}

}  // namespace emplace::nova
