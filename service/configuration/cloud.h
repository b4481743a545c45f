// Cloud: one cloud of clouds.yaml as its files say, and what of it becomes an OpenstackEntry.
#pragma once

#include <fmt/format.h>

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "service/configuration/config.h"
#include "service/configuration/yaml_tree.h"
#include "service/core/base/result.h"

namespace emplace {

// "~/..." is in the home of whoever runs emplaced.
std::string at_home(const std::string& path);

bool is_web(const std::string& url);  // http:// or https://

// For a message: a text in quotes, or what kind of thing it is.
std::string shown(const YamlTree& value);

// The first thing that is wrong is kept; what follows it is read in vain.
class Cloud {
 public:
  Cloud(std::string where, YamlTree tree) : where_(std::move(where)), tree_(std::move(tree)) {}

  // Of the first of the keys that is there; empty: none is.
  std::string text(std::initializer_list<const char*> keys) { return text_in(tree_, "", keys); }
  // In "auth", or beside it, where openstacksdk takes it too.
  std::string login(std::initializer_list<const char*> keys) {
    const YamlTree* const auth = tree_.find("auth");
    if (auth != nullptr) {
      if (std::string found = text_in(*auth, "auth.", keys); !found.empty()) return found;
    }
    return text_in(tree_, "", keys);
  }
  bool flag(const char* key, bool otherwise);
  // With the texts of other keys in the place of "{key}".
  std::string filled(const std::string& key, const std::string& text);

  const YamlTree* find(std::string_view key) const { return tree_.find(key); }
  const YamlTree::Members& members() const { return tree_.members; }

  void wrong(const std::string& key, const std::string& wanted, const std::string& found) {
    if (error_) return;
    error_ = Error{ErrorCode::kInvalid, fmt::format("{}.{}: wanted {}, found {}", where_, key, wanted, found)};
  }
  void note(CloudNote::Level level, const std::string& key, const std::string& what) {
    notes_.push_back({level, fmt::format("{}{}{}", where_, key.empty() ? "" : ".", key), what});
  }
  void warn(const std::string& key, const std::string& what) { note(CloudNote::Level::kWarning, key, what); }

  const std::optional<Error>& error() const { return error_; }
  std::vector<CloudNote> take_notes() { return std::move(notes_); }

 private:
  std::string text_in(const YamlTree& map, const char* prefix, std::initializer_list<const char*> keys);

  const std::string where_;
  const YamlTree tree_;
  std::optional<Error> error_;
  std::vector<CloudNote> notes_;
};

// How to log in: exactly one way, for exactly one thing.
void take_login(Cloud& cloud, OpenstackEntry& to);

// Where the services are, and how they are reached.
void take_endpoints(Cloud& cloud, OpenstackEntry& to);

}  // namespace emplace
