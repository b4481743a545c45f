#include "service/configuration/section.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <ranges>
#include <sstream>

#include "service/core/base/shown_text.h"
#include "service/core/json/json.h"

namespace emplace {
namespace {

// Not what is inside: toml++ would work out its width first, which is undefined for numbers below 1.
std::string found(const toml::node& node) {
  if (node.is_table()) return "a table";
  if (node.is_array()) return "a list";
  std::ostringstream text;
  node.visit([&](const auto& value) { text << value; });
  return shown_text(shortened(text.str()));
}

}  // namespace

void Section::text(const char* key, std::string& value) {
  const toml::node* const node = find(key);
  if (node == nullptr) return;
  if (!node->is_string()) return wrong(key, *node, "a string");
  value = node->as_string()->get();
}

void Section::name(const char* key, std::string& value) {
  text(key, value);
  const toml::node* const node = table_.get(key);
  if (node != nullptr && has_hidden(value)) wrong(key, *node, "a name without control or invisible characters");
}

void Section::own_name(const char* key, std::string& value) {
  name(key, value);
  if (find(key) == nullptr) return required(key);
  if (value.find_first_not_of(" \t") == std::string::npos) wrong(key, *find(key), "a name that is not blank");
}

void Section::needed(const char* key, std::string& value) {
  text(key, value);
  if (find(key) == nullptr) return required(key);
  if (value.empty()) wrong(key, *find(key), "a value that is not empty");
}

void Section::uri(const char* key, std::string& value, std::string_view example) {
  text(key, value);
  const std::size_t scheme = value.find("://");
  const auto ends = [&] {
    return scheme == 0 || scheme == std::string::npos || value.find_first_of(" \t\n") != std::string::npos;
  };
  if (!value.empty() && ends()) wrong(key, *find(key), fmt::format("a URI such as \"{}\"", example));
}

void Section::readable_file(const char* key, std::string& path) {
  text(key, path);
  std::error_code ignored;
  if (path.empty() || (!std::filesystem::is_directory(path, ignored) && std::ifstream(path))) return;
  wrong(key, *find(key), "a file that can be read");
}

void Section::one_of(const char* key, std::string& value, std::initializer_list<std::string_view> allowed) {
  const toml::node* const node = find(key);
  if (node == nullptr) return;
  std::string wanted;
  for (const std::string_view option : allowed) {
    if (node->is_string() && node->as_string()->get() == option) value = option;
    wanted += fmt::format("{}\"{}\"", wanted.empty() ? "" : " or ", option);
  }
  if (!node->is_string() || value != node->as_string()->get()) wrong(key, *node, wanted);
}

void Section::texts(const char* key, std::vector<std::string>& values) {
  const toml::node* const node = find(key);
  if (node == nullptr) return;
  if (!node->is_array()) return wrong(key, *node, "an array of strings");
  values.clear();
  for (const toml::node& item : *node->as_array()) {
    if (!item.is_string()) return wrong(key, item, "a string");
    values.push_back(item.as_string()->get());
  }
}

void Section::secrets(const char* key, std::vector<std::string>& values) {
  const toml::node* const node = find(key);
  if (node == nullptr) return;
  const bool fits = node->is_array() &&
                    std::ranges::all_of(*node->as_array(), [](const toml::node& item) { return item.is_string(); });
  fits ? texts(key, values) : wrong_secret(key, "an array of strings");
}

void Section::texts_by_name(const char* key, std::map<std::string, std::string>& values) {
  const toml::node* const node = find(key);
  if (node == nullptr) return;
  if (!node->is_table()) return wrong(key, *node, "a table of strings");
  for (const auto& [name, item] : *node->as_table()) {
    if (!item.is_string()) return wrong(key, item, "a string");
    values[std::string(name.str())] = item.as_string()->get();
  }
}

void Section::json(const char* key, std::string& value) {
  const toml::node* const node = find(key);
  if (node == nullptr) return;
  if (!node->is_table()) return wrong(key, *node, "a table");
  std::ostringstream out;
  out << toml::json_formatter(*node->as_table());
  value = out.str();
}

void Section::required(const char* key) {
  if (!table_.contains(key)) complain(table_.source(), fmt::format("{}{}: wanted a value, found none", path_, key));
}

void Section::wrong(const char* key, const toml::node& node, std::string_view wanted) {
  complain(node.source(), fmt::format("{}{}: wanted {}, found {}", path_, key, wanted, found(node)));
}

void Section::wrong_secret(const char* key, std::string_view wanted) {
  complain(table_.get(key)->source(), fmt::format("{}{}: wanted {}, found something else", path_, key, wanted));
}

const toml::node* Section::find(const char* key) {
  known_.emplace_back(key);
  return table_.get(key);
}

void Section::finish() {
  for (const auto& [key, node] : table_) {
    if (std::find(known_.begin(), known_.end(), key.str()) != known_.end()) continue;
    complain(key.source(), fmt::format("{}{}: unknown key", path_, shortened(key.str())));
  }
}

void Section::complain(const toml::source_region& where, std::string what) {
  if (error_) return;
  error_ = Error{ErrorCode::kInvalid, fmt::format("{}:{}: {}", file_, where.begin.line, what)};
}

}  // namespace emplace
