#include "service/core/picture/row_index.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>
#include <set>
#include <string>
#include <vector>

namespace emplace {
namespace {

using Multimap = std::multimap<std::uint64_t, std::uint32_t>;

std::vector<std::uint32_t> rows_of(std::span<const RowIndex::Entry> entries) {
  std::vector<std::uint32_t> rows;
  for (const auto& entry : entries) rows.push_back(entry.row);
  return rows;
}

std::vector<std::uint32_t> rows_of(const RowIndex& index, std::uint64_t key) { return rows_of(index.find(key)); }

std::vector<std::uint32_t> rows_of(const Multimap& model, std::uint64_t key) {
  std::set<std::uint32_t> rows;
  for (auto [at, end] = model.equal_range(key); at != end; ++at) rows.insert(at->second);
  return {rows.begin(), rows.end()};
}

bool same(const RowIndex& index, const Multimap& model, const std::set<std::uint64_t>& keys) {
  if (index.size() != model.size()) return false;
  const std::vector<std::uint64_t> all(keys.begin(), keys.end());
  const auto together = index.find(all);
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto rows = rows_of(model, all[i]);
    if (rows_of(index, all[i]) != rows || rows_of(together[i]) != rows) return false;
  }
  return true;
}

void add(Multimap& model, std::uint64_t key, std::uint32_t row) {
  for (auto [at, end] = model.equal_range(key); at != end; ++at) {
    if (at->second == row) return;
  }
  model.emplace(key, row);
}

void remove(Multimap& model, std::uint64_t key, std::uint32_t row) {
  for (auto [at, end] = model.equal_range(key); at != end; ++at) {
    if (at->second == row) {
      model.erase(at);
      return;
    }
  }
}

struct Step {
  bool add = true;
  std::uint64_t key = 0;
  std::uint32_t row = 0;
};

rc::Gen<std::vector<Step>> steps() {
  const auto key = rc::gen::oneOf(rc::gen::inRange<std::uint64_t>(0, 8), rc::gen::inRange<std::uint64_t>(0, 3000),
                                  rc::gen::map(rc::gen::inRange<std::uint64_t>(0, 8), [](auto n) { return ~n; }));
  return rc::gen::container<std::vector<Step>>(
      rc::gen::build<Step>(rc::gen::set(&Step::add, rc::gen::map(rc::gen::inRange(0, 3), [](int n) { return n > 0; })),
                           rc::gen::set(&Step::key, key), rc::gen::set(&Step::row, rc::gen::inRange(0u, 20u))));
}

// Takes a random history; `next` makes each version from the one before.
template <typename Next>
void expect_like_a_multimap(const std::vector<Step>& history, Next&& next) {
  std::set<std::uint64_t> keys = {0, 12345};
  for (const Step& step : history) keys.insert(step.key);
  std::vector<std::pair<RowIndex, Multimap>> versions(1);
  for (std::size_t i = 0; i < history.size(); ++i) {
    Multimap model = versions.back().second;
    (history[i].add ? add : remove)(model, history[i].key, history[i].row);
    versions.emplace_back(next(versions.back().first, history[i], i), std::move(model));
  }
  for (const auto& [index, model] : versions) RC_ASSERT(same(index, model, keys));
}

RC_GTEST_PROP(RowIndex, KeepsEveryVersionLikeAMultimap, ()) {
  expect_like_a_multimap(*steps(), [](const RowIndex& index, const Step& step, std::size_t) {
    return step.add ? index.with(step.key, step.row) : index.without(step.key, step.row);
  });
}

RC_GTEST_PROP(RowIndex, LeavesOldVersionsAloneWhenEditedInPlace, ()) {
  const std::vector<Step> history = *steps();
  // Series of edits of random lengths, each with its own number; a copy is taken between series only.
  const auto length = *rc::gen::inRange<std::size_t>(1, 12);
  std::set<std::uint64_t> keys;
  for (const Step& step : history) keys.insert(step.key);
  std::vector<std::pair<RowIndex, Multimap>> versions(1);
  for (std::size_t first = 0, edit = 1; first < history.size(); first += length, ++edit) {
    auto [index, model] = versions.back();
    for (std::size_t i = first; i < std::min(first + length, history.size()); ++i) {
      const Step& step = history[i];
      (step.add ? add : remove)(model, step.key, step.row);
      step.add ? index.insert(step.key, step.row, edit) : index.erase(step.key, step.row, edit);
      RC_ASSERT(same(index, model, keys));
    }
    versions.emplace_back(index, model);
  }
  for (const auto& [index, model] : versions) RC_ASSERT(same(index, model, keys));
}

TEST(RowIndex, HoldsManyRowsOfManyKeys) {
  RowIndex index;
  for (std::uint32_t row = 0; row < 50'000; ++row) index.insert(row % 7'000, row, 1);
  const RowIndex before = index;
  for (std::uint32_t row = 0; row < 50'000; row += 2) index.erase(row % 7'000, row, 2);

  EXPECT_EQ(before.size(), 50'000u);
  EXPECT_EQ(index.size(), 25'000u);
  for (std::uint32_t key = 0; key < 7'000; ++key) {
    std::vector<std::uint32_t> all, odd;
    for (std::uint32_t row = key; row < 50'000; row += 7'000) {
      all.push_back(row);
      if (row % 2 == 1) odd.push_back(row);
    }
    ASSERT_EQ(rows_of(before, key), all);
    ASSERT_EQ(rows_of(index, key), odd);
  }
}

TEST(RowIndex, TellsCopiesFromOtherVersions) {
  RowIndex index;
  index.insert(1, 1, 1);
  const RowIndex copy = index;
  EXPECT_TRUE(copy.same_version(index));
  index.insert(1, 1, 2);
  EXPECT_TRUE(copy.same_version(index)) << "nothing was inserted";
  index.insert(1, 2, 2);
  EXPECT_FALSE(copy.same_version(index));
  EXPECT_FALSE(copy.same_version(copy.without(1, 1)));
}

TEST(RowIndex, FindsNothingWhenEmpty) {
  EXPECT_TRUE(RowIndex().find(0).empty());
  EXPECT_EQ(RowIndex().without(1, 1).size(), 0u);
  EXPECT_EQ(RowIndex().with(1, 1).without(1, 1).size(), 0u);
}

TEST(TextKey, DependsOnEveryByte) {
  EXPECT_EQ(text_key("host-1"), text_key(std::string("host-1")));
  EXPECT_NE(text_key("host-1"), text_key("host-2"));
  EXPECT_NE(text_key(""), text_key(std::string_view("\0", 1)));
}

}  // namespace
}  // namespace emplace
