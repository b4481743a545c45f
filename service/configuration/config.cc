#include "service/configuration/config.h"

#include <fmt/format.h>

#include <toml++/toml.h>
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "service/configuration/nova_section.h"
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

// Reads the keys of one table and keeps the first error. Each key that was asked for is known; finish() refuses the
// others.
class Section {
 public:
  Section(const std::string& file, std::string path, const toml::table& table, std::optional<Error>& error)
      : file_(file), path_(std::move(path)), table_(table), error_(error) {}

  void text(const char* key, std::string& value) {
    const toml::node* const node = find(key);
    if (node == nullptr) return;
    if (!node->is_string()) return wrong(key, *node, "a string");
    value = node->as_string()->get();
  }
  void name(const char* key, std::string& value) {
    text(key, value);
    const toml::node* const node = table_.get(key);
    if (node != nullptr && has_hidden(value)) wrong(key, *node, "a name without control or invisible characters");
  }
  // A name that something is known by: not empty either.
  void own_name(const char* key, std::string& value) {
    name(key, value);
    if (find(key) == nullptr) return required(key);
    if (value.find_first_not_of(" \t") == std::string::npos) wrong(key, *find(key), "a name that is not blank");
  }
  // One that has to be given, and says something.
  void needed(const char* key, std::string& value) {
    text(key, value);
    if (find(key) == nullptr) return required(key);
    if (value.empty()) wrong(key, *find(key), "a value that is not empty");
  }
  // "" is none.
  void uri(const char* key, std::string& value, std::string_view example) {
    text(key, value);
    const std::size_t scheme = value.find("://");
    const auto ends = [&] {
      return scheme == 0 || scheme == std::string::npos || value.find_first_of(" \t\n") != std::string::npos;
    };
    if (!value.empty() && ends()) wrong(key, *find(key), fmt::format("a URI such as \"{}\"", example));
  }
  void readable_file(const char* key, std::string& path) {
    text(key, path);
    std::error_code ignored;
    if (path.empty() || (!std::filesystem::is_directory(path, ignored) && std::ifstream(path))) return;
    wrong(key, *find(key), "a file that can be read");
  }
  void one_of(const char* key, std::string& value, std::initializer_list<std::string_view> allowed) {
    const toml::node* const node = find(key);
    if (node == nullptr) return;
    std::string wanted;
    for (const std::string_view option : allowed) {
      if (node->is_string() && node->as_string()->get() == option) value = option;
      wanted += fmt::format("{}\"{}\"", wanted.empty() ? "" : " or ", option);
    }
    if (!node->is_string() || value != node->as_string()->get()) wrong(key, *node, wanted);
  }
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
  void texts(const char* key, std::vector<std::string>& values) {
    const toml::node* const node = find(key);
    if (node == nullptr) return;
    if (!node->is_array()) return wrong(key, *node, "an array of strings");
    values.clear();
    for (const toml::node& item : *node->as_array()) {
      if (!item.is_string()) return wrong(key, item, "a string");
      values.push_back(item.as_string()->get());
    }
  }
  // As texts(); no message shows one.
  void secrets(const char* key, std::vector<std::string>& values) {
    const toml::node* const node = find(key);
    if (node == nullptr) return;
    const bool fits = node->is_array() &&
                      std::ranges::all_of(*node->as_array(), [](const toml::node& item) { return item.is_string(); });
    fits ? texts(key, values) : wrong_secret(key, "an array of strings");
  }
  void texts_by_name(const char* key, std::map<std::string, std::string>& values) {
    const toml::node* const node = find(key);
    if (node == nullptr) return;
    if (!node->is_table()) return wrong(key, *node, "a table of strings");
    for (const auto& [name, item] : *node->as_table()) {
      if (!item.is_string()) return wrong(key, item, "a string");
      values[std::string(name.str())] = item.as_string()->get();
    }
  }
  void json(const char* key, std::string& value) {
    const toml::node* const node = find(key);
    if (node == nullptr) return;
    if (!node->is_table()) return wrong(key, *node, "a table");
    std::ostringstream out;
    out << toml::json_formatter(*node->as_table());
    value = out.str();
  }
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
  void required(const char* key) {
    if (!table_.contains(key)) complain(table_.source(), fmt::format("{}{}: wanted a value, found none", path_, key));
  }
  void wrong(const char* key, const toml::node& node, std::string_view wanted) {
    complain(node.source(), fmt::format("{}{}: wanted {}, found {}", path_, key, wanted, found(node)));
  }
  // Of a value that may be or contain a secret: it is not shown.
  void wrong_secret(const char* key, std::string_view wanted) {
    complain(table_.get(key)->source(), fmt::format("{}{}: wanted {}, found something else", path_, key, wanted));
  }
  const toml::node* find(const char* key) {
    known_.emplace_back(key);
    return table_.get(key);
  }
  void finish() {
    for (const auto& [key, node] : table_) {
      if (std::find(known_.begin(), known_.end(), key.str()) != known_.end()) continue;
      complain(key.source(), fmt::format("{}{}: unknown key", path_, shortened(key.str())));
    }
  }

