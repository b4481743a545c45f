#include "service/plugins/absent_rules.h"

#include <algorithm>

namespace emplace {
namespace {

class Absent {
 public:
  Absent(std::string_view id, std::string why)
      : traits_{std::string(id), "Its plugin was refused."}, why_(std::move(why)) {}

  const RuleTraits& traits() const { return traits_; }
  tl::unexpected<Error> failure() const { return fail(ErrorCode::kUnavailable, why_); }
  Refusal refusal() const { return {traits_.id + ".unexplained", {}, why_}; }

 private:
  const RuleTraits traits_;
  const std::string why_;
};

class AbsentFilter final : public Filter {
 public:
  explicit AbsentFilter(Absent absent) : absent_(std::move(absent)) {}
  const RuleTraits& traits() const override { return absent_.traits(); }
  Result<std::uint32_t> screen(const Query&, Candidates&, std::span<std::uint8_t>) const override {
    return absent_.failure();
  }
  Refusal explain(const Query&, std::uint32_t, std::uint8_t) const override { return absent_.refusal(); }

 private:
  const Absent absent_;
};

class AbsentObjective final : public Objective {
 public:
  explicit AbsentObjective(Absent absent) : absent_(std::move(absent)) {}
  const RuleTraits& traits() const override { return absent_.traits(); }
  std::string_view unit() const override { return ""; }
  double default_resolution() const override { return 1; }
  double default_weight() const override { return 1; }
  Result<Costs> evaluate(const Query&, std::span<const std::uint32_t>) const override { return absent_.failure(); }

 private:
  const Absent absent_;
};

class AbsentWeigher final : public Weigher {
 public:
  explicit AbsentWeigher(Absent absent) : absent_(std::move(absent)) {}
  const RuleTraits& traits() const override { return absent_.traits(); }
  double default_multiplier() const override { return 1; }
  Result<Weights> weigh(const Query&, std::span<const std::uint32_t>) const override { return absent_.failure(); }

 private:
  const Absent absent_;
};

template <typename Stand, typename Rule>
void stand_in(std::string_view id, const std::string& why, std::vector<std::shared_ptr<const Rule>>& rules) {
  if (std::ranges::any_of(rules, [&](const auto& rule) { return rule->traits().id == id; })) return;
  rules.push_back(std::make_shared<const Stand>(Absent(id, why)));
}

}  // namespace

Catalogue with_stand_ins(Catalogue catalogue, std::span<const Profile> profiles, const std::string& why) {
  if (why.empty()) return catalogue;
  for (const Profile& profile : profiles) {
    for (const auto& id : profile.filters) stand_in<AbsentFilter>(id, why, catalogue.filters);
    for (const auto& one : profile.objectives) stand_in<AbsentObjective>(one.id, why, catalogue.objectives);
    for (const auto& one : profile.weighers) stand_in<AbsentWeigher>(one.id, why, catalogue.weighers);
  }
  return catalogue;
}

}  // namespace emplace
