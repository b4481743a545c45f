#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>

#include "service/core/base/actor.h"
#include "service/core/picture/picture.h"
#include "tests/store/fixture.h"

namespace emplace::test {
namespace {

using std::chrono::seconds;

Deadline soon() { return in(seconds(30)); }

VmRow placed(const std::string& name, const std::string& host_name, double vcpus = 1, double memory_mib = 1024) {
  VmRow row;
  row.name = name;
  row.host = host_name;
  row.state = VmState::kRunning;
  row.vcpus = vcpus;
  row.memory_mib = memory_mib;
  return row;
}

class Inventory : public testing::Test {
 protected:
  Result<Written> put(std::vector<Change> changes, std::optional<std::int64_t> if_match = {}) {
    return store.write(std::move(changes), if_match, {}, soon());
  }
  const std::string connection = fresh_database(server().connection_string());
  PostgresStore store{options_for(connection)};
};

TEST_F(Inventory, CountsWhatItsVmsUse) {
  ASSERT_TRUE(
      put({host_with_cells("h1", 2, 8, 8192), host("h2", 4, 4096), placed("a", "h1", 2), placed("b", "h1", 3)}));
  VmRow with_cells = placed("c", "h1", 4, 2048);
  with_cells.numa_nodes = 2;

  ASSERT_TRUE(put({with_cells, placed("b", "h2", 3)}));

  EXPECT_EQ(value(connection, "SELECT string_agg(vcpus_used::text, ' ' ORDER BY name) FROM hosts"), "6 3");
  EXPECT_EQ(value(connection, "SELECT string_agg(vcpus_used::text, ' ' ORDER BY cell) FROM host_cells"), "2 2");
  EXPECT_EQ(value(connection, "SELECT cells::text FROM vms WHERE name = 'c'"), "{0,1}");
  EXPECT_EQ(value(connection, "SELECT count(*) FROM vms"), "3");
  EXPECT_EQ(broken_rules(connection), std::vector<std::string>{});
}

TEST_F(Inventory, RefusesReferencesToNothingAndChangesNothing) {
  VmRow lost = placed("v", "h1");
  lost.group = "g9";
  const struct {
    std::vector<Change> changes;
    const char* message;
  } cases[] = {{{host("h1", 1, 1), placed("a", "h1"), placed("b", "h9")}, "vms[1].host: no host \"h9\""},
               {{host("h1", 1, 1), lost}, "vms[0].group: no group \"g9\""},
               {{SourceHostsRow{"s", {"h9"}}}, "source_hosts[0].hosts: no host \"h9\""}};
  for (const auto& wanted : cases) {
    const auto written = put(wanted.changes);
    ASSERT_FALSE(written);
    EXPECT_EQ(written.error().code, ErrorCode::kInvalid);
    EXPECT_EQ(written.error().message, wanted.message);
  }
  EXPECT_EQ(value(connection, "SELECT count(*) FROM hosts"), "0");
  EXPECT_EQ(value(connection, "SELECT count(*) FROM events"), "0");
}

TEST_F(Inventory, RemovesOnlyWhatIsNotInUse) {
  VmRow member = placed("v", "h");
  member.id = random_uuid();
  member.group = "g";
  HostRow row = host("h", 4, 4096);
  row.aggregates = {"agg"};
  ASSERT_TRUE(put({row, GroupRow{.name = "g"}, member, SourceHostsRow{"s", {"h"}}}));

  EXPECT_EQ(put({HostRemoved{"h"}}).error().code, ErrorCode::kConflict);
  EXPECT_EQ(put({GroupRemoved{"g"}}).error().code, ErrorCode::kConflict);
  EXPECT_EQ(put({HostRemoved{"h9"}}).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(put({VmRemoved{random_uuid()}}).error().code, ErrorCode::kNotFound);
  ASSERT_TRUE(put({AggregateRemoved{"agg"}}));
  ASSERT_TRUE(put({VmRemoved{member.id}}));
  EXPECT_EQ(value(connection, "SELECT vcpus_used FROM hosts"), "0");
  ASSERT_TRUE(put({HostRemoved{"h"}, GroupRemoved{"g"}}));

  EXPECT_EQ(value(connection,
                  "SELECT (SELECT count(*) FROM hosts) + (SELECT count(*) FROM groups) + (SELECT count(*) FROM vms)"
                  " + (SELECT count(*) FROM source_hosts) + (SELECT count(*) FROM aggregates)"),
            "0");
}

TEST_F(Inventory, KeepsGenerationsOfWhatSomebodyChanged) {
  const auto first = put({host("h", 4, 4096)});
  ASSERT_TRUE(first);
  ASSERT_TRUE(store.take({order(vm("v", 1, 1), "h")}, {}, soon())) << "a claim does not move it";

  const auto second = store.set_host_state("h", HostState::kDisabled, first->generation, soon());
  const auto stale = store.set_host_state("h", HostState::kEnabled, first->generation, soon());

  ASSERT_TRUE(second) << second.error().message;
  EXPECT_EQ(second->generation, first->generation + 1);
  ASSERT_FALSE(stale);
  EXPECT_EQ(stale.error().code, ErrorCode::kConflict);
  EXPECT_EQ(stale.error().message, "host h: wanted generation 1, it is 2");
}

// Everything the store does, followed by its events, against what a new replica loads.
std::vector<std::string> rows_of(const Picture& picture) {
  std::vector<std::string> rows;
  for (const Change& change : changes_of(picture)) rows.push_back(to_json(change));
  std::sort(rows.begin(), rows.end());
  return rows;
}

void some_of_everything(PostgresStore& store) {
  HostRow h1 = host_with_cells("h1", 2, 16, 32768);
  h1.zone = "z";
  h1.rack = "r";
  h1.aggregates = {"agg"};
  h1.traits = {"T1"};
  h1.cpu_util = 0.25;
  h1.observed_at_us = 5;
  h1.nova_state = "{\"x\":1}";
  PageSampleRow sample{.vm = "a",
                       .pages = 10,
                       .zero_pages = 2,
                       .distinct_pages = 7,
                       .rate = 2,
                       .hashes = {2, 4, 1ull << 63},
                       .observed_at_us = 6};
  VmRow in_cells = placed("c", "h1", 4, 4096);
  in_cells.numa_nodes = 2;
  ASSERT_TRUE(store.write(
      {h1, host("h2", 8, 8192), host("h3", 8, 8192), AggregateRow{"agg", {{"ssd", "true"}}}, GroupRow{.name = "g"},
       placed("a", "h1"), placed("b", "h2"), in_cells, TrafficRow{"b", "a", 100, 7}, TrafficRow{"a", "later", 50, 7},
       DataSourceRow{"a", "ds", 9, 8}, SourceHostsRow{"ds", {"h1", "h2", "h3"}}, sample},
      {}, {}, soon()));
  ClaimOrder later = order(vm("later", 2, 2048), "h2");
  later.vm.group = "g";
  const ClaimOrder held = order(vm("held", 1, 1024), "h1"), gone = order(vm("gone", 1, 1024), "h1"),
                   failed = order(vm("failed", 1, 1024), "h1");
  for (const ClaimOrder& wanted : {later, held, gone, failed}) ASSERT_TRUE(store.take({wanted}, {}, soon()));
  ASSERT_TRUE(store.confirm(later.id, VmState::kRunning, soon()));
  ASSERT_TRUE(store.give_back(gone.id, "", soon()));
  ASSERT_TRUE(store.give_back(failed.id, "no image", soon()));
  ASSERT_TRUE(store.set_host_state("h2", HostState::kMaintenance, {}, soon()));
  ASSERT_TRUE(store.set_vm_state(later.vm.id, VmState::kStopped, soon()));
  ASSERT_TRUE(store.write({TrafficRow{"a", "b", 0, 9}, HostRemoved{"h3"}}, {}, {}, soon()));
}

TEST_F(Inventory, LoadsWhatItsEventsMake) {
  some_of_everything(store);
  const auto arena = Arena::create(1ull << 30);
  ASSERT_TRUE(arena);

  PictureBuilder loading(std::make_shared<const Picture>(*arena)), following(std::make_shared<const Picture>(*arena));
  const auto seq = store.load(
      [&](std::vector<Change> changes) {
        for (const Change& change : changes) emplace::apply(loading, change);
      },
      soon());
  ASSERT_TRUE(seq);
  const auto events = store.events_after(0, 100000, soon());
  ASSERT_TRUE(events);
  for (const Event& event : *events) emplace::apply(following, change_from_json(event.payload).value());

  EXPECT_EQ(*seq, events->back().seq);
  EXPECT_EQ(rows_of(*loading.finish({}, 0)), rows_of(*following.finish({}, 0)));
}

TEST_F(Inventory, TailsEveryEventOnceInOrderWhileManyWrite) {
  ASSERT_TRUE(put({host("h", 1e6, 1e9)}));
  PostgresStore other(options_for(connection, "b"));
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::int64_t> seen;
  const auto tail = store.tail(
      0,
      [&](std::span<const Event> events) {
        const std::lock_guard lock(mutex);
        for (const Event& event : events) seen.push_back(event.seq);
        changed.notify_all();
      },
      [](EventTail::Loss) -> std::optional<std::int64_t> {
        ADD_FAILURE() << "nothing was lost";
        return std::nullopt;
      });

  std::vector<std::thread> writers;
  for (int i = 0; i < 6; ++i)
    writers.emplace_back([&, i] {
      PostgresStore& mine = i % 2 == 0 ? store : other;
      for (int n = 0; n < 40; ++n) {
        if (i < 4) {
          EXPECT_TRUE(mine.take({order(vm("v", 1, 1), "h")}, {}, soon()));
        } else {
          EXPECT_TRUE(mine.write({placed("v-" + std::to_string(i) + '-' + std::to_string(n), "h")}, {}, {}, soon()));
        }
      }
    });
  for (auto& writer : writers) writer.join();

  const auto last = std::stoll(value(connection, "SELECT seq FROM event_head"));
  std::unique_lock lock(mutex);
  EXPECT_TRUE(changed.wait_until(lock, soon(), [&] { return !seen.empty() && seen.back() >= last; }));
  ASSERT_EQ(seen.size(), static_cast<std::size_t>(last));
  for (std::size_t i = 0; i < seen.size(); ++i) ASSERT_EQ(seen[i], static_cast<std::int64_t>(i) + 1);
  EXPECT_EQ(broken_rules(connection), std::vector<std::string>{});
}

TEST_F(Inventory, KeepsWhoMadeEachChange) {
  {
    const Acting acting("token ci");
    ASSERT_TRUE(put({host("h", 1e6, 1e9)}));
  }
  ASSERT_TRUE(put({host("own", 1, 1)}));
  std::vector<std::thread> callers;  // whose claims are committed together
  for (int i = 0; i < 8; ++i)
    callers.emplace_back([&, i] {
      const Acting acting(fmt::format("token {}", i));
      for (int n = 0; n < 10; ++n) {
        const ClaimOrder wanted = order(vm(fmt::format("of token {}", i), 1, 1), "h");
        EXPECT_TRUE(store.take({wanted}, {}, soon()));
        EXPECT_TRUE(n % 2 == 0 ? store.confirm(wanted.id, VmState::kRunning, soon())
                               : store.give_back(wanted.id, "no", soon()));
      }
    });
  for (auto& caller : callers) caller.join();
  const ClaimOrder nobodys = order(vm("of replica a", 1, 1), "h");
  ASSERT_TRUE(store.take({nobodys}, {}, soon()) && store.give_back(nobodys.id, "", soon()));

  std::map<Uuid, std::string> names;
  const auto events = store.events_after(0, 100000, soon());
  for (const Event& event : *events) {
    const Change change = change_from_json(event.payload).value();
    if (const auto* row = std::get_if<HostRow>(&change)) {
      EXPECT_EQ(event.actor, row->name == "h" ? "token ci" : "replica a");
    } else if (const auto* seen = std::get_if<VmRow>(&change)) {
      names[seen->id] = seen->name;
      EXPECT_EQ("of " + event.actor, seen->name);
    } else {
      EXPECT_EQ("of " + event.actor, names.at(std::get<VmRemoved>(change).id));
    }
  }
  EXPECT_EQ(names.size(), 81u);
}

TEST_F(Inventory, SaysWhenEventsAreBeyondRetention) {
  ASSERT_TRUE(put({host("h1", 1, 1)}));
  ASSERT_TRUE(put({host("h2", 1, 1)}));
  query(connection, "DELETE FROM events WHERE seq = 1");
  std::mutex mutex;
  std::condition_variable changed;
  bool lost = false;

  const auto tail = store.tail(
      0, [](std::span<const Event>) { ADD_FAILURE() << "delivered with a gap"; },
      [&](EventTail::Loss loss) {
        EXPECT_EQ(loss, EventTail::Loss::kTrimmed);
        const std::lock_guard lock(mutex);
        lost = true;
        changed.notify_all();
        return std::optional<std::int64_t>(2);
      });

  std::unique_lock lock(mutex);
  EXPECT_TRUE(changed.wait_until(lock, soon(), [&] { return lost; }));
  EXPECT_EQ(store.events_after(0, 10, soon()).error().code, ErrorCode::kGone);
  EXPECT_EQ(store.events_after(1, 10, soon()).value().size(), 1u);
}

TEST_F(Inventory, SaysWhenTheDatabaseLacksEventsThatItHad) {
  const char* const changes[] = {
      "DELETE FROM events WHERE seq > 1; UPDATE event_head SET seq = 1",                // older
      "UPDATE events SET payload = 'another'; SELECT pg_notify('emplace_events', '')",  // as long, of
                                                                                        // another history
      "DELETE FROM events WHERE seq = 2; INSERT INTO events SELECT 2, at_us + 1, kind, payload FROM "
      "events WHERE seq = 1;"
      " INSERT INTO events SELECT 3, at_us, kind, payload FROM events WHERE seq = 1; UPDATE event_head "
      "SET seq = 3"};  // longer
  for (const char* const change : changes) {
    const std::string database = fresh_database(server().connection_string());
    PostgresStore mine(options_for(database));
    ASSERT_TRUE(mine.write({host("h1", 1, 1), host("h2", 1, 1)}, {}, {}, soon()));
    std::mutex mutex;
    std::condition_variable changed;
    std::int64_t last = 0;
    std::optional<EventTail::Loss> lost;
    const auto tail = mine.tail(
        0,
        [&](std::span<const Event> events) {
          const std::lock_guard lock(mutex);
          last = events.back().seq;
          changed.notify_all();
        },
        [&](EventTail::Loss loss) {
          const std::lock_guard lock(mutex);
          lost = loss;
          changed.notify_all();
          return mine.load([](std::vector<Change>) {}, soon()).value_or(0);
        });
    std::unique_lock lock(mutex);
    ASSERT_TRUE(changed.wait_until(lock, soon(), [&] { return last == 2; }));

    query(database, change);

    EXPECT_TRUE(changed.wait_until(lock, soon(), [&] { return lost.has_value(); })) << change;
    EXPECT_EQ(lost, EventTail::Loss::kRewound) << change;
    lock.unlock();
    ASSERT_TRUE(mine.write({host("h3", 1, 1)}, {}, {}, soon()));
    const auto newest = std::stoll(value(database, "SELECT seq FROM event_head"));
    lock.lock();
    EXPECT_TRUE(changed.wait_until(lock, soon(), [&] { return last == newest; })) << "it goes on after " << change;
    EXPECT_EQ(mine.database().rewinds, 1) << change;
  }
}

TEST_F(Inventory, LeavesAloneWhatIsAsItIsToBe) {
  HostRow with_cells = host_with_cells("cells", 2, 4, 4096);
  with_cells.aggregates = {"ssd"};
  with_cells.traits = {"AVX2"};
  VmRow on_cells = placed("on-cells", "cells");
  on_cells.numa_nodes = 1;
  const std::vector<Change> all = {with_cells,
                                   host("h", 4, 4096),
                                   GroupRow{"g", GroupPolicy::kAffinity, 1, 0},
                                   AggregateRow{"ssd", {{"k", "v"}}},
                                   placed("v", "h"),
                                   on_cells};
  const auto first = store.write(all, {}, {}, soon());
  ASSERT_TRUE(first) << first.error().message;

  const auto again = store.write(all, {}, {}, soon());
  auto moved = all;
  std::get<VmRow>(moved[4]).host = "cells";
  const auto one = store.write(moved, {}, {}, soon());
  auto smaller = all;
  std::get<HostRow>(smaller[0]).cells[1].memory_mib = 1024;
  const auto cell = store.write({smaller[0]}, {}, {}, soon());

  ASSERT_TRUE(again && one && cell);
  EXPECT_EQ(again->event_seq, first->event_seq);
  EXPECT_EQ(again->generation, first->generation);
  EXPECT_EQ(one->event_seq, first->event_seq + 1);
  EXPECT_EQ(cell->event_seq, one->event_seq + 1);
  EXPECT_EQ(cell->generation, 2);
  EXPECT_EQ(broken_rules(connection), std::vector<std::string>{});
}

TEST_F(Inventory, WritesMoreThanOnePortionInOneTransaction) {
  std::vector<Change> many{host("h", 1e6, 1e9)};
  for (int i = 0; i < 25'000; ++i) many.push_back(placed("v-" + std::to_string(i), "h"));

  const auto written = store.write(many, {}, {}, in(std::chrono::minutes(2)));

  ASSERT_TRUE(written) << written.error().message;
  EXPECT_EQ(written->event_seq, 25'001);
  EXPECT_EQ(value(connection, "SELECT count(*) || ' ' || max(seq) || ' ' || count(DISTINCT seq) FROM events"),
            "25001 25001 25001");
  EXPECT_EQ(value(connection, "SELECT count(DISTINCT xmin::text) FROM vms"), "1");
  EXPECT_EQ(broken_rules(connection), std::vector<std::string>{});
}

TEST_F(Inventory, GivesALeaseToOneReplicaWithARisingFence) {
  PostgresStore other(options_for(connection, "b"));

  const auto first = store.hold_lease("job", 60, soon());
  const auto refused = other.hold_lease("job", 60, soon());
  const auto renewed = store.hold_lease("job", 60, soon());
  query(connection, "UPDATE leases SET expires_at = now() - interval '1 second'");
  const auto taken_over = other.hold_lease("job", 60, soon());

  ASSERT_TRUE(first && *first && refused && renewed && *renewed && taken_over && *taken_over);
  EXPECT_FALSE(*refused);
  EXPECT_EQ((*renewed)->fence, (*first)->fence);
  EXPECT_EQ((*taken_over)->fence, (*first)->fence + 1);
}

// A replica that was replaced while it worked: what it still asks for as leader changes nothing.
TEST_F(Inventory, RefusesTheActsOfALeaderThatWasReplaced) {
  PostgresStore other(options_for(connection, "b"));
  ASSERT_TRUE(store.write({host("h", 8, 8192), placed("v", "h")}, {}, {}, soon()));
  const ClaimOrder held = order(vm("claimed", 1, 64), "h"), another = order(vm("another", 1, 64), "h");
  const auto taken = store.take({held}, {}, soon());
  ASSERT_TRUE(taken && taken->claims.size() == 1u);
  const auto first = store.hold_lease("job", 60, soon());
  ASSERT_TRUE(first && *first);
  query(connection, "UPDATE leases SET expires_at = now() - interval '1 second'");
  const auto second = other.hold_lease("job", 60, soon());
  ASSERT_TRUE(second && *second);
  const std::string events = value(connection, "SELECT max(seq) FROM events");
  const auto is_lost = [](const auto& result) { return !result && result.error().detail_code == "emplace.lease.lost"; };
  {
    const Leading leading(**first);
    EXPECT_TRUE(is_lost(store.write({host("h2", 8, 8192)}, {}, {}, soon())));
    EXPECT_TRUE(is_lost(store.set_host_state("h", HostState::kMaintenance, {}, soon())));
    EXPECT_TRUE(is_lost(store.give_back(held.id, "", soon())));
    EXPECT_TRUE(is_lost(store.confirm(held.id, VmState::kRunning, soon())));
    EXPECT_TRUE(is_lost(store.take({another}, {}, soon())));
    EXPECT_TRUE(store.claim(held.id, soon())) << "reading is for everybody";
  }
  EXPECT_EQ(value(connection, "SELECT max(seq) FROM events"), events);
  const Leading leading(**second);
  EXPECT_TRUE(other.set_host_state("h", HostState::kMaintenance, {}, soon()));
  EXPECT_TRUE(other.give_back(held.id, "", soon()));
}

}  // namespace
}  // namespace emplace::test
