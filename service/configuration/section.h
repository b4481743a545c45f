// Section: one table of emplaced.toml. Each of its functions reads a key into a value that has its default already, and
// keeps the first error: file, line, key, what was wanted, what was found. Each key that was asked for is known;
// finish() refuses the others.
#pragma once

#include <fmt/format.h>
#include <toml++/toml.h>

#include <cstdint>
#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "service/core/base/result.h"

namespace emplace {

class Section {
 public:
  Section(const std::string& file, std::string path, const toml::table& table, std::optional<Error>& error)
      : file_(file), path_(std::move(path)), table_(table), error_(error) {}

  void text(const char* key, std::string& value);
  void name(const char* key, std::string& value);
  // A name that something is known by: not empty either.
  void own_name(const char* key, std::string& value);
  // One that has to be given, and says something.
  void needed(const char* key, std::string& value);
  // "" is none.
  void uri(const char* key, std::string& value, std::string_view example);
  void readable_file(const char* key, std::string& path);
  void one_of(const char* key, std::string& value, std::initializer_list<std::string_view> allowed);
  template <typename Number>
  void whole(const char* key, Number& value, std::int64_t least, std::int64_t most) {
    const toml::node* const node = find(key);
    if (node == nullptr) return;
    const auto number = node->value_exact<std::int64_t>();
    if (!number || *number < least || *number > most) {
      return wrong(key, *node, fmt::format("a whole number from {} to {}", least, most));
    }
    value = static_cast<Number>(*number);
  }
  template <typename Number>  // double, or an optional one
  void number(const char* key, Number& value, double least, double most) {
    const toml::node* const node = find(key);
    if (node == nullptr) return;
    const auto given = node->value<double>();
    if (!node->is_number() || !given || !(*given >= least && *given <= most)) {
      return wrong(key, *node, fmt::format("a number from {} to {}", least, most));
    }
    value = *given;
  }
  void texts(const char* key, std::vector<std::string>& values);
  // As texts(); no message shows one.
  void secrets(const char* key, std::vector<std::string>& values);
  void texts_by_name(const char* key, std::map<std::string, std::string>& values);
  void json(const char* key, std::string& value);
  template <typename Function>
  void table(const char* key, Function&& read) {
    const toml::node* const node = find(key);
    if (node == nullptr) return;
    if (!node->is_table()) return wrong(key, *node, "a table");
    Section section(file_, path_ + key + ".", *node->as_table(), error_);
    read(section);
    section.finish();
  }
  template <typename Function>
  void tables(const char* key, Function&& read) {
    const toml::node* const node = find(key);
    if (node == nullptr) return;
    if (!node->is_array()) return wrong(key, *node, "an array of tables");
    std::size_t i = 0;
    for (const toml::node& item : *node->as_array()) {
      if (!item.is_table()) return wrong(key, item, "a table");
      Section section(file_, fmt::format("{}{}[{}].", path_, key, i++), *item.as_table(), error_);
      read(section);
      section.finish();
    }
  }
  void required(const char* key);
  void wrong(const char* key, const toml::node& node, std::string_view wanted);
  // Of a value that may be or contain a secret: it is not shown.
  void wrong_secret(const char* key, std::string_view wanted);
  const toml::node* find(const char* key);
  void finish();

 private:
  void complain(const toml::source_region& where, std::string what);

  const std::string& file_;
  const std::string path_;
  const toml::table& table_;
  std::optional<Error>& error_;
  std::vector<std::string> known_;
};

}  // namespace emplace
