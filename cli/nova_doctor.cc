#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "cli/nova.h"
#include "cli/token_file.h"
#include "service/novaconf/import.h"

namespace emplace::cli {
namespace {

using novaconf::Finding;

constexpr const char* kFilter = "EmplaceFilter";

// One line per finding; an error gives the exit code.
class Findings {
 public:
  explicit Findings(Session& session) : session_(session) { list_.begin_array(); }

  void ok(const std::string& about, const std::string& text) { line("ok", about, text); }
  void note(const std::string& about, const std::string& text) { line("note", about, text); }
  void warning(const std::string& about, const std::string& text) { line("warning", about, text); }
  void error(const std::string& about, const std::string& text) {
    line("error", about, text);
    session_.exit_code = kFailed;
  }
  void take(const Finding& finding) {
    if (finding.level == Finding::Level::kError) return error(finding.about, finding.text);
    line(std::string(to_string(finding.level)), finding.about, finding.text);
  }
  void finish() {
    if (session_.json) fmt::print("{{\"findings\":{}}}\n", list_.end_array().take());
  }

 private:
  void line(const std::string& level, const std::string& about, const std::string& text) {
    if (session_.json) {
      list_.begin_object().field("level", level).field("about", about).field("text", text).end_object();
    } else {
      fmt::print("{:<7}  {}: {}\n", level, printable(about), printable(text));
    }
  }

