#include "service/core/decide/rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "service/core/base/numbers.h"
#include "service/core/decide/built_in_rules.h"
#include "service/core/decide/last_good.h"
#include "service/core/decide/resource_classes.h"

namespace emplace {
namespace {

constexpr std::size_t kMaxObjectives = 6;

// Where the bits of a byte are that are 1.
struct BitPlaces {
  std::array<std::uint8_t, 8> bits{};
  std::uint8_t count = 0;
};
constexpr std::array<BitPlaces, 256> kBitPlaces = [] {
  std::array<BitPlaces, 256> all;
  for (unsigned byte = 0; byte < 256; ++byte) {
    for (std::uint8_t i = 0; i < 8; ++i) {
      if ((byte >> i) & 1u) all[byte].bits[all[byte].count++] = i;
    }
  }
  return all;
}();

constexpr double kMaxWeight = 1e9;
constexpr double kMaxResolution = 1e15;
constexpr std::array<std::string_view, 6> kMethods{"chebyshev",    "knee",   "lexicographic",
                                                   "weighted_sum", "topsis", "nova"};

template <typename Rule>
std::shared_ptr<const Rule> find_rule(const std::vector<std::shared_ptr<const Rule>>& rules, std::string_view id) {
  const auto at = std::find_if(rules.begin(), rules.end(), [&](const auto& rule) { return rule->traits().id == id; });
  return at == rules.end() ? nullptr : *at;
}

template <typename Rule>
std::string names_of(const std::vector<std::shared_ptr<const Rule>>& rules) {
  std::string names;
  for (const auto& rule : rules) names += (names.empty() ? "" : ", ") + rule->traits().id;
  return names;
}

tl::unexpected<Error> bad(const Profile& profile, const std::string& key, const std::string& what) {
  return fail(ErrorCode::kInvalid, fmt::format("profile \"{}\": {}: {}", profile.name, key, what));
}

bool in_range(double value, double low, double high) { return value >= low && value <= high; }  // false for NaN

// Appends the rule that entry `i` of a list names, once.
template <typename Rule>
Result<void> take_rule(const Profile& profile, const std::vector<std::shared_ptr<const Rule>>& known,
                       std::string_view id, const std::string& key, std::vector<std::shared_ptr<const Rule>>& taken) {
  auto rule = find_rule(known, id);
  if (!rule) return bad(profile, key, fmt::format("wanted one of {}, found \"{}\"", names_of(known), id));
  if (find_rule(taken, id)) return bad(profile, key, fmt::format("wanted each rule once, found \"{}\" again", id));
  taken.push_back(std::move(rule));
  return {};
}

Result<void> take_filters(const Profile& profile, const Catalogue& catalogue, Rules& rules) {
  for (std::size_t i = 0; i < profile.filters.size(); ++i) {
    const auto taken =
        take_rule(profile, catalogue.filters, profile.filters[i], fmt::format("filters[{}]", i), rules.filters);
    if (!taken) return taken;
  }
  std::stable_sort(rules.filters.begin(), rules.filters.end(),
                   [](const auto& a, const auto& b) { return a->traits().cost_class < b->traits().cost_class; });
  return {};
}

Result<void> check_choice(const Profile& profile, const ObjectiveChoice& choice, const std::string& key) {
  if (choice.weight && !in_range(*choice.weight, 0, kMaxWeight)) {
    return bad(profile, key + ".weight", fmt::format("wanted 0 to {:g}, found {:g}", kMaxWeight, *choice.weight));
  }
  if (choice.resolution && !(*choice.resolution > 0 && *choice.resolution <= kMaxResolution)) {
    return bad(profile, key + ".resolution",
               fmt::format("wanted more than 0, at most {:g}, found {:g}", kMaxResolution, *choice.resolution));
  }
  if (choice.max_age_s < 0)
    return bad(profile, key + ".max_age_s", fmt::format("wanted 0 or more, found {}", choice.max_age_s));
  return {};
}

Result<void> take_objectives(const Profile& profile, const Catalogue& catalogue, Rules& rules) {
  if (profile.objectives.size() > kMaxObjectives) {
    return bad(profile, "objectives",
               fmt::format("wanted at most {}, found {}", kMaxObjectives, profile.objectives.size()));
  }
  for (std::size_t i = 0; i < profile.objectives.size(); ++i) {
    const ObjectiveChoice& choice = profile.objectives[i];
    const std::string key = fmt::format("objectives[{}]", i);
    if (const auto taken = take_rule(profile, catalogue.objectives, choice.id, key + ".id", rules.objectives); !taken) {
      return taken;
    }
    if (const auto checked = check_choice(profile, choice, key); !checked) return checked;
    if (choice.on_error == OnError::kLastGood) {
      rules.objectives.back() = with_last_good(std::move(rules.objectives.back()), choice.max_age_s);
    }
    ObjectiveChoice& resolved = rules.profile.objectives[i];
    resolved.weight = choice.weight.value_or(rules.objectives.back()->default_weight());
    resolved.resolution = choice.resolution.value_or(rules.objectives.back()->default_resolution());
  }
  return {};
}

Result<void> take_weighers(const Profile& profile, const Catalogue& catalogue, Rules& rules) {
  for (std::size_t i = 0; i < profile.weighers.size(); ++i) {
    const WeigherChoice& choice = profile.weighers[i];
    const std::string key = fmt::format("weighers[{}]", i);
    if (const auto taken = take_rule(profile, catalogue.weighers, choice.id, key + ".id", rules.weighers); !taken) {
      return taken;
    }
    if (choice.multiplier && !std::isfinite(*choice.multiplier)) {
      return bad(profile, key + ".multiplier", fmt::format("wanted a number, found {}", *choice.multiplier));
    }
    rules.profile.weighers[i].multiplier = choice.multiplier.value_or(rules.weighers.back()->default_multiplier());
  }
  return {};
}

// What a method would not read must not be there: it would be silently without effect.
Result<void> check_method(const Profile& profile) {
  const bool nova = profile.method == RankMethod::kNova;
  if (nova && !profile.objectives.empty())
    return bad(profile, "objectives", "wanted none with method nova, found some");
  if (!nova && !profile.weighers.empty())
    return bad(profile, "weighers", "wanted none without method nova, found some");
  if (!in_range(profile.front_limit, 0, 1)) {
    return bad(profile, "front_limit", fmt::format("wanted 0 to 1, found {:g}", profile.front_limit));
  }
  return {};
}

}  // namespace

std::size_t Candidates::count() const { return count_bits(words_); }

std::shared_ptr<const std::vector<std::uint32_t>> Candidates::list_rows() {
  if (!listed_) listed_ = std::make_shared<const std::vector<std::uint32_t>>(to_rows());
  return listed_;
}

std::vector<std::uint32_t> Candidates::to_rows() const {
  if (listed_) return *listed_;
  std::vector<std::uint32_t> rows(count() + 8);  // each step writes 8, the next one over those it did not mean
  std::uint32_t* at = rows.data();
  for (std::uint32_t w = 0; w < words_.size(); ++w) {
    if (words_[w] == 0) continue;
    for (std::uint32_t byte = 0; byte < 8; ++byte) {
      const auto& places = kBitPlaces[(words_[w] >> (byte * 8)) & 0xff];
      for (std::uint32_t i = 0; i < 8; ++i) at[i] = w * 64 + byte * 8 + places.bits[i];
      at += places.count;
    }
  }
  rows.resize(rows.size() - 8);
  return rows;
}

Catalogue built_in_rules() { return {built_in_filters(), built_in_objectives(), {}}; }

Profile default_profile(const Catalogue& catalogue) {
  Profile profile;
  profile.name = "default";
  for (const auto id : {"capacity", "state", "zone", "traits", "group", "spread"}) {
    if (find_rule(catalogue.filters, id)) profile.filters.emplace_back(id);
  }
  for (const auto id :
       {"resource.load", "resource.stranding", "affinity.memory", "affinity.network", "affinity.data", "group.fit"}) {
    if (find_rule(catalogue.objectives, id)) profile.objectives.push_back({id});
  }
  return profile;
}

template <typename Rule>
bool any_of_plugin(const std::vector<std::shared_ptr<const Rule>>& rules, const std::string& plugin) {
  return std::ranges::any_of(rules, [&](const auto& rule) { return rule->traits().plugin == plugin; });
}

void take_consumers(const Catalogue& catalogue, Rules& rules) {
  for (const auto& consumer : catalogue.consumers) {
    const std::string& plugin = consumer->traits().plugin;
    const bool used = any_of_plugin(rules.filters, plugin) || any_of_plugin(rules.objectives, plugin) ||
                      any_of_plugin(rules.weighers, plugin);
    if (used) rules.consumers.push_back(consumer);
  }
}

Result<Taking> take(const Rules& rules, const Query& query, std::uint32_t host) {
  Taking all{resource_takes(query, host)};
  for (const auto& consumer : rules.consumers) {
    auto taken = consumer->take(query, host);
    if (!taken) return taken;
    if (all.takes.empty()) {
      all.takes = std::move(taken->takes);
    } else if (!taken->takes.empty()) {
      all.takes.back() = ',';
      all.takes += taken->takes.substr(1);
    }
    if (all.spec.empty()) all.spec = std::move(taken->spec);
  }
  return all;
}

Result<Rules> resolve(const Profile& profile, const Catalogue& catalogue) {
  Rules rules;
  rules.profile = profile;
  const auto resolved = check_method(profile)
                            .and_then([&] { return take_filters(profile, catalogue, rules); })
                            .and_then([&] { return take_objectives(profile, catalogue, rules); })
                            .and_then([&] { return take_weighers(profile, catalogue, rules); });
  if (!resolved) return tl::unexpected(resolved.error());
  take_consumers(catalogue, rules);
  return rules;
}

std::string_view to_string(RankMethod method) { return kMethods[static_cast<std::size_t>(method)]; }

std::optional<RankMethod> parse_rank_method(std::string_view text) {
  const auto at = std::find(kMethods.begin(), kMethods.end(), text);
  if (at == kMethods.end()) return std::nullopt;
  return static_cast<RankMethod>(at - kMethods.begin());
}

}  // namespace emplace
