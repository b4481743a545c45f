#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <utility>

#include "service/core/base/numbers.h"
#include "service/core/change/takes.h"
#include "service/core/json/json.h"
#include "service/plugins/loaded_plugin.h"
#include "service/plugins/questions.h"
#include "service/plugins/texts.h"

namespace emplace {
namespace {

RuleTraits traits_of(const Manifest& manifest, const ManifestRule& rule) {
  return {rule.id, rule.description, rule.cost_class, rule.reads, manifest.id, manifest.version};
}

// What the three kinds have in common.
class PluginRule {
 public:
  PluginRule(std::shared_ptr<LoadedPlugin> plugin, const ManifestRule& rule, std::shared_ptr<CallCounts> counts)
      : plugin_(std::move(plugin)), counts_(std::move(counts)), traits_(traits_of(plugin_->manifest(), rule)) {}

  const RuleTraits& traits() const { return traits_; }

  // `invoke(call, error)` -> status; `accept()` -> Result<void>, checks what came out.
  template <typename Invoke, typename Accept>
  Result<void> run(const Query& query, std::span<const std::uint32_t> rows, Invoke&& invoke, Accept&& accept) const {
    const auto ran = plugin_->call(*counts_, query, rows, [&](const emplace_call& call) -> Result<void> {
      emplace_error error{sizeof(emplace_error), {}};
      if (invoke(call, error) == EMPLACE_OK) return accept();
      return fail(ErrorCode::kUnavailable, text_in(error));
    });
    if (ran) return ran;
    return fail(ran.error().code, fmt::format("plugin {}, {}: {}", traits_.plugin, traits_.id, ran.error().message));
  }

 private:
  const std::shared_ptr<LoadedPlugin> plugin_;
  const std::shared_ptr<CallCounts> counts_;
  const RuleTraits traits_;
};

Result<void> check_count(std::uint32_t count, std::size_t wanted) {
  if (count == wanted) return {};
  return fail(ErrorCode::kUnavailable, fmt::format("wanted results for {} candidates, found {}", wanted, count));
}

tl::unexpected<Error> not_finite(const char* what, std::size_t i, double found) {
  return fail(ErrorCode::kUnavailable, fmt::format("wanted a finite {} for candidate {}, found {}", what, i, found));
}

// A buffer of NaN that plugins rarely write to, kept by each thread: to make it anew costs more than weighing does.
class Unset {
 public:
  std::span<double> get(std::size_t count) {
    if (values_.size() < count) values_.resize(count, kUnset);
    return std::span(values_).first(count);
  }
  void reset(std::span<double> used) { std::ranges::fill(used, kUnset); }
  // A buffer of one's own, to be given back when nothing of it was used or what was used is NaN again.
  std::vector<double> take(std::size_t count) {
    std::vector<double> taken = std::exchange(values_, {});
    taken.resize(count, kUnset);
    return taken;
  }
  void give_back(std::vector<double> taken) { values_ = std::move(taken); }

 private:
  std::vector<double> values_;
};

// ---- filters

// The position of the next reason, or the end; eight at a time, as most are 0.
std::size_t find_reason(const std::vector<std::uint8_t>& reasons, std::size_t from) {
  std::uint64_t eight = 0;
  while (from + sizeof eight <= reasons.size()) {
    std::memcpy(&eight, reasons.data() + from, sizeof eight);
    if (eight != 0) break;
    from += sizeof eight;
  }
  while (from < reasons.size() && reasons[from] == 0) ++from;
  return from;
}

RuleValue value_of(std::uint32_t kind, double number, const char (&text)[256]) {
  if (kind == EMPLACE_NUMBER && std::isfinite(number)) return number;
  if (kind == EMPLACE_TEXT) return text_in(text);
  return std::monostate();
}

class PluginFilter final : public Filter {
 public:
  PluginFilter(std::shared_ptr<LoadedPlugin> plugin, const ManifestRule& rule, std::shared_ptr<CallCounts> counts)
      : filter_(plugin->instance().filter(rule.id)), rule_(std::move(plugin), rule, std::move(counts)) {}

  const RuleTraits& traits() const override { return rule_.traits(); }

