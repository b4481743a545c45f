// Subject: the plugin that is held against the contract: its files, its manifest, its complete configuration and the
// columns it sees. Setting adds what one run of the tests is told.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/check/watch.h"
#include "service/plugins/library.h"
#include "service/plugins/manifest.h"
#include "service/plugins/tables.h"

namespace emplace::check {

class SecondThread;

enum class Kind { kFilter, kObjective, kWeigher };

struct Rule {
  Kind kind;
  std::string id;
};

struct PluginFiles {
  std::filesystem::path library, manifest;
};
// Either of the two names both.
PluginFiles files_of(const std::filesystem::path& library_or_manifest);

struct Subject {
  // kInvalid, as the service would say it. Runs no code of the plugin.
  static Result<Subject> read(const PluginFiles& files, const std::string& configuration);

  // The same plugin with one of its rules, that sees only what the manifest names for this rule and the observer.
  Subject narrowed(const Rule& rule) const;
  bool reads(std::string_view column) const;  // "hosts.memory_mib"
  bool reads_table(std::string_view table) const;

  Manifest manifest;
  std::string configuration;  // complete
  TableLayout layout;
  std::vector<TableLayout::Place> observed;  // the observer's columns
  std::vector<Rule> rules;
};

struct Setting {
  PluginFiles files;
  std::string configuration;  // as given
  std::uint64_t seed = 0;
  std::int64_t budget_us = 0;
  const Subject* subject = nullptr;  // null only for the tests that run without one
  Watch* watch = nullptr;
  std::filesystem::path copy = {};        // the library, where a confined process reaches it
  const PluginLibrary* plugin = nullptr;  // null only for the tests that do not create it
  SecondThread* second_thread = nullptr;  // null but for the test of threads
};

}  // namespace emplace::check
