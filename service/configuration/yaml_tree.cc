#include "service/configuration/yaml_tree.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>

namespace emplace {
namespace {

// An alias may stand within what it names, and many aliases of aliases may stand for more than fits into memory.
constexpr int kDeepest = 32, kMostNodes = 100'000;

class Reader {
 public:
  YamlTree read(const YAML::Node& node, int depth = 0) {
    if (depth == kDeepest || ++nodes_ > kMostNodes) throw YAML::Exception(node.Mark(), "wanted a smaller document");
    if (node.IsMap()) return map_of(node, depth + 1);
    if (node.IsScalar()) return {YamlTree::Kind::kText, node.Scalar()};
    if (!node.IsSequence()) return {};
    YamlTree list{YamlTree::Kind::kList};
    for (const auto& one : node) list.items.push_back(read(one, depth + 1));
    return list;
  }

 private:
  YamlTree map_of(const YAML::Node& node, int depth) {
    YamlTree map{YamlTree::Kind::kMap};
    for (const auto& entry : node) {
      if (!entry.first.IsScalar()) throw YAML::Exception(entry.first.Mark(), "wanted a text as a key");
      if (entry.first.Scalar() != "<<") map.members.insert_or_assign(entry.first.Scalar(), read(entry.second, depth));
    }
    for (const auto& entry : node) {
      if (entry.first.Scalar() == "<<") merge_into(map, entry.second, depth);
    }
    return map;
  }

  void merge_into(YamlTree& map, const YAML::Node& merge, int depth) {
    if (merge.IsSequence()) {
      for (const auto& one : merge) merge_into(map, one, depth);
      return;
    }
    YamlTree more = read(merge, depth);
    if (!more.is_map()) throw YAML::Exception(merge.Mark(), "wanted a map after <<");
    map.members.merge(more.members);
  }

  int nodes_ = 0;
};

}  // namespace

const YamlTree* YamlTree::find(std::string_view key) const {
  const auto found = members.find(key);
  return found == members.end() ? nullptr : &found->second;
}

// yaml-cpp's messages have places, no contents.
Result<YamlTree> read_yaml(const std::string& file) {
  try {
    return Reader().read(YAML::LoadFile(file));
  } catch (const YAML::Exception& error) {
    return fail(ErrorCode::kInvalid, fmt::format("{}:{}: {}", file, error.mark.line + 1, error.msg));
  }
}

YamlTree merged(YamlTree below, const YamlTree& above) {
  if (!below.is_map() || !above.is_map()) return above;
  for (const auto& [key, value] : above.members) {
    const auto [at, fresh] = below.members.try_emplace(key, value);
    if (!fresh) at->second = merged(std::move(at->second), value);
  }
  return below;
}

YamlTree with_underscores(const YamlTree& tree) {
  YamlTree all{tree.kind, tree.text};
  for (const YamlTree& item : tree.items) all.items.push_back(with_underscores(item));
  for (const auto& [key, value] : tree.members) {
    std::string name = key;
    std::replace(name.begin(), name.end(), '-', '_');
    all.members.insert_or_assign(std::move(name), with_underscores(value));
  }
  return all;
}

}  // namespace emplace
