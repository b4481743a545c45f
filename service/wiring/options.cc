#include "service/wiring/options.h"

#include <pwd.h>

#include <algorithm>
#include <chrono>

#include "service/configuration/nova_section.h"
#include "service/process/program.h"

namespace emplace {
namespace {

constexpr const char* kPluginUser = "emplace-plugin";

}  // namespace

PluginSettings plugin_settings(std::shared_ptr<Arena> arena) {
  PluginSettings settings;
  settings.directory = program_directory().parent_path() / "lib/emplace/plugins";
  settings.worker.program = default_worker_program();
  if (const passwd* const user = getpwnam(kPluginUser)) {
    settings.worker.user = user->pw_uid, settings.worker.group = user->pw_gid;
  }
  settings.worker.pictures = std::move(arena);
  return settings;
}

std::vector<PluginChoice> plugin_choices(const Config& config, const PluginSettings& settings) {
  std::vector<PluginChoice> choices;
  if (!config.plugins_given) {
    for (const auto& listed : list_plugins(settings.directory)) {
      if (!listed.manifest) continue;
      PluginChoice& choice = choices.emplace_back();
      choice.path = listed.manifest->library.string();
      if (is_nova_plugin(choice.path)) choice.config = config.nova_configuration;
    }
  }
  for (const PluginEntry& entry : config.plugins) {
    choices.push_back({entry.path, entry.isolation, entry.deadline_ms, entry.config, entry.confinement});
  }
  return choices;
}

std::vector<HostConfig> host_configs(const Config& config) {
  std::vector<HostConfig> hosts;
  for (const HostEntry& entry : config.hosts) {
    HostConfig host;
    host.name = entry.name;
    host.uri = entry.uri;
    host.zone = entry.zone;
    host.rack = entry.rack;
    host.traits = entry.traits;
    host.aggregates = entry.aggregates;
    host.cpu_allocation_ratio = entry.cpu_allocation_ratio;
    host.ram_allocation_ratio = entry.ram_allocation_ratio;
    host.disk_allocation_ratio = entry.disk_allocation_ratio;
    host.reserved_vcpus = entry.reserved_vcpus;
    host.reserved_memory_mib = entry.reserved_memory_mib;
    host.reserved_disk_gib = entry.reserved_disk_gib;
    host.disk_gib = entry.disk_gib;
    host.peer_uri = entry.peer_uri;
    host.migration_uri = entry.migration_uri;
    hosts.push_back(std::move(host));
  }
  return hosts;
}

Result<HypervisorOptions> hypervisor_options(const Config& config) {
  HypervisorOptions options;
  options.poll = std::chrono::seconds(config.poll_s);
  for (const auto& [name, path] : config.domain_templates) {
    auto loaded = DomainTemplate::load(path);
    if (!loaded) return tl::unexpected(loaded.error());
    options.templates.emplace(name, std::move(*loaded));
  }
  return options;
}

namespace {

openstack::Credentials credentials_of(const OpenstackEntry& entry) {
  return {.username = entry.username,
          .password = entry.password,
          .user_domain = entry.user_domain,
          .project = entry.project,
          .project_domain = entry.project_domain,
          .application_credential_id = entry.application_credential_id,
          .application_credential_secret = entry.application_credential_secret,
          .user_id = entry.user_id,
          .project_id = entry.project_id,
          .user_domain_id = entry.user_domain_id,
          .project_domain_id = entry.project_domain_id,
          .application_credential_name = entry.application_credential_name,
          .domain = entry.scope_domain,
          .domain_id = entry.scope_domain_id,
          .trust_id = entry.trust_id,
          .system = entry.system_scope};
}

openstack::EndpointChoice choice_of(const ServiceEntry& entry) {
  return {entry.type, entry.interface, entry.region, entry.name, entry.url};
}

}  // namespace

openstack::OpenstackOptions openstack_options(const OpenstackEntry& entry) {
  openstack::OpenstackOptions options;
  options.web.ca_file = entry.ca_file;
  options.web.cert_file = entry.cert_file;
  options.web.key_file = entry.key_file;
  options.web.verify = entry.verify;
  options.web.proxy = entry.proxy;
  options.web.timeout = std::chrono::seconds(entry.timeout_s);
  options.keystone.auth_url = entry.auth_url;
  options.keystone.credentials = credentials_of(entry);
  options.keystone.interface = entry.interface;
  options.keystone.region = entry.region;
  options.keystone.services = {{"compute", choice_of(entry.compute)}, {"placement", choice_of(entry.placement)}};
  options.sync.interval = std::chrono::seconds(entry.sync_s);
  options.sync.patience = std::max(options.sync.patience, 8 * options.web.timeout);
  options.sync.full_interval = std::chrono::seconds(entry.full_sync_s);
  options.database = {entry.nova_database, std::chrono::seconds(entry.timeout_s)};
  options.ask_placement = entry.allocation_candidates == "never"    ? openstack::AskPlacement::kNever
                          : entry.allocation_candidates == "always" ? openstack::AskPlacement::kAlways
                                                                    : openstack::AskPlacement::kGranular;
  options.verifier.keep_us = std::int64_t{entry.token_cache_s} * 1'000'000;
  return options;
}

http::Limits server_limits(const Config& config) {
  http::Limits limits;
  limits.workers = config.http_threads;
  limits.connections = config.connections;
  limits.framing.header_bytes = std::size_t{config.header_kib} << 10;
  limits.framing.body_bytes = std::size_t{config.body_mib} << 20;
  limits.unsent_bytes = std::size_t{config.answers_mib} << 20;
  return limits;
}

}  // namespace emplace
