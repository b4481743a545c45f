#include "service/rest/names.h"

#include <gtest/gtest.h>

#include <string>

namespace emplace::http {
namespace {

std::string fault(std::string_view body) {
  const auto checked = check_names(body);
  return checked ? "" : checked.error().message;
}

TEST(Names, ThatHideSomethingAreRefusedWithTheirField) {
  EXPECT_EQ(fault(R"({"hosts":[{"name":"h1"},{"name":"h\u202e2"}]})"),
            "hosts[1].name: wanted a name without control or invisible characters, found \"h\\u202e2\"");
  EXPECT_EQ(fault("{\"vm\":{\"project\":\"p\xc2\x85\"}}"),
            "vm.project: wanted a name without control or invisible characters, found \"p\\u0085\"");
  for (const char* body :
       {R"({"vm":{"name":"a\u2066"}})", R"({"vm":{"group":"a\u0080"}})", R"({"vm":{"zone":"a\ufeff"}})",
        R"({"vm":{"traits":["OK","a\u2028"]}})", R"({"vm":{"spread":{"group":"g","domain":"a\u200b"}}})",
        R"({"hosts":[{"rack":"a\u2069"}]})", R"({"hosts":[{"aggregates":["a\u202a"]}]})",
        R"({"aggregates":[{"name":"a\u009f"}]})", R"({"groups":[{"name":"a\u2067"}]})",
        R"({"vms":[{"name":"a\u200e"}]})", R"({"options":1,"profile":"a\u2060"})",
        R"({"what_if":[{"kind":"host","name":"a\u202d"}]})"}) {
    EXPECT_NE(fault(body).find("wanted a name without control or invisible characters, found \"a\\u"),
              std::string::npos)
        << body;
  }
}

TEST(Names, OfPeopleAreTaken) {
  EXPECT_EQ(fault("{\"vm\":{\"name\":\"b\xc3\xbcro-\xe4\xb8\xad\xe6\x96\x87-\xf0\x9f\x98\x80\"}}"), "");
  EXPECT_EQ(fault("{\"vm\":{\"name\":\"\xd9\x85\xdb\x8c\xe2\x80\x8c\xd8\xae\xd9\x88\"}}"), "");
  EXPECT_EQ(fault("no JSON \\u202e"), "");
  EXPECT_EQ(fault(""), "");
}

TEST(Names, ThatOnlyPointAtSomethingAreLetThrough) {
  EXPECT_EQ(fault(R"({"host":"h\u202e","hosts":["h\u202e"],"only_hosts":["h\u202e"],"vm":"v\u0085"})"), "");
  EXPECT_EQ(fault(R"({"request_spec":{"project_id":"p\u202e"},"hosts":["a"]})"), "");
  EXPECT_EQ(fault(R"({"host_states":[{"host":"a","aggregates":[{"name":"z\u202e"}]}]})"), "");
  EXPECT_EQ(fault(R"({"vm":{"parameters":{"motd":"\u202e"}},"aggregates":[{"metadata":{"k":"\u0085"}}]})"), "");
}

TEST(Names, InPathsAreHeldToTheSame) {
  EXPECT_TRUE(
      check_path_name("gr\xc3\xbc"
                      "n"));
  for (const std::string& bad :
       {std::string(), std::string(256, 'x'), std::string("a\n"), std::string("a\xe2\x80\xae")}) {
    const auto checked = check_path_name(bad);
    ASSERT_FALSE(checked);
    EXPECT_TRUE(checked.error().message.starts_with("name: wanted a name ")) << checked.error().message;
  }
}

}  // namespace
}  // namespace emplace::http
