#include "memory.h"

#include <algorithm>
#include <array>
#include <bit>

namespace emplace::affinity {
namespace {

constexpr double kPagesPerMib = 256;  // of 4 KiB

// The vm being placed, as far as its pages go.
struct Own {
  std::uint32_t level;
  std::span<const std::uint64_t> hashes;
  double distinct;
  std::uint8_t quality;
  std::optional<std::uint32_t> host;  // where it is counted now
  std::array<double, 66> above;       // [k]: hashes of level k and more

  // Pages that a hash stands for that was found on a host with this finest level.
  double pages_per_hash(std::uint32_t finest) const { return distinct / above[std::max(level, finest)]; }
};

std::array<double, 66> count_above(std::span<const std::uint64_t> hashes) {
  std::array<double, 66> above{};
  for (const std::uint64_t hash : hashes) above[static_cast<std::size_t>(std::countr_zero(hash))] += 1;
  for (std::size_t level = 65; level-- > 0;) above[level] += above[level + 1];
  return above;
}

std::optional<Own> own_of(const plugin::Call& call, std::int64_t stale_after_us) {
  const auto request = call.request();
  const auto rate = request.column<std::int64_t>("sample_rate").get(0);
  const auto samples = request.column<std::span<const std::uint64_t>>("page_samples");
  const auto level = rate ? level_of(*rate) : std::nullopt;
  if (!level || !samples.valid(0)) return std::nullopt;
  const auto hashes = samples[0];
  const auto distinct = request.column<double>("distinct_pages").get(0);
  const double estimated = static_cast<double>(hashes.size()) * static_cast<double>(*rate);
  const double pages = distinct.value_or(estimated);
  // A sample that caught none of the vm's pages says nothing about them.
  if (hashes.empty() && pages > 0) return std::nullopt;
  const bool stale = stale_after_us > 0 && call.now_us() - samples.observed_at_us(0) > stale_after_us;
  return Own{*level,
             hashes,
             pages,
             static_cast<std::uint8_t>(stale ? EMPLACE_QUALITY_STALE : EMPLACE_QUALITY_OK),
             request.column<std::uint32_t>("host").get(0),
             count_above(hashes)};
}

// Pages that are shared, per host. Hits at the request's own level are counted, not added up, so that a vm beside its
// twin adds exactly nothing.
class Shared {
 public:
  Shared(const Own& own, std::uint32_t hosts) : own_(own), hits_(hosts), coarse_(hosts) {}

  // By rising hash, host, level: the first entry of a hash and host has the finest level.
  void add(const PageEntry& entry) {
    if (entry.hash == hash_ && entry.host == host_ && seen_) return;
    const bool only_self = own_.host == entry.host && entry.level == own_.level && entry.count == 1;
    if (only_self || entry.host >= hits_.size()) return;
    hash_ = entry.hash, host_ = entry.host, seen_ = true;
    if (entry.level <= own_.level) {
      ++hits_[entry.host];
    } else {
      coarse_[entry.host] += own_.pages_per_hash(entry.level);
    }
  }
  double on(std::uint32_t host) const {
    const double fine = hits_[host] == 0 ? 0 : own_.distinct * (hits_[host] / own_.above[own_.level]);
    return std::min(own_.distinct, fine + coarse_[host]);
  }

 private:
  const Own& own_;
  std::vector<std::uint32_t> hits_;
  std::vector<double> coarse_;
  std::uint64_t hash_ = 0;
  std::uint32_t host_ = 0;
  bool seen_ = false;  // something with hash_ and host_
};

}  // namespace

void Memory::evaluate(const plugin::Call& call, plugin::Costs& costs) const {
  const auto own = own_of(call, stale_after_us_);
  if (!own) return costs.set_all_no_data();
  const PageSnapshot& snapshot = snapshots_->of(call);
  const auto vm_counts = call.picture().column<double>("hosts", "vm_count");
  Shared shared(*own, vm_counts.rows());
  snapshot.pages.match(own->hashes, [&](const PageEntry& entry) { shared.add(entry); });
  const auto candidates = call.candidates();
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const std::uint32_t host = candidates[i];
    const auto count = vm_counts.get(host);
    const std::uint32_t self = own->host == host ? 1 : 0;
    const bool has_others = count && *count > self;
    if (!count || (has_others && snapshot.sampled[host] <= self)) {
      costs.set_no_data(i);
    } else {
      costs.set(i, (own->distinct - shared.on(host)) / kPagesPerMib, own->quality);
    }
  }
}

}  // namespace emplace::affinity
