#include "service/hypervisor/domain_template.h"

#include <gtest/gtest.h>

#include "service/hypervisor/xml.h"

namespace emplace {
namespace {

const std::string kNeeded = "${name}${uuid}${claim}";
const DomainTemplate::Values kOwn = {{"name", "n"}, {"uuid", "u"}, {"claim", "c"}};

DomainTemplate::Values with(DomainTemplate::Values more) {
  more.insert(kOwn.begin(), kOwn.end());
  return more;
}

std::string expanded(const std::string& text, const DomainTemplate::Values& values) {
  const auto parsed = DomainTemplate::parse(kNeeded + "|" + text, "t.xml");
  EXPECT_TRUE(parsed) << parsed.error().message;
  if (!parsed) return {};
  const auto out = parsed->expand(with(values));
  EXPECT_TRUE(out) << out.error().message;
  return out ? out->substr(4) : std::string();
}

std::string refusal(const std::string& text) {
  const auto parsed = DomainTemplate::parse(kNeeded + text, "t.xml");
  EXPECT_FALSE(parsed) << text;
  return parsed ? std::string() : parsed.error().message;
}

TEST(DomainTemplate, PutsValuesInTheirPlaces) {
  EXPECT_EQ(expanded("a ${vcpus} b ${parameter.x}", {{"vcpus", "4"}, {"parameter.x", "y"}}), "a 4 b y");
}

TEST(DomainTemplate, EscapesValues) {
  EXPECT_EQ(expanded("${parameter.x}", {{"parameter.x", "<a href='&\"'>"}}), "&lt;a href=&apos;&amp;&quot;&apos;&gt;");
}

TEST(DomainTemplate, DoesNotReadValuesAsTemplate) {
  EXPECT_EQ(expanded("${parameter.x}", {{"parameter.x", "${vcpus} ${/"}}), "${vcpus} ${/");
}

TEST(DomainTemplate, LeavesOtherDollarsAlone) { EXPECT_EQ(expanded("$ $$ $x {}", {}), "$ $$ $x {}"); }

TEST(DomainTemplate, TakesTheTextAfterColonDashWhereAValueIsMissing) {
  EXPECT_EQ(expanded("${parameter.x:-pc:-1}", {}), "pc:-1");
  EXPECT_EQ(expanded("${parameter.x:-pc}", {{"parameter.x", ""}}), "pc");
  EXPECT_EQ(expanded("${parameter.x:-pc}", {{"parameter.x", "q35"}}), "q35");
}

TEST(DomainTemplate, KeepsSectionsOnlyWhereTheyBelong) {
  const std::string text =
      "${?parameter.x}[${parameter.x}${?parameter.y}!${/parameter.y}]${/parameter.x}${!parameter.x}-${/parameter.x}";
  EXPECT_EQ(expanded(text, {}), "-");
  EXPECT_EQ(expanded(text, {{"parameter.x", "1"}}), "[1]");
  EXPECT_EQ(expanded(text, {{"parameter.x", "1"}, {"parameter.y", "2"}}), "[1!]");
}

TEST(DomainTemplate, NamesFileAndLineOfAnUnknownValue) {
  const std::string message = refusal("\n\n<x>${memory}</x>");
  EXPECT_EQ(message.substr(0, 42), "t.xml line 3: ${memory}: there is no value");
  EXPECT_NE(message.find("memory_mib"), std::string::npos);
}

TEST(DomainTemplate, RefusesBrokenSections) {
  EXPECT_NE(refusal("${?parameter.x} a").find("is not closed"), std::string::npos);
  EXPECT_NE(refusal("a ${/parameter.x}").find("closes nothing"), std::string::npos);
  EXPECT_NE(refusal("${?parameter.x}${?parameter.y}${/parameter.x}${/parameter.y}").find("closes nothing"),
            std::string::npos);
  EXPECT_NE(refusal("\n${vcpus").find("line 2"), std::string::npos);
  EXPECT_NE(refusal("${}").find("no value"), std::string::npos);
  EXPECT_NE(refusal("${parameter.}").find("no value"), std::string::npos);
  std::string deep;
  for (int i = 0; i < 100000; ++i) deep += "${?parameter.x}";
  EXPECT_NE(refusal(deep).find("too deeply"), std::string::npos);
}

TEST(DomainTemplate, WantsWhatTellsADomainForOurs) {
  const auto parsed = DomainTemplate::parse("${name} ${uuid}", "t.xml");
  ASSERT_FALSE(parsed);
  EXPECT_NE(parsed.error().message.find("${claim} is missing"), std::string::npos);
}

TEST(DomainTemplate, SaysWhichValueIsMissingAndWhere) {
  const auto parsed = DomainTemplate::parse(kNeeded + "\n${parameter.kernel}", "t.xml");
  ASSERT_TRUE(parsed);
  const auto out = parsed->expand(kOwn);
  ASSERT_FALSE(out);
  EXPECT_EQ(out.error().message, "t.xml line 2: ${parameter.kernel} has no value for this vm");
}

TEST(DomainTemplate, RefusesAParameterItDoesNotHave) {
  const auto parsed = DomainTemplate::parse(kNeeded + "${parameter.kernel:-x}", "t.xml");
  ASSERT_TRUE(parsed);
  const auto out = parsed->expand(with({{"parameter.kernl", "/boot/k"}}));
  ASSERT_FALSE(out);
  EXPECT_EQ(out.error().message, "vm.parameters.kernl: the template t.xml has no such parameter; it has: kernel");
}

TEST(DomainTemplate, RefusesValuesThatXmlCannotCarry) {
  const auto parsed = DomainTemplate::parse(kNeeded + "${parameter.x}", "t.xml");
  ASSERT_TRUE(parsed);
  const auto out = parsed->expand(with({{"parameter.x", std::string("a\0b", 3)}}));
  ASSERT_FALSE(out);
  EXPECT_NE(out.error().message.find("control character 0x00"), std::string::npos);
}

TEST(DomainTemplate, SaysThatAFileCannotBeRead) {
  const auto loaded = DomainTemplate::load("/nowhere/t.xml");
  ASSERT_FALSE(loaded);
  EXPECT_NE(loaded.error().message.find("/nowhere/t.xml"), std::string::npos);
}

TEST(DefaultTemplate, LeavesOutDevicesWithoutParameters) {
  const auto parsed = DomainTemplate::parse(default_domain_template(), "default");
  ASSERT_TRUE(parsed) << parsed.error().message;
  const auto xml =
      parsed->expand(with({{"domain_type", "kvm"}, {"memory_mib", "64"}, {"vcpus", "1"}, {"arch", "x86_64"}}));
  ASSERT_TRUE(xml) << xml.error().message;
  for (const char* const absent :
       {"<disk", "<interface", "<kernel", "<initrd", "<cmdline", "<emulator", "numatune", "cpuset"}) {
    EXPECT_EQ(xml->find(absent), std::string::npos) << absent;
  }
  EXPECT_EQ(read_domain_xml(*xml)->type, "kvm");
}

}  // namespace
}  // namespace emplace