  Session& session_;
  JsonWriter list_;
};

std::string joined(const std::vector<std::string>& words) {
  std::string all;
  for (const std::string& word : words) all += (all.empty() ? "" : ", ") + word;
  return all.empty() ? "none" : all;
}

// ---- the nova.conf alone

bool read_files(const NovaDoctorOptions& options, novaconf::Ini& ini, Findings& findings) {
  try {
    for (const std::string& file : options.files) {
      if (const auto added = ini.add(read_file(file), file); !added) throw Failure(kBadInput, added.error().message);
    }
  } catch (const Failure& failure) {
    findings.error("nova.conf", failure.what());
    return false;
  }
  findings.ok("nova.conf", joined(options.files));
  return true;
}

void check_filter(const novaconf::Options& options, const novaconf::Import& import, Findings& findings) {
  const auto& enabled = options.texts("filter_scheduler", "enabled_filters");
  const auto at = std::ranges::find(enabled, kFilter);
  const std::string about = "[filter_scheduler] enabled_filters";
  if (at == enabled.end()) {
    findings.warning(about, "without EmplaceFilter, so Nova does not ask Emplace");
  } else if (!import.asks) {
    // That it is not available is among the import's findings, as of any other filter.
    return;
  } else if (at + 1 != enabled.end()) {
    findings.warning(
        about, fmt::format("EmplaceFilter before {}: put it last, it is then asked about fewer hosts", *(at + 1)));
  } else {
    findings.ok(about, "EmplaceFilter is the last of " + std::to_string(enabled.size()));
  }
}

void check_weigher(const novaconf::Options& options, const novaconf::Import& import, Findings& findings) {
  const std::string about = "[filter_scheduler] weight_classes";
  const std::string& mode = options.text("emplace", "mode");
  if (import.weighs) {
    const double multiplier = options.number("emplace", "weight_multiplier");
    findings.ok(about, fmt::format("EmplaceWeigher, with a multiplier of {:g} beside {} weighers of Nova", multiplier,
                                   import.weighers.size()));
  } else if (mode == "shadow") {
    findings.note(about, "without emplace_nova.EmplaceWeigher, which mode shadow does not need");
  } else {
    findings.warning(
        about, fmt::format("without emplace_nova.EmplaceWeigher: in mode {} the order of hosts remains Nova's", mode));
  }
}

void check_mode(const novaconf::Options& options, Findings& findings) {
  const std::string& mode = options.text("emplace", "mode");
  findings.note("[emplace] mode", mode == "shadow"   ? "shadow: Emplace's answers are logged and change nothing"
                                  : mode == "advise" ? "advise: Emplace orders hosts and refuses none"
                                                     : "enforce: Emplace orders hosts and refuses some");
  if (options.flag("emplace", "refuse_unknown_hosts") && mode != "enforce") {
    findings.note("[emplace] refuse_unknown_hosts", fmt::format("true, which mode {} does not look at", mode));
  }
  const std::int64_t shortlist = options.whole("emplace", "shortlist");
  if (shortlist == 0) return;
  findings.note("[emplace] shortlist",
                mode == "enforce" ? fmt::format("Nova weighs only the {} hosts that Emplace puts first", shortlist)
                                  : fmt::format("{}, which mode {} does not look at", shortlist, mode));
}

// ---- the service

// Of a URL that may carry a user and a password, which no line may show.
std::string without_user(const std::string& url) {
  const std::size_t scheme = url.find("://");
  const std::size_t start = scheme == std::string::npos ? 0 : scheme + 3;
  const std::size_t end = std::min(url.find('/', start), url.size());
  const std::size_t at = url.rfind('@', end);
  return at == std::string::npos || at < start ? url : url.substr(0, start) + url.substr(at + 1);
}

// The token that Nova would send; empty where there is none to send.
std::string check_token_file(const std::string& path, Findings& findings) {
  const std::string about = "[emplace] token_file";
  if (path.empty()) {
    findings.error(about, "none: Emplace answers nobody without a token");
    return {};
  }
  const TokenFile file = inspect_token_file(path);
  if (!file.fault.empty()) {
    findings.error(about, path + ": " + file.fault);
  } else if (file.everybody) {
    findings.warning(about, path + " may be read by " + file.readers);
  } else if (file.hidden) {
    findings.note(about,
                  path + " may not be read by you; run this as the user of nova-scheduler to have its token tried");
  } else {
    findings.ok(about, path + " may be read by " + file.readers);
  }
  return file.token;
}

bool check_service(Client& client, double timeout_s, Findings& findings) {
  try {
    const Answer alive = client.send({.target = "/healthz"}, std::max(timeout_s, 5.0));
    if (!alive.is_ok()) {
      findings.error("service",
                     fmt::format("{} answers {}: is this the port of emplaced?", client.url(), alive.status));
      return false;
    }
    const std::string text = fmt::format("{} answers in {:.1f} ms", client.url(), alive.took_ms);
    if (alive.took_ms > timeout_s * 1000) {
      findings.warning("service", fmt::format("{}, more than [emplace] timeout, {:g} s", text, timeout_s));
    } else {
      findings.ok("service", text);
    }
    return true;
  } catch (const Failure& failure) {
    findings.error("service", fmt::format("{}; Nova goes on without Emplace", failure.what()));
    return false;
  }
}

// Asked by a request that is refused as invalid once it is allowed.
bool check_token(Client& client, Findings& findings) {
  const int status = client.send({.method = "POST", .target = "/v1/filter", .body = "{\"doctor\":0}"}, 10).status;
  if (status == 401) findings.error("token", "Emplace does not accept it");
  if (status == 403)
    findings.error("token", "Emplace accepts it, but not for POST /v1/filter: its role must be planner or more");
  if (status != 401 && status != 403) findings.ok("token", "Emplace accepts it for POST /v1/filter");
  return status != 401 && client.send({.target = "/v1/plugins"}, 10).is_ok();
}

Json nova_plugin(Client& client) {
  for (const Json& plugin : client.ask({.target = "/v1/plugins"})["plugins"].items()) {
    if (plugin["id"].string() == "nova") return plugin;
  }
  return {};
}

Json profile_of(Client& client, const std::string& name) {
  for (const Json& profile : client.ask({.target = "/v1/profiles"})["profiles"].items()) {
    if (profile["name"].string() == name) return profile;
  }
  return {};
}

std::vector<novaconf::ImportedWeigher> weighers_of(const Json& profile) {
  std::vector<novaconf::ImportedWeigher> weighers;
  for (const Json& weigher : profile["weighers"].items()) {
    weighers.push_back({weigher["id"].string(), weigher["multiplier"].number()});
  }
  return weighers;
}

std::vector<std::string> missing(const std::vector<std::string>& wanted, const std::vector<std::string>& found) {
  std::vector<std::string> left;
  for (const std::string& one : wanted) {
    if (std::ranges::find(found, one) == found.end()) left.push_back(one);
  }
  return left;
}

void compare_names(const std::string& about, const std::vector<std::string>& nova,
                   const std::vector<std::string>& emplace, Findings& findings) {
  const auto lacking = missing(nova, emplace), more = missing(emplace, nova);
  if (!lacking.empty()) findings.warning(about, "Nova has, and the profile does not: " + joined(lacking));
  if (!more.empty()) findings.note(about, "the profile has besides Nova's: " + joined(more));
  if (lacking.empty() && more.empty()) findings.ok(about, "the same as Nova's");
}

void check_profile(const Json& profile, const std::string& name, const novaconf::Import& import, Findings& findings) {
  const std::string about = "profile " + name;
  if (profile["name"].is_null()) {
    return findings.error(about, "Emplace has none of that name, so no question gets an answer: see [emplace] profile");
  }
  const std::string method = profile["method"].string();
  std::vector<std::string> filters, weighers, ours;
  for (const Json& filter : profile["filters"].items()) filters.push_back(filter.string());
  for (const auto& weigher : weighers_of(profile)) weighers.push_back(weigher.id);
  for (const auto& weigher : import.weighers) ours.push_back(weigher.id);
  if (method != "nova") {
    findings.note(about,
                  fmt::format("orders hosts by {}, not by Nova's weights; its filters: {}", method, joined(filters)));
    return;
  }
  findings.ok(about, "orders hosts by Nova's weights");
  compare_names(about + ", filters", import.filters, filters, findings);
  compare_names(about + ", weighers", ours, weighers, findings);
}

void check_release(const Json& plugin, novaconf::Release release, Findings& findings) {
  const std::string running = plugin["configuration"]["release"].string();
  const std::string text = fmt::format("Emplace decides by the rules of {}", running);
  if (running == to_string(release)) return findings.ok("release", text);
  findings.warning("release", fmt::format("{}, this Nova is {}: set [nova] release", text, to_string(release)));
}

void check_hosts(Client& client, Findings& findings) {
  const std::vector<Json> hosts = list_all(client, "/v1/hosts?limit=1000", "hosts");
  const auto from = [&](const char* source) {
    return std::ranges::count_if(hosts, [&](const Json& host) { return host["source"].string() == source; });
  };
  if (hosts.empty()) {
    findings.warning("hosts", "Emplace knows none, so all pass and weigh the same: add [openstack] to emplaced.toml");
  } else {
    findings.ok("hosts", fmt::format("Emplace knows {}, {} of them from OpenStack", hosts.size(), from("openstack")));
  }
}

// What of the service speaks Nova, and whether it says the same as this nova.conf.
void check_rules(Client& client, const Json& plugin, const std::string& profile_name, const novaconf::Import& import,
                 Findings& findings) {
  const Json profile = profile_of(client, profile_name);
  if (plugin["id"].is_null()) {
    findings.warning("plugin nova", "not loaded: Emplace has none of Nova's filters and weighers");
  } else {
    check_release(plugin, import.release, findings);
    const auto differences = compare(import, plugin["configuration"].dump(), weighers_of(profile));
    if (!differences) throw Failure(kServiceDefect, differences.error().message);
    for (const Finding& finding : *differences) findings.take(finding);
    if (differences->empty()) findings.ok("options", "Emplace runs with those of this nova.conf");
  }
  check_profile(profile, profile_name, import, findings);
}

novaconf::Release release_of(const NovaDoctorOptions& options, const Json& plugin) {
  const std::string running = plugin["configuration"]["release"].string();
  return novaconf::parse_release(options.release.empty() ? running : options.release).value_or(novaconf::Release::kZed);
}

void check_conf(const novaconf::Options& options, const novaconf::Import& import, Findings& findings) {
  check_filter(options, import, findings);
  check_weigher(options, import, findings);
  check_mode(options, findings);
  for (const Finding& finding : import.findings) findings.take(finding);
}

}  // namespace

void examine_nova(Session& session, const NovaDoctorOptions& options) {
  Findings findings(session);
  novaconf::Ini ini;
  if (read_files(options, ini, findings)) {
    const novaconf::Options client_options = understand(ini, novaconf::Release::kZed);
    const std::string& url = options.has_url ? session.url : client_options.text("emplace", "url");
    const std::string& path = options.has_token ? session.token_file : client_options.text("emplace", "token_file");
    Client client(without_user(url), check_token_file(path, findings));
    const bool alive = check_service(client, client_options.number("emplace", "timeout"), findings);
    const bool allowed = alive && check_token(client, findings);
    const Json plugin = allowed ? nova_plugin(client) : Json();
    const novaconf::Options conf = understand(ini, release_of(options, plugin));
    const novaconf::Import import = import_options(conf);
    check_conf(conf, import, findings);
    if (allowed) {
      check_rules(client, plugin, client_options.text("emplace", "profile"), import, findings);
      check_hosts(client, findings);
    }
  }
  findings.finish();
}

}  // namespace emplace::cli
