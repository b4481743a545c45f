// History: every version of the picture again, for replay. A directory of segments, each a zstd stream of lines that
// opens with a checkpoint (the whole picture as changes) and goes on with the changes of each later version:
//
//   {"segment":1,"replica":"a","version":120,"event_seq":4711,"made_at_us":...}
//   {"kind":"host",...}                                       the checkpoint's changes
//   {"version":120,"event_seq":4711,"made_at_us":...}         a version is complete
//   {"kind":"vm",...}                                         the changes of the next one
//   {"version":121,...}
//
// A new segment is begun every ten minutes; the oldest are dropped when the directory outgrows its limit. What was not
// yet written when the process died is beyond retention, and so are its decisions.
//
// Threads: record() hands over to a writer thread of its own and returns at once; at() may be called by any thread.
// When the writer falls behind or the disk refuses, a segment is given up and a new one begins with a checkpoint:
// versions between are gone, nothing else is.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "service/core/base/result.h"
#include "service/core/picture/picture.h"

namespace emplace::observe {

struct HistoryOptions {
  std::string directory;
  std::string replica;
  std::uint64_t limit_bytes = std::uint64_t{1} << 30;
  std::int64_t segment_us = 600'000'000;
  std::size_t queue_limit = 100'000;  // versions waiting to be written
  std::function<void(const std::string&)> complain =
      {};  // one line for the operator, at most once per given-up segment
};

class History {
 public:
  // Creates the directory. Reads which versions are there.
  static Result<std::unique_ptr<History>> open(HistoryOptions options);
  ~History();
  History(const History&) = delete;
  History& operator=(const History&) = delete;

  // The first version number that no earlier run of this replica can have used.
  std::uint64_t first_version() const { return first_version_; }
  // `changes`: what made `picture` from the version before it, as to_json() wrote them; nothing: it has nothing to do
  // with that one.
  using Changes = std::optional<std::vector<std::string>>;
  void record(std::shared_ptr<const Picture> picture, Changes changes);
  // The picture of that version again, in `arena`. kGone "emplace.replay.expired" when it is not there.
  Result<std::shared_ptr<const Picture>> at(const PictureVersion& version, std::shared_ptr<Arena> arena);

 private:
  struct Entry {
    std::shared_ptr<const Picture> picture;
    Changes changes;
  };
  class Segment;

  explicit History(HistoryOptions options);
  void write_loop();
  void write(const Entry& entry);
  void begin_segment(const Picture& picture);
  void give_up(const std::string& why);
  void drop_oldest();
  void flush();  // waits until all that was recorded before is on disk

  const HistoryOptions options_;
  std::uint64_t first_version_ = 1;
  std::mutex mutex_;  // guards the six below
  std::condition_variable changed_;
  std::deque<Entry> queue_;
  bool overflowed_ = false;
  bool stopping_ = false;
  bool flush_wanted_ = false;
  std::uint64_t recorded_ = 0, written_ = 0;
  std::unique_ptr<Segment> segment_;  // the writer thread's
  std::thread writer_;
};

}  // namespace emplace::observe
