// Config: emplaced.toml as values (docs/configuration.md describes every key). Unknown keys, wrong types and values out
// of range are errors that name the file, the line, the key, what was wanted and what was found; nothing is guessed.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "service/core/base/result.h"
#include "service/core/decide/rules.h"
#include "service/novaconf/options.h"

namespace emplace {

struct HostEntry {
  std::string name, uri, zone, rack;
  double cpu_allocation_ratio = 1, ram_allocation_ratio = 1, disk_allocation_ratio = 1;
  double reserved_memory_mib = 0, reserved_vcpus = 0, reserved_disk_gib = 0;
  std::vector<std::string> traits, aggregates;
  std::optional<double> disk_gib;  // in place of what the host's storage pools say
  std::string peer_uri;            // libvirt URI under which other hosts reach this one; empty: `uri`
  std::string migration_uri;       // where guests' memory is sent ("tcp://10.0.0.2"); empty: libvirt finds out
};

struct PluginEntry {
  std::string path;
  std::string isolation;  // empty: by where it lies (PluginChoice)
  std::uint32_t deadline_ms = 20;
  std::string config = "{}";  // JSON
  std::string confinement = "available";
};

// Where one service of OpenStack is, where it differs from the others.
struct ServiceEntry {
  std::string interface = {}, region = {}, type = {}, name = {};  // of the catalogue
  std::string url = {};                                           // in place of the catalogue's
};

// What an operator should know of a clouds.yaml.
struct CloudNote {
  enum class Level : std::uint8_t { kNote, kWarning };
  Level level;
  std::string about;  // file, cloud and key
  std::string text;   // what of it, never a secret
};

struct OpenstackEntry {
  std::string cloud;     // a name in clouds.yaml, in place of what follows up to ca_file
  std::string auth_url;  // empty: no OpenStack
  std::string username, password, user_domain = "Default", project, project_domain = "Default";
  std::string application_credential_id, application_credential_secret;
  std::string interface = "internal", region, ca_file;
  // Only clouds.yaml has these. Ids win over names; scope_domain, trust_id and system_scope stand in place of a
  // project.
  std::string user_id, project_id, user_domain_id, project_domain_id, application_credential_name;
  std::string scope_domain, scope_domain_id, trust_id;
  bool system_scope = false;
  ServiceEntry compute, placement;
  bool verify = true;               // certificates
  std::string cert_file, key_file;  // our own certificate, in PEM; key_file empty: the key is in cert_file
  std::vector<CloudNote> notes;
  std::vector<std::string> nova_database;  // URLs of MariaDB or MySQL, with passwords; empty: none is read
  std::string proxy;                       // "http://proxy:3128", "socks5://proxy"; empty: none
  std::uint32_t sync_s = 30, full_sync_s = 3600, timeout_s = 30, token_cache_s = 300;
  bool timeout_given = false;
  std::string allocation_candidates = "granular";  // when Placement is asked: "never", "always"
  double brake_percent = 20;
};

struct Config {
  std::string file;  // where it came from; empty: defaults
  std::string listen = "127.0.0.1:8790";
  std::string data = "/var/lib/emplace";
  std::string replica = "a";
  std::uint32_t line_threads = 64;
  std::uint32_t http_threads = 2;
  std::vector<std::string> cors_origins;
  std::string database_url;  // empty: embedded
  std::string database_schema = "public";
  std::string tokens_file, policy_file;
  std::uint32_t header_kib = 16, body_mib = 8, answers_mib = 256, connections = 10000, requests_per_s = 0;
  std::string profile = "default";
  std::uint32_t history_mib = 1024;
  double front_limit = 0.25;
  std::map<std::string, std::string> domain_templates;  // files by the name a request gives; "": the default
  std::uint32_t poll_s = 10;
  bool nova_given = false;  // [nova] is there
  std::string nova_release = "zed";
  std::string nova_config;                       // a nova.conf; empty: none
  std::string nova_configuration = "{}";         // of the plugin nova, where it has no entry of its own: JSON
  std::vector<novaconf::Finding> nova_findings;  // of the nova.conf
  OpenstackEntry openstack;
  std::vector<HostEntry> hosts;
  bool plugins_given = false;  // false: all that ship with Emplace
  std::vector<PluginEntry> plugins;
  std::vector<Profile> profiles;
};

Result<Config> read_config(const std::string& file);

}  // namespace emplace
