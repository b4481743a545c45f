#include "service/observe/history.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <filesystem>
#include <system_error>

#include "service/core/change/change.h"
#include "service/observe/zstd_lines.h"

namespace emplace::observe {
namespace {

namespace fs = std::filesystem;

// Lines reach the disk at the latest after this, so that a decision is replayable soon after it was made.
constexpr std::chrono::milliseconds kFlushEvery{200};
// A run that died may have used version numbers that never reached the disk: the next one starts well beyond them.
constexpr std::uint64_t kVersionStep = 1'000'000;

std::string segment_path(const std::string& directory, std::uint64_t version) {
  return fmt::format("{}/segment-{:020}.zst", directory, version);
}

// The first versions of the segments of a directory, rising.
std::vector<std::uint64_t> segments_in(const std::string& directory) {
  std::vector<std::uint64_t> versions;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(directory, ignored)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with("segment-") || !name.ends_with(".zst")) continue;
    std::uint64_t version = 0;
    const auto [end, error] = std::from_chars(name.data() + 8, name.data() + name.size() - 4, version);
    if (error == std::errc() && end == name.data() + name.size() - 4) versions.push_back(version);
  }
  std::sort(versions.begin(), versions.end());
  return versions;
}

std::string version_line(const Picture& picture) {
  const PictureVersion& version = picture.version();
  return fmt::format(R"({{"version":{},"event_seq":{},"made_at_us":{}}})", version.version, version.event_seq,
                     picture.made_at_us());
}

struct VersionLine {
  std::uint64_t version = 0;
  std::int64_t event_seq = 0, made_at_us = 0;
};

// The number behind `key` in a line that version_line() wrote.
template <typename Number>
void read_number(std::string_view line, std::string_view key, Number& number) {
  const std::size_t at = line.find(key);
  if (at != std::string_view::npos) std::from_chars(line.data() + at + key.size(), line.data() + line.size(), number);
}

std::optional<VersionLine> read_version_line(std::string_view line) {
  if (!line.starts_with(R"({"version":)")) return std::nullopt;
  VersionLine version;
  read_number(line, R"("version":)", version.version);
  read_number(line, R"("event_seq":)", version.event_seq);
  read_number(line, R"("made_at_us":)", version.made_at_us);
  return version;
}

std::uint64_t last_version_in(const std::string& path, std::uint64_t first) {
  std::uint64_t last = first;
  std::ignore = read_lines(path, [&](std::string_view line) {
    if (const auto version = read_version_line(line)) last = version->version;
    return true;
  });
  return last;
}

tl::unexpected<Error> expired(const PictureVersion& version) {
  return fail(ErrorCode::kGone,
              fmt::format("picture {} of replica {} is no longer in the history", version.version, version.replica),
              "emplace.replay.expired");
}

}  // namespace

class History::Segment {
 public:
  Segment(std::unique_ptr<LineWriter> lines, std::int64_t began_us) : lines_(std::move(lines)), began_us_(began_us) {}
  LineWriter& lines() { return *lines_; }
  std::int64_t began_us() const { return began_us_; }

 private:
  std::unique_ptr<LineWriter> lines_;
  std::int64_t began_us_;
};

History::History(HistoryOptions options) : options_(std::move(options)) {
  const auto segments = segments_in(options_.directory);
  if (!segments.empty()) {
    const std::uint64_t last = last_version_in(segment_path(options_.directory, segments.back()), segments.back());
    first_version_ = (last / kVersionStep + 1) * kVersionStep;
  }
  writer_ = std::thread([this] { write_loop(); });
}

Result<std::unique_ptr<History>> History::open(HistoryOptions options) {
  std::error_code error;
  fs::create_directories(options.directory, error);
  if (error) return fail(ErrorCode::kUnavailable, fmt::format("{}: {}", options.directory, error.message()));
  return std::unique_ptr<History>(new History(std::move(options)));
}

History::~History() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  writer_.join();
}

void History::record(std::shared_ptr<const Picture> picture, Changes changes) {
  {
    const std::lock_guard lock(mutex_);
    if (queue_.size() >= options_.queue_limit) {
      written_ += queue_.size();
      queue_.clear();
      overflowed_ = true;
    }
    queue_.push_back({std::move(picture), std::move(changes)});
    ++recorded_;
  }
  changed_.notify_all();
}

