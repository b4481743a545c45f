// ServerGroupAntiAffinityFilter and ServerGroupAffinityFilter.
#include <algorithm>

#include "groups.h"
#include "rules.h"

namespace emplace::nova {
namespace {

constexpr std::uint8_t kBroken = 1, kNoGroups = 2;

// True: the rule has no data, of no host.
bool pass_unjudged(const plugin::Call& call, const Spec& spec, plugin::Verdicts& verdicts) {
  if (spec.from_nova || !is_group_unread(call)) return false;
  for (std::size_t i = 0; i < call.candidates().size(); ++i) verdicts.pass_unjudged(i, kNoGroups);
  return true;
}

// ---- anti-affinity

// What a host may hold at most, and what it holds.
struct AntiAffinity {
  double limit = 0;
  Counts members;
  std::vector<std::uint32_t> own;  // hosts that hold the instance itself: always pass, as a move on the same host

  bool passes(std::uint32_t host) const { return std::ranges::find(own, host) != own.end() || found_on(host) < limit; }
  double found_on(std::uint32_t host) const {
    const auto at = members.find(host);
    return at == members.end() ? 0 : at->second;
  }
};

std::optional<AntiAffinity> anti_affinity(const plugin::Call& call, const Spec& spec, const Instances& instances) {
  AntiAffinity rule;
  if (spec.instance) rule.own = instances.hosts(*spec.instance);
  if (spec.from_nova) {
    if (!spec.group || spec.group->policy != "anti-affinity") return std::nullopt;
    rule.limit = static_cast<double>(spec.group->max_server_per_host);
    rule.members = spec_members(*spec.group, instances);
    return rule;
  }
  const auto group = picture_group(call);
  if (!group || group->policy != kAntiAffinity) return std::nullopt;
  rule.limit = group->max_per_host;
  rule.members = picture_members(call);
  return rule;
}

class ServerGroupAntiAffinityFilter : public plugin::Filter {
 public:
  explicit ServerGroupAntiAffinityFilter(const Shared& shared) : shared_(shared) {}

  void screen(const plugin::Call& call, plugin::Verdicts& verdicts) const override {
    const auto spec = shared_.specs->of(call);
    if (spec->rebuild || pass_unjudged(call, *spec, verdicts)) return;
    const auto rule = anti_affinity(call, *spec, shared_.hosts->of(call).instances);
    if (!rule) return;
    const auto candidates = call.candidates();
    // A host without members passes, unless none may be anywhere.
    if (rule->limit > 0) {
      for (const auto& [host, count] : rule->members) {
        const auto at = std::ranges::lower_bound(candidates, host);
        const bool asked = at != candidates.end() && *at == host;
        if (asked && !rule->passes(host)) verdicts.refuse(static_cast<std::size_t>(at - candidates.begin()), kBroken);
      }
      return;
    }
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      if (!rule->passes(candidates[i])) verdicts.refuse(i, kBroken);
    }
  }

  plugin::Refusal explain(const plugin::Call& call, std::uint32_t host, std::uint8_t reason) const override {
    if (reason == kNoGroups) return unread_group(call);
    const auto rule = anti_affinity(call, *shared_.specs->of(call), shared_.hosts->of(call).instances);
    if (!rule) return {"nova.anti_affinity"};
    return {"nova.anti_affinity", rule->limit, rule->found_on(host), "vms"};
  }

 private:
  const Shared shared_;
};

// ---- affinity

// The hosts that the group is on; nothing when there are none yet, or no such rule. Nova tells of hosts only once
// members are on them; members on their way to one, which it leaves out, are claims in the picture.
std::optional<std::vector<std::string>> spec_hosts(const Spec& spec, const Snapshot& snapshot, const Names& names) {
  if (!spec.group) return std::nullopt;
  const auto& policies = spec.group->policies;
  if (std::ranges::find(policies, "affinity") == policies.end()) return std::nullopt;
  std::vector<std::string> hosts = spec.group->hosts;
  for (std::size_t i = 0; spec.group->hosts.empty() && i < spec.group->members.size(); ++i) {
    if (spec.group->members[i] == spec.instance) continue;
    for (const std::uint32_t host : snapshot.claimed.hosts(spec.group->members[i])) hosts.emplace_back(names.of(host));
  }
  return hosts.empty() ? std::nullopt : std::optional(std::move(hosts));
}

class Affinity {
 public:
  Affinity(const plugin::Call& call, const Spec& spec, const HostStates& hosts) : names_(call, hosts) {
    if (spec.from_nova) {
      hosts_ = spec_hosts(spec, hosts.of(call), names_);
    } else if (const auto group = picture_group(call); group && group->policy == kAffinity) {
      members_ = picture_members(call);
    }
  }
  bool asks() const { return hosts_ || !members_.empty(); }
  bool passes(std::uint32_t host) const {
    if (!hosts_) return members_.contains(host);
    return std::ranges::find(*hosts_, names_.of(host)) != hosts_->end();
  }
  std::string wanted() const {
    std::string text;
    for (const auto& [host, count] : members_) text += (text.empty() ? "" : ",") + std::string(names_.of(host));
    for (const std::string& host : hosts_.value_or(std::vector<std::string>()))
      text += (text.empty() ? "" : ",") + host;
    return text;
  }
  std::string name(std::uint32_t host) const { return std::string(names_.of(host)); }

 private:
  Names names_;
  std::optional<std::vector<std::string>> hosts_;
  Counts members_;
};

class ServerGroupAffinityFilter : public plugin::Filter {
 public:
  explicit ServerGroupAffinityFilter(const Shared& shared) : shared_(shared) {}

  void screen(const plugin::Call& call, plugin::Verdicts& verdicts) const override {
    const auto spec = shared_.specs->of(call);
    if (spec->rebuild || pass_unjudged(call, *spec, verdicts)) return;
    const Affinity rule(call, *spec, *shared_.hosts);
    if (!rule.asks()) return;
    const auto candidates = call.candidates();
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      if (!rule.passes(candidates[i])) verdicts.refuse(i, kBroken);
    }
  }

  plugin::Refusal explain(const plugin::Call& call, std::uint32_t host, std::uint8_t reason) const override {
    if (reason == kNoGroups) return unread_group(call);
    const Affinity rule(call, *shared_.specs->of(call), *shared_.hosts);
    return {"nova.affinity", rule.wanted(), rule.name(host)};
  }

 private:
  const Shared shared_;
};

}  // namespace

void add_server_group_filters(plugin::Plugin& plugin, const Shared& shared) {
  plugin.add("ServerGroupAntiAffinityFilter", std::make_unique<ServerGroupAntiAffinityFilter>(shared));
  plugin.add("ServerGroupAffinityFilter", std::make_unique<ServerGroupAffinityFilter>(shared));
}

}  // namespace emplace::nova
