#include "service/configuration/cloud.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>

#include "service/core/json/json.h"

namespace emplace {

std::string at_home(const std::string& path) {
  const char* const given = std::getenv("HOME");
  const std::string home = given == nullptr ? "" : given;
  return path.starts_with("~/") ? home + path.substr(1) : path;
}

bool is_web(const std::string& url) {
  return (url.starts_with("http://") || url.starts_with("https://")) && url.find('@') == std::string::npos;
}

std::string shown(const YamlTree& value) {
  if (value.is_text()) return json_text(shortened(value.text));
  return value.is_list() ? "a list" : value.is_map() ? "a map" : "nothing";
}

std::string Cloud::text_in(const YamlTree& map, const char* prefix, std::initializer_list<const char*> keys) {
  for (const char* key : keys) {
    const YamlTree* const found = map.find(key);
    if (found == nullptr || found->kind == YamlTree::Kind::kNothing) continue;
    if (!found->is_text()) wrong(std::string(prefix) + key, "a text", shown(*found));
    if (!found->text.empty()) return found->text;
  }
  return {};
}

bool Cloud::flag(const char* key, bool otherwise) {
  const YamlTree* const found = tree_.find(key);
  if (found == nullptr || found->kind == YamlTree::Kind::kNothing) return otherwise;
  std::string word = found->text;
  std::transform(word.begin(), word.end(), word.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  for (const char* yes : {"true", "yes", "on", "y"}) {
    if (word == yes) return true;
  }
  for (const char* no : {"false", "no", "off", "n"}) {
    if (word == no) return false;
  }
  wrong(key, "true or false", found->is_text() ? shown(*found) : "something else");
  return otherwise;
}

std::string Cloud::filled(const std::string& key, const std::string& text) {
  std::string all;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text[at] == '{' ? text.find('}', at) : std::string::npos;
    if (end == std::string::npos) {
      all += text[at++];
      continue;
    }
    const YamlTree* const value = tree_.find(text.substr(at + 1, end - at - 1));
    if (value == nullptr || !value->is_text()) {
      wrong(key, "keys of this cloud in {}", json_text(shortened(text.substr(at, end + 1 - at))));
      return {};
    }
    all += value->text;
    at = end + 1;
  }
  return all;
}

}  // namespace emplace
