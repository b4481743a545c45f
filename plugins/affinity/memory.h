// affinity.memory: the memory a vm would really add to a host, in MiB: its distinct non-zero pages minus those that are
// already in the union of the pages of the host's vms.
//
// Paper: Wood, Tarasuk-Levin, Shenoy, Desnoyers, Cecchet, Corner, "Memory Buddies: Exploiting Page Sharing for Smart
// Colocation in Virtualized Data Centers", VEE 2009. Where we differ: consistent samples of hashes instead of Bloom
// filters (exact on the sample, mergeable, and an index from hash to hosts answers for all hosts at once), and the
// union of a host's vms instead of pairs.
//
// Estimator. Let the request's sample have level l (rate 2^l) and n(k) hashes of level k and more. The union on a host
// falls into pieces by the finest level m at which a vm there holds the page; a page of such a piece is seen exactly
// when its hash has level max(l, m) or more. So a hash found on a host with finest level m stands for distinct/n(max(l,
// m)) of the vm's pages. Unbiased per piece; the error of one piece is that of a proportion, distinct·sqrt(p(1 - p)/n):
// at most 0.8 % of the vm's pages with 4,096 hashes, 1.6 % with 1,024.
//
// No data: for a vm without a sample; on a host with vms of which none has one. A host without other vms: nothing is
// shared. Vms without a sample beside some that have one share nothing that is known: the cost is then an upper bound.
// Cost: the request's own hashes and the entries found under them, plus one step per candidate.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "emplace/plugin.hpp"
#include "page_snapshots.h"

namespace emplace::affinity {

class Memory : public plugin::Objective {
 public:
  // stale_after_us: age of the vm's own sample; 0: never.
  Memory(std::shared_ptr<const PageSnapshots> snapshots, std::int64_t stale_after_us)
      : snapshots_(std::move(snapshots)), stale_after_us_(stale_after_us) {}
  void evaluate(const plugin::Call& call, plugin::Costs& costs) const override;

 private:
  const std::shared_ptr<const PageSnapshots> snapshots_;
  const std::int64_t stale_after_us_;
};

}  // namespace emplace::affinity
