// The configuration of a plugin, checked against the JSON Schema in its manifest before any code of the plugin runs.
// The schema is an object whose properties each have a type, a default or a place in "required", a description, and
// where it applies minimum, maximum, enum and a unit. What the schema does not name is refused; what the configuration
// leaves out is filled in.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "service/core/base/result.h"
#include "service/core/json/json.h"
#include "service/plugins/local_table.h"
#include "service/plugins/manifest.h"

namespace emplace {

// The schema of a manifest is one that we understand, and its defaults satisfy it.
Result<void> check_schema(const Manifest& manifest);

// The complete configuration as JSON, keys in the order of the schema. kInvalid naming plugin, key, wanted and found.
Result<std::string> complete_configuration(const Manifest& manifest, std::string_view json);

// What a call puts in place of the property `key`, or of some of its members where it is an object: whether it fits the
// schema, where a text may also be null, which is none. Nothing: the plugin has no such property.
std::optional<Result<void>> check_override(const Manifest& manifest, std::string_view key, JsonValue value);

// A complete configuration as the table that plugin.h describes. Keeps the texts of its columns.
class ConfigurationTable {
 public:
  explicit ConfigurationTable(std::string json) : json_(std::move(json)) {}
  ConfigurationTable(const ConfigurationTable&) = delete;
  ConfigurationTable& operator=(const ConfigurationTable&) = delete;

  Result<void> fill();  // once, before raw() is used
  const emplace_configuration& raw() const { return raw_; }

 private:
  void add(const char* name, JsonValue value);

  const std::string json_;
  std::deque<std::string> texts_;
  LocalTable table_{"configuration"};
  emplace_configuration raw_{};
};

}  // namespace emplace
