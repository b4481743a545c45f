#include "cli/doctor.h"

#include <fmt/format.h>
#include <sys/statvfs.h>

#include <QDateTime>
#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <tuple>

#include "cli/commands.h"
#include "cli/token_file.h"

namespace emplace::cli {
namespace {

// Of a data directory's disk, below which something must be done.
constexpr double kLeastFreeGib = 1;
constexpr double kMostClockDifferenceS = 2;
constexpr const char* kOpenstackHelp = "docs/openstack.md has what to do about it";
constexpr const char* kRecovers = "the service recovers by itself once it is back";

// The checks go on after a failure, as far as they make sense. "FAIL": something must be done, and the exit code says
// so. "warn": worth knowing, and perhaps wanted so.
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
    fmt::print("{:<4}  {:<18} {}{}\n", level, printable(what), printable(found), cure.empty() ? "" : "; " + cure);
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

// A check that is well unless the service complains of that name.
void check_named(Report& report, Complaints& complaints, const std::string& name, const std::string& well,
                 const std::string& cure) {
  const auto texts = complaints.take(name);
  for (const std::string& text : texts) report.fail(name, text, cure);
  if (texts.empty() && !well.empty()) report.ok(name, well);
}

void check_ready(Client& client, Report& report, Complaints& complaints) {
  const Answer ready = client.send({.target = "/readyz"}, 5);
  const Json document = ready.body.starts_with('{') ? ready.json() : Json();
  complaints = Complaints(document);
  const auto store = complaints.take("store");
  for (const std::string& text : store) report.fail("database", text, kRecovers);
  if (store.empty() && !document.is_null()) report.ok("database", "connected");
  if (!ready.is_ok() && document["reasons"].size() == 0) {
    report.fail("ready", fmt::format("/readyz answers {}", ready.status), "see the service's log");
  }
}

// "Mon, 30 Nov 2026 10:31:40 GMT"
QDateTime time_of(const std::string& date) {
  return QDateTime::fromString(QString::fromStdString(date).replace("GMT", "+0000"), Qt::RFC2822Date);
}

// Ours against the service's, whose answers carry it to the second.
void check_clock(Client& client, Report& report, Complaints& complaints) {
  const Answer answer = client.send({.target = "/healthz"}, 5);
  const auto date = answer.headers.find("date");
  const QDateTime theirs = date == answer.headers.end() ? QDateTime() : time_of(date->second);
  std::string well = "the service complains of none";
  if (theirs.isValid()) {
    const double late_s = static_cast<double>(theirs.msecsTo(QDateTime::currentDateTimeUtc())) / 1000;
    if (std::abs(late_s - 0.5) > kMostClockDifferenceS + 0.5) {
      report.fail("clock",
                  fmt::format("the service's is {:.0f} s {} this computer's", std::abs(late_s),
                              late_s > 0 ? "behind" : "ahead of"),
                  "set both by NTP");
      well.clear();
    } else {
      well = fmt::format("within {:.0f} s of this computer's", kMostClockDifferenceS);
    }
  }
  check_named(report, complaints, "clock", well, "set the replicas' and the database's clock by NTP");
}

// Only where the data directory is this computer's.
void check_disk(Session& session, Report& report, Complaints& complaints) {
  const std::string directory = session.data.empty() ? "run-data" : session.data;
  struct statvfs disk {};
  std::string well;
  if (::statvfs(directory.c_str(), &disk) == 0) {
    const double free_gib = static_cast<double>(disk.f_bavail) * static_cast<double>(disk.f_frsize) / (1 << 30);
    well = fmt::format("{} has {:.1f} GiB free", directory, free_gib);
    if (free_gib < kLeastFreeGib) {
      report.fail("disk", well, "make room: the database stops where there is none");
      well.clear();
    }
  }
  check_named(report, complaints, "disk", well, "make room; " + std::string(kRecovers));
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

// A token that everybody on this computer can read is everybody's.
void check_token_file(const std::string& path, Report& report) {
  if (path.empty()) return;
  const TokenFile file = inspect_token_file(path);
  if (file.everybody) report.fail("token", path + " may be read by everybody", "chmod o-r " + path);
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
  check_token_file(path, report);
  return read.is_ok();
}

// What the service reads from outside: each table of OpenStack.
void check_sources(const std::string& metrics, Report& report, Complaints& complaints) {
  std::map<std::string, double> age_s;
  for (const auto& [source, age] : figures(metrics, "emplace_source_age_seconds")) age_s[source] = age;
  const auto sources = figures(metrics, "emplace_source_good");
  if (!sources.empty()) check_named(report, complaints, "brake", "not held", kOpenstackHelp);
  for (const auto& [source, good] : sources) {
    const auto known = age_s.find(source);
    const std::string read = known == age_s.end() ? "never read" : "last read " + age(known->second) + " ago";
    const auto texts = complaints.take(source);
    for (const std::string& text : texts) report.fail(source, text, kOpenstackHelp);
    if (!texts.empty()) continue;
    good == 1 ? report.ok(source, read) : report.fail(source, read + ", held by the brake", kOpenstackHelp);
  }
}

// A picture that falls behind the store has a writer that is stuck.
void check_picture(const std::string& metrics, Report& report, Complaints& complaints) {
  const auto age_s = figures(metrics, "emplace_picture_age_seconds");
  if (age_s.empty()) return report.warn("picture", "its age is not known", "the token needs read access to /metrics");
  check_named(report, complaints, "picture", "last changed " + age(age_s.front().second) + " ago",
              "see the service's log");
}

void check_plugins(Client& client, Report& report, Complaints& complaints) {
  for (const Json& plugin : client.ask({.target = "/v1/plugins"})["plugins"].items()) {
    const std::string found =
        fmt::format("{} {} {}", plugin["id"].text(), plugin["version"].string(), plugin["state"].text());
    std::ignore = complaints.take("plugin " + plugin["id"].text());
    if (plugin["state"].string() == "running") {
      report.ok("plugin", found);
    } else {
      report.fail("plugin", found + (plugin["why"].is_null() ? "" : ": " + plugin["why"].text()),
                  "mend the file or its entry in emplaced.toml, then restart");
    }
  }
}

// What is wrong with a host that a hypervisor drives; empty: nothing.
std::string fault_of(const Json& host, std::vector<std::string> complaints) {
  const std::string state = host["state"].string();
  const Json hypervisor = host["hypervisor"];
  const bool connected = !hypervisor.is_object() || hypervisor["connected"].truth();
  if (state != "down" && state != "unreachable" && connected && complaints.empty()) return {};
  if (!hypervisor["why"].is_null()) return "does not answer: " + hypervisor["why"].text();
  return complaints.empty() ? "does not answer" : complaints.front();
}

bool has_finding(const Json& host, const std::function<bool(const std::string& name)>& is_wanted) {
  const std::vector<Json> findings = host["findings"].items();
  return std::any_of(findings.begin(), findings.end(),
                     [&](const Json& one) { return is_wanted(one["name"].string()); });
}

// What the service complains of besides the findings, which have lines of their own.
std::vector<std::string> other_complaints(const Json& host, Complaints& complaints) {
  std::vector<std::string> texts = complaints.take("host " + host["name"].string());
  std::erase_if(texts, [&](const std::string& text) {
    return has_finding(host, [&](const std::string& name) { return text.starts_with(name + ": "); });
  });
  return texts;
}

void check_host(const Json& host, Report& report, Complaints& complaints) {
  const std::string name = host["name"].string();
  const std::string state = host["state"].string();
  const std::vector<std::string> texts = other_complaints(host, complaints);
  const bool is_second_name =
      state == "down" && has_finding(host, [](const std::string& finding) { return finding == "same_hypervisor"; });
  if (is_second_name && texts.empty()) return;  // it answers, and what is wrong has a line
  const std::string fault = fault_of(host, texts);
  if (!fault.empty()) {
    report.fail("host", name + " " + fault, "try: virsh -c URI version, with its URI of emplaced.toml");
  } else if (state != "enabled") {
    report.warn("host", name + " is " + state, "emplace hosts set " + name + " enabled");
  } else {
    report.ok("host", fmt::format("{} {} vcpus, {}, {} vms", name, amount(host["capacity"]["vcpus"].number()),
                                  mebibytes(host["capacity"]["memory_mib"].number()), host["vm_count"].text()));
  }
}

// What each host is told to have, but that it does not answer: the line of the host says so.
void check_findings(const Json& host, Report& report) {
  for (const Json& finding : host["findings"].items()) {
    const std::string name = finding["name"].text();
    if (name == "unreachable") continue;
    report.fail(name, host["name"].string() + ": " + finding["text"].text(), "since " + finding["since"].text());
  }
}

// `cloud`: hosts come from one, too.
void check_hosts(Client& client, bool cloud, Report& report, Complaints& complaints) {
  std::map<std::string, int> others;
  const std::vector<Json> hosts = list_all(client, "/v1/hosts?limit=1000", "hosts");
  for (const Json& host : hosts) {
    const std::string source = host["source"].string();
    if (source == "libvirt" || host["hypervisor"].is_object()) {
      check_host(host, report, complaints);
    } else {
      ++others[source == "static" ? "imported" : source];
    }
    check_findings(host, report);
  }
  for (const auto& [source, count] : others) report.ok("hosts", fmt::format("{} {}", count, source));
  if (!hosts.empty()) return;
  report.warn("hosts", "none",
              cloud ? "those of [openstack] are there once it was read"
                    : "add [[host]] entries to emplaced.toml, or: emplace import FILE");
}

// "host h9" of one that is in no list, and whatever else the service knows of itself.
void check_rest(Report& report, const Complaints& complaints) {
  for (const auto& [name, text] : complaints.rest()) {
    const bool host = name.starts_with("host "), cloud = name == "brake" || name.starts_with("openstack");
    report.fail(host ? "host" : name, host ? name.substr(5) + ": " + text : text,
                host    ? "try: virsh -c URI version, with its URI of emplaced.toml"
                : cloud ? kOpenstackHelp
                        : "see the service's log");
  }
}

}  // namespace

void examine(Session& session) {
  Report report(session);
  Client& client = session.client();
  Complaints complaints{Json()};
  if (check_service(client, report)) {
    check_ready(client, report, complaints);
    check_clock(client, report, complaints);
    check_disk(session, report, complaints);
    if (check_token(session, client, report)) {
      const std::string metrics = client.send({.target = "/metrics"}, 10).body;
      check_picture(metrics, report, complaints);
      check_sources(metrics, report, complaints);
      check_plugins(client, report, complaints);
      check_hosts(client, !figures(metrics, "emplace_source_good").empty(), report, complaints);
    }
    check_rest(report, complaints);
  } else {
    session.exit_code = kUnreachable;
  }
  report.finish();
}

}  // namespace emplace::cli
