#include "service/wiring/check.h"

#include <fmt/format.h>

#include "service/core/base/shown_text.h"
#include "service/core/decide/rule_book.h"
#include "service/http/acceptor.h"
#include "service/openstack/openstack.h"
#include "service/plugins/absent_rules.h"
#include "service/store/address.h"
#include "service/wiring/access.h"
#include "service/wiring/options.h"

namespace emplace {
namespace {

// What the manifest says that profiles may name, without the plugin's code.
void append_names(Profile& named, const Manifest& manifest) {
  for (const ManifestRule& rule : manifest.filters) named.filters.push_back(rule.id);
  for (const ManifestRule& rule : manifest.objectives) named.objectives.push_back({.id = rule.id});
  for (const ManifestRule& rule : manifest.weighers) named.weighers.push_back({.id = rule.id});
}

// Plugins, and the profiles with stand-ins for the plugins' rules.
Result<void> check_rules(const Config& config) {
  const auto settings = plugin_settings(nullptr);
  Profile named;
  for (const PluginChoice& choice : plugin_choices(config, settings)) {
    const auto checked = check_plugin(settings, choice);
    if (!checked) return tl::unexpected(checked.error());
    append_names(named, checked->manifest);
  }
  auto rules = with_stand_ins(built_in_rules(), std::span(&named, 1), "not loaded");
  return RuleBook({}).replace(std::move(rules), config.profiles, {}, {config.profile, config.front_limit});
}

Result<void> check_tokens(const Config& config) {
  if (config.tokens_file.empty()) return {};
  return http::Tokens::load(config.tokens_file).map([](const http::Tokens&) {});
}

Result<void> check_openstack(const Config& config) {
  const auto databases = openstack::NovaDatabase::create(openstack_options(config.openstack).database);
  return databases ? Result<void>() : tl::unexpected(databases.error());
}

}  // namespace

Result<void> check_addresses(const Config& config) {
  if (const auto checked = http::Acceptor::check(config.listen); !checked) return checked;
  return check_connection_string(config.database_url).map_error([](Error error) {
    error.message = "database.url: " + error.message;
    return error;
  });
}

Result<void> check(const Config& config) {
  const auto checked = check_addresses(config)
                           .and_then([&] { return policy_of(config).map([](const http::Policy&) {}); })
                           .and_then([&] { return check_rules(config); })
                           .and_then([&] { return hypervisor_options(config).map([](const HypervisorOptions&) {}); })
                           .and_then([&] { return check_tokens(config); })
                           .and_then([&] { return check_openstack(config); });
  if (!checked) return checked;
  for (const CloudNote& note : config.openstack.notes) {
    fmt::print(stderr, "{}: {}: {}\n", note.level == CloudNote::Level::kNote ? "note" : "warning",
               shown_text(note.about), shown_text(note.text));
  }
  fmt::print("{}: ok\n", config.file.empty() ? "defaults" : config.file);
  return {};
}

}  // namespace emplace
