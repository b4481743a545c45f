#include <fmt/format.h>

#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "service/configuration/cloud.h"
#include "service/configuration/sections.h"

namespace emplace {
namespace {

// A secret stands in the file itself, or is the first line of a file that the configuration names.
void read_secret(Section& section, const char* key, const char* file_key, std::string& secret) {
  std::string path;
  const toml::node* const given = section.find(key);
  if (given != nullptr && !given->is_string()) return section.wrong_secret(key, "a string");
  section.text(key, secret);
  section.text(file_key, path);
  if (path.empty()) return;
  std::ifstream file(path);
  if (!std::getline(file, secret))
    section.wrong(file_key, *section.find(file_key), "a file with a secret in its first line");
}

// What clouds.yaml says of a cloud is not said a second time.
void refuse_beside_cloud(Section& section) {
  for (const char* key : {"auth_url", "username", "password", "password_file", "user_domain", "project",
                          "project_domain", "application_credential_id", "application_credential_secret",
                          "application_credential_secret_file", "interface", "region", "ca_file"}) {
    if (section.find(key) != nullptr) section.wrong_secret(key, "nothing beside cloud");
  }
}

void read_openstack_login(Section& section, OpenstackEntry& to) {
  section.required("auth_url");
  section.text("auth_url", to.auth_url);
  if (section.find("auth_url") != nullptr && (!is_web(to.auth_url) || to.auth_url.find('@') != std::string::npos)) {
    section.wrong_secret("auth_url", "http:// or https:// and no user or password in it");
  }
  const std::string_view path = std::string_view(to.auth_url).substr(0, to.auth_url.find_last_not_of('/') + 1);
  if (path.ends_with("/v2.0")) section.wrong_secret("auth_url", "Keystone's v3");
  read_secret(section, "password", "password_file", to.password);
  section.text("user_domain", to.user_domain);
  section.text("project_domain", to.project_domain);
  section.text("application_credential_id", to.application_credential_id);
  read_secret(section, "application_credential_secret", "application_credential_secret_file",
              to.application_credential_secret);
  section.one_of("interface", to.interface, {"public", "internal", "admin"});
  section.text("region", to.region);
  section.readable_file("ca_file", to.ca_file);
  if (!to.application_credential_id.empty()) {
    section.text("username", to.username);
    section.text("project", to.project);
    if (to.application_credential_secret.empty()) section.required("application_credential_secret");
    return;
  }
  section.needed("username", to.username);
  section.needed("project", to.project);
  if (to.password.empty()) section.required("password");
}

// It may have a user and a password. web.cc reads the rest of it.
void read_proxy(Section& section, std::string& proxy) {
  section.text("proxy", proxy);
  const auto is_of = [&](std::string_view scheme) { return proxy.starts_with(scheme) && proxy.size() > scheme.size(); };
  if (proxy.empty() || is_of("http://") || is_of("socks5://")) return;
  section.wrong_secret("proxy", "http://HOST:PORT or socks5://HOST:PORT");
}

// URLs with passwords: in the file itself, or one in each line of a file that the configuration names. nova_database.cc
// reads the rest of them.
void read_nova_database(Section& section, std::vector<std::string>& urls) {
  std::string path;
  section.secrets("nova_database", urls);
  section.text("nova_database_file", path);
  if (path.empty()) return;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (!line.empty() && !line.starts_with('#')) urls.push_back(line);
  }
  if (urls.empty())
    section.wrong("nova_database_file", *section.find("nova_database_file"), "a file with a URL in each line");
}

void read_entry(Section& section, OpenstackEntry& to) {
  section.text("cloud", to.cloud);
  to.cloud.empty() ? read_openstack_login(section, to) : refuse_beside_cloud(section);
  read_proxy(section, to.proxy);
  read_nova_database(section, to.nova_database);
  section.whole("sync_s", to.sync_s, 1, 86'400);
  section.whole("full_sync_s", to.full_sync_s, 1, 604'800);
  if (section.find("full_sync_s") != nullptr && to.full_sync_s < to.sync_s) {
    section.wrong("full_sync_s", *section.find("full_sync_s"), fmt::format("sync_s, {}, or more", to.sync_s));
  }
  section.whole("timeout_s", to.timeout_s, 1, 600);
  to.timeout_given = section.find("timeout_s") != nullptr;
  section.whole("token_cache_s", to.token_cache_s, 0, 300);
  section.one_of("allocation_candidates", to.allocation_candidates, {"never", "granular", "always"});
  section.number("brake_percent", to.brake_percent, 0, 100);
}

}  // namespace

void read_openstack(Section& root, Config& config) {
  root.table("openstack", [&](Section& section) { read_entry(section, config.openstack); });
}

}  // namespace emplace
