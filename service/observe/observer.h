// Observer: the one writer of the picture. It turns the store's events into the next version, publishes it, and hands
// it to the history. Readers take the latest picture without waiting.
//
// Order of calls: load, then apply for each batch of events in the order of their seq, by one thread, which may load
// again. Everything else by any thread. amend() is for what this replica knows before its event comes back, heed() for
// what must outlast older events.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "service/core/base/deadline.h"
#include "service/core/base/result.h"
#include "service/core/change/change.h"
#include "service/core/doors/pictures.h"
#include "service/core/doors/store.h"
#include "service/core/picture/picture.h"
#include "service/observe/history.h"

namespace emplace::observe {

class Observer : public Pictures {
 public:
  // `history` may be null: then nothing can be replayed. `complain` gets a line for each event that can't be read, such
  // as one of a newer replica: the picture goes on without it.
  Observer(std::shared_ptr<Arena> arena, std::string replica, std::unique_ptr<History> history,
           std::function<std::int64_t()> now_us, std::function<void(const std::string&)> complain);

  void load(const std::vector<Change>& changes, std::int64_t event_seq);
  // Events that are in the picture already are skipped; kinds that are no rows of the picture too.
  void apply(std::span<const Event> events);
  void amend(std::span<const Change> changes);
  // A reservation that was decided here after the one of vm `vm` that event `seq` tells of; asked by apply(), under its
  // lock. Empty: nobody decides here.
  using Newer = std::function<std::optional<Change>(const Uuid& vm, std::int64_t seq)>;
  void heed(Newer newer);

  std::shared_ptr<const Picture> latest() const override { return published_.take(); }
  bool wait_for(std::int64_t event_seq, Deadline deadline) const override;
  Result<std::shared_ptr<const Picture>> at(const PictureVersion& version) const override;

 private:
  void publish(PictureBuilder& builder, std::int64_t event_seq, std::int64_t loads, History::Changes changes);

  const std::shared_ptr<Arena> arena_;
  const std::string replica_;
  const std::unique_ptr<History> history_;
  const std::function<std::int64_t()> now_us_;
  const std::function<void(const std::string&)> complain_;
  std::mutex writing_;  // held from the latest picture to the next one; guards newer_
  Newer newer_;
  PublishedPicture published_;
  std::uint64_t next_version_;
  mutable std::mutex mutex_;  // guards event_seq_ and loads_
  mutable std::condition_variable changed_;
  std::int64_t event_seq_ = 0, loads_ = 0;
};

}  // namespace emplace::observe
