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

// The first requirement that the host does not satisfy; null when it satisfies all.
const Requirement* find_unmet(const std::vector<Requirement>& all, const Capabilities& host) {
  for (const Requirement& requirement : all) {
    if (!host.applies(requirement)) continue;
    const Value found = host.walk(requirement.scope);
    if (found.is_none() || !match(found.str(), requirement.wanted)) return &requirement;
  }
  return nullptr;
}

// Whether hosts satisfy one list of requirements, by row: a host's answer holds while its state does. Threads: any.
class Answers {
 public:
  Answers(std::string key, std::uint32_t rows) : key_(std::move(key)), known_(rows) {}

  bool are_of(const std::string& key, std::uint32_t rows) const { return key_ == key && known_.size() >= rows; }
  std::optional<bool> find(std::uint32_t row, std::uint64_t version) const {
    const std::uint64_t known = known_[row].load(std::memory_order_relaxed);
    return known >> 1 == version ? std::optional((known & 1) != 0) : std::nullopt;
  }
  void set(std::uint32_t row, std::uint64_t version, bool satisfied) {
    known_[row].store(version << 1 | (satisfied ? 1 : 0), std::memory_order_relaxed);
  }

 private:
  const std::string key_;
  std::vector<std::atomic<std::uint64_t>> known_;  // the state's version, and a bit; 0: nothing
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
    const auto satisfies = [&](std::uint32_t row) {
      return !find_unmet(all, Capabilities(amounts, row, snapshot.hosts.find(row)));
    };
    const bool counted = std::ranges::any_of(all, [](const auto& one) { return is_counted(one.scope.front()); });
    if (counted) return refuse_unless(call.candidates(), verdicts, satisfies);
    const auto answers = remembered_.of(all, call.picture().table("hosts").rows());
    refuse_unless(call.candidates(), verdicts, [&](std::uint32_t row) {
      const std::uint64_t version = snapshot.columns.block_of(row).version[row % kBlockRows];
      if (const auto known = answers->find(row, version)) return *known;
      const bool satisfied = satisfies(row);
      answers->set(row, version, satisfied);
      return satisfied;
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
  template <typename Satisfies>
  static void refuse_unless(std::span<const std::uint32_t> candidates, plugin::Verdicts& verdicts,
                            Satisfies satisfies) {
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      if (!satisfies(candidates[i])) verdicts.refuse(i, 1);
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
