#include "page_index.h"

#include <algorithm>
#include <stdexcept>
#include <tuple>

namespace emplace::affinity {
namespace {

template <typename A, typename B>
std::strong_ordering order(const A& a, const B& b) {
  const std::uint32_t a_level = a.level, b_level = b.level;
  return std::tuple(a.hash, a.host, a_level) <=> std::tuple(b.hash, b.host, b_level);
}

// The sum of the deltas that follow each other with one key.
PageDelta take_sum(std::span<const PageDelta>& deltas) {
  PageDelta sum = deltas.front();
  deltas = deltas.subspan(1);
  while (!deltas.empty() && order(deltas.front(), sum) == 0) {
    sum.count += deltas.front().count;
    deltas = deltas.subspan(1);
  }
  return sum;
}

void add(std::vector<PageEntry>& entries, const PageDelta& sum, std::int64_t before) {
  const std::int64_t count = before + sum.count;
  if (count < 0) throw std::logic_error("a page was taken from a host that did not have it");
  if (count == 0) return;
  entries.push_back(
      {sum.hash, sum.host, static_cast<std::uint8_t>(sum.level), static_cast<std::uint32_t>(count) & 0xffffff});
}

std::vector<PageEntry> merged(std::span<const PageEntry> entries, std::span<const PageDelta> deltas) {
  std::vector<PageEntry> result;
  result.reserve(entries.size() + deltas.size());
  while (!deltas.empty()) {
    const PageDelta sum = take_sum(deltas);
    while (!entries.empty() && order(entries.front(), sum) < 0) {
      result.push_back(entries.front());
      entries = entries.subspan(1);
    }
    const bool there = !entries.empty() && order(entries.front(), sum) == 0;
    add(result, sum, there ? std::int64_t{entries.front().count} : 0);
    if (there) entries = entries.subspan(1);
  }
  result.insert(result.end(), entries.begin(), entries.end());
  return result;
}

}  // namespace

PageIndex PageIndex::with(std::vector<PageDelta> deltas) const {
  std::ranges::sort(deltas, [](const PageDelta& a, const PageDelta& b) { return order(a, b) < 0; });
  PageIndex next;
  next.root_ = deltas.empty() ? root_ : merge(root_, deltas, 0);
  return next;
}

PageIndex::NodePointer PageIndex::merge(const NodePointer& node, std::span<const PageDelta> deltas,
                                        std::uint32_t step) {
  return !node || node->present == 0 ? merge_leaf(node, deltas, step) : merge_branch(*node, deltas, step);
}

PageIndex::NodePointer PageIndex::merge_leaf(const NodePointer& node, std::span<const PageDelta> deltas,
                                             std::uint32_t step) {
  return make(merged(node ? std::span<const PageEntry>(node->entries) : std::span<const PageEntry>(), deltas), step);
}

PageIndex::NodePointer PageIndex::make(std::vector<PageEntry> entries, std::uint32_t step) {
  if (entries.empty()) return nullptr;
  Node node{entries.size()};
  if (entries.size() <= kLeaf || step == kSteps) {
    entries.shrink_to_fit();
    node.entries = std::move(entries);
    return std::make_shared<const Node>(std::move(node));
  }
  for (auto first = entries.begin(); first != entries.end();) {
    const std::uint32_t here = digit(first->hash, first->host, step);
    const auto last =
        std::find_if(first, entries.end(), [&](const PageEntry& e) { return digit(e.hash, e.host, step) != here; });
    node.present |= std::uint64_t{1} << here;
    node.children.push_back(make(std::vector(first, last), step + 1));
    first = last;
  }
  return std::make_shared<const Node>(std::move(node));
}

PageIndex::NodePointer PageIndex::merge_branch(const Node& node, std::span<const PageDelta> deltas,
                                               std::uint32_t step) {
  Node next;
  std::size_t child = 0;
  for (std::uint32_t here = 0; here < 64; ++here) {
    const auto last = std::ranges::find_if(
        deltas, [&](const PageDelta& delta) { return digit(delta.hash, delta.host, step) != here; });
    const auto mine = deltas.first(static_cast<std::size_t>(last - deltas.begin()));
    deltas = deltas.subspan(mine.size());
    const bool there = (node.present >> here) & 1;
    NodePointer kept = there ? node.children[child++] : nullptr;
    if (!mine.empty()) kept = merge(kept, mine, step + 1);
    if (!kept) continue;
    next.size += kept->size;
    next.present |= std::uint64_t{1} << here;
    next.children.push_back(std::move(kept));
  }
  if (next.size > kLeaf) return std::make_shared<const Node>(std::move(next));
  std::vector<PageEntry> entries;
  collect(next, entries);
  return make(std::move(entries), step);
}

void PageIndex::collect(const Node& node, std::vector<PageEntry>& entries) {
  entries.insert(entries.end(), node.entries.begin(), node.entries.end());
  for (const auto& child : node.children) collect(*child, entries);
}

}  // namespace emplace::affinity
