#include "service/wiring/plugins.h"

#include <fmt/format.h>

#include <utility>

#include "service/core/base/shown_text.h"
#include "service/core/json/json.h"
#include "service/plugins/absent_rules.h"
#include "service/wiring/log.h"
#include "service/wiring/notes.h"
#include "service/wiring/options.h"
#include "service/wiring/world.h"

namespace emplace {
namespace {

void log_refusals(const Plugins& plugins) {
  for (const PluginStatus& one : plugins.status()) {
    if (one.state != "refused") continue;
    log_line("error", fmt::format("event=plugin_refused plugin={} library={} error={}", json_text(one.id),
                                  json_text(one.library), json_text(one.last_error)));
  }
}

// The profiles that were changed over REST.
Result<std::vector<Profile>> changed_profiles(Store& store, Deadline deadline) {
  std::vector<Profile> profiles;
  const auto stored = store.profiles(deadline);
  if (!stored) return tl::unexpected(stored.error());
  for (const auto& [name, json] : *stored) {
    const auto profile = parse_profile(json, name);
    if (!profile) return tl::unexpected(profile.error());
    profiles.push_back(*profile);
  }
  return profiles;
}

// All that profiles may name; for what they name of a plugin that was refused, something that says so.
Catalogue rules_of(const Plugins& plugins, const Config& config, std::span<const Profile> changed) {
  std::vector<Profile> profiles = config.profiles;
  profiles.insert(profiles.end(), changed.begin(), changed.end());
  return with_stand_ins(plugins.add_to(built_in_rules()), profiles, plugins.refusals());
}

Result<void> take_profile(const std::string& payload, RuleBook& book) {
  const auto document = JsonDocument::parse(payload);
  if (!document) return tl::unexpected(document.error());
  const auto name = document->root().find("name");
  if (name && name->is_text() && document->root().find("removed")) return book.forget(name->text());
  const auto profile = parse_profile(document->root(), "");
  return profile ? book.put(*profile) : Result<void>(tl::unexpected(profile.error()));
}

}  // namespace

PluginPart::PluginPart(const Config& config, PluginSettings settings, Plugins plugins)
    : settings_(std::move(settings)), plugins_(std::move(plugins)), config_(config) {}

Result<std::unique_ptr<PluginPart>> PluginPart::load(const Config& config, std::shared_ptr<Arena> arena) {
  auto settings = plugin_settings(std::move(arena));
  auto plugins = Plugins::load(settings, plugin_choices(config, settings));
  if (!plugins) return tl::unexpected(plugins.error());
  log_refusals(*plugins);
  return std::unique_ptr<PluginPart>(new PluginPart(config, std::move(settings), *std::move(plugins)));
}

Result<void> PluginPart::fill_with(const Config& config, const Plugins& plugins, Store& store, Deadline deadline) {
  const auto changed = changed_profiles(store, deadline);
  if (!changed) return tl::unexpected(changed.error());
  return rule_book_.replace(rules_of(plugins, config, *changed), config.profiles, *changed,
                            {config.profile, config.front_limit});
}

Result<void> PluginPart::fill(Store& store, Deadline deadline) {
  const std::lock_guard lock(mutex_);
  return fill_with(config_, *plugins_.get(), store, deadline);
}

Result<void> PluginPart::take_stored_profiles(Store& store, Deadline deadline) {
  const std::lock_guard lock(mutex_);
  const auto changed = changed_profiles(store, deadline);
  return changed ? rule_book_.replace(config_.profiles, *changed) : tl::unexpected(changed.error());
}

void PluginPart::take_profiles(std::span<const Event> events) {
  for (const Event& event : events) {
    if (event.kind != kProfileEvent) continue;
    const auto put = take_profile(event.payload, rule_book_);
    if (!put) log_line("error", fmt::format("event=profile error={}", log_text(put.error().message)));
  }
}

Result<void> PluginPart::take(const Config& config, Store& store, Deadline deadline) {
  auto plugins = plugins_.get()->reload(settings_, plugin_choices(config, settings_));
  if (!plugins) return tl::unexpected(plugins.error());
  if (const auto filled = fill_with(config, *plugins, store, deadline); !filled) return filled;
  plugins_.put(*std::move(plugins));
  config_ = config;
  log_notes(config);
  return {};
}

void PluginPart::reload_on(http::LinePool& lines, Store& store) {
  if (reload_waits_.exchange(true)) return;
  const bool taken = lines.submit([this, &store] {
    const std::lock_guard lock(mutex_);
    reload_waits_ = false;
    reload(store);
  });
  if (taken) return;
  reload_waits_ = false;
  log_line("error", "event=reload error=\"more requests wait than the service will hold; send SIGHUP again\"");
}

void PluginPart::reload(Store& store) {
  if (config_.file.empty()) return log_line("warn", "event=reload error=\"no configuration file was given\"");
  const auto done =
      read_config(config_.file).and_then([&](const Config& config) { return take(config, store, reload_deadline()); });
  if (!done) return log_line("error", fmt::format("event=reload error={}", log_text(done.error().message)));
  log_line("info", fmt::format("event=reload file={} profiles={} plugins={}", log_text(config_.file),
                               rule_book_.all().size(), current()->status().size()));
}

}  // namespace emplace
