// ComputeCapabilitiesFilter: every extra spec of the flavor that names a capability is satisfied by the host. Keys with
// the namespace "capabilities" are walked through the host's attributes; keys without a namespace count only where they
// name an attribute or a key of its stats; other namespaces belong to others.
#include <algorithm>
#include <atomic>
#include <memory>
#include <mutex>

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
  // Whether it is for want of data that there is nothing: of the attribute, or of the stats that might have it.
  bool is_unread(const Requirement& requirement) const {
    const std::string& name = requirement.scope.front();
    const bool is_attribute = has_attribute(name) || (state_ && state_->attributes.find(name));
    return nova::is_unread(state_, name) || (!is_attribute && nova::is_unread(state_, "stats"));
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

enum class Met : std::uint8_t { kAll, kNotAll, kUnread };  // the last: what is not met was not read

struct Judgement {
  Met met = Met::kAll;
  const Requirement* requirement = nullptr;  // the first that the host does not satisfy, or else that nobody can judge
};

Judgement judge(const std::vector<Requirement>& all, const Capabilities& host) {
  Judgement judgement;
  for (const Requirement& requirement : all) {
    if (!host.applies(requirement)) continue;
    const Value found = host.walk(requirement.scope);
    if (found.is_none() && host.is_unread(requirement)) {
      if (!judgement.requirement) judgement = {Met::kUnread, &requirement};
    } else if (found.is_none() || !match(found.str(), requirement.wanted)) {
      return {Met::kNotAll, &requirement};
    }
  }
  return judgement;
}

// How hosts stand to one list of requirements, by row: a host's answer holds while its state does. Threads: any.
class Answers {
 public:
  Answers(std::string key, std::uint32_t rows) : key_(std::move(key)), known_(rows) {}

  bool are_of(const std::string& key, std::uint32_t rows) const { return key_ == key && known_.size() >= rows; }
  std::optional<Met> find(std::uint32_t row, std::uint64_t version) const {
    const std::uint64_t known = known_[row].load(std::memory_order_relaxed);
    return known >> 2 == version ? std::optional(static_cast<Met>(known & 3)) : std::nullopt;
  }
  void set(std::uint32_t row, std::uint64_t version, Met met) {
    known_[row].store(version << 2 | static_cast<std::uint64_t>(met), std::memory_order_relaxed);
  }

 private:
  const std::string key_;
  std::vector<std::atomic<std::uint64_t>> known_;  // the state's version, and a Met; 0: nothing
};

// Those of the lists that were asked for last: flavors are few, and asked for again and again.
class Remembered {
 public:
  std::shared_ptr<Answers> of(const std::vector<Requirement>& all, std::uint32_t rows) const {
    std::string key;
    for (const Requirement& one : all) {
      for (const std::string& text : {one.key, one.wanted}) key += std::to_string(text.size()) + ':' + text;
    }
    const std::scoped_lock lock(mutex_);
    auto at = std::ranges::find_if(last_, [&](const auto& answers) { return answers->are_of(key, rows); });
    if (at == last_.end()) {
      if (last_.size() == kMostLists) last_.pop_back();
      at = last_.insert(last_.end(), std::make_shared<Answers>(std::move(key), rows));
    }
    std::rotate(last_.begin(), at, at + 1);
    return last_.front();
  }

 private:
  static constexpr std::size_t kMostLists = 16;
  mutable std::mutex mutex_;
  mutable std::vector<std::shared_ptr<Answers>> last_;  // guarded by mutex_; the latest first
};

class ComputeCapabilitiesFilter : public plugin::Filter {
 public:
  explicit ComputeCapabilitiesFilter(const Shared& shared) : shared_(shared) {}

  void screen(const plugin::Call& call, plugin::Verdicts& verdicts) const override {
    const auto spec = shared_.specs->of(call);
    const auto all = requirements(*spec, shared_.settings->of(call)->release);
    if (spec->rebuild || all.empty()) return;
    const Amounts amounts(call.picture());
    const Snapshot& snapshot = shared_.hosts->of(call);
    const auto met_by = [&](std::uint32_t row) {
      return judge(all, Capabilities(amounts, row, snapshot.hosts.find(row))).met;
    };
    const bool counted = std::ranges::any_of(all, [](const auto& one) { return is_counted(one.scope.front()); });
    if (counted) return give(call.candidates(), verdicts, met_by);
    const auto answers = remembered_.of(all, call.picture().table("hosts").rows());
    give(call.candidates(), verdicts, [&](std::uint32_t row) {
      const std::uint64_t version = snapshot.columns.block_of(row).version[row % kBlockRows];
      if (const auto known = answers->find(row, version)) return *known;
      const Met met = met_by(row);
      answers->set(row, version, met);
      return met;
    });
  }

  plugin::Refusal explain(const plugin::Call& call, std::uint32_t host, std::uint8_t) const override {
    const auto all = requirements(*shared_.specs->of(call), shared_.settings->of(call)->release);
    const Amounts amounts(call.picture());
    const Capabilities capabilities(amounts, host, shared_.hosts->of(call).hosts.find(host));
    const auto [met, unmet] = judge(all, capabilities);
    if (!unmet) return {"nova.capabilities"};
    if (met == Met::kUnread)
      return {"nova.capabilities.unread", unmet->key + " " + unmet->wanted, unmet->scope.front() + " was not read"};
    const Value found = capabilities.walk(unmet->scope);
    return {"nova.capabilities", unmet->key + " " + unmet->wanted, found.is_none() ? "none" : found.str()};
  }

 private:
  template <typename MetBy>
  static void give(std::span<const std::uint32_t> candidates, plugin::Verdicts& verdicts, MetBy met_by) {
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      const Met met = met_by(candidates[i]);
      const auto reason = static_cast<std::uint8_t>(met);
      if (met == Met::kUnread) verdicts.pass_unjudged(i, reason);
      if (met == Met::kNotAll) verdicts.refuse(i, reason);
    }
  }

  const Shared shared_;
  const Remembered remembered_;
};

}  // namespace

void add_capabilities_filter(plugin::Plugin& plugin, const Shared& shared) {
  plugin.add("ComputeCapabilitiesFilter", std::make_unique<ComputeCapabilitiesFilter>(shared));
}

}  // namespace emplace::nova
