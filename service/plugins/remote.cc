#include "service/plugins/remote.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <new>

#include "service/plugins/table_message.h"
#include "service/plugins/texts.h"

namespace emplace {
namespace {

using std::chrono::microseconds;
using std::chrono::steady_clock;

std::int32_t fail_with(emplace_error* error, const Error& why) {
  put_text(why.message, *error);
  return EMPLACE_FAILED;
}

tl::unexpected<Error> too_large() {
  return fail(ErrorCode::kUnavailable, "wanted a question that fits into the memory shared with a worker");
}

bool has_spans(const emplace_call& call) {
  for (std::uint32_t t = 0; t < call.request_table_count; ++t) {
    const emplace_table& table = *emplace_table_at(call.request_tables, t);
    for (std::uint32_t c = 0; c < table.column_count; ++c) {
      if (emplace_column_at(&table, c)->type == EMPLACE_SPAN_U64) return true;
    }
  }
  return false;
}

}  // namespace

const emplace_entry RemotePlugin::kEntry = {
    sizeof(emplace_entry),        EMPLACE_ABI_MAJOR, EMPLACE_ABI_MINOR, 0, "worker", "", nullptr,
    &RemotePlugin::get_extension, [](void*) {}};

RemotePlugin::RemotePlugin(Worker::Order order, Deadlines deadlines, std::function<void()> missed)
    : deadlines_(deadlines),
      all_{*this, "", {}, {}, {}},
      observer_{sizeof(emplace_observer), 0, this, &RemotePlugin::observe, &RemotePlugin::forget},
      consumer_{sizeof(emplace_consumer), 0, this, &RemotePlugin::take},
      missed_(std::move(missed)),
      worker_(order) {
  const auto add = [this](const std::vector<ManifestRule>& rules) {
    for (const ManifestRule& rule : rules) {
      Rule& added = rules_.emplace_back(Rule{*this, rule.id, {}, {}, {}});
      added.filter = {sizeof(emplace_filter), 0, &added, &RemotePlugin::screen, &RemotePlugin::explain};
      added.objective = {sizeof(emplace_objective), 0, &added, &RemotePlugin::evaluate};
      added.weigher = {sizeof(emplace_weigher), 0, &added, &RemotePlugin::weigh};
    }
  };
  const Manifest& manifest = order.load.manifest;
  add(manifest.filters), add(manifest.objectives), add(manifest.weighers);
}

std::unique_ptr<PluginInstance> RemotePlugin::instance() { return std::make_unique<PluginInstance>(kEntry, this); }

const void* RemotePlugin::get_extension(void* instance, const char* id, const char* rule) {
  auto& plugin = *static_cast<RemotePlugin*>(instance);
  const std::string_view wanted(id);
  if (wanted == EMPLACE_OBSERVER) return &plugin.observer_;
  if (wanted == EMPLACE_CONSUMER) return &plugin.consumer_;
  for (const Rule& known : plugin.rules_) {
    if (known.id != rule) continue;
    if (wanted == EMPLACE_FILTER) return &known.filter;
    if (wanted == EMPLACE_OBJECTIVE) return &known.objective;
    if (wanted == EMPLACE_WEIGHER) return &known.weigher;
  }
  return nullptr;
}

// ---- the functions of plugin.h

std::int32_t RemotePlugin::screen(void* self, const emplace_call* call, emplace_verdicts* verdicts,
                                  emplace_error* error) {
  const Rule& rule = *static_cast<const Rule*>(self);
  const std::size_t count = call->candidate_count;
  const auto answered = rule.plugin.call({WorkerQuestion::kScreen, rule, *call, 0, 0, keep_bytes(count), count});
  if (!answered) return fail_with(error, answered.error());
  std::memcpy(verdicts->keep, answered->first, keep_bytes(count));
  std::memcpy(verdicts->reasons, answered->second, count);
  verdicts->count = answered->head.count;
  return EMPLACE_OK;
}

std::int32_t RemotePlugin::explain(void* self, const emplace_call* call, std::uint32_t host, std::uint8_t reason,
                                   emplace_refusal* refusal, emplace_error* error) {
  const Rule& rule = *static_cast<const Rule*>(self);
  const auto answered = rule.plugin.call({WorkerQuestion::kExplain, rule, *call, host, reason, 0, 0});
  if (!answered) return fail_with(error, answered.error());
  *refusal = answered->head.refusal;
  return EMPLACE_OK;
}

std::int32_t RemotePlugin::evaluate(void* self, const emplace_call* call, emplace_costs* costs, emplace_error* error) {
  const Rule& rule = *static_cast<const Rule*>(self);
  const std::size_t count = call->candidate_count;
  const auto answered = rule.plugin.call({WorkerQuestion::kEvaluate, rule, *call, 0, 0, count * sizeof(double), count});
  if (!answered) return fail_with(error, answered.error());
  std::memcpy(costs->costs, answered->first, count * sizeof(double));
  std::memcpy(costs->quality, answered->second, count);
  costs->count = answered->head.count;
  return EMPLACE_OK;
}

std::int32_t RemotePlugin::weigh(void* self, const emplace_call* call, emplace_weights* weights, emplace_error* error) {
  const Rule& rule = *static_cast<const Rule*>(self);
  const std::size_t bytes = call->candidate_count * sizeof(double);
  const auto answered = rule.plugin.call({WorkerQuestion::kWeigh, rule, *call, 0, 0, bytes, bytes});
  if (!answered) return fail_with(error, answered.error());
  weights->count = answered->head.count;
  std::memcpy(weights->values, answered->first, weights->count == 1 ? std::min(bytes, sizeof(double)) : bytes);
  std::memcpy(weights->multipliers, answered->second, bytes);
  weights->has_minimum = answered->head.has_minimum, weights->has_maximum = answered->head.has_maximum;
  weights->minimum = answered->head.minimum, weights->maximum = answered->head.maximum;
  return EMPLACE_OK;
}

std::int32_t RemotePlugin::observe(void* self, const emplace_view* before, const emplace_view* after,
                                   const emplace_changed_rows* changes, std::uint32_t change_count,
                                   emplace_error* error) {
  auto& plugin = *static_cast<RemotePlugin*>(self);
  const auto process = plugin.worker_.process();
  if (!process) return fail_with(error, process.error());
  const auto shown = plugin.show(**process, before, *after, changes, change_count);
  if (shown) return EMPLACE_OK;
  plugin.copies_.erase(after->identity);  // it does not count as observed, so nobody will ask to forget it
  return fail_with(error, shown.error());
}

void RemotePlugin::forget(void* self, std::uint64_t identity) {
  auto& plugin = *static_cast<RemotePlugin*>(self);
  if (const auto process = plugin.worker_.process(); process && (*process)->shown().erase(identity) > 0) {
    MessageWriter writer((*process)->room());
    writer.number(static_cast<std::uint64_t>(WorkerQuestion::kForget));
    writer.number(identity);
    // An error here ended the worker, which then has forgotten everything.
    std::ignore = plugin.ask(**process, writer.used(), plugin.deadlines_.observe_us);
  }
  plugin.copies_.erase(identity);
}

std::int32_t RemotePlugin::take(void* self, const emplace_call* call, std::uint32_t host, emplace_taking* taking,
                                emplace_error* error) {
  auto& plugin = *static_cast<RemotePlugin*>(self);
  const auto answered = plugin.call({WorkerQuestion::kTake, plugin.all_, *call, host, 0, kTakingBytes, 0});
  if (!answered) return fail_with(error, answered.error());
  taking->bytes = std::min({answered->head.count, kTakingBytes, taking->capacity});
  std::memcpy(taking->text, answered->first, taking->bytes);
  return EMPLACE_OK;
}

// ---- questions

bool RemotePlugin::is_mapped(const emplace_view& view) const {
  const Arena* const pictures = worker_.pictures();
  return pictures && reinterpret_cast<const std::byte*>(view.memory_base) == pictures->base();
}

Result<RemotePlugin::Answered> RemotePlugin::call(const Asked& asked) {
  auto process = worker_.process();
  if (!process) return tl::unexpected(process.error());
  if (!(*process)->shown().contains(asked.call.picture->identity)) {
    const auto shown = show(**process, nullptr, *asked.call.picture, nullptr, 0);
    if (!shown) return tl::unexpected(shown.error());
  }
  MessageWriter writer((*process)->room());
  try {
    write_call(writer, asked);
  } catch (const std::bad_alloc&) {
    return too_large();
  }
  const AnswerPlace place(writer.used(), asked.first_bytes, asked.second_bytes);
  if (!writer.fits() || place.end > (*process)->room().size()) return too_large();
  const auto head = ask(**process, writer.used(), deadlines_.call_us);
  if (!head) return tl::unexpected(head.error());
  worker_.worked();
  const std::byte* const room = (*process)->room().data();
  return Answered{*std::move(process), *head, room + place.first, room + place.second};
}

void RemotePlugin::write_call(MessageWriter& writer, const Asked& asked) {
  const emplace_call& call = asked.call;
  writer.number(static_cast<std::uint64_t>(asked.question));
  writer.text(asked.rule.id);
  writer.number(call.picture->identity);
  writer.number(asked.host);
  writer.number(asked.reason);
  writer.whole(call.now_us);
  writer.whole(call.deadline_us);
  writer.array(call.candidates, call.candidate_count * sizeof(std::uint32_t));
  writer.text({call.document, call.document_bytes});
  writer.text({call.nova_spec, call.nova_spec_bytes});
  if (is_mapped(*call.picture) || !has_spans(call)) {
    write_tables(writer, call.request_tables, call.request_table_count, nullptr);
  } else {
    // Spans have to lead into the annex, for as long as the call.
    call_copy_ = std::make_unique<TableCopy>(call.request_tables, call.request_table_count, call.picture->memory_base,
                                             worker_.annex());
    write_tables(writer, call_copy_->data(), call_copy_->count(), nullptr);
  }
}

Result<void> RemotePlugin::show(WorkerProcess& process, const emplace_view* before, const emplace_view& after,
                                const emplace_changed_rows* changes, std::uint32_t change_count) {
  const bool from_before = before && process.shown().contains(before->identity);
  MessageWriter writer(process.room());
  writer.number(static_cast<std::uint64_t>(WorkerQuestion::kObserve));
  writer.number(from_before ? before->identity : 0);
  if (const auto written = write_view(writer, after); !written) return written;
  // Changes say nothing without the picture that they changed.
  if (!from_before) change_count = 0;
  writer.number(change_count);
  for (std::uint32_t i = 0; i < change_count; ++i) {
    const emplace_changed_rows& change = *emplace_changed_rows_at(changes, i);
    writer.number(change.table);
    writer.number(change.column);
    writer.number(change.count);
    writer.array(change.rows, change.count * sizeof(std::uint32_t));
  }
  if (!writer.fits() || AnswerPlace(writer.used(), 0, 0).end > process.room().size()) return too_large();
  const auto answered = ask(process, writer.used(), deadlines_.observe_us);
  if (!answered) return tl::unexpected(answered.error());
  process.shown().insert(after.identity);
  return {};
}

Result<void> RemotePlugin::write_view(MessageWriter& writer, const emplace_view& view) {
  const bool mapped = is_mapped(view);
  writer.number(view.identity);
  writer.number(view.version);
  writer.whole(view.made_at_us);
  writer.number(static_cast<std::uint64_t>(mapped ? WorkerMemory::kPictures : WorkerMemory::kAnnex));
  if (mapped) {
    write_tables(writer, view.tables, view.table_count, view.memory_base);
    return {};
  }
  Arena& annex = worker_.annex();
  auto& copy = copies_[view.identity];
  try {
    if (!copy) copy = std::make_unique<TableCopy>(view.tables, view.table_count, view.memory_base, annex);
  } catch (const std::bad_alloc&) {
    copies_.erase(view.identity);
    return fail(ErrorCode::kUnavailable, "wanted a picture that fits into the worker's annex");
  }
  write_tables(writer, copy->data(), copy->count(), reinterpret_cast<const unsigned char*>(annex.base()));
  return {};
}

Error RemotePlugin::lose(WorkerProcess& process, const std::string& why) {
  ++losses_;
  worker_.lost(process, why);
  missed_();
  return {ErrorCode::kUnavailable, why};
}

Result<WorkerAnswer> RemotePlugin::ask(WorkerProcess& process, std::size_t used, std::int64_t hard_us) {
  switch (process.ask(steady_clock::now() + microseconds(hard_us))) {
    case WorkerProcess::Outcome::kLate: {
      const std::string why = fmt::format("its worker was killed: no answer within {} ms", hard_us / 1000);
      process.kill(why);
      return tl::unexpected(lose(process, why));
    }
    case WorkerProcess::Outcome::kOver:
      return tl::unexpected(lose(process, process.ending()));
    case WorkerProcess::Outcome::kAnswered:
      break;
  }
  WorkerAnswer head;
  std::memcpy(&head, process.room().data() + AnswerPlace(used, 0, 0).head, sizeof head);
  if (head.status == EMPLACE_OK) return head;
  return fail(ErrorCode::kUnavailable, text_in(head.error));
}

}  // namespace emplace