  Result<std::uint32_t> screen(const Query& query, Candidates& kept, std::span<std::uint8_t> reasons) const override {
    const auto listed = kept.list_rows();
    const std::vector<std::uint32_t>& rows = *listed;
    std::vector<std::uint64_t> keep((rows.size() + 63) / 64);
    std::vector<std::uint8_t> why(rows.size());
    emplace_verdicts verdicts{sizeof(emplace_verdicts), 0, keep.data(), why.data()};
    std::uint32_t unjudged = 0;
    const auto screened = rule_.run(
        query, rows,
        [&](const emplace_call& call, emplace_error& error) {
          return filter_.screen(filter_.self, &call, &verdicts, &error);
        },
        // Copies: a plugin that still holds the buffers can't change what was checked.
        [&, this] {
          return accept(rows, std::vector(keep), std::vector(why), verdicts.count, kept, reasons)
              .map([&](std::uint32_t found) { unjudged = found; });
        });
    return screened.map([&] { return unjudged; });
  }

  Refusal explain(const Query& query, std::uint32_t host, std::uint8_t reason) const override {
    emplace_refusal refusal{};
    refusal.size = sizeof refusal;
    const auto explained = rule_.run(
        query, {},
        [&](const emplace_call& call, emplace_error& error) {
          return filter_.explain(filter_.self, &call, host, reason, &refusal, &error);
        },
        [] { return Result<void>(); });
    if (!explained) return {traits().id + ".unexplained", {}, explained.error().message};
    return {text_in(refusal.code), value_of(refusal.wanted_kind, refusal.wanted_number, refusal.wanted_text),
            value_of(refusal.found_kind, refusal.found_number, refusal.found_text), text_in(refusal.unit)};
  }

 private:
  // First everything is checked, then everything is taken over, so that a bad result changes nothing.
  static Result<std::uint32_t> accept(const std::vector<std::uint32_t>& rows, const std::vector<std::uint64_t>& keep,
                                      const std::vector<std::uint8_t>& why, std::uint32_t count, Candidates& kept,
                                      std::span<std::uint8_t> reasons) {
    if (const auto checked = check_count(count, rows.size()); !checked) return tl::unexpected(checked.error());
    std::vector<std::uint32_t> refused;
    for (std::size_t word = 0; word < keep.size(); ++word) {
      const std::size_t here = std::min<std::size_t>(64, rows.size() - word * 64);
      const std::uint64_t all = here == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << here) - 1;
      for (std::uint64_t out = ~keep[word] & all; out != 0; out &= out - 1) {
        refused.push_back(static_cast<std::uint32_t>(word * 64 + static_cast<std::size_t>(std::countr_zero(out))));
        if (why[refused.back()] == 0) {
          return fail(ErrorCode::kUnavailable,
                      fmt::format("wanted a reason for candidate {}, found 0", refused.back()));
        }
      }
    }
    for (const std::uint32_t i : refused) kept.erase(rows[i]);
    // Most say nothing but reasons of those that are refused.
    std::size_t given = 0;
    for (std::size_t i = find_reason(why, 0); i < why.size(); i = find_reason(why, i + 1)) {
      reasons[rows[i]] = why[i];
      ++given;
    }
    return static_cast<std::uint32_t>(given - refused.size());
  }

  const emplace_filter& filter_;
  const PluginRule rule_;
};

// ---- objectives

class PluginObjective final : public Objective {
 public:
  PluginObjective(std::shared_ptr<LoadedPlugin> plugin, const ManifestRule& rule, std::shared_ptr<CallCounts> counts)
      : objective_(plugin->instance().objective(rule.id)),
        unit_(rule.unit),
        resolution_(rule.resolution),
        weight_(rule.weight),
        rule_(std::move(plugin), rule, std::move(counts)) {}

  const RuleTraits& traits() const override { return rule_.traits(); }
  std::string_view unit() const override { return unit_; }
  double default_resolution() const override { return resolution_; }
  double default_weight() const override { return weight_; }

  Result<Costs> evaluate(const Query& query, std::span<const std::uint32_t> hosts) const override {
    std::vector<double> values(hosts.size(), kUnset);
    std::vector<std::uint8_t> quality(hosts.size());
    emplace_costs costs{sizeof(emplace_costs), 0, values.data(), quality.data()};
    Costs result;
    const auto evaluated = rule_.run(
        query, hosts,
        [&](const emplace_call& call, emplace_error& error) {
          return objective_.evaluate(objective_.self, &call, &costs, &error);
        },
        [&] {
          result.values = values;
          return accept(std::vector(quality), costs.count, result);
        });
    return evaluated ? Result<Costs>(std::move(result)) : tl::unexpected(evaluated.error());
  }

