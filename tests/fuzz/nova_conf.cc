// nova.conf, of either release.
#include <toml++/toml.h>

#include <sstream>

#include "service/core/json/json.h"
#include "service/novaconf/import.h"
#include "tests/fuzz/targets.h"

namespace emplace::fuzz {
namespace {

void require_same(const toml::table& found, JsonValue wanted) {
  std::ostringstream text;
  text << toml::json_formatter(found);
  const auto read = JsonDocument::parse(text.str());
  require(read.has_value(), "toml++ writes no JSON");
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const auto part = read->root().find(wanted.key(i));
    require(part.has_value(), "a part of the configuration got lost");
    for (std::size_t k = 0; wanted.member(i).is_object() && k < wanted.member(i).size(); ++k) {
      const auto option = part->find(wanted.member(i).key(k));
      require(option && option->kind() == wanted.member(i).member(k).kind(), "an option got lost");
      if (option->is_number()) require(option->number() == wanted.member(i).member(k).number(), "a number changed");
      if (option->is_text()) require(option->text() == wanted.member(i).member(k).text(), "a text changed");
    }
  }
}

}  // namespace

void nova_conf(std::string_view input) {
  novaconf::Ini ini;
  if (const auto added = ini.add(input, "nova.conf"); !added) return require_clear(added.error());
  for (const auto release : {novaconf::Release::kZed, novaconf::Release::kMaster}) {
    const novaconf::Import import = import_options(understand(ini, release));
    for (const novaconf::Finding& finding : import.findings)
      require_clear({ErrorCode::kInvalid, finding.about + ": " + finding.text});
    const auto configuration = JsonDocument::parse(import.configuration);
    require(configuration.has_value(), "the configuration is no JSON");
    const toml::table table = toml::parse(to_toml(import));
    require_same(*table["plugin"][0]["config"].as_table(), configuration->root());
  }
}

}  // namespace emplace::fuzz