void History::write_loop() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait_for(lock, kFlushEvery, [this] { return stopping_ || !queue_.empty(); });
    std::deque<Entry> entries = std::exchange(queue_, {});
    const bool overflowed = std::exchange(overflowed_, false);
    const bool stopping = stopping_;
    lock.unlock();
    if (overflowed) give_up("the disk is slower than the changes");
    for (const Entry& entry : entries) write(entry);
    if (segment_) {
      if (const auto flushed = segment_->lines().flush(); !flushed) give_up(flushed.error().message);
    }
    const std::size_t count = entries.size();
    entries.clear();
    lock.lock();
    written_ += count;
    changed_.notify_all();
    if (stopping && queue_.empty()) return;
    // Let changes gather, so that each flush has something to compress.
    if (!stopping_) changed_.wait_for(lock, kFlushEvery, [this] { return stopping_ || flush_wanted_; });
    flush_wanted_ = false;
  }
}

void History::write(const Entry& entry) {
  if (!segment_ || !entry.changes || entry.picture->made_at_us() - segment_->began_us() >= options_.segment_us) {
    begin_segment(*entry.picture);
    return;
  }
  for (const std::string& change : *entry.changes) {
    if (const auto done = segment_->lines().write(change); !done) return give_up(done.error().message);
  }
  if (const auto done = segment_->lines().write(version_line(*entry.picture)); !done) give_up(done.error().message);
}

void History::begin_segment(const Picture& picture) {
  segment_.reset();
  auto lines = LineWriter::create(segment_path(options_.directory, picture.version().version));
  if (!lines) return give_up(lines.error().message);
  segment_ = std::make_unique<Segment>(std::move(*lines), picture.made_at_us());
  Result<void> done = segment_->lines().write(
      fmt::format(R"({{"segment":1,"replica":"{}","version":{}}})", options_.replica, picture.version().version));
  for (const Change& change : changes_of(picture)) {
    if (done) done = segment_->lines().write(to_json(change));
  }
  if (done) done = segment_->lines().write(version_line(picture));
  if (!done) return give_up(done.error().message);
  drop_oldest();
}

void History::give_up(const std::string& why) {
  segment_.reset();
  if (options_.complain) options_.complain(fmt::format("history: {}; some versions can't be replayed", why));
}

void History::drop_oldest() {
  const auto segments = segments_in(options_.directory);
  std::uint64_t bytes = 0;
  std::error_code ignored;
  for (std::size_t i = segments.size(); i-- > 0;) {
    const std::string path = segment_path(options_.directory, segments[i]);
    bytes += fs::file_size(path, ignored);
    if (bytes > options_.limit_bytes && i + 1 != segments.size()) fs::remove(path, ignored);
  }
}

void History::flush() {
  std::unique_lock lock(mutex_);
  const std::uint64_t goal = recorded_;
  flush_wanted_ = true;
  changed_.notify_all();
  changed_.wait_for(lock, std::chrono::seconds(10), [&] { return written_ >= goal; });
}

Result<std::shared_ptr<const Picture>> History::at(const PictureVersion& version, std::shared_ptr<Arena> arena) {
  if (version.replica != options_.replica) return expired(version);
  flush();
  const auto segments = segments_in(options_.directory);
  const auto after = std::upper_bound(segments.begin(), segments.end(), version.version);
  if (after == segments.begin()) return expired(version);
  PictureBuilder builder(std::make_shared<const Picture>(std::move(arena)));
  std::optional<VersionLine> reached;
  Result<void> understood;
  const std::string path = segment_path(options_.directory, *(after - 1));
  bool first = true;  // the line that names the segment
  const auto read = read_lines(path, [&](std::string_view line) {
    if (const auto marker = read_version_line(line)) {
      reached = marker;
      return marker->version < version.version;
    }
    if (std::exchange(first, false)) return true;
    const auto change = change_from_json(line);
    if (!change) understood = fail(ErrorCode::kUnavailable, fmt::format("{}: {}", path, change.error().message));
    if (change) apply(builder, *change);
    return change.has_value();
  });
  if (!read) return tl::unexpected(read.error());
  if (!understood) return tl::unexpected(understood.error());
  if (!reached || reached->version != version.version) return expired(version);
  return builder.finish({version.replica, reached->version, reached->event_seq}, reached->made_at_us);
}

}  // namespace emplace::observe
