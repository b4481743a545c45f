#include "cli/check/instance.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "service/plugins/texts.h"

namespace emplace::check {
namespace {

constexpr double kUnset = std::numeric_limits<double>::quiet_NaN();

// A result as the service prepares it, with a margin behind that nobody may write to.
template <typename T>
class Room {
 public:
  Room(std::size_t count, T prepared) : count_(count), values_(count + kMargin, prepared) {
    std::memset(values_.data() + count, kUntouched, kMargin * sizeof(T));
  }
  T* data() { return values_.data(); }
  T operator[](std::size_t i) const { return values_[i]; }
  bool overran() const {
    const auto* margin = reinterpret_cast<const unsigned char*>(values_.data() + count_);
    return !std::all_of(margin, margin + kMargin * sizeof(T), [](unsigned char byte) { return byte == kUntouched; });
  }

 private:
  static constexpr std::size_t kMargin = 64;
  static constexpr unsigned char kUntouched = 0xA5;
  const std::size_t count_;
  std::vector<T> values_;
};

std::uint64_t bits(double value) { return std::bit_cast<std::uint64_t>(value); }

void finish(Answer& answer, std::int32_t status, const emplace_error& error) {
  answer.ok = status == EMPLACE_OK;
  if (answer.ok) return;
  answer.error = text_in(error);
}

void screen(const emplace_filter& filter, const emplace_call& call, Answer& answer) {
  const std::size_t count = call.candidate_count;
  Room<std::uint64_t> keep((count + 63) / 64, 0);
  Room<std::uint8_t> reasons(count, 0);
  emplace_verdicts verdicts{sizeof(emplace_verdicts), 0, keep.data(), reasons.data()};
  emplace_error error{sizeof(emplace_error), {}};
  finish(answer, filter.screen(filter.self, &call, &verdicts, &error), error);
  answer.count = verdicts.count;
  answer.overran = keep.overran() || reasons.overran();
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint64_t kept = (keep[i >> 6] >> (i & 63)) & 1;
    answer.cells.push_back({kept, kept ? std::uint64_t{0} : reasons[i]});
  }
}

void evaluate(const emplace_objective& objective, const emplace_call& call, Answer& answer) {
  Room<double> values(call.candidate_count, kUnset);
  Room<std::uint8_t> quality(call.candidate_count, EMPLACE_QUALITY_OK);
  emplace_costs costs{sizeof(emplace_costs), 0, values.data(), quality.data()};
  emplace_error error{sizeof(emplace_error), {}};
  finish(answer, objective.evaluate(objective.self, &call, &costs, &error), error);
  answer.count = costs.count;
  answer.overran = values.overran() || quality.overran();
  for (std::size_t i = 0; i < call.candidate_count; ++i) {
    answer.cells.push_back({quality[i] == EMPLACE_QUALITY_NO_DATA ? 0 : bits(values[i]), quality[i]});
  }
}

void weigh(const emplace_weigher& weigher, const emplace_call& call, Answer& answer) {
  Room<double> values(call.candidate_count, kUnset), multipliers(call.candidate_count, kUnset);
  emplace_weights weights{sizeof(emplace_weights), 0, values.data(), multipliers.data(), 0, 0, 0, 0};
  emplace_error error{sizeof(emplace_error), {}};
  finish(answer, weigher.weigh(weigher.self, &call, &weights, &error), error);
  bool same = weights.count == 1 && call.candidate_count > 1;  // and then no other value is written
  for (std::size_t i = 1; same && i < call.candidate_count; ++i) same = std::isnan(values[i]);
  answer.count = same ? call.candidate_count : weights.count;
  answer.overran = values.overran() || multipliers.overran();
  for (std::size_t i = 0; i < call.candidate_count; ++i) {
    answer.cells.push_back({bits(values[same ? 0 : i]), bits(multipliers[i])});
  }
}

std::optional<std::string> fault_in_cell(Kind kind, const Cell& cell) {
  const double value = std::bit_cast<double>(cell.value);
  if (kind == Kind::kFilter) {
    if (cell.value == 0 && cell.second == 0) return "wanted a reason from 1 to 255 for a refused host, found 0";
  } else if (kind == Kind::kObjective) {
    if (cell.second > EMPLACE_QUALITY_NO_DATA)
      return fmt::format("wanted a quality from 0 to 2, found {}", cell.second);
    if (!std::isfinite(value)) return fmt::format("wanted a finite cost or no data, found {}", value);
  } else {
    if (std::isinf(value)) return fmt::format("wanted a finite weight, or NaN for no data, found {}", value);
    if (std::isinf(std::bit_cast<double>(cell.second))) return "wanted a finite multiplier, found an infinite one";
  }
  return std::nullopt;
}

}  // namespace

