#include "service/plugins/loading.h"

#include <fmt/format.h>

#include <chrono>
#include <cstring>

#include "service/plugins/questions.h"
#include "service/plugins/texts.h"

namespace emplace {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::uint64_t kNoPictures = 4096;  // of the annex of a trial, which is shown none

void write_rules(MessageWriter& writer, const std::vector<ManifestRule>& rules) {
  writer.number(rules.size());
  for (const ManifestRule& rule : rules) writer.text(rule.id);
}

void write_order(MessageWriter& writer, const LoadOrder& order) {
  const Manifest& manifest = order.manifest;
  writer.number(static_cast<std::uint64_t>(WorkerQuestion::kLoad));
  writer.text(manifest.library.string());
  writer.number(order.library->same_on_disk() ? 1 : 0);
  writer.number(order.must_be_confined ? 1 : 0);
  writer.text(order.configuration);
  writer.text(manifest.id);
  writer.text(manifest.version);
  write_rules(writer, manifest.filters);
  write_rules(writer, manifest.objectives);
  write_rules(writer, manifest.weighers);
  writer.number(manifest.has_observer ? 1 : 0);
  writer.number(manifest.has_consumer ? 1 : 0);
}

// Nothing: it answered.
Result<void> ask(WorkerProcess& process, const LoadOrder& order, const WorkerSettings& settings, const char* doing) {
  const auto refuse = [&](const std::string& why) {
    return fail(ErrorCode::kInvalid,
                fmt::format("plugin {} ({}): {}", order.manifest.id, order.manifest.library.string(), why));
  };
  switch (process.ask(steady_clock::now() + milliseconds(settings.start_timeout_ms))) {
    case WorkerProcess::Outcome::kLate:
      return refuse(fmt::format("was not {} within {} ms", doing, settings.start_timeout_ms));
    case WorkerProcess::Outcome::kOver:
      return refuse(fmt::format("while it was {}, {}", doing, process.ending()));
    case WorkerProcess::Outcome::kAnswered:
      break;
  }
  return {};
}

Result<void> end(WorkerProcess& process, const LoadOrder& order, const WorkerSettings& settings) {
  MessageWriter(process.room()).number(static_cast<std::uint64_t>(WorkerQuestion::kEnd));
  return ask(process, order, settings, "destroyed");
}

}  // namespace

Result<std::uint32_t> load_into(WorkerProcess& process, const LoadOrder& order, const WorkerSettings& settings) {
  MessageWriter writer(process.room());
  write_order(writer, order);
  if (!writer.fits()) return fail(ErrorCode::kInvalid, "wanted a configuration that fits into the exchange");
  if (const auto asked = ask(process, order, settings, "loaded"); !asked) return tl::unexpected(asked.error());
  WorkerAnswer answer;
  std::memcpy(&answer, process.room().data() + AnswerPlace(writer.used(), 0, 0).head, sizeof answer);
  if (answer.status == EMPLACE_OK) return answer.count;
  return fail(ErrorCode::kInvalid, text_in(answer.error));
}

Result<void> try_out(const LoadOrder& order, const WorkerSettings& settings) {
  const auto annex = Arena::create(kNoPictures);
  if (!annex) return tl::unexpected(annex.error());
  WorkerSettings alone = settings;
  alone.pictures = nullptr;
  const auto process = WorkerProcess::start(alone, **annex, order.library->copy_fd());
  if (!process) return tl::unexpected(process.error());
  const auto loaded = load_into(**process, order, alone);
  return loaded ? end(**process, order, alone) : tl::unexpected(loaded.error());
}

}  // namespace emplace
