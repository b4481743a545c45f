#include "service/core/picture/picture.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <xxhash.h>

#include <atomic>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "tests/unit/cluster_rows.h"

namespace emplace {
namespace {

using testing_rows::empty_picture;
using testing_rows::numbered;

// One row of the model: a column of each type. Absent: invalid.
struct ModelRow {
  bool alive = true;
  std::optional<Uuid> id = {};
  std::optional<std::string> name = {};
  std::optional<std::uint32_t> host = {};
  std::optional<double> vcpus = {};
  std::optional<std::int64_t> cells = {};
  std::optional<std::pair<std::vector<std::uint64_t>, std::int64_t>> samples = {};
};
using Model = std::map<std::uint32_t, ModelRow>;

bool same(const Picture& picture, std::uint32_t row, const ModelRow& model) {
  if (picture[vms::alive].get(row) != (model.alive ? 1 : 0)) return false;
  const auto name = picture[vms::name].get(row);
  const auto samples = picture[vms::page_samples].get(row);
  const bool plain = picture[vms::id].get(row) == model.id && picture[vms::host].get(row) == model.host &&
                     picture[vms::vcpus].get(row) == model.vcpus && picture[vms::cells].get(row) == model.cells;
  const bool text = name.has_value() == model.name.has_value() && (!name || *name == *model.name);
  if (!plain || !text || samples.has_value() != model.samples.has_value()) return false;
  if (!samples) return picture[vms::page_samples].observed_at_us(row) == 0;
  return std::vector(samples->begin(), samples->end()) == model.samples->first &&
         picture[vms::page_samples].observed_at_us(row) == model.samples->second;
}

bool same(const Picture& picture, const Model& model) {
  for (const auto& [row, expected] : model) {
    if (!same(picture, row, expected)) return false;
  }
  return true;
}

std::size_t element_bytes(Type type) {
  switch (type) {
    case Type::kU8:
    case Type::kUtf8:
      return 1;
    case Type::kU32:
    case Type::kListU32:
      return 4;
    case Type::kF64:
    case Type::kI64:
      return 8;
    default:
      return 16;
  }
}

// Of every byte that a reader could look at.
std::uint64_t digest(const Picture& picture) {
  XXH3_state_t* const state = XXH3_createState();
  XXH3_64bits_reset(state);
  for (int i = 0; i < kColumnCount; ++i) {
    const Type type = column_schemas()[static_cast<std::size_t>(i)].type;
    for (const auto& chunk : picture.column(i)) {
      std::size_t values = kChunkRows * element_bytes(type);
      if (chunk->offsets) {
        XXH3_64bits_update(state, chunk->offsets.get(), (kChunkRows + 1) * sizeof(std::uint32_t));
        values = reinterpret_cast<const std::uint32_t*>(chunk->offsets.get())[kChunkRows] * element_bytes(type);
      }
      XXH3_64bits_update(state, chunk->values.get(), values);
      XXH3_64bits_update(state, chunk->validity.get(), kChunkRows / 8);
      if (chunk->observed_at) XXH3_64bits_update(state, chunk->observed_at.get(), kChunkRows * sizeof(std::int64_t));
    }
  }
  for (const auto& chunk : picture.column(vms::page_samples.index)) {
    for (std::uint32_t i = 0; i < kChunkRows; ++i) {
      const Block& span = chunk->spans[i];
      if (span) XXH3_64bits_update(state, span.get(), sizeof(std::uint64_t));
    }
  }
  const std::uint64_t sum = XXH3_64bits_digest(state);
  XXH3_freeState(state);
  return sum;
}

void change_row(PictureBuilder& builder, std::uint32_t row, ModelRow& model, int what, std::uint64_t n) {
  switch (what) {
    case 0:
      builder.set(vms::id, row, numbered(n));
      model.id = numbered(n);
      break;
    case 1:
      model.name = std::string(n % 40, static_cast<char>('a' + n % 26));
      builder.set(vms::name, row, *model.name);
      break;
    case 2:
      model.host = static_cast<std::uint32_t>(n);
      builder.set(vms::host, row, *model.host);
      break;
    case 3:
      model.vcpus = static_cast<double>(n) / 3;
      builder.set(vms::vcpus, row, *model.vcpus);
      break;
    case 4:
      model.cells = -static_cast<std::int64_t>(n);
      builder.set(vms::cells, row, *model.cells);
      break;
    default:
      model.samples = {std::vector<std::uint64_t>(n % 5, n), static_cast<std::int64_t>(n)};
      builder.set(vms::page_samples, row, model.samples->first, model.samples->second);
  }
}

void clear_row(PictureBuilder& builder, std::uint32_t row, ModelRow& model) {
  builder.clear(vms::name, row);
  builder.clear(vms::vcpus, row);
  builder.clear(vms::page_samples, row);
  model.name.reset();
  model.vcpus.reset();
  model.samples.reset();
}

struct Act {
  int what = 0;  // 0 .. 5: set; 6: clear; 7: remove; 8: add; 9: publish; 10: copy the samples of row n
  std::size_t row = 0;
  std::uint64_t n = 0;
};

rc::Gen<std::vector<Act>> acts() {
  return rc::gen::container<std::vector<Act>>(rc::gen::build<Act>(
      rc::gen::set(&Act::what, rc::gen::inRange(0, 11)), rc::gen::set(&Act::row, rc::gen::inRange<std::size_t>(0, 13)),
      rc::gen::set(&Act::n, rc::gen::inRange<std::uint64_t>(1, 1000))));
}

constexpr std::uint32_t kRowsAtBorders[] = {0, 1, 4094, 4095, 4096, 4097, 8190, 8191, 8192, 8193, 12286, 12287, 12288};

void copy_samples(PictureBuilder& builder, Model& model, std::uint32_t from, std::uint32_t to) {
  if (!model[from].alive) return;
  builder.copy(vms::page_samples, from, to);
  model[to].samples = model[from].samples;
}

void take_act(PictureBuilder& builder, Model& model, const Act& act) {
  const std::uint32_t row = kRowsAtBorders[act.row];
  ModelRow& known = model[row];
  if (act.what == 8) {
    model[builder.add_row(Table::kVms)] = {};
  } else if (!known.alive) {
    builder.remove_row(Table::kVms, row);  // twice is no harm
  } else if (act.what == 7) {
    builder.remove_row(Table::kVms, row);
    known = {.alive = false};
  } else if (act.what == 6) {
    clear_row(builder, row, known);
  } else if (act.what == 10) {
    copy_samples(builder, model, kRowsAtBorders[act.n % std::size(kRowsAtBorders)], row);
  } else {
    change_row(builder, row, known, act.what, act.n);
  }
}

RC_GTEST_PROP(PictureBuilder, MakesWhatAModelHoldsAndLeavesOldPicturesAlone, ()) {
  struct Version {
    std::shared_ptr<const Picture> picture;
    Model model;
    std::uint64_t digest;
  };
  Model model;
  auto builder = std::make_unique<PictureBuilder>(empty_picture());
  builder->add_rows(Table::kVms, 12'289);
  for (const std::uint32_t row : kRowsAtBorders) model[row] = {};
  std::vector<Version> versions;
  const auto publish = [&] {
    const auto picture = builder->finish({"test", versions.size() + 1, 0}, 0);
    versions.push_back({picture, model, digest(*picture)});
    builder = std::make_unique<PictureBuilder>(picture);
  };
  for (const Act& act : *acts()) {
    if (act.what == 9) {
      publish();
    } else {
      take_act(*builder, model, act);
    }
  }
  publish();
  for (const Version& version : versions) {
    RC_ASSERT(same(*version.picture, version.model));
    RC_ASSERT(digest(*version.picture) == version.digest);
  }
}

TEST(PictureBuilder, CrossesTheBordersOfChunks) {
  for (const std::uint32_t count : {1u, 4095u, 4096u, 4097u, 8192u, 12'000u}) {
    PictureBuilder builder(empty_picture());
    for (std::uint32_t i = 0; i < count; ++i) {
      const std::uint32_t row = builder.add_row(Table::kHosts);
      ASSERT_EQ(row, i);
      builder.set(hosts::name, row, "host-" + std::to_string(i));
      builder.set(hosts::traits, row, std::vector<std::uint32_t>(i % 3, i));
      builder.set(hosts::vcpus, row, i);
    }
    const auto picture = builder.finish({"test", 1, 0}, 0);
    ASSERT_EQ(picture->rows(Table::kHosts), count);
    ASSERT_EQ((*picture)[hosts::vcpus].chunk_count(), (count + kChunkRows - 1) / kChunkRows);
    for (std::uint32_t i = 0; i < count; ++i) {
      ASSERT_EQ((*picture)[hosts::name][i], "host-" + std::to_string(i));
      ASSERT_EQ((*picture)[hosts::traits][i].size(), i % 3);
      ASSERT_EQ((*picture)[hosts::vcpus][i], i);
      ASSERT_EQ((*picture)[hosts::alive][i], 1);
      ASSERT_FALSE((*picture)[hosts::zone].valid(i));
    }
  }
}

TEST(PictureBuilder, CopiesOnlyTheChunksThatChange) {
  PictureBuilder first(empty_picture());
  first.add_rows(Table::kHosts, 3 * kChunkRows);
  for (const std::uint32_t row : {0u, kChunkRows, 2 * kChunkRows}) {
    first.set(hosts::vcpus, row, 8);
    first.set(hosts::name, row, "a");
  }
  const auto before = first.finish({}, 0);
  PictureBuilder second(before);
  second.set(hosts::vcpus, kChunkRows, 9);
  second.set(hosts::vcpus, 0, 8);  // is 8 already
  second.set(hosts::name, 0, "a");
  second.clear(hosts::zone, 0);
  const auto after = second.finish({}, 0);

  const auto& old_chunks = before->column(hosts::vcpus.index);
  const auto& new_chunks = after->column(hosts::vcpus.index);
  EXPECT_EQ(old_chunks[0], new_chunks[0]);
  EXPECT_NE(old_chunks[1], new_chunks[1]);
  EXPECT_EQ(old_chunks[2], new_chunks[2]);
  EXPECT_EQ(before->column(hosts::name.index), after->column(hosts::name.index));
  EXPECT_EQ((*before)[hosts::vcpus][kChunkRows], 8);
  EXPECT_EQ((*after)[hosts::vcpus][kChunkRows], 9);
}

TEST(PictureBuilder, KeepsTheTimeOfObservedValuesOnly) {
  PictureBuilder builder(empty_picture());
  const std::uint32_t host = builder.add_row(Table::kHosts);
  builder.set(hosts::cpu_util, host, 0.5, 1234);
  builder.set(hosts::vcpus, host, 4, 1234);
  const auto picture = builder.finish({}, 0);
  EXPECT_EQ((*picture)[hosts::cpu_util].observed_at_us(host), 1234);
  EXPECT_EQ((*picture)[hosts::power_watts].observed_at_us(host), 0);
  EXPECT_EQ((*picture)[hosts::vcpus].observed_at_us(host), 0);

  PictureBuilder later(picture);
  later.set(hosts::cpu_util, host, 0.5, 1235);  // the same value, seen again
  EXPECT_EQ((*later.finish({}, 0))[hosts::cpu_util].observed_at_us(host), 1235);
  PictureBuilder cleared(picture);
  cleared.clear(hosts::cpu_util, host);
  EXPECT_EQ((*cleared.finish({}, 0))[hosts::cpu_util].observed_at_us(host), 0);
}

TEST(PictureBuilder, TellsAnEmptyValueFromNone) {
  PictureBuilder builder(empty_picture());
  const std::uint32_t host = builder.add_row(Table::kHosts);
  builder.set(hosts::name, host, "");
  builder.set(hosts::traits, host, {});
  EXPECT_TRUE(builder.is_text(hosts::name, host, ""));
  EXPECT_FALSE(builder.is_text(hosts::nova_state, host, ""));
  const auto picture = builder.finish({}, 0);
  EXPECT_EQ((*picture)[hosts::name].get(host), "");
  EXPECT_TRUE((*picture)[hosts::traits].valid(host));
  EXPECT_FALSE((*picture)[hosts::nova_state].valid(host));
  EXPECT_FALSE((*picture)[hosts::aggregates].valid(host));
}

TEST(PictureBuilder, ReadsWhatItWrote) {
  PictureBuilder builder(empty_picture());
  const std::uint32_t vm = builder.add_row(Table::kVms);
  builder.set(vms::name, vm, "long enough to be on the heap");
  builder.set(vms::vcpus, vm, 2.5);
  builder.set(vms::id, vm, numbered(7));
  EXPECT_EQ(builder.get_text(vms::name, vm), "long enough to be on the heap");
  EXPECT_EQ(builder.get(vms::vcpus, vm), 2.5);
  EXPECT_EQ(builder.get(vms::id, vm), numbered(7));
  EXPECT_EQ(builder.get(vms::disk_gib, vm), std::nullopt);
  builder.clear(vms::name, vm);
  EXPECT_EQ(builder.get_text(vms::name, vm), "");
  EXPECT_EQ(builder.get(vms::vcpus, vm + 100'000), std::nullopt);
}

TEST(PictureBuilder, SharesTheValuesOfACopiedSpan) {
  const std::vector<std::uint64_t> hashes = {10, 20, 30};
  PictureBuilder first(empty_picture());
  const std::uint32_t from = first.add_row(Table::kVms), to = first.add_row(Table::kVms);
  first.set(vms::page_samples, from, hashes, 77);
  const auto before = first.finish({}, 0);
  PictureBuilder second(before);
  second.copy(vms::page_samples, from, to);
  second.remove_row(Table::kVms, from);
  const auto after = second.finish({}, 0);

  EXPECT_FALSE((*after)[vms::page_samples].valid(from));
  const auto span = (*after)[vms::page_samples][to];
  EXPECT_EQ(std::vector(span.begin(), span.end()), hashes);
  EXPECT_EQ(span.data(), (*before)[vms::page_samples][from].data());
  EXPECT_EQ((*after)[vms::page_samples].observed_at_us(to), 77);
}

// A change copies a group of references to spans, not one for each row of the chunk.
TEST(PictureBuilder, SharesTheSpansOfRowsFarFromTheChange) {
  const std::vector<std::uint64_t> hashes = {10, 20, 30};
  PictureBuilder first(empty_picture());
  first.add_rows(Table::kVms, kChunkRows);
  for (std::uint32_t row = 0; row < kChunkRows; ++row) first.set(vms::page_samples, row, hashes);
  const auto before = first.finish({}, 0);
  PictureBuilder second(before);
  for (const std::uint32_t row : {7u, 8u, 2000u}) second.clear(vms::page_samples, row);
  const auto after = second.finish({}, 0);

  const auto& spans = before->column(vms::page_samples.index)[0]->spans;
  std::uint32_t copied = 0;
  for (std::uint32_t row = 0; row < kChunkRows; ++row) copied += spans[row].use_count() > 1;
  EXPECT_LE(copied, 2 * 64u);
  EXPECT_EQ(spans[7].use_count(), 1);
  EXPECT_FALSE((*after)[vms::page_samples].valid(2000));
  EXPECT_EQ((*after)[vms::page_samples][2001].size(), hashes.size());
}

TEST(PictureBuilder, ReusesRemovedRows) {
  PictureBuilder first(empty_picture());
  for (int i = 0; i < 10; ++i) first.set(groups::name, first.add_row(Table::kGroups), "old");
  first.remove_row(Table::kGroups, 3);
  first.remove_row(Table::kGroups, 3);
  const auto before = first.finish({}, 0);
  PictureBuilder second(before);
  EXPECT_EQ(second.add_row(Table::kGroups), 3u);
  EXPECT_EQ(second.add_row(Table::kGroups), 10u);
  const auto after = second.finish({}, 0);

  EXPECT_EQ((*before)[groups::alive][3], 0);
  EXPECT_EQ((*after)[groups::alive][3], 1);
  EXPECT_FALSE((*after)[groups::name].valid(3));
  PictureBuilder third(before);  // a what-if from the same picture gets the same row
  EXPECT_EQ(third.add_row(Table::kGroups), 3u);
}

TEST(PictureBuilder, AddsNeighboursInGapsThatHoldThem) {
  PictureBuilder builder(empty_picture());
  EXPECT_EQ(builder.add_rows(Table::kNumaCells, 8), 0u);
  for (const std::uint32_t row : {6u, 1u, 3u, 2u}) builder.remove_row(Table::kNumaCells, row);
  EXPECT_EQ(builder.add_rows(Table::kNumaCells, 4), 8u);
  EXPECT_EQ(builder.add_rows(Table::kNumaCells, 3), 1u);
  EXPECT_EQ(builder.add_rows(Table::kNumaCells, 2), 12u);
  EXPECT_EQ(builder.add_rows(Table::kNumaCells, 1), 6u);
  for (std::uint32_t row = 0; row < builder.rows(Table::kNumaCells); ++row) {
    EXPECT_TRUE(builder.is_alive(Table::kNumaCells, row));
  }
}

TEST(PictureBuilder, KeepsOneCodeForEachText) {
  PictureBuilder builder(empty_picture());
  const std::uint32_t rack = builder.code("rack-1");
  EXPECT_EQ(builder.code("rack-1"), rack);
  EXPECT_NE(builder.code("rack-2"), rack);
  const auto picture = builder.finish({}, 0);
  EXPECT_EQ(picture->find_code("rack-1"), rack);
  EXPECT_EQ(picture->find_code("rack-3"), kNoRow);
  EXPECT_EQ(picture->text(rack), "rack-1");
  EXPECT_EQ(picture->text(kNoRow), "");
  PictureBuilder next(picture);
  EXPECT_EQ(next.code("rack-1"), rack);
}

TEST(PictureBuilder, GivesTheMemoryOfUnusedVersionsBack) {
  auto picture = empty_picture(1 << 24);
  const auto arena = picture->arena();
  PictureBuilder first(picture);
  first.add_rows(Table::kHosts, kChunkRows);
  picture = first.finish({}, 0);
  const std::uint64_t in_use = arena->bytes_in_use();
  for (int i = 0; i < 1000; ++i) {
    PictureBuilder next(picture);
    next.set(hosts::vcpus, 0, i);
    picture = next.finish({}, 0);
  }
  EXPECT_EQ(arena->bytes_in_use(), in_use);
}

TEST(PictureBuilder, LeavesNothingWhenTheArenaIsFull) {
  const auto base = empty_picture(1 << 16);
  PictureBuilder builder(base);
  EXPECT_THROW(builder.add_rows(Table::kVms, 200'000), std::bad_alloc);
  EXPECT_EQ(base->rows(Table::kVms), 0u);
}

TEST(Picture, IsNumberedAndHasAnIdentityOfItsOwn) {
  const auto base = empty_picture();
  const auto next = PictureBuilder(base).finish({"here", 5, 17}, 99);
  EXPECT_EQ(next->version().replica, "here");
  EXPECT_EQ(next->version().version, 5u);
  EXPECT_EQ(next->version().event_seq, 17);
  EXPECT_EQ(next->made_at_us(), 99);
  EXPECT_NE(next->identity(), base->identity());
}

TEST(PublishedPicture, GivesTheNewestAndKeepsNoneOfTheOld) {
  auto picture = empty_picture();
  PublishedPicture published(picture);
  EXPECT_EQ(published.take(), picture);
  for (std::uint64_t version = 1; version <= 200; ++version) {
    const std::weak_ptr<const Picture> old = picture;
    picture = PictureBuilder(picture).finish({"test", version, 0}, 0);
    published.publish(picture);
    EXPECT_EQ(published.take()->version().version, version);
    EXPECT_TRUE(old.expired());
  }
}

TEST(PublishedPicture, GivesEveryReaderRisingVersions) {
  constexpr std::uint64_t kVersions = 20'000;
  auto picture = empty_picture();
  PublishedPicture published(picture);
  std::atomic<bool> good{true};
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; ++i) {
    readers.emplace_back([&] {
      for (std::uint64_t last = 0; last < kVersions;) {
        const std::uint64_t version = published.take()->version().version;
        if (version < last) good = false;
        last = version;
      }
    });
  }
  for (std::uint64_t version = 1; version <= kVersions; ++version) {
    picture = PictureBuilder(picture).finish({"test", version, 0}, 0);
    published.publish(picture);
  }
  for (auto& reader : readers) reader.join();
  EXPECT_TRUE(good);
}

}  // namespace
}  // namespace emplace