Result<std::unique_ptr<Instance>> Instance::make(const Setting& setting, const std::string& configuration,
                                                 bool watched) {
  if (watched) setting.watch->enter("create");
  auto plugin = setting.plugin->create(setting.subject->manifest, configuration);
  if (watched) setting.watch->leave();
  if (!plugin) return tl::unexpected(plugin.error());
  return std::make_unique<Instance>(setting, std::move(*plugin), watched);
}

std::unique_ptr<Instance> Instance::make(const Setting& setting) {
  auto made = make(setting, setting.subject->configuration);
  if (!made) throw std::runtime_error(made.error().message);
  return std::move(*made);
}

Instance::Instance(const Setting& setting, std::unique_ptr<PluginInstance> plugin, bool watched)
    : subject_(*setting.subject),
      watch_(watched ? setting.watch : nullptr),
      leaving_{watch_},
      plugin_(std::move(plugin)),
      pictures_(subject_.layout, subject_.observed, subject_.manifest.has_observer ? &plugin_->observer() : nullptr,
                subject_.manifest.reentrant) {}

Instance::~Instance() {
  if (watch_) watch_->enter("destroy");
}

template <typename Use>
void Instance::with_call(const Rule& rule, const Question& question, std::span<const std::uint32_t> hosts,
                         std::int64_t deadline_us, std::string& error, Use&& use) {
  const RequestTables request(subject_.layout, question.query());
  const Query& query = question.query();
  if (watch_) watch_->enter(fmt::format("{} with {} hosts", rule.id, hosts.size()));
  try {
    const auto done = pictures_.with(question.picture(), [&](const emplace_view& view) -> Result<void> {
      const emplace_call call{sizeof(emplace_call),
                              static_cast<std::uint32_t>(request.tables().size()),
                              &view,
                              request.tables().data(),
                              hosts.data(),
                              static_cast<std::uint32_t>(hosts.size()),
                              0,
                              query.request.document.data(),
                              query.request.document.size(),
                              query.vm.nova_spec.data(),
                              query.vm.nova_spec.size(),
                              query.now_us,
                              deadline_us};
      use(call);
      return {};
    });
    if (!done) error = done.error().message;
  } catch (...) {
    // The service would end here: no frame of it expects an exception from a C function.
    error = "threw an exception across the C ABI";
  }
  if (watch_) watch_->leave();
}

void Instance::fill(const Rule& rule, const emplace_call& call, Answer& answer) {
  if (rule.kind == Kind::kFilter) screen(plugin_->filter(rule.id), call, answer);
  if (rule.kind == Kind::kObjective) evaluate(plugin_->objective(rule.id), call, answer);
  if (rule.kind == Kind::kWeigher) weigh(plugin_->weigher(rule.id), call, answer);
}

Answer Instance::ask(const Rule& rule, const Question& question, std::span<const std::uint32_t> hosts,
                     std::int64_t deadline_us) {
  Answer answer;
  std::string error;
  with_call(rule, question, hosts, deadline_us, error, [&](const emplace_call& call) { fill(rule, call, answer); });
  if (!error.empty()) answer = {false, error};
  if (!answer.ok) answer.cells.clear();
  return answer;
}

Explained Instance::explain(const Rule& rule, const Question& question, std::uint32_t host, std::uint8_t reason) {
  Explained explained;
  with_call(rule, question, {}, kNoHurry, explained.error, [&](const emplace_call& call) {
    const emplace_filter& filter = plugin_->filter(rule.id);
    emplace_refusal refusal{};
    refusal.size = sizeof refusal;
    emplace_error error{sizeof(emplace_error), {}};
    Answer answer;
    finish(answer, filter.explain(filter.self, &call, host, reason, &refusal, &error), error);
    explained.error = answer.error;
    explained.code = text_in(refusal.code);
  });
  return explained;
}

std::optional<std::string> fault_in(const Rule& rule, const Answer& answer, std::size_t hosts) {
  if (!answer.ok) return answer.error;
  if (answer.count != hosts) return fmt::format("wanted results for {} hosts, found {}", hosts, answer.count);
  if (answer.overran) return "wrote past the end of its results";
  for (const Cell& cell : answer.cells) {
    if (auto fault = fault_in_cell(rule.kind, cell)) return fault;
  }
  return std::nullopt;
}

std::string to_text(const Rule& rule, const Cell& cell) {
  if (rule.kind == Kind::kFilter) return cell.value ? "kept" : fmt::format("refused with {}", cell.second);
  if (rule.kind == Kind::kObjective && cell.second == EMPLACE_QUALITY_NO_DATA) return "no data";
  return fmt::format("{}", std::bit_cast<double>(cell.value));
}

}  // namespace emplace::check
