// Manifests and configurations: read before any code runs, refused with file, key, wanted and found.
#include "service/plugins/manifest.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "service/plugins/configuration.h"
#include "service/plugins/plugins.h"

namespace emplace {
namespace {

constexpr const char* kGood = R"({"id":"m","version":"1","abi":{"major":1,"minor":0},"licence":"X","description":"d",
  "objectives":[{"id":"m.cost","description":"d","cost_class":"cheap","unit":"MiB","resolution":2,
                 "columns":["hosts.memory_mib","request.vcpus"]}],
  "configuration":{"type":"object","properties":{
    "ttl_s":{"type":"number","default":60,"minimum":1,"maximum":100,"unit":"s","description":"d"},
    "mode":{"type":"string","default":"a","enum":["a","b"],"description":"d"}}}})";

std::string with(const std::string& from, const std::string& to) {
  std::string text = kGood;
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

std::string manifest_refusal(const std::string& json) {
  const auto manifest = parse_manifest(json, "/p/m.json");
  return manifest ? "accepted" : manifest.error().message;
}

TEST(Manifest, SaysWhatARuleIs) {
  const auto manifest = parse_manifest(kGood, "/p/m.json");

  ASSERT_TRUE(manifest) << manifest.error().message;
  EXPECT_EQ(manifest->objectives.front().id, "m.cost");
  EXPECT_EQ(manifest->objectives.front().resolution, 2);
  EXPECT_EQ(manifest->objectives.front().weight, 1);
  EXPECT_EQ(manifest->columns(), (std::vector<std::string>{"hosts.memory_mib", "request.vcpus"}));
}

TEST(Configuration, RefusesWhatCanNotBeHeldAgainstASchema) {
  const auto refused = [](const std::string& more) {
    return manifest_refusal(with(R"("default":60)", R"("default":60,)" + more));
  };
  EXPECT_NE(refused(R"("not":"string")").find("not: wanted a schema, found"), std::string::npos);
  EXPECT_NE(refused(R"("not":{"$ref":"#"})").find("wanted a schema without references"), std::string::npos);
  for (const std::string key : {"allOf", "anyOf", "oneOf"}) {
    EXPECT_NE(refused('"' + key + R"(":[{"minimum":1},7])").find(key + ": wanted schemas"), std::string::npos);
    EXPECT_EQ(refused('"' + key + R"(":[{"minimum":1}])"), "accepted");
  }
  EXPECT_EQ(refused(R"("not":{"minimum":1000})"), "accepted");
  EXPECT_NE(refused(R"("dependencies":{"a":["b",1]})").find("dependencies: wanted lists of names"), std::string::npos);
  EXPECT_EQ(refused(R"("dependencies":{"a":["b"],"c":{"required":["a"]}})"), "accepted");
}

TEST(Configuration, RefusesNumbersBeyond64Bits) {
  const auto manifest = parse_manifest(kGood, "/p/m.json");
  ASSERT_TRUE(manifest);

  EXPECT_NE(manifest_refusal(with(R"("default":60)", R"("default":1e19)")).find("wanted numbers below 2^63"),
            std::string::npos);
  EXPECT_NE(complete_configuration(*manifest, R"({"ttl_s":-1e19})").error().message.find("wanted numbers below 2^63"),
            std::string::npos);
}

TEST(Manifest, RefusesWhatItDoesNotKnowWithFileKeyWantedAndFound) {
  const struct {
    std::string json;
    std::string says;
  } cases[] = {
      {"[", "/p/m.json: "},
      {std::string(1000000, '['), "/p/m.json: "},
      {with(R"("licence":"X",)", ""), "licence"},
      {with(R"("licence":"X")", R"("licence":"X","colour":"red")"), "colour"},
      {with(R"("id":"m",)", R"("id":"m","id":"n",)"), "id"},
      {with(R"("major":1)", R"("major":"one")"), "abi.major: wanted"},
      {with(R"("cheap")", R"("free")"),
       "objectives[0].cost_class: wanted one of cheap, medium, expensive, found \"free\""},
      {with(R"("hosts.memory_mib")", R"("hosts.memory")"), "objectives[0].columns[0]: wanted a column"},
      {with(R"("hosts.memory_mib")", R"("memory_mib")"), "found \"memory_mib\""},
      {with(R"("resolution":2)", R"("resolution":0)"), "objectives[0].resolution"},
      {with(R"("description":"d","cost_class")", R"("description":"","cost_class")"), "m.cost: wanted a description"},
      {with(R"("objectives")", R"("observer":{"columns":["request.vm"]},"objectives")"), "observer.columns"},
      {with(R"("objectives")", R"("weighers")"), "unit"},
      {with(R"("type":"number")", R"("type":"float")"), "configuration.properties.ttl_s.type: wanted one of"},
      {with(R"("default":60)", R"("default":600)"),
       "configuration: a default is not valid: ttl_s: wanted maximum 100, found 600"},
      {with(R"("default":60,)", ""), "configuration.properties.ttl_s: wanted a default"},
  };
  for (const auto& [json, says] : cases) {
    const std::string said = manifest_refusal(json);
    EXPECT_NE(said.find(says), std::string::npos) << "wanted " << says << "\nfound  " << said;
    EXPECT_EQ(said.find("/p/m.json"), 0u) << said;
  }
}

TEST(Configuration, FillsInDefaults) {
  const auto manifest = parse_manifest(kGood, "/p/m.json");

  EXPECT_EQ(complete_configuration(*manifest, R"({"mode":"b"})").value(), R"({"ttl_s":60,"mode":"b"})");
}

TEST(Configuration, RefusesUnknownKeysTypesAndRanges) {
  const auto manifest = parse_manifest(kGood, "/p/m.json");
  const auto says = [&](const char* json) {
    const auto completed = complete_configuration(*manifest, json);
    return completed ? "accepted" : completed.error().message;
  };

  EXPECT_EQ(says(R"({"tttl_s":1})"),
            "plugin m (/p/m.json): config: tttl_s: wanted one of: ttl_s, mode; found an unknown key");
  EXPECT_EQ(says(R"({"ttl_s":0})"), "plugin m (/p/m.json): config: ttl_s: wanted minimum 1, found 0");
  EXPECT_EQ(says(R"({"ttl_s":"7"})"), R"(plugin m (/p/m.json): config: ttl_s: wanted type "number", found "7")");
  EXPECT_EQ(says(R"({"mode":"c"})"), R"(plugin m (/p/m.json): config: mode: wanted enum ["a","b"], found "c")");
  EXPECT_EQ(says("[]").find("plugin m (/p/m.json): config: wanted an object"), 0u) << says("[]");
  EXPECT_EQ(says(R"({"mode":"a","mode":"b"})").find("plugin m (/p/m.json): config: "), 0u);
}

TEST(Override, StandsInPlaceOfAPartOfTheConfiguration) {
  const auto manifest =
      read_manifest(manifest_path(std::filesystem::path(EMPLACE_BUILT_PLUGINS) / "libemplace_nova.so"));
  ASSERT_TRUE(manifest);
  const auto checked = [&](const char* key, const char* json) -> std::string {
    const auto document = JsonDocument::parse(json);
    const auto found = check_override(*manifest, key, document->root());
    return !found ? "no such property" : *found ? "fits" : found->error().message;
  };

  EXPECT_EQ(checked("release", R"("master")"), "fits");
  EXPECT_EQ(checked("metrics", R"({"required":false,"weight_setting":["a=1"]})"), "fits");
  EXPECT_EQ(checked("filter_scheduler", R"({"image_properties_default_architecture":null})"), "fits");
  EXPECT_EQ(checked("cells", "{}"), "no such property");
  EXPECT_EQ(checked("metrics", "1"), "metrics: wanted type \"object\", found 1");
  EXPECT_EQ(checked("metrics", R"({"required":null})"), "metrics.required: wanted type \"boolean\", found null");
}

TEST(Manifest, LiesBesideItsLibrary) {
  EXPECT_EQ(manifest_path("/p/libemplace_affinity.so"), "/p/affinity.json");
  EXPECT_EQ(manifest_path("/p/libfoo.so"), "/p/foo.json");
}

TEST(PluginList, ReadsManifestsWithoutLoading) {
  const auto listed = list_plugins(EMPLACE_BUILT_PLUGINS);

  ASSERT_EQ(listed.size(), 2u);
  EXPECT_EQ(listed[0].manifest.value().id, "affinity");
  EXPECT_EQ(listed[1].manifest.value().id, "nova");
  EXPECT_EQ(listed[1].manifest->library.filename(), "libemplace_nova.so");
  EXPECT_TRUE(list_plugins("/nowhere").empty());
}

}  // namespace
}  // namespace emplace
