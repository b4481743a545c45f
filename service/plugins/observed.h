// ObservedPictures: the pictures that one instance of a plugin knows, as the views it gets. A picture that comes up for
// the first time is shown to the plugin's observer as what changed since the nearest one it knows; a few pictures are
// kept alive so that requests that overlap, what-ifs and replays find theirs. This is also where the plugin contract's
// rule on threads is kept: observe and forget run alone; other calls run together when the manifest says `reentrant`,
// else alone too.
//
// Threads: any number may call with() and observe(). Waiting happens while another thread observes, or calls a plugin
// that is not reentrant.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <tuple>
#include <vector>

#include "service/plugins/library.h"
#include "service/plugins/tables.h"

namespace emplace {

class ObservedPictures {
 public:
  static constexpr std::size_t kKept = 6;

  // `observed`: the observer's columns; `observer` is null for a plugin without one. `layout` and the instance behind
  // `observer` outlive this object.
  ObservedPictures(const TableLayout& layout, std::vector<TableLayout::Place> observed,
                   const emplace_observer* observer, bool reentrant);
  ~ObservedPictures();

  // Runs `use` with the picture's view.
  template <typename Use>
  Result<void> with(const Picture& picture, Use&& use) {
    if (reentrant_) {
      const std::shared_lock lock(mutex_);
      if (const Known* known = find(picture)) return use(known->tables.view());
    }
    std::unique_lock lock(mutex_);
    const auto known = find_or_observe(picture);
    if (!known) return tl::unexpected(known.error());
    return use((*known)->tables.view());
  }
  // Shows it to the plugin now, so that no request has to wait for that.
  Result<void> observe(const Picture& picture);
  // Shows the newest of those it knows once more, from scratch: to a plugin that was started again.
  void show_again();

  std::uint64_t observations() const { return observations_.load(std::memory_order_relaxed); }

 private:
  struct Known {
    Known(const TableLayout& layout, const Picture& picture, std::uint64_t identity)
        : tables(layout, std::make_shared<const Picture>(picture), identity) {}
    PictureTables tables;
    mutable std::atomic<std::uint64_t> last_use{0};
  };
  const Known* find(const Picture& picture) const;
  Result<const Known*> find_or_observe(const Picture& picture);
  const Known* nearest(const Picture& picture) const;
  Result<void> show(const Known* before, const Known& after) const;
  void make_room();

  const TableLayout& layout_;
  const std::vector<TableLayout::Place> observed_;
  const emplace_observer* const observer_;
  const bool reentrant_;
  std::shared_mutex mutex_;
  std::vector<std::unique_ptr<Known>> known_;  // guarded by mutex_
  std::uint64_t identities_ = 0;  // guarded by mutex_; ours, as those of pictures are unique per arena only
  mutable std::atomic<std::uint64_t> uses_{0};
  std::atomic<std::uint64_t> observations_{0};
};

}  // namespace emplace
