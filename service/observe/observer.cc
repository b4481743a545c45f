#include "service/observe/observer.h"

#include <fmt/format.h>

namespace emplace::observe {
namespace {

// The vm whose reservation a change makes or ends.
std::optional<Uuid> reserved_vm(const Change& change) {
  const auto of = [](const Uuid& vm, const std::optional<Uuid>& claim) {
    return claim == vm ? std::optional(vm) : std::nullopt;
  };
  if (const auto* row = std::get_if<VmRow>(&change)) return of(row->id, row->claim);
  if (const auto* removed = std::get_if<VmRemoved>(&change)) return of(removed->id, removed->claim);
  return std::nullopt;
}

}  // namespace

Observer::Observer(std::shared_ptr<Arena> arena, std::string replica, std::unique_ptr<History> history,
                   std::function<std::int64_t()> now_us, std::function<void(const std::string&)> complain)
    : arena_(std::move(arena)),
      replica_(std::move(replica)),
      history_(std::move(history)),
      now_us_(std::move(now_us)),
      complain_(std::move(complain)),
      published_(std::make_shared<const Picture>(arena_)),
      next_version_(history_ ? history_->first_version() : 1) {}

void Observer::load(const std::vector<Change>& changes, std::int64_t event_seq) {
  const std::lock_guard lock(writing_);
  PictureBuilder builder(std::make_shared<const Picture>(arena_));
  for (const Change& change : changes) emplace::apply(builder, change);
  publish(builder, event_seq, published_.take()->version().loads + 1, std::nullopt);
}

void Observer::apply(std::span<const Event> events) {
  const std::lock_guard lock(writing_);
  const auto latest = published_.take();
  PictureBuilder builder(latest);
  std::vector<std::string> applied;
  std::int64_t seq = latest->version().event_seq;
  for (const Event& event : events) {
    if (event.seq <= seq) continue;
    seq = event.seq;
    if (event.kind == kProfileEvent) continue;  // no part of the picture
    const auto change = change_from_json(event.payload);
    if (!change) {
      complain_(fmt::format("event {} ({}) is not in the picture: {}", seq, event.kind, change.error().message));
      continue;
    }
    const auto vm = reserved_vm(*change);
    const auto newer = vm && newer_ ? newer_(*vm, seq) : std::nullopt;
    emplace::apply(builder, newer.value_or(*change));
    applied.push_back(newer ? to_json(*newer) : event.payload);
  }
  if (seq != latest->version().event_seq) publish(builder, seq, latest->version().loads, std::move(applied));
}

void Observer::heed(Newer newer) {
  const std::lock_guard lock(writing_);
  newer_ = std::move(newer);
}

void Observer::amend(std::span<const Change> changes) {
  if (changes.empty()) return;
  const std::lock_guard lock(writing_);
  const auto latest = published_.take();
  PictureBuilder builder(latest);
  std::vector<std::string> applied;
  for (const Change& change : changes) {
    emplace::apply(builder, change);
    if (history_) applied.push_back(to_json(change));
  }
  publish(builder, latest->version().event_seq, latest->version().loads, std::move(applied));
}

void Observer::publish(PictureBuilder& builder, std::int64_t event_seq, std::int64_t loads, History::Changes changes) {
  auto next = builder.finish({replica_, next_version_++, event_seq, loads}, now_us_());
  if (history_) history_->record(next, std::move(changes));
  published_.publish(std::move(next));
  {
    const std::lock_guard lock(mutex_);
    event_seq_ = event_seq;
    loads_ = loads;
  }
  changed_.notify_all();
}

bool Observer::wait_for(std::int64_t event_seq, Deadline deadline) const {
  std::unique_lock lock(mutex_);
  const std::int64_t loads = loads_;
  changed_.wait_until(lock, deadline, [&] { return event_seq_ >= event_seq || loads_ != loads; });
  return event_seq_ >= event_seq;
}

Result<std::shared_ptr<const Picture>> Observer::at(const PictureVersion& version) const {
  const auto current = latest();
  if (version.replica == replica_ && version.version == current->version().version) return current;
  if (!history_) return fail(ErrorCode::kGone, "no history is kept", "emplace.replay.expired");
  return history_->at(version, arena_);
}

}  // namespace emplace::observe
