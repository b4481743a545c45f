#include "service/wiring/pictures.h"

#include <fmt/format.h>

#include <filesystem>
#include <iterator>
#include <utility>
#include <vector>

#include "service/core/base/shown_text.h"
#include "service/wiring/log.h"
#include "service/wiring/world.h"

namespace emplace {
namespace {

// Null: none is kept.
Result<std::unique_ptr<observe::History>> history_of(const Config& config) {
  if (config.history_mib == 0) return nullptr;
  return observe::History::open({.directory = (std::filesystem::path(config.data) / "history").string(),
                                 .replica = config.replica,
                                 .limit_bytes = std::uint64_t{config.history_mib} << 20,
                                 .complain = [](const std::string& line) {
                                   log_line("warn", fmt::format("event=history error={}", log_text(line)));
                                 }});
}

}  // namespace

PicturePart::PicturePart(const Config& config, std::shared_ptr<Arena> arena, std::unique_ptr<observe::History> history,
                         PostgresStore& store, PluginPart& plugins)
    : store_(store),
      plugins_(plugins),
      observer_(std::move(arena), config.replica, std::move(history), wall_clock_us, [](const std::string& line) {
        log_line("error", fmt::format("event=not_understood error={}", log_text(line)));
      }) {}

Result<std::unique_ptr<PicturePart>> PicturePart::open(const Config& config, std::shared_ptr<Arena> arena,
                                                       PostgresStore& store, PluginPart& plugins) {
  auto history = history_of(config);
  if (!history) return tl::unexpected(history.error());
  std::unique_ptr<PicturePart> part(new PicturePart(config, std::move(arena), *std::move(history), store, plugins));
  const auto loaded = part->load();
  if (!loaded) return tl::unexpected(loaded.error());
  part->follow(*loaded);
  return part;
}

Result<std::int64_t> PicturePart::load() {
  std::vector<Change> all;
  const auto take = [&](std::vector<Change> changes) {
    std::move(changes.begin(), changes.end(), std::back_inserter(all));
  };
  const auto seq = store_.load(take, start_deadline());
  if (seq) observer_.load(all, *seq);
  return seq;
}

void PicturePart::follow(std::int64_t after) {
  tail_ = store_.tail(
      after,
      [this](std::span<const Event> events) {
        observer_.apply(events);
        plugins_.take_profiles(events);
        plugins_.current()->observe(*observer_.latest());
      },
      [this](EventTail::Loss loss) { return load_anew(loss); });
}

std::optional<std::int64_t> PicturePart::load_anew(EventTail::Loss loss) {
  if (loss == EventTail::Loss::kRewound)
    log_line("error",
             "event=rewound what=\"the database lacks events that it had: it was restored, or a replica of it"
             " took over without the newest commits\"");
  const auto before = observer_.latest()->version().event_seq;
  const auto seq = load();
  const auto done = seq ? plugins_.take_stored_profiles(store_, start_deadline()) : tl::unexpected(seq.error());
  if (!done) {
    log_line("error", fmt::format("event=events_lost action=try_again error={}", log_text(done.error().message)));
    return std::nullopt;
  }
  log_line("error", fmt::format("event=events_lost action=loaded_anew had={} now={}", before, *seq));
  plugins_.current()->observe(*observer_.latest());
  return *seq;
}

}  // namespace emplace
