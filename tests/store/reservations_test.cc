// Reservations: in the picture of their own replica at once, in that of every other soon, and gone when released or
// expired.
#include "service/observe/reservations.h"

#include <gtest/gtest.h>
#include <pqxx/pqxx>

#include <atomic>
#include <thread>

#include "tests/store/fixture.h"

namespace emplace::test {
namespace {

using std::chrono::seconds;

double used_on(const Picture& picture, const std::string& host) {
  return picture[hosts::vcpus_used][picture.find_host(host)];
}

// What one emplaced has of a database: its store, its picture, and what it reserved.
struct Replica {
  Replica(const std::string& connection, const std::string& name, std::atomic<std::int64_t>& ahead_us)
      : store([&] {
          StoreOptions options = options_for(connection, name);
          options.now_us = [&ahead_us] { return wall_clock_us() + ahead_us; };
          return options;
        }()),
        observer(*Arena::create(), name, nullptr, wall_clock_us, [](const std::string&) {}),
        book(
            observer, store, [&ahead_us] { return wall_clock_us() + ahead_us; },
            [](std::string_view, std::string_view) {}) {
    std::vector<Change> all;
    const auto take = [&](std::vector<Change> piece) { all.insert(all.end(), piece.begin(), piece.end()); };
    const std::int64_t seq = store.load(take, in(seconds(20))).value();
    observer.load(all, seq);
    tail = store.tail(
        seq, [this](std::span<const Event> events) { observer.apply(events); },
        [](EventTail::Loss) { return std::optional<std::int64_t>(); });
  }

  double used(const std::string& host) const { return used_on(*observer.latest(), host); }
  void reserve(const VmRequest& vm, const std::string& host, std::uint32_t ttl_s = 60) {
    book.reserve({&vm.id, 1}, ttl_s, [&](const auto&) {
      return host.empty() ? std::vector<Reservation>() : std::vector<Reservation>{{vm, host}};
    });
  }
  bool comes_to(const std::string& host, double vcpus) const {
    for (const Deadline deadline = in(seconds(20)); std::chrono::steady_clock::now() < deadline;) {
      if (used(host) == vcpus) return true;
      std::this_thread::yield();
    }
    return false;
  }

  PostgresStore store;
  observe::Observer observer;
  observe::ReservationBook book;
  std::unique_ptr<EventTail> tail;
};

class ReservationsOnTwoReplicas : public testing::Test {
 protected:
  ReservationsOnTwoReplicas() {
    PostgresStore store(options_for(connection));
    EXPECT_TRUE(store.write({host("h1", 16, 65536), host("h2", 16, 65536)}, {}, {}, in(seconds(20))));
  }