 private:
  void complain(const toml::source_region& where, std::string what) {
    if (error_) return;
    error_ = Error{ErrorCode::kInvalid, fmt::format("{}:{}: {}", file_, where.begin.line, what)};
  }

  const std::string& file_;
  const std::string path_;
  const toml::table& table_;
  std::optional<Error>& error_;
  std::vector<std::string> known_;
};

void read_host(Section& section, HostEntry& host) {
  section.own_name("name", host.name);
  section.required("uri");
  section.uri("uri", host.uri, "qemu+tls://h1/system");
  if (section.find("uri") != nullptr && host.uri.empty())
    section.wrong("uri", *section.find("uri"), "a URI, not an empty one");
  section.name("zone", host.zone);
  section.name("rack", host.rack);
  section.uri("peer_uri", host.peer_uri, "qemu+tls://h1/system");
  section.uri("migration_uri", host.migration_uri, "tcp://10.0.0.2");
  double disk_gib = std::nan("");
  section.number("disk_gib", disk_gib, 0, 1e12);
  if (!std::isnan(disk_gib)) host.disk_gib = disk_gib;
  section.number("cpu_allocation_ratio", host.cpu_allocation_ratio, 0.01, 1000);
  section.number("ram_allocation_ratio", host.ram_allocation_ratio, 0.01, 1000);
  section.number("disk_allocation_ratio", host.disk_allocation_ratio, 0.01, 1000);
  section.number("reserved_memory_mib", host.reserved_memory_mib, 0, 1e12);
  section.number("reserved_vcpus", host.reserved_vcpus, 0, 1e6);
  section.number("reserved_disk_gib", host.reserved_disk_gib, 0, 1e12);
  section.texts("traits", host.traits);
  section.texts("aggregates", host.aggregates);
}

