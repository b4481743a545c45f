#include "service/core/decide/last_good.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <list>
#include <mutex>

#include "service/core/decide/evaluate.h"

namespace emplace {
namespace {

using Key = std::pair<std::uint64_t, std::uint64_t>;

Key key_of(const Query& query) {
  const std::string& document = query.request.document;
  const std::string rest = query.vm.name + '\0' + query.vm.nova_spec;
  const XXH128_hash_t hash =
      XXH3_128bits_withSeed(document.data(), document.size(), XXH3_64bits(rest.data(), rest.size()));
  return {hash.high64, hash.low64};
}

struct Answer {
  Key key;
  std::int64_t now_us;
  std::vector<std::uint32_t> hosts;  // rows, rising
  Costs costs;
  ChunkedColumn names;  // of the hosts then: a row may be another host's by now

  std::string_view name(std::uint32_t row) const {
    return detail::ReadChunk<Utf8>::get(*names[row / kChunkRows], row % kChunkRows, nullptr);
  }
};

class Memory {
 public:
  void keep(std::shared_ptr<const Answer> answer) {
    const std::lock_guard lock(mutex_);
    const auto same = find(answer->key);
    if (same != answers_.end()) {
      // A replay's is older than what is there.
      if ((*same)->now_us > answer->now_us) return;
      drop(same);
    }
    values_ += answer->hosts.size();
    answers_.push_front(std::move(answer));
    while (answers_.size() > kLastGoodQuestions || (values_ > kLastGoodValues && answers_.size() > 1)) {
      drop(std::prev(answers_.end()));
    }
  }
  std::shared_ptr<const Answer> recall(const Key& key) {
    const std::lock_guard lock(mutex_);
    const auto same = find(key);
    return same == answers_.end() ? nullptr : *same;
  }

 private:
  using Answers = std::list<std::shared_ptr<const Answer>>;
  Answers::iterator find(const Key& key) {
    return std::ranges::find_if(answers_, [&](const auto& answer) { return answer->key == key; });
  }
  void drop(Answers::iterator at) {
    values_ -= (*at)->hosts.size();
    answers_.erase(at);
  }

  std::mutex mutex_;
  Answers answers_;  // newest first
  std::size_t values_ = 0;
};

// The remembered costs for the hosts of now.
Costs again(const Answer& answer, const Query& query, std::span<const std::uint32_t> hosts) {
  Costs costs{std::vector<double>(hosts.size()), std::vector<Quality>(hosts.size(), Quality::kNoData)};
  const auto names = query.picture[hosts::name];
  auto at = answer.hosts.begin();
  for (std::size_t i = 0; i < hosts.size(); ++i) {
    at = std::lower_bound(at, answer.hosts.end(), hosts[i]);
    if (at == answer.hosts.end()) break;
    if (*at != hosts[i] || answer.name(*at) != names[hosts[i]]) continue;
    const auto old = static_cast<std::size_t>(at - answer.hosts.begin());
    if (answer.costs.quality[old] == Quality::kNoData) continue;
    costs.values[i] = answer.costs.values[old];
    costs.quality[i] = Quality::kStale;
  }
  return costs;
}

class LastGood final : public Objective {
 public:
  LastGood(std::shared_ptr<const Objective> objective, std::int64_t max_age_s)
      : objective_(std::move(objective)), max_age_s_(max_age_s) {}

  const RuleTraits& traits() const override { return objective_->traits(); }
  std::string_view unit() const override { return objective_->unit(); }
  double default_resolution() const override { return objective_->default_resolution(); }
  double default_weight() const override { return objective_->default_weight(); }

  Result<Costs> evaluate(const Query& query, std::span<const std::uint32_t> hosts) const override {
    auto costs = objective_->evaluate(query, hosts);
    const std::string fault = costs ? fault_of(*costs, hosts.size()) : costs.error().message;
    if (!fault.empty()) return in_place_of(fault, query, hosts);
    memory_.keep(std::make_shared<const Answer>(Answer{
        key_of(query), query.now_us, {hosts.begin(), hosts.end()}, *costs, query.picture.column(hosts::name.index)}));
    return costs;
  }

 private:
  Result<Costs> in_place_of(const std::string& fault, const Query& query, std::span<const std::uint32_t> hosts) const {
    const auto answer = memory_.recall(key_of(query));
    if (!answer) return fail(ErrorCode::kUnavailable, fault + "; there are no last good costs for this request");
    const double age_s = static_cast<double>(query.now_us - answer->now_us) / 1e6;
    if (age_s < 0 || age_s > static_cast<double>(max_age_s_)) {
      return fail(ErrorCode::kUnavailable,
                  fmt::format("{}; the last good costs for this request are {:.1f} s old, wanted "
                              "at most {}",
                              fault, age_s, max_age_s_));
    }
    Costs costs = again(*answer, query, hosts);
    const auto used = std::ranges::count(costs.quality, Quality::kStale);
    costs.stale_because =
        fmt::format("{}; its last good costs, {:.1f} s old, used on {} of {} hosts", fault, age_s, used, hosts.size());
    return costs;
  }

  const std::shared_ptr<const Objective> objective_;
  const std::int64_t max_age_s_;
  mutable Memory memory_;
};

}  // namespace

std::shared_ptr<const Objective> with_last_good(std::shared_ptr<const Objective> objective, std::int64_t max_age_s) {
  return std::make_shared<LastGood>(std::move(objective), max_age_s);
}

}  // namespace emplace
