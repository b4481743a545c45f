// PluginLibrary: a plugin's code in this process, never unloaded. PluginInstance: created from it with one
// configuration. What comes out of the library is checked against this program's ABI and the manifest; a library that
// kills the process while it loads, or never returns, is what trial.h is for.
//
//   open -> create -> filter / objective / weigher / observer / consumer -> ~PluginInstance (destroys the plugin's
//   instance)
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "api/plugin/emplace/plugin.h"
#include "service/core/base/result.h"
#include "service/plugins/manifest.h"

namespace emplace {

class PluginInstance;

class PluginLibrary {
 public:
  // Runs the library's constructors. kInvalid naming the library, what was wanted and what was found.
  static Result<PluginLibrary> open(const Manifest& manifest) { return open(manifest, manifest.library); }
  // From a copy of the manifest's library.
  static Result<PluginLibrary> open(const Manifest& manifest, const std::filesystem::path& copy);
  // `configuration` is complete (configuration.h); `manifest` the one that it was opened with. kInvalid likewise.
  Result<std::unique_ptr<PluginInstance>> create(const Manifest& manifest, const std::string& configuration) const;

 private:
  explicit PluginLibrary(const emplace_entry& entry) : entry_(&entry) {}
  const emplace_entry* entry_;
};

class PluginInstance {
 public:
  PluginInstance(const emplace_entry& entry, void* instance) : entry_(entry), instance_(instance) {}
  ~PluginInstance() { entry_.destroy(instance_); }
  PluginInstance(const PluginInstance&) = delete;
  PluginInstance& operator=(const PluginInstance&) = delete;

  // All rules of the manifest are there once load() has succeeded.
  const emplace_filter& filter(const std::string& rule) const {
    return extension<emplace_filter>(EMPLACE_FILTER, rule);
  }
  const emplace_objective& objective(const std::string& rule) const {
    return extension<emplace_objective>(EMPLACE_OBJECTIVE, rule);
  }
  const emplace_weigher& weigher(const std::string& rule) const {
    return extension<emplace_weigher>(EMPLACE_WEIGHER, rule);
  }
  // Only when the manifest has an observer.
  const emplace_observer& observer() const { return extension<emplace_observer>(EMPLACE_OBSERVER, ""); }
  // Only when the manifest has a consumer.
  const emplace_consumer& consumer() const { return extension<emplace_consumer>(EMPLACE_CONSUMER, ""); }

  Result<void> check_extensions(const Manifest& manifest) const;

 private:
  template <typename T>
  const T& extension(const char* id, const std::string& rule) const {
    return *static_cast<const T*>(entry_.get_extension(instance_, id, rule.c_str()));
  }
  Result<void> check_extension(const char* id, const std::string& rule, std::size_t size) const;

  const emplace_entry& entry_;
  void* const instance_;
};

}  // namespace emplace