  const std::string connection = fresh_database(server().connection_string());
  std::atomic<std::int64_t> ahead_us = 0;
};

TEST_F(ReservationsOnTwoReplicas, CountAtOnceHereAndSoonElsewhere) {
  Replica a(connection, "a", ahead_us), b(connection, "b", ahead_us);

  a.reserve(vm("v", 4, 1024), "h1");

  EXPECT_EQ(a.used("h1"), 4);
  EXPECT_TRUE(b.comes_to("h1", 4));
  Replica c(connection, "c", ahead_us);
  EXPECT_EQ(c.used("h1"), 4);
}

TEST_F(ReservationsOnTwoReplicas, GiveWayWhenTheSameVmIsAskedForAgain) {
  Replica a(connection, "a", ahead_us), b(connection, "b", ahead_us);
  const VmRequest asked = vm("v", 4, 1024);
  a.reserve(asked, "h1");
  ASSERT_TRUE(b.comes_to("h1", 4));
  double seen = -1;

  b.book.reserve({&asked.id, 1}, 60, [&](const std::shared_ptr<const Picture>& picture) {
    seen = used_on(*picture, "h1");
    return std::vector<Reservation>{{asked, "h2"}};
  });

  EXPECT_EQ(seen, 0);
  EXPECT_EQ(b.used("h1"), 0);
  EXPECT_EQ(b.used("h2"), 4);
  EXPECT_TRUE(a.comes_to("h2", 4));
  EXPECT_TRUE(a.comes_to("h1", 0));
}

TEST_F(ReservationsOnTwoReplicas, StayAsDecidedWhenTheSameVmIsAskedForAgainAtOnce) {
  Replica a(connection, "a", ahead_us), b(connection, "b", ahead_us);
  const VmRequest asked = vm("v", 4, 1024);
  for (int round = 1; round <= 16; ++round) {
    a.reserve(asked, "h1");
    std::this_thread::yield();  // or the first would mostly not be written at all
    a.reserve(asked, "");
    const VmRequest later = vm("later", 1, 1024);
    a.reserve(later, "h2");
    // Whose event comes after those of the others.
    for (const Deadline deadline = in(seconds(20));
         b.used("h2") != round && std::chrono::steady_clock::now() < deadline;)
      ASSERT_EQ(a.used("h1"), 0) << "round " << round;
    ASSERT_EQ(b.used("h2"), round);
  }
}

TEST_F(ReservationsOnTwoReplicas, AreDecidedWhileTheStoreHangs) {
  Replica a(connection, "a", ahead_us), b(connection, "b", ahead_us);
  const VmRequest asked = vm("v", 4, 1024);
  {
    pqxx::connection other(onlooker_of(connection));
    pqxx::work hang(other);
    hang.exec("LOCK TABLE reservations");
    for (const std::string host : {"h1", "h2", "h1", "h2"}) {
      a.reserve(asked, host);
      EXPECT_EQ(a.used(host), 4);
      EXPECT_EQ(a.used(host == "h1" ? "h2" : "h1"), 0);
    }
  }
  EXPECT_TRUE(b.comes_to("h2", 4));
  EXPECT_EQ(b.used("h1"), 0);
  EXPECT_EQ(a.used("h1"), 0);
}

TEST_F(ReservationsOnTwoReplicas, EndWhenNoHostIsFoundAnyMore) {
  Replica a(connection, "a", ahead_us), b(connection, "b", ahead_us);
  const VmRequest asked = vm("v", 4, 1024);
  a.reserve(asked, "h1");
  ASSERT_TRUE(b.comes_to("h1", 4));

  a.reserve(asked, "");

  EXPECT_EQ(a.used("h1"), 0);
  EXPECT_TRUE(b.comes_to("h1", 0));
  EXPECT_EQ(value(connection, "SELECT count(*) FROM reservations"), "0");
}

TEST_F(ReservationsOnTwoReplicas, EndWhenTheirTimeIsUpOrTheyAreReleased) {
  Replica a(connection, "a", ahead_us), b(connection, "b", ahead_us);
  const VmRequest shortly = vm("v", 4, 1024), longer = vm("w", 2, 1024);
  a.reserve(shortly, "h1", 30);
  a.reserve(longer, "h2", 90);
  ASSERT_TRUE(b.comes_to("h1", 4) && b.comes_to("h2", 2));

  query(connection, "UPDATE reservations SET expires_at_us = expires_at_us - 60000000");
  EXPECT_EQ(b.store.expire_claims(in(seconds(20))).value(), 1);
  EXPECT_TRUE(a.comes_to("h1", 0) && b.comes_to("h1", 0));
  EXPECT_EQ(a.used("h2"), 2);

  EXPECT_TRUE(b.store.release({longer.id}, in(seconds(20))));
  EXPECT_TRUE(a.comes_to("h2", 0));
}

TEST_F(ReservationsOnTwoReplicas, AreNotMadeForAVmThatIsThereAlready) {
  Replica a(connection, "a", ahead_us);
  const VmRequest asked = vm("v", 4, 1024);
  ASSERT_TRUE(a.store.write({VmRow{.id = asked.id, .name = "v", .host = "h1", .state = VmState::kRunning, .vcpus = 4}},
                            {}, {}, in(seconds(20))));
  ASSERT_TRUE(a.comes_to("h1", 4));

  a.reserve(asked, "h1");
  EXPECT_EQ(a.used("h1"), 4);
  a.reserve(asked, "h2");
  EXPECT_EQ(a.used("h2"), 4);
}

TEST_F(ReservationsOnTwoReplicas, GoWithTheirHostAndTheirVm) {
  Replica a(connection, "a", ahead_us), b(connection, "b", ahead_us);
  const VmRequest moving = vm("v", 4, 1024), other = vm("w", 2, 1024);
  ASSERT_TRUE(a.store.write({VmRow{.id = moving.id, .name = "v", .host = "h1", .state = VmState::kRunning, .vcpus = 4}},
                            {}, {}, in(seconds(20))));
  a.reserve(moving, "h2");
  ASSERT_TRUE(b.comes_to("h2", 4) && b.comes_to("h1", 4));

  ASSERT_TRUE(a.store.write({VmRemoved{moving.id}}, {}, {}, in(seconds(20))));
  EXPECT_TRUE(b.comes_to("h2", 0) && a.comes_to("h2", 0));

  a.reserve(other, "h2");
  ASSERT_TRUE(b.comes_to("h2", 2));
  ASSERT_TRUE(a.store.write({HostRemoved{"h2"}}, {}, {}, in(seconds(20))));
  EXPECT_TRUE(b.comes_to("h1", 0));
  EXPECT_EQ(value(connection, "SELECT count(*) FROM reservations"), "0");

  // One that is written only after its host went.
  a.reserve(other, "h1");
  ASSERT_TRUE(b.comes_to("h1", 2));
  const VmRow late{
      .id = other.id, .name = "w", .host = "h2", .state = VmState::kClaimed, .vcpus = 2, .claim = other.id};
  ASSERT_TRUE(a.store.reserve({{late, wall_clock_us() + 60'000'000}}, in(seconds(20))));
  EXPECT_TRUE(b.comes_to("h1", 0) && a.comes_to("h1", 0));
  EXPECT_EQ(value(connection, "SELECT count(*) FROM reservations"), "0");
}

// Each takes the host with least in use, as it sees it when its turn comes.
TEST_F(ReservationsOnTwoReplicas, SpreadThoseWhoAskAtOnce) {
  Replica a(connection, "a", ahead_us);
  std::vector<std::thread> askers;
  for (int i = 0; i < 8; ++i) {
    askers.emplace_back([&] {
      const VmRequest asked = vm("v", 1, 1024);
      a.book.reserve({&asked.id, 1}, 60, [&](const std::shared_ptr<const Picture>& picture) {
        const char* const host = used_on(*picture, "h1") <= used_on(*picture, "h2") ? "h1" : "h2";
        return std::vector<Reservation>{{asked, host}};
      });
    });
  }
  for (std::thread& asker : askers) asker.join();

  EXPECT_EQ(a.used("h1"), 4);
  EXPECT_EQ(a.used("h2"), 4);
}

TEST_F(ReservationsOnTwoReplicas, LastWhileTheStoreIsAwayAndReachItAfterwards) {
  Replica a(connection, "a", ahead_us);
  const VmRequest kept = vm("v", 4, 1024), ended = vm("w", 2, 1024);
  const std::string hide = "ALTER TABLE reservations RENAME TO hidden",
                    show = "ALTER TABLE hidden RENAME TO reservations";
  query(connection, hide);
  a.reserve(kept, "h1", 600);
  a.reserve(ended, "h2", 1);
  EXPECT_EQ(a.used("h1"), 4);

  ahead_us = 60'000'000;
  EXPECT_TRUE(a.comes_to("h2", 0));
  query(connection, show);

  Replica b(connection, "b", ahead_us);
  EXPECT_TRUE(b.comes_to("h1", 4));
  EXPECT_EQ(a.used("h1"), 4);
}

}  // namespace
}  // namespace emplace::test