 private:
  static Result<void> accept(const std::vector<std::uint8_t>& quality, std::uint32_t count, Costs& result) {
    if (const auto checked = check_count(count, quality.size()); !checked) return checked;
    result.quality.resize(quality.size());
    for (std::size_t i = 0; i < quality.size(); ++i) {
      if (quality[i] > EMPLACE_QUALITY_NO_DATA) {
        return fail(ErrorCode::kUnavailable,
                    fmt::format("wanted a quality from 0 to 2 for candidate {}, found {}", i, quality[i]));
      }
      result.quality[i] = static_cast<Quality>(quality[i]);
      if (result.quality[i] == Quality::kNoData) {
        result.values[i] = 0;  // never looked at, and the same on every run
      } else if (!std::isfinite(result.values[i])) {
        return not_finite("cost", i, result.values[i]);
      }
    }
    return {};
  }

  const emplace_objective& objective_;
  const std::string unit_;
  const double resolution_;
  const double weight_;
  const PluginRule rule_;
};
static_assert(static_cast<int>(Quality::kOk) == EMPLACE_QUALITY_OK);
static_assert(static_cast<int>(Quality::kStale) == EMPLACE_QUALITY_STALE);
static_assert(static_cast<int>(Quality::kNoData) == EMPLACE_QUALITY_NO_DATA);

// ---- weighers

class PluginWeigher final : public Weigher {
 public:
  PluginWeigher(std::shared_ptr<LoadedPlugin> plugin, const ManifestRule& rule, std::shared_ptr<CallCounts> counts)
      : weigher_(plugin->instance().weigher(rule.id)),
        multiplier_(rule.multiplier),
        rule_(std::move(plugin), rule, std::move(counts)) {}

  const RuleTraits& traits() const override { return rule_.traits(); }
  double default_multiplier() const override { return multiplier_; }

  Result<Weights> weigh(const Query& query, std::span<const std::uint32_t> hosts) const override {
    thread_local Unset for_values, for_multipliers;
    std::vector<double> values = for_values.take(hosts.size());
    const std::span<double> multipliers = for_multipliers.get(hosts.size());
    emplace_weights weights{sizeof(emplace_weights), 0, values.data(), multipliers.data(), 0, 0, 0, 0};
    Weights result;
    const auto weighed = rule_.run(
        query, hosts,
        [&](const emplace_call& call, emplace_error& error) {
          return weigher_.weigh(weigher_.self, &call, &weights, &error);
        },
        [&]() -> Result<void> {
          const bool same = weights.count == 1 && hosts.size() > 1;
          if (const auto checked = check_count(weights.count, same ? 1 : hosts.size()); !checked) return checked;
          // Moved, not copied: a worker's answer was copied on its way, and code of our own process is trusted.
          result.raw = same ? std::vector{std::exchange(values[0], kUnset)} : std::exchange(values, {});
          if (!result.raw.empty()) result.range = finite_range_of(result.raw);
          const auto infinite =
              result.range ? result.raw.end()
                           : std::ranges::find_if(result.raw, [](double weight) { return std::isinf(weight); });
          if (infinite != result.raw.end())
            return not_finite("weight", static_cast<std::size_t>(infinite - result.raw.begin()), *infinite);
          if (!all_nan(multipliers)) result.multipliers.assign(multipliers.begin(), multipliers.end());
          return accept(weights, result);
        });
    if (weighed && result.raw.size() == 1) for_values.give_back(std::move(values));
    if (!weighed || !result.multipliers.empty()) for_multipliers.reset(multipliers);
    return weighed ? Result<Weights>(std::move(result)) : tl::unexpected(weighed.error());
  }

 private:
  static Result<void> accept(const emplace_weights& weights, Weights& result) {
    for (std::size_t i = 0; i < result.multipliers.size(); ++i) {
      if (std::isinf(result.multipliers[i])) return not_finite("multiplier", i, result.multipliers[i]);
    }
    if (weights.has_minimum) result.minimum = weights.minimum;
    if (weights.has_maximum) result.maximum = weights.maximum;
    if (!std::isfinite(result.minimum.value_or(0)) || !std::isfinite(result.maximum.value_or(0))) {
      return fail(ErrorCode::kUnavailable, "wanted finite bounds, found others");
    }
    return {};
  }