void read_plugin(Section& section, PluginEntry& plugin) {
  section.needed("path", plugin.path);
  section.one_of("isolation", plugin.isolation, {"worker", "in-process"});
  section.one_of("confinement", plugin.confinement, {"available", "required"});
  section.whole("deadline_ms", plugin.deadline_ms, 1, 60'000);
  section.json("config", plugin.config);
}

void read_on_error(Section& section, OnError& on_error) {
  std::string text = "drop";
  section.one_of("on_error", text, {"drop", "last_good", "fail"});
  on_error = text == "fail" ? OnError::kFail : text == "last_good" ? OnError::kLastGood : OnError::kDrop;
}

void read_profile(Section& section, Profile& profile) {
  section.own_name("name", profile.name);
  if (const toml::node* const node = section.find("method")) {
    const auto method = parse_rank_method(node->value<std::string>().value_or(""));
    if (method) {
      profile.method = *method;
    } else {
      section.wrong("method", *node, "chebyshev, lexicographic, weighted_sum, knee, topsis or nova");
    }
  }
  section.texts("filters", profile.filters);
  section.number("front_limit", profile.front_limit, 0, 1);
  section.tables("objectives", [&](Section& entry) {
    ObjectiveChoice choice;
    entry.needed("id", choice.id);
    entry.number("weight", choice.weight, 0, 1e9);
    entry.number("resolution", choice.resolution, 1e-12, 1e12);
    read_on_error(entry, choice.on_error);
    entry.whole("max_age_s", choice.max_age_s, 0, 1'000'000'000);
    profile.objectives.push_back(std::move(choice));
  });
  section.tables("weighers", [&](Section& entry) {
    WeigherChoice choice;
    entry.needed("id", choice.id);
    entry.number("multiplier", choice.multiplier, -1e12, 1e12);
    profile.weighers.push_back(std::move(choice));
  });
}

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
  const bool is_web = to.auth_url.starts_with("http://") || to.auth_url.starts_with("https://");
  if (section.find("auth_url") != nullptr && (!is_web || to.auth_url.find('@') != std::string::npos)) {
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

void read_openstack(Section& section, OpenstackEntry& to) {
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

// As a browser writes them: no path, not even a slash.
bool is_origin(std::string_view text) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!text.starts_with(scheme)) continue;
    const std::string_view host = text.substr(scheme.size());
    const bool lower = std::none_of(host.begin(), host.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
    return !host.empty() && lower && host.find_first_of("/?#@, *") == std::string_view::npos;
  }
  return false;
}

void read_origins(Section& section, std::vector<std::string>& origins) {
  section.texts("cors_origins", origins);
  const bool any = origins.size() == 1 && origins.front() == "*";
  const bool good = any || std::all_of(origins.begin(), origins.end(), is_origin);
  if (good) return;
  section.wrong("cors_origins", *section.find("cors_origins"),
                "origins such as \"https://portal.example\" in lower case and without a path, or only \"*\"");
}

void read_root(Section& root, Config& config) {
  root.table("service", [&](Section& s) {
    s.text("listen", config.listen);
    s.text("data", config.data);
    s.name("replica", config.replica);
    s.whole("line_threads", config.line_threads, 1, 1024);
    s.whole("http_threads", config.http_threads, 1, 256);
    read_origins(s, config.cors_origins);
  });
  root.table("database", [&](Section& s) {
    s.text("url", config.database_url);
    s.text("schema", config.database_schema);
  });
  root.table("auth", [&](Section& s) {
    s.text("tokens_file", config.tokens_file);
    s.text("policy_file", config.policy_file);
  });
  root.table("limits", [&](Section& s) {
    s.whole("header_kib", config.header_kib, 1, 1024);
    s.whole("body_mib", config.body_mib, 1, 4096);
    s.whole("answers_mib", config.answers_mib, 1, 65536);
    s.whole("connections", config.connections, 1, 1'000'000);
    s.whole("requests_per_s", config.requests_per_s, 0, 1'000'000'000);
  });
  root.table("decision", [&](Section& s) {
    s.text("profile", config.profile);
    s.whole("history_mib", config.history_mib, 0, 1'000'000);
    s.number("front_limit", config.front_limit, 0, 1);
  });
  root.table("libvirt", [&](Section& s) {
    std::string file;
    s.text("domain_template", file);
    if (!file.empty()) config.domain_templates[""] = file;
    s.texts_by_name("templates", config.domain_templates);
    s.whole("poll_s", config.poll_s, 1, 86'400);
  });
  config.nova_given = root.find("nova") != nullptr;
  root.table("nova", [&](Section& s) {
    s.one_of("release", config.nova_release, {"zed", "master"});
    s.text("config", config.nova_config);
  });
  root.table("openstack", [&](Section& s) { read_openstack(s, config.openstack); });
  root.tables("host", [&](Section& s) { read_host(s, config.hosts.emplace_back()); });
  config.plugins_given = root.find("plugin") != nullptr;
  root.tables("plugin", [&](Section& s) { read_plugin(s, config.plugins.emplace_back()); });
  root.tables("profile", [&](Section& s) {
    config.profiles.emplace_back().front_limit = config.front_limit;
    read_profile(s, config.profiles.back());
  });
}

Result<void> check_unique(const Config& config) {
  for (std::size_t i = 0; i < config.hosts.size(); ++i) {
    for (std::size_t k = 0; k < i; ++k) {
      if (config.hosts[i].name != config.hosts[k].name) continue;
      return fail(ErrorCode::kInvalid, fmt::format("{}: host[{}].name: wanted a name of its own, found \"{}\" again",
                                                   config.file, i, config.hosts[i].name));
    }
  }
  return {};
}

}  // namespace

Result<Config> read_config(const std::string& file) {
  Config config;
  config.file = file;
  // Which toml++ would read as an empty file.
  if (std::error_code ignored; std::filesystem::is_directory(file, ignored)) {
    return fail(ErrorCode::kInvalid, file + ": wanted a file, found a directory");
  }
  toml::table table;
  try {
    table = toml::parse_file(file);
  } catch (const toml::parse_error& error) {
    return fail(ErrorCode::kInvalid, fmt::format("{}:{}: {}", file, error.source().begin.line, error.description()));
  }
  std::optional<Error> error;
  Section root(file, "", table, error);
  read_root(root, config);
  root.finish();
  if (error) return tl::unexpected(*error);
  if (const auto unique = check_unique(config); !unique) return tl::unexpected(unique.error());
  if (const auto taken = take_nova(config); !taken) return tl::unexpected(taken.error());
  return config;
}

}  // namespace emplace
