// YamlTree: a YAML document as a value, with anchors and merged maps ("<<") resolved as PyYAML does: what a map says
// itself wins over what is merged into it, the first of several merged maps over the next, and the last of two equal
// keys over the first. Texts are as they are written, whatever type YAML gives them.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "service/core/base/result.h"

namespace emplace {

struct YamlTree {
  enum class Kind { kNothing, kText, kList, kMap };
  using Members = std::map<std::string, YamlTree, std::less<>>;

  Kind kind = Kind::kNothing;  // kNothing: null
  std::string text = {};
  std::vector<YamlTree> items = {};
  Members members = {};

  bool is_map() const { return kind == Kind::kMap; }
  bool is_list() const { return kind == Kind::kList; }
  bool is_text() const { return kind == Kind::kText; }
  const YamlTree* find(std::string_view key) const;  // null: no such member, or no map
};

// JSON is read as well. kInvalid with file and line, never with contents.
Result<YamlTree> read_yaml(const std::string& file);

// `above` laid over `below`: maps member by member, all else as a whole.
YamlTree merged(YamlTree below, const YamlTree& above);

// In all keys "_" for "-".
YamlTree with_underscores(const YamlTree& tree);

}  // namespace emplace
