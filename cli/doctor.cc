#include <fmt/format.h>

#include <cstdlib>

#include "cli/commands.h"

namespace emplace::cli {
namespace {

// The checks go on after a failure, as far as they make sense; the worst one gives the exit code.
class Report {
 public:
  explicit Report(Session& session) : session_(session) { list_.begin_array(); }
  void ok(const std::string& what, const std::string& found) { line("ok", what, found, ""); }
  void warn(const std::string& what, const std::string& found, const std::string& cure) {
    line("warn", what, found, cure);
  }
  void fail(const std::string& what, const std::string& found, const std::string& cure) {
    line("FAIL", what, found, cure);
    session_.exit_code = kFailed;
  }
  void finish() {
    if (session_.json) fmt::print("{{\"checks\":{}}}\n", list_.end_array().take());
  }

 private:
  void line(const char* level, const std::string& what, const std::string& found, const std::string& cure) {
    if (session_.json) {
      list_.begin_object().field("check", what).field("level", level == std::string("FAIL") ? "fail" : level);
      list_.field("found", found).field_if("cure", cure).end_object();
      return;
    }
    fmt::print("{:<4}  {:<10} {}{}\n", level, printable(what), printable(found), cure.empty() ? "" : "; " + cure);
  }

  Session& session_;
  JsonWriter list_;
};

bool check_service(Client& client, Report& report) {
  try {
    const Answer alive = client.send({.target = "/healthz"}, 5);
    if (!alive.is_ok()) {
      report.fail("service", fmt::format("{} answers {}", client.url(), alive.status), "is this the port of emplaced?");
      return false;
    }
    report.ok("service", fmt::format("{} answers in {:.1f} ms", client.url(), alive.took_ms));
    return true;
  } catch (const Failure& failure) {
    report.fail("service", failure.what(), "start it with: emplaced --data DIR, or name it with --url");
    return false;
  }
}

void check_ready(Client& client, Report& report) {
  const Answer ready = client.send({.target = "/readyz"}, 5);
  const Json document = ready.body.starts_with('{') ? ready.json() : Json();
  const std::vector<Json> reasons = document["reasons"].items();
  for (const Json& reason : reasons)
    report.fail("database", reason.text(), "the service recovers by itself once it is back");
  if (ready.is_ok()) {
    report.ok("database", "connected");
  } else if (reasons.empty()) {
    report.fail("ready", fmt::format("/readyz answers {}", ready.status), "see the service's log");
  }
}

// What the token may do, asked by requests that are refused as invalid once they are allowed: nothing changes.
std::string role_of(Client& client) {
  const auto allowed = [&](const Request& request) {
    const int status = client.send(request, 10).status;
    return status != 401 && status != 403;
  };
  const std::string no_request = "{\"doctor\":0}";
  if (allowed({.method = "POST", .target = "/v1/inventory:import", .body = no_request})) return "admin";
  if (allowed({.method = "PATCH", .target = "/v1/hosts/doctor", .body = no_request})) return "operator";
  return allowed({.method = "POST", .target = "/v1/placements", .body = no_request}) ? "planner" : "reader";
}

bool check_token(Session& session, Client& client, Report& report) {
  const std::string path = session.token_path();
  const Answer read = client.send({.target = "/v1/hosts?limit=1"}, 10);
  if (read.status == 401) {
    report.fail("token", path.empty() ? "none given" : path + " is not accepted",
                "give one with --token-file, $EMPLACE_TOKEN_FILE or --data");
    return false;
  }
  if (read.status == 403) {
    report.fail("token", path + " may not read", "give its role read access in the policy file");
    return false;
  }
  const std::string role = role_of(client);
  const std::string found = (path.empty() ? std::string("none sent") : path) + ", role " + role;
  if (role == "admin") {
    report.ok("token", found);
  } else {
    report.warn("token", found, "import and profiles need an admin's token");
  }
  return read.is_ok();
}

// A picture that falls behind the store has a writer that is stuck.
void check_picture(Client& client, Report& report) {
  const Answer metrics = client.send({.target = "/metrics"}, 10);
  const std::size_t at = metrics.body.find("\nemplace_picture_age_seconds ");
  if (!metrics.is_ok() || at == std::string::npos) {
    report.warn("picture", "its age is not known", "the token needs read access to /metrics");
    return;
  }
  const double age_s = std::strtod(metrics.body.c_str() + metrics.body.find(' ', at + 1), nullptr);
  report.ok("picture", "last changed " + age(age_s) + " ago");
}

void check_plugins(Client& client, Report& report) {
  for (const Json& plugin : client.ask({.target = "/v1/plugins"})["plugins"].items()) {
    const std::string found =
        fmt::format("{} {} {}", plugin["id"].text(), plugin["version"].string(), plugin["state"].text());
    if (plugin["state"].string() == "running") {
      report.ok("plugin", found);
    } else {
      report.fail("plugin", found + (plugin["why"].is_null() ? "" : ": " + plugin["why"].text()),
                  "mend the file or its entry in emplaced.toml, then restart");
    }
  }
}

void check_host(const Json& host, Report& report) {
  const std::string name = host["name"].string();
  const std::string state = host["state"].string();
  const Json hypervisor = host["hypervisor"];
  if (state == "down" || (hypervisor.is_object() && !hypervisor["connected"].truth())) {
    report.fail(
        "host",
        fmt::format("{} does not answer{}", name, hypervisor["why"].is_null() ? "" : ": " + hypervisor["why"].text()),
        "try: virsh -c URI version, with its URI of emplaced.toml");
  } else if (state != "enabled") {
    report.warn("host", name + " is " + state, "emplace hosts set " + name + " enabled");
  } else {
    report.ok("host", fmt::format("{} {} vcpus, {}, {} vms", name, host["vcpus"].text(),
                                  mebibytes(host["memory_mib"].number()), host["vm_count"].text()));
  }
}

void check_hosts(Client& client, Report& report) {
  std::size_t imported = 0;
  const std::vector<Json> hosts = list_all(client, "/v1/hosts?limit=1000", "hosts");
  for (const Json& host : hosts) {
    if (host["source"].string() == "libvirt") {
      check_host(host, report);
    } else {
      ++imported;
    }
  }
  if (hosts.empty()) report.warn("hosts", "none", "add [[host]] entries to emplaced.toml, or: emplace import FILE");
  if (imported > 0) report.ok("hosts", fmt::format("{} imported", imported));
}

}  // namespace

void examine(Session& session) {
  Report report(session);
  Client& client = session.client();
  if (check_service(client, report)) {
    check_ready(client, report);
    if (check_token(session, client, report)) {
      check_picture(client, report);
      check_plugins(client, report);
      check_hosts(client, report);
    }
  } else {
    session.exit_code = kUnreachable;
  }
  report.finish();
}

}  // namespace emplace::cli
