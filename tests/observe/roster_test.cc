#include "service/observe/roster.h"

#include <gtest/gtest.h>

#include "service/observe/findings.h"

namespace emplace::observe {
namespace {

Uuid id(std::uint8_t last) {
  Uuid id;
  id.bytes[15] = last;
  return id;
}
DomainSeen running(std::uint8_t last) {
  DomainSeen seen;
  seen.id = id(last);
  return seen;
}
using Names = std::vector<std::string>;

class RosterOfHosts : public testing::Test {
 protected:
  void look(const std::string& host, std::vector<DomainSeen> all) {
    roster.looking(host, nullptr);
    roster.list(host, all);
  }
  Roster roster;
};

TEST_F(RosterOfHosts, TakesAVmForOneThatRunsTwiceOnlyWhenBothWereLookedAtAgain) {
  roster.connected("a", "x"), roster.connected("b", "y");
  look("a", {running(1), running(2)});
  look("b", {running(1)});
  EXPECT_EQ(roster.runs_also(id(1), "b"), Names()) << "it may just have moved";
  look("b", {running(1)});
  EXPECT_EQ(roster.runs_also(id(1), "b"), Names());
  look("a", {running(1), running(2)});
  EXPECT_EQ(roster.runs_also(id(1), "b"), Names{"a"});
  EXPECT_EQ(roster.runs_also(id(1), "a"), Names{"b"});
  EXPECT_EQ(roster.runs_also(id(2), "a"), Names());
  roster.miss("a", id(1));
  EXPECT_EQ(roster.runs_also(id(1), "b"), Names());
}

TEST_F(RosterOfHosts, SeesAMoveAsOne) {
  roster.connected("a", "x"), roster.connected("b", "y");
  look("a", {running(1)});
  look("b", {});
  roster.see("b", running(1));
  look("a", {});
  look("b", {running(1)});
  look("a", {});
  EXPECT_EQ(roster.runs_also(id(1), "b"), Names());
  EXPECT_TRUE(roster.runs(id(1), "b"));
  EXPECT_FALSE(roster.runs(id(1), "a"));
}

TEST_F(RosterOfHosts, KnowsTwoNamesOfOneLibvirtd) {
  roster.connected("a", "same"), roster.connected("b", "same"), roster.connected("c", "same");
  look("b", {running(1)});
  look("a", {running(1)});
  look("c", {running(2)});
  EXPECT_EQ(roster.same_as("b"), "a");
  EXPECT_EQ(roster.same_as("a"), "");
  EXPECT_EQ(roster.same_as("c"), "") << "a clone says the same of itself, but has other vms";
  EXPECT_EQ(roster.named_again("a"), Names{"b"});
  look("a", {running(1)}), look("b", {running(1)}), look("a", {running(1)});
  EXPECT_EQ(roster.runs_also(id(1), "a"), Names()) << "that is no vm that runs twice";
  look("a", {});
  EXPECT_EQ(roster.same_as("b"), "a") << "two lists are not of one moment";
  look("a", {});
  EXPECT_EQ(roster.same_as("b"), "");
}

TEST_F(RosterOfHosts, NamesAVmThatRunsTwiceUnderOneNameOfEachLibvirtd) {
  roster.connected("a", "other"), roster.connected("b", "same"), roster.connected("c", "same");
  for (int turn = 0; turn < 3; ++turn)
    for (const char* const host : {"a", "b", "c"}) look(host, {running(1)});
  ASSERT_EQ(roster.same_as("c"), "b");
  EXPECT_EQ(roster.runs_also(id(1), "a"), Names{"b"});
  EXPECT_EQ(roster.runs_also(id(1), "b"), Names{"a"});
  EXPECT_EQ(roster.runs_also(id(1), "c"), Names());
}

TEST_F(RosterOfHosts, TakesTheOtherNameWhenTheFirstIsLost) {
  roster.connected("a", "same"), roster.connected("b", "same");
  look("a", {running(1)}), look("b", {running(1)});
  ASSERT_EQ(roster.same_as("b"), "a");
  roster.lost("a");
  look("b", {running(1)});
  EXPECT_EQ(roster.same_as("b"), "");
}

TEST(Findings, AreSaidOnceWhenTheyBeginAndOnceWhenTheyEnd) {
  Names lines;
  std::int64_t now_us = 7;
  Findings findings([&] { return now_us; },
                    [&](std::string_view level, std::string_view line) {
                      lines.push_back(std::string(level) + ' ' + std::string(line));
                    });
  findings.replace("a", "unreachable", {"refused"});
  now_us = 8;
  findings.replace("a", "unreachable", {"refused"});
  findings.replace("b", "unreachable", {});
  ASSERT_EQ(findings.all().size(), 1u);
  EXPECT_EQ(findings.all()[0].since_us, 7);
  findings.replace("a", "unreachable", {});
  EXPECT_TRUE(findings.all().empty());
  EXPECT_EQ(lines, (Names{"warn event=finding name=unreachable host=\"a\" text=\"refused\"",
                          "info event=finding_over name=unreachable host=\"a\" text=\"refused\""}));
}

}  // namespace
}  // namespace emplace::observe
