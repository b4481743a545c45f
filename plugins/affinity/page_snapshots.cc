#include "page_snapshots.h"

#include <algorithm>
#include <bit>
#include <iterator>

namespace emplace::affinity {
namespace {

using Hashes = std::span<const std::uint64_t>;

// Hashes that are sorted at once when the first index is made.
constexpr std::size_t kPart = std::size_t{4} << 20;

struct Sample {
  std::uint32_t host;
  std::uint32_t level;
  Hashes hashes;
};

bool same_place(const Sample& a, const Sample& b) { return a.host == b.host && a.level == b.level; }

class Samples {
 public:
  explicit Samples(const plugin::View& view)
      : alive_(view.column<std::uint8_t>("vms", "alive")),
        hosts_(view.column<std::uint32_t>("vms", "host")),
        rates_(view.column<std::int64_t>("vms", "sample_rate")),
        hashes_(view.column<Hashes>("vms", "page_samples")) {}

  std::uint32_t rows() const { return alive_.rows(); }
  std::optional<Sample> of(std::uint32_t vm) const {
    if (alive_.get(vm) != std::uint8_t{1} || !hosts_.valid(vm) || !rates_.valid(vm) || !hashes_.valid(vm)) return {};
    const auto level = level_of(rates_[vm]);
    return level ? std::optional(Sample{hosts_[vm], *level, hashes_[vm]}) : std::nullopt;
  }

 private:
  plugin::Column<std::uint8_t> alive_;
  plugin::Column<std::uint32_t> hosts_;
  plugin::Column<std::int64_t> rates_;
  plugin::Column<Hashes> hashes_;
};

void add(std::vector<PageDelta>& deltas, const Sample& sample, Hashes hashes, std::int32_t count) {
  for (const std::uint64_t hash : hashes) deltas.push_back({hash, sample.host, sample.level, count});
}

void add_difference(std::vector<PageDelta>& deltas, const Sample& from, const Sample& without, std::int32_t count) {
  std::vector<std::uint64_t> hashes;
  std::ranges::set_difference(from.hashes, without.hashes, std::back_inserter(hashes));
  add(deltas, from, hashes, count);
}

// What is to be added to the index when a vm's sample was `before` and is `after`.
void add_change(std::vector<PageDelta>& deltas, const std::optional<Sample>& before,
                const std::optional<Sample>& after) {
  if (before && after && same_place(*before, *after)) {
    if (before->hashes.data() == after->hashes.data() && before->hashes.size() == after->hashes.size()) return;
    add_difference(deltas, *before, *after, -1);
    add_difference(deltas, *after, *before, +1);
    return;
  }
  if (before) add(deltas, *before, before->hashes, -1);
  if (after) add(deltas, *after, after->hashes, +1);
}

// The stretch of a sample whose hashes begin with `part`, of 2^bits parts.
Hashes part_of(Hashes hashes, std::uint64_t part, int bits) {
  if (bits == 0) return hashes;
  const auto begins = [bits](std::uint64_t hash) { return hash >> (64 - bits); };
  const auto range = std::ranges::equal_range(hashes, part, {}, begins);
  return {range.begin(), range.end()};
}

std::vector<std::uint32_t> changed_vms(const plugin::Changes& changes) {
  std::vector<std::uint32_t> rows;
  for (const char* column : {"alive", "host", "sample_rate", "page_samples"}) {
    const auto changed = changes.rows("vms", column);
    rows.insert(rows.end(), changed.begin(), changed.end());
  }
  std::ranges::sort(rows);
  rows.erase(std::unique(rows.begin(), rows.end()), rows.end());
  return rows;
}

}  // namespace

std::optional<std::uint32_t> level_of(std::int64_t rate) {
  const auto value = static_cast<std::uint64_t>(rate);
  return rate > 0 && std::has_single_bit(value) ? std::optional(static_cast<std::uint32_t>(std::countr_zero(value)))
                                                : std::nullopt;
}

HostCounts HostCounts::with(std::span<const HostDelta> deltas) const {
  HostCounts next = *this;
  std::vector<Block*> own(blocks_.size());  // the copies, which only `next` has
  for (const HostDelta& delta : deltas) {
    const std::size_t block = delta.host / kBlock;
    if (block >= own.size()) own.resize(block + 1), next.blocks_.resize(block + 1);
    if (!own[block]) {
      auto copy = next.blocks_[block] ? std::make_shared<Block>(*next.blocks_[block]) : std::make_shared<Block>();
      own[block] = copy.get();
      next.blocks_[block] = std::move(copy);
    }
    (*own[block])[delta.host % kBlock] += static_cast<std::uint32_t>(delta.count);
  }
  return next;
}

std::shared_ptr<const PageSnapshot> PageSnapshots::first(const plugin::View& after) const {
  const Samples samples(after);
  std::vector<Sample> all;
  std::vector<HostDelta> sampled;
  std::size_t hashes = 0;
  for (std::uint32_t vm = 0; vm < samples.rows(); ++vm) {
    const auto sample = samples.of(vm);
    if (!sample) continue;
    all.push_back(*sample);
    hashes += sample->hashes.size();
    sampled.push_back({sample->host, +1});
  }
  auto made = std::make_shared<PageSnapshot>();
  made->sampled = made->sampled.with(sampled);
  const int bits = std::min(6, static_cast<int>(std::bit_width(hashes / kPart)));
  for (std::uint64_t part = 0; part < std::uint64_t{1} << bits; ++part) {
    std::vector<PageDelta> deltas;
    for (const Sample& sample : all) add(deltas, sample, part_of(sample.hashes, part, bits), +1);
    made->pages = made->pages.with(std::move(deltas));
  }
  return made;
}

std::shared_ptr<const PageSnapshot> PageSnapshots::next(const PageSnapshot& index, const plugin::View& before,
                                                        const plugin::View& after,
                                                        const plugin::Changes& changes) const {
  const Samples old_samples(before), new_samples(after);
  std::vector<PageDelta> deltas;
  std::vector<HostDelta> sampled;
  for (const std::uint32_t vm : changed_vms(changes)) {
    const auto was = old_samples.of(vm), is = new_samples.of(vm);
    add_change(deltas, was, is);
    if (was && is && was->host == is->host) continue;
    if (was) sampled.push_back({was->host, -1});
    if (is) sampled.push_back({is->host, +1});
  }
  return std::make_shared<PageSnapshot>(PageSnapshot{index.pages.with(std::move(deltas)), index.sampled.with(sampled)});
}

}  // namespace emplace::affinity