  const emplace_weigher& weigher_;
  const double multiplier_;
  const PluginRule rule_;
};

// ---- consumers

// The rule that stands for the plugin as a whole.
ManifestRule consumer_rule(const Manifest& manifest) {
  return {.id = "consumer", .description = "What a vm takes of its host, as " + manifest.id + " counts it."};
}

// The text of a member, empty where there is none.
Result<std::string> member_of(const JsonValue& object, std::string_view key, JsonValue::Kind kind) {
  const auto value = object.is_object() ? object.find(key) : std::nullopt;
  if (!value) return {};
  if (value->kind() == kind) return to_json(*value);
  return fail(ErrorCode::kUnavailable,
              fmt::format("{}: wanted {}, found {}", key, kind == JsonValue::Kind::kArray ? "a list" : "an object",
                          value->found()));
}

class PluginConsumer final : public Consumer {
 public:
  PluginConsumer(std::shared_ptr<LoadedPlugin> plugin, std::shared_ptr<CallCounts> counts)
      : consumer_(plugin->instance().consumer()), rule_(plugin, consumer_rule(plugin->manifest()), std::move(counts)) {}

  const RuleTraits& traits() const override { return rule_.traits(); }

  Result<Taking> take(const Query& query, std::uint32_t host) const override {
    thread_local std::vector<char> text(kTakingBytes);
    emplace_taking taking{sizeof taking, kTakingBytes, 0, 0, text.data()};
    Taking result;
    const auto taken = rule_.run(
        query, {},
        [&](const emplace_call& call, emplace_error& error) {
          return consumer_.take(consumer_.self, &call, host, &taking, &error);
        },
        [&] {
          return accept({text.data(), std::min(taking.bytes, kTakingBytes)}, result);
        });
    return taken ? Result<Taking>(std::move(result)) : tl::unexpected(taken.error());
  }

 private:
  static Result<void> accept(std::string_view text, Taking& result) {
    if (text.empty()) return {};
    const auto document = JsonDocument::parse(text, "what the vm takes");
    if (!document) return tl::unexpected(document.error());
    auto takes = member_of(document->root(), "takes", JsonValue::Kind::kArray);
    auto spec = member_of(document->root(), "spec", JsonValue::Kind::kObject);
    if (!takes || !spec) return tl::unexpected(takes ? spec.error() : takes.error());
    const auto read = read_takes(*takes);
    if (!read) return tl::unexpected(read.error());
    if (const auto ours = std::ranges::find_if(*read, is_resource); ours != read->end()) {
      return fail(ErrorCode::kInvalid,
                  "takes: wanted names that do not begin with resource/, found " + json_text(ours->name));
    }
    result = {*takes == "[]" ? std::string() : *std::move(takes), *std::move(spec)};
    return {};
  }

  const emplace_consumer& consumer_;
  const PluginRule rule_;
};

}  // namespace

std::shared_ptr<const Consumer> make_consumer(std::shared_ptr<LoadedPlugin> plugin,
                                              std::shared_ptr<CallCounts> counts) {
  return std::make_shared<PluginConsumer>(std::move(plugin), std::move(counts));
}
std::shared_ptr<const Filter> make_filter(std::shared_ptr<LoadedPlugin> plugin, const ManifestRule& rule,
                                          std::shared_ptr<CallCounts> counts) {
  return std::make_shared<PluginFilter>(std::move(plugin), rule, std::move(counts));
}
std::shared_ptr<const Objective> make_objective(std::shared_ptr<LoadedPlugin> plugin, const ManifestRule& rule,
                                                std::shared_ptr<CallCounts> counts) {
  return std::make_shared<PluginObjective>(std::move(plugin), rule, std::move(counts));
}
std::shared_ptr<const Weigher> make_weigher(std::shared_ptr<LoadedPlugin> plugin, const ManifestRule& rule,
                                            std::shared_ptr<CallCounts> counts) {
  return std::make_shared<PluginWeigher>(std::move(plugin), rule, std::move(counts));
}

}  // namespace emplace
