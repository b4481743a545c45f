#include "service/core/doors/drivers.h"

#include <gtest/gtest.h>

namespace emplace {
namespace {

// Drives hosts whose names begin with its letter, and keeps what it was asked for.
class Letter : public Hypervisors {
 public:
  explicit Letter(char letter) : letter_(letter) {}
  bool drives(const std::string& host) const override { return host.front() == letter_; }
  void start(StartOrder order, Done done) override { act("start " + order.claim.host, done); }
  void destroy(const std::string& host, const Uuid&, std::optional<Uuid>, Done done) override {
    act("destroy " + host, done);
  }
  void shut_down(const std::string& host, const Uuid&, Done done) override { act("shut_down " + host, done); }
  void move(MoveOrder order, std::function<void(const MoveProgress&)>, Done done) override {
    act("move " + order.from + " " + order.to, done);
  }
  Result<std::vector<DomainSeen>> domains(const std::string& host, Deadline) override {
    asked.push_back("domains " + host);
    return {};
  }

  std::vector<std::string> asked;

 private:
  void act(const std::string& what, const Done& done) {
    asked.push_back(what);
    done({});
  }
  const char letter_;
};

TEST(Drivers, GiveEachActToWhoDrivesItsHost) {
  Letter a('a'), b('b');
  Drivers both({&a, &b});
  int done = 0;
  const auto count = [&](const Result<void>&) { ++done; };
  StartOrder start;
  start.claim.host = "b1";
  MoveOrder move;
  move.from = "b1", move.to = "a1";

  both.start(start, count);
  both.destroy("a1", {}, {}, count);
  both.shut_down("b2", {}, count);
  both.move(
      move, [](const MoveProgress&) {}, count);
  std::ignore = both.domains("a2", {});

  EXPECT_EQ(a.asked, (std::vector<std::string>{"destroy a1", "domains a2"}));
  EXPECT_EQ(b.asked, (std::vector<std::string>{"start b1", "shut_down b2", "move b1 a1"}));
  EXPECT_EQ(done, 4);
}

TEST(Drivers, LeaveAnUnknownHostToTheFirstToRefuse) {
  Letter a('a'), b('b');
  Drivers both({&a, &b});

  both.destroy("c1", {}, {}, [](const Result<void>&) {});

  EXPECT_FALSE(both.drives("c1"));
  EXPECT_TRUE(both.drives("b1"));
  EXPECT_EQ(a.asked, std::vector<std::string>{"destroy c1"});
}

}  // namespace
}  // namespace emplace
