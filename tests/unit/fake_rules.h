// Rules that do what a test tells them.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "service/core/decide/rules.h"

namespace emplace {

class FakeFilter final : public Filter {
 public:
  using Screen = std::function<Result<void>(Candidates&, std::span<std::uint8_t>)>;
  FakeFilter(std::string id, Screen screen, CostClass cost_class = CostClass::kCheap)
      : traits_{std::move(id), "A fake.", cost_class}, screen_(std::move(screen)) {}
  const RuleTraits& traits() const override { return traits_; }
  Result<std::uint32_t> screen(const Query&, Candidates& kept, std::span<std::uint8_t> reasons) const override {
    return screen_(kept, reasons).map([&] {
      std::uint32_t unjudged = 0;
      for (const std::uint32_t row : *kept.list_rows()) unjudged += reasons[row] > 0 ? 1 : 0;
      return unjudged;
    });
  }
  Refusal explain(const Query&, std::uint32_t, std::uint8_t) const override { return {traits_.id}; }

 private:
  const RuleTraits traits_;
  const Screen screen_;
};

// Refuses the given rows with a reason.
inline std::shared_ptr<const Filter> refusing(std::string id, std::vector<std::uint32_t> rows, std::uint8_t reason) {
  return std::make_shared<FakeFilter>(std::move(id),
                                      [=](Candidates& kept, std::span<std::uint8_t> reasons) -> Result<void> {
                                        for (const std::uint32_t row : rows) {
                                          if (!kept.has(row)) continue;
                                          kept.erase(row);
                                          reasons[row] = reason;
                                        }
                                        return {};
                                      });
}

class FakeObjective final : public Objective {
 public:
  using Evaluate = std::function<Result<Costs>(std::span<const std::uint32_t>)>;
  FakeObjective(std::string id, Evaluate evaluate)
      : traits_{std::move(id), "A fake."}, evaluate_(std::move(evaluate)) {}
  const RuleTraits& traits() const override { return traits_; }
  std::string_view unit() const override { return "MiB"; }
  double default_resolution() const override { return 2; }
  double default_weight() const override { return 3; }
  Result<Costs> evaluate(const Query&, std::span<const std::uint32_t> hosts) const override { return evaluate_(hosts); }

 private:
  const RuleTraits traits_;
  const Evaluate evaluate_;
};

inline std::shared_ptr<const Objective> costing(std::string id, std::vector<double> values,
                                                std::vector<Quality> quality = {}) {
  if (quality.empty()) quality.assign(values.size(), Quality::kOk);
  return std::make_shared<FakeObjective>(std::move(id), [=](std::span<const std::uint32_t>) -> Result<Costs> {
    return Costs{values, quality};
  });
}

inline std::shared_ptr<const Objective> failing_objective(std::string id) {
  return std::make_shared<FakeObjective>(std::move(id), [](std::span<const std::uint32_t>) -> Result<Costs> {
    return fail(ErrorCode::kTimeout, "no answer");
  });
}

class FakeWeigher final : public Weigher {
 public:
  using Weigh = std::function<Result<Weights>(std::span<const std::uint32_t>)>;
  FakeWeigher(std::string id, Weigh weigh) : traits_{std::move(id), "A fake."}, weigh_(std::move(weigh)) {}
  const RuleTraits& traits() const override { return traits_; }
  double default_multiplier() const override { return 1; }
  Result<Weights> weigh(const Query&, std::span<const std::uint32_t> hosts) const override { return weigh_(hosts); }

 private:
  const RuleTraits traits_;
  const Weigh weigh_;
};

// The rules as a profile would name them, in this order.
inline Rules rules_with(std::vector<std::shared_ptr<const Objective>> objectives) {
  Rules rules;
  for (const auto& objective : objectives) rules.profile.objectives.push_back({objective->traits().id});
  rules.objectives = std::move(objectives);
  return rules;
}

}  // namespace emplace
