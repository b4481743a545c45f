#include "service/plugins/answering.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "service/plugins/texts.h"

namespace emplace {
namespace {

const std::filesystem::path kLibraryCopy = fmt::format("/proc/self/fd/{}", +kLibraryFd);

struct AnswerWidths {
  std::size_t first, second;  // bytes of the two arrays of results
};

AnswerWidths widths_of(WorkerQuestion question, std::size_t candidates) {
  if (question == WorkerQuestion::kScreen) return {keep_bytes(candidates), candidates};
  if (question == WorkerQuestion::kEvaluate) return {candidates * sizeof(double), candidates};
  if (question == WorkerQuestion::kWeigh) return {candidates * sizeof(double), candidates * sizeof(double)};
  if (question == WorkerQuestion::kTake) return {kTakingBytes, 0};
  return {0, 0};
}

std::vector<ManifestRule> read_rules(MessageReader& reader) {
  std::vector<ManifestRule> rules;
  for (std::uint64_t left = reader.number(); left > 0 && reader.complete(); --left) {
    rules.push_back({.id = std::string(reader.text()), .description = {}});
  }
  return rules;
}

bool has_rule(const std::vector<ManifestRule>& rules, const std::string& id) {
  return std::ranges::any_of(rules, [&](const ManifestRule& rule) { return rule.id == id; });
}

}  // namespace

struct AnsweringPlugin::Asked {
  std::string rule;
  std::uint32_t host;
  std::uint8_t reason;
  std::byte* first;
  std::byte* second;
};

WorkerAnswer& AnsweringPlugin::place_answer(std::size_t at) {
  head_ = reinterpret_cast<WorkerAnswer*>(exchange_.room().data() + at);
  *head_ = WorkerAnswer{};
  head_->error.size = sizeof(emplace_error);
  head_->refusal.size = sizeof(emplace_refusal);
  return *head_;
}

std::int32_t AnsweringPlugin::fail_with(const std::string& why) {
  put_text(why, head_->error);
  return EMPLACE_FAILED;
}

struct AnsweringPlugin::Order {
  bool on_disk;  // the library lies at its path; else there is only the copy
  bool must_be_confined;
  std::string configuration;
};

AnsweringPlugin::Order AnsweringPlugin::read_order() {
  MessageReader reader(exchange_.room());
  reader.number();  // the kind: the first question is kLoad
  manifest_.library = std::string(reader.text());
  Order order{reader.number() != 0, reader.number() != 0, std::string(reader.text())};
  manifest_.id = reader.text();
  manifest_.version = reader.text();
  manifest_.filters = read_rules(reader);
  manifest_.objectives = read_rules(reader);
  manifest_.weighers = read_rules(reader);
  manifest_.has_observer = reader.number() != 0;
  manifest_.has_consumer = reader.number() != 0;
  place_answer(AnswerPlace(reader.used(), 0, 0).head);
  return order;
}

Result<void> AnsweringPlugin::load(const Steps& steps) {
  exchange_.wait_for_question();
  const Order order = read_order();
  const auto confined = load_plugin(order, steps);
  head_->status = confined ? EMPLACE_OK : fail_with(confined.error().message);
  head_->count = confined.value_or(0);
  exchange_.answer();
  return confined ? Result<void>() : tl::unexpected(confined.error());
}

Result<std::uint32_t> AnsweringPlugin::load_plugin(const Order& order, const Steps& steps) {
  const auto confined = steps.before_loading(manifest_.library);
  if (!confined) return confined;
  if (const std::string lacking = lacking_confinement(*confined); order.must_be_confined && !lacking.empty()) {
    return fail(ErrorCode::kInvalid,
                fmt::format("plugin {}: confinement: wanted all that is required, found no {}", manifest_.id, lacking));
  }
  // Another user may not be let into the library's folder.
  const bool reachable = order.on_disk && access(manifest_.library.c_str(), R_OK) == 0;
  const auto library = PluginLibrary::open(manifest_, reachable ? manifest_.library : kLibraryCopy);
  if (!library) return tl::unexpected(library.error());
  if (const auto done = steps.before_creating(); !done) return tl::unexpected(done.error());
  auto plugin = library->create(manifest_, order.configuration);
  if (!plugin) return tl::unexpected(plugin.error());
  plugin_ = *std::move(plugin);
  return *confined;
}

void AnsweringPlugin::answer_next() {
  exchange_.wait_for_question();
  MessageReader reader(exchange_.room());
  const auto question = static_cast<WorkerQuestion>(reader.number());
  std::int32_t status = EMPLACE_OK;
  if (question == WorkerQuestion::kEnd) {
    place_answer(AnswerPlace(reader.used(), 0, 0).head);
    plugin_.reset();
  } else if (question == WorkerQuestion::kForget) {
    const std::uint64_t identity = reader.number();
    place_answer(AnswerPlace(reader.used(), 0, 0).head);
    if (manifest_.has_observer) plugin_->observer().forget(plugin_->observer().self, identity);
    views_.erase(identity);
  } else {
    status = question == WorkerQuestion::kObserve ? observe(reader) : call(question, reader);
  }
  head_->status = status;
  exchange_.answer();
}

std::int32_t AnsweringPlugin::observe(MessageReader& reader) {
  const auto before = views_.find(reader.number());
  const std::uint64_t identity = reader.number(), version = reader.number();
  const std::int64_t made_at_us = reader.whole();
  const bool annex = static_cast<WorkerMemory>(reader.number()) == WorkerMemory::kAnnex;
  const unsigned char* const base = annex ? memories_.annex : memories_.pictures;
  auto known = std::make_unique<KnownView>(reader, base);
  known->view = {
      sizeof(emplace_view), known->tables.count(), known->tables.data(), identity, version, made_at_us, base};
  std::vector<emplace_changed_rows> changes(reader.number());
  for (emplace_changed_rows& change : changes) {
    change = {sizeof change, reader.small(), reader.small(), reader.small(), nullptr};
    change.rows = reinterpret_cast<const std::uint32_t*>(reader.array().data());
  }
  WorkerAnswer& answer = place_answer(AnswerPlace(reader.used(), 0, 0).head);
  if (manifest_.has_observer) {
    const emplace_observer& observer = plugin_->observer();
    const std::int32_t status =
        observer.observe(observer.self, before == views_.end() ? nullptr : &before->second->view, &known->view,
                         changes.data(), static_cast<std::uint32_t>(changes.size()), &answer.error);
    if (status != EMPLACE_OK) return status;
  }
  views_[identity] = std::move(known);
  return EMPLACE_OK;
}

std::int32_t AnsweringPlugin::call(WorkerQuestion question, MessageReader& reader) {
  Asked asked{};
  asked.rule = reader.text();
  const auto known = views_.find(reader.number());
  asked.host = reader.small();
  asked.reason = static_cast<std::uint8_t>(reader.number());
  emplace_call call{};
  call.size = sizeof call;
  call.now_us = reader.whole();
  call.deadline_us = reader.whole();
  const auto candidates = reader.array();
  call.candidates = reinterpret_cast<const std::uint32_t*>(candidates.data());
  call.candidate_count = static_cast<std::uint32_t>(candidates.size() / sizeof(std::uint32_t));
  const std::string_view document = reader.text(), nova_spec = reader.text();
  call.document = document.data(), call.document_bytes = document.size();
  call.nova_spec = nova_spec.data(), call.nova_spec_bytes = nova_spec.size();
  const ReceivedTables tables(reader, nullptr);
  call.request_tables = tables.data(), call.request_table_count = tables.count();
  const AnswerWidths widths = widths_of(question, call.candidate_count);
  const AnswerPlace place(reader.used(), widths.first, widths.second);
  place_answer(place.head);
  if (known == views_.end()) return fail_with("wanted a picture that was shown before, found another");
  call.picture = &known->second->view;
  asked.first = exchange_.room().data() + place.first;
  asked.second = exchange_.room().data() + place.second;
  return run(question, asked, call);
}

std::int32_t AnsweringPlugin::run(WorkerQuestion question, const Asked& asked, const emplace_call& call) {
  if (question == WorkerQuestion::kScreen && has_rule(manifest_.filters, asked.rule)) return screen(asked, call);
  if (question == WorkerQuestion::kExplain && has_rule(manifest_.filters, asked.rule)) {
    const emplace_filter& filter = plugin_->filter(asked.rule);
    return filter.explain(filter.self, &call, asked.host, asked.reason, &head_->refusal, &head_->error);
  }
  if (question == WorkerQuestion::kEvaluate && has_rule(manifest_.objectives, asked.rule)) return evaluate(asked, call);
  if (question == WorkerQuestion::kWeigh && has_rule(manifest_.weighers, asked.rule)) return weigh(asked, call);
  if (question == WorkerQuestion::kTake && manifest_.has_consumer) return take(asked, call);
  return fail_with("wanted a rule of the plugin, found \"" + asked.rule + '"');
}

std::int32_t AnsweringPlugin::screen(const Asked& asked, const emplace_call& call) {
  auto* const reasons = reinterpret_cast<std::uint8_t*>(asked.second);
  std::fill_n(asked.first, keep_bytes(call.candidate_count), std::byte{0});
  std::fill_n(reasons, call.candidate_count, std::uint8_t{0});
  emplace_verdicts verdicts{sizeof verdicts, 0, reinterpret_cast<std::uint64_t*>(asked.first), reasons};
  const emplace_filter& filter = plugin_->filter(asked.rule);
  const std::int32_t status = filter.screen(filter.self, &call, &verdicts, &head_->error);
  head_->count = verdicts.count;
  return status;
}

std::int32_t AnsweringPlugin::evaluate(const Asked& asked, const emplace_call& call) {
  auto* const values = reinterpret_cast<double*>(asked.first);
  auto* const quality = reinterpret_cast<std::uint8_t*>(asked.second);
  std::fill_n(values, call.candidate_count, kUnset);
  std::fill_n(quality, call.candidate_count, std::uint8_t{EMPLACE_QUALITY_OK});
  emplace_costs costs{sizeof costs, 0, values, quality};
  const emplace_objective& objective = plugin_->objective(asked.rule);
  const std::int32_t status = objective.evaluate(objective.self, &call, &costs, &head_->error);
  head_->count = costs.count;
  return status;
}

std::int32_t AnsweringPlugin::weigh(const Asked& asked, const emplace_call& call) {
  auto* const values = reinterpret_cast<double*>(asked.first);
  auto* const multipliers = reinterpret_cast<double*>(asked.second);
  std::fill_n(values, call.candidate_count, kUnset);
  std::fill_n(multipliers, call.candidate_count, kUnset);
  emplace_weights weights{sizeof weights, 0, values, multipliers, 0, 0, 0, 0};
  const emplace_weigher& weigher = plugin_->weigher(asked.rule);
  const std::int32_t status = weigher.weigh(weigher.self, &call, &weights, &head_->error);
  head_->count = weights.count;
  head_->has_minimum = weights.has_minimum, head_->has_maximum = weights.has_maximum;
  head_->minimum = weights.minimum, head_->maximum = weights.maximum;
  return status;
}

std::int32_t AnsweringPlugin::take(const Asked& asked, const emplace_call& call) {
  emplace_taking taking{sizeof taking, kTakingBytes, 0, 0, reinterpret_cast<char*>(asked.first)};
  const emplace_consumer& consumer = plugin_->consumer();
  const std::int32_t status = consumer.take(consumer.self, &call, asked.host, &taking, &head_->error);
  head_->count = taking.bytes;
  return status;
}

}  // namespace emplace
