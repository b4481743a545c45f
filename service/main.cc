// emplaced: the wiring, top to bottom. Every room is made here, in the order in which they need each other, and taken
// down in the reverse order; nothing else knows all of them.
#include <CLI/CLI.hpp>
#include <QCoreApplication>
#include <QTimer>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <future>
#include <random>

#include <fmt/format.h>
#include <malloc.h>

#include "service/configuration/clouds.h"
#include "service/configuration/config.h"
#include "service/configuration/nova_section.h"
#include "service/core/act/scheduler.h"
#include "service/core/base/actor.h"
#include "service/core/base/shown_text.h"
#include "service/core/decide/rule_book.h"
#include "service/core/doors/drivers.h"
#include "service/http/acceptor.h"
#include "service/http/server.h"
#include "service/hypervisor/hosts.h"
#include "service/observe/keeper.h"
#include "service/observe/mirror.h"
#include "service/observe/observer.h"
#include "service/observe/reservations.h"
#include "service/openstack/openstack.h"
#include "service/plugins/absent_rules.h"
#include "service/plugins/current.h"
#include "service/process/streams.h"
#include "service/rest/api.h"
#include "service/rest/auth.h"
#include "service/rest/line_pool.h"
#include "service/store/embedded.h"
#include "service/store/migrations.h"
#include "service/store/pooling.h"
#include "service/store/postgres_store.h"
#include "service/wiring/cloud_readings.h"
#include "service/wiring/log.h"
#include "service/wiring/options.h"
#include "service/wiring/signals.h"
#include "service/wiring/states.h"

namespace emplace {
namespace {

namespace fs = std::filesystem;

constexpr int kBadUsage = 2;
constexpr int kCannotRun = 1;
constexpr std::chrono::seconds kStartDeadline{60};
constexpr std::chrono::seconds kPoolingDeadline{10};
constexpr std::chrono::seconds kRecoverEvery{10};

std::int64_t wall_clock_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}
std::int64_t monotonic_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

Uuid random_uuid() {
  thread_local std::random_device device;
  Uuid id;
  for (std::size_t i = 0; i < id.bytes.size(); i += 4) {
    const std::uint32_t word = device();
    std::memcpy(id.bytes.data() + i, &word, sizeof word);
  }
  id.bytes[6] = static_cast<std::uint8_t>((id.bytes[6] & 0x0f) | 0x40);
  id.bytes[8] = static_cast<std::uint8_t>((id.bytes[8] & 0x3f) | 0x80);
  return id;
}

void store_log(LogLevel level, std::string_view line) {
  log_line(level == LogLevel::kInfo ? "info" : level == LogLevel::kWarn ? "warn" : "error", line);
}

void log_nova(const Config& config) {
  for (const novaconf::Finding& finding : config.nova_findings) {
    log_line(finding.level == novaconf::Finding::Level::kNote ? "info" : "warn",
             fmt::format("event=nova_conf file={} option={} what={}", log_text(config.nova_config),
                         log_text(finding.about), log_text(finding.text)));
  }
}

void log_cloud(const OpenstackEntry& entry) {
  for (const CloudNote& note : entry.notes) {
    log_line(note.level == CloudNote::Level::kNote ? "info" : "warn",
             fmt::format("event=clouds_yaml key={} what={}", log_text(note.about), log_text(note.text)));
  }
}

void log_plugins(const Plugins& plugins) {
  for (const PluginStatus& one : plugins.status()) {
    if (one.state != "refused") continue;
    log_line("error", fmt::format("event=plugin_refused plugin={} library={} error={}", json_text(one.id),
                                  json_text(one.library), json_text(one.last_error)));
  }
}

void log_start(const Claim& claim, const Result<void>& started) {
  log_line(
      started ? "info" : "warn",
      fmt::format("event=start vm={} name={} host={} claim={} error={}", to_string(claim.vm), log_text(claim.vm_name),
                  log_text(claim.host), to_string(claim.id), started ? "-" : log_text(started.error().message)));
}

Ambient ambient() { return {wall_clock_us, monotonic_us, random_uuid, log_start}; }

int complain(const Error& error) {
  fmt::print(stderr, "emplaced: {}\n", error.message);
  return error.code == ErrorCode::kInvalid ? kBadUsage : kCannotRun;
}

// The exit code, once what was printed has arrived.
int end_of_output(int code) {
  const std::error_code error = flush_output();
  if (!error) return code;
  return complain({ErrorCode::kUnavailable, fmt::format("can't write to standard output: {}", error.message())});
}

// ---- the doors that report

Reports reports_to(observe::Keeper& keeper) {
  const auto acting = [](const std::string& host) { return Acting("hypervisor " + host); };
  Reports reports;
  reports.connected = [=, &keeper](const std::string& host, bool fresh, const std::string& identity) {
    const Acting by = acting(host);
    keeper.connected(host, fresh, identity);
  };
  reports.disconnected = [=, &keeper](const std::string& host, const std::string& reason) {
    const Acting by = acting(host);
    keeper.disconnected(host, reason);
  };
  reports.looking = [&](const std::string& host) { keeper.looking(host); };
  reports.inventory = [=, &keeper](const HostRow& host, const std::vector<std::string>& shared) {
    const Acting by = acting(host.name);
    keeper.inventory(host, shared);
  };
  reports.domains = [=, &keeper](const std::string& host, const std::vector<DomainSeen>& all) {
    const Acting by = acting(host);
    keeper.domains(host, all);
  };
  reports.domain = [=, &keeper](const std::string& host, const DomainEvent& event) {
    const Acting by = acting(host);
    event.seen ? keeper.domain_seen(host, *event.seen) : keeper.domain_gone(host, event.id);
  };
  return reports;
}

bool is_of(const Picture& picture, const std::string& host, std::string_view source) {
  const std::uint32_t row = picture.find_host(host), code = picture.find_code(source);
  return row != kNoRow && code != kNoRow && picture[hosts::source].get(row) == code;
}

// Null without [openstack]. One replica at a time reads; each may move.
Result<std::unique_ptr<openstack::Openstack>> start_openstack(const Config& config, PostgresStore& store,
                                                              observe::Mirror& mirror, const Pictures& pictures,
                                                              CloudReadings& readings, observe::Findings& findings) {
  if (config.openstack.auth_url.empty()) return nullptr;
  readings.look();
  const auto leads = [&store, &readings, sync_s = config.openstack.sync_s] {
    readings.look();
    const Deadline deadline = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    const auto lease = store.hold_lease("openstack", 2 * sync_s + 60, deadline);
    return lease && *lease;
  };
  return openstack::Openstack::start(
      openstack_options(config.openstack),
      {[&mirror, &readings, &findings](const CloudReport& report) {
         const Acting acting("openstack");
         return mirror.take(report).map([&] {
           readings.wrote(report.read_at_us);
           observe::replace_findings(findings, report);
         });
       },
       leads, wall_clock_us, log_line},
      [&pictures](const std::string& host) { return is_of(*pictures.latest(), host, "openstack"); });
}

// The profiles that were changed over REST.
Result<std::vector<Profile>> changed_profiles(Store& store) {
  std::vector<Profile> profiles;
  const auto stored = store.profiles(std::chrono::steady_clock::now() + kStartDeadline);
  if (!stored) return tl::unexpected(stored.error());
  for (const auto& [name, json] : *stored) {
    const auto profile = parse_profile(json, name);
    if (!profile) return tl::unexpected(profile.error());
    profiles.push_back(*profile);
  }
  return profiles;
}

Result<http::Tokens> tokens_of(const Config& config, const fs::path& data) {
  http::Tokens tokens;
  if (!config.tokens_file.empty()) {
    auto loaded = http::Tokens::load(config.tokens_file);
    if (!loaded) return loaded;
    tokens = std::move(*loaded);
  }
  if (config.database_url.empty()) {
    auto hash = http::create_admin_token((data / "admin.token").string());
    if (!hash) return tl::unexpected(hash.error());
    tokens.add({std::move(*hash), http::Role::kAdmin, "admin"});
  }
  return tokens;
}

Result<http::Policy> policy_of(const Config& config) {
  http::Policy policy;
  http::Api::fill(policy);
  if (config.policy_file.empty()) return policy;
  return policy.override_from(config.policy_file).map([&] { return std::move(policy); });
}

// All that profiles may name; for what they name of a plugin that was refused, something that says so.
Catalogue rules_of(const Plugins& plugins, const Config& config, std::span<const Profile> changed) {
  std::vector<Profile> profiles = config.profiles;
  profiles.insert(profiles.end(), changed.begin(), changed.end());
  return with_stand_ins(plugins.add_to(built_in_rules()), profiles, plugins.refusals());
}

// ---- reload and recovery

// Plugins and profiles; a fault in either changes nothing.
Result<void> take_config(const Config& config, const PluginSettings& settings, CurrentPlugins& current, RuleBook& book,
                         Store& store) {
  auto plugins = current.get()->reload(settings, plugin_choices(config, settings));
  if (!plugins) return tl::unexpected(plugins.error());
  const auto changed = changed_profiles(store);
  if (!changed) return tl::unexpected(changed.error());
  auto rules = rules_of(*plugins, config, *changed);
  if (const auto replaced =
          book.replace(std::move(rules), config.profiles, *changed, {config.profile, config.front_limit});
      !replaced)
    return replaced;
  current.put(*std::move(plugins));
  return {};
}

// A bad file changes nothing.
void reload(const Config& running, const PluginSettings& settings, CurrentPlugins& current, RuleBook& book,
            Store& store) {
  if (running.file.empty()) return log_line("warn", "event=reload error=\"no configuration file was given\"");
  const auto done = read_config(running.file).and_then([&](const Config& config) {
    const auto taken = take_config(config, settings, current, book, store);
    if (taken) log_nova(config);
    return taken;
  });
  if (!done) return log_line("error", fmt::format("event=reload error={}", log_text(done.error().message)));
  log_line("info", fmt::format("event=reload file={} profiles={} plugins={}", log_text(running.file), book.all().size(),
                               current.get()->status().size()));
}

Result<void> take_profile(const std::string& payload, RuleBook& book) {
  const auto document = JsonDocument::parse(payload);
  if (!document) return tl::unexpected(document.error());
  const auto name = document->root().is_object() ? document->root().find("name") : std::nullopt;
  if (name && name->is_text() && document->root().find("removed")) return book.forget(name->text());
  const auto profile = parse_profile(document->root(), "");
  return profile ? book.put(*profile) : Result<void>(tl::unexpected(profile.error()));
}

// Profiles changed over REST, on whichever replica.
void take_profiles(std::span<const Event> events, RuleBook& book) {
  for (const Event& event : events) {
    if (event.kind != kProfileEvent) continue;
    const auto put = take_profile(event.payload, book);
    if (!put) log_line("error", fmt::format("event=profile error={}", log_text(put.error().message)));
  }
}

Result<std::int64_t> load_picture(PostgresStore& store, observe::Observer& observer) {
  std::vector<Change> all;
  const auto take = [&](std::vector<Change> changes) {
    std::move(changes.begin(), changes.end(), std::back_inserter(all));
  };
  const auto seq = store.load(take, std::chrono::steady_clock::now() + kStartDeadline);
  if (seq) observer.load(all, *seq);
  return seq;
}

// The events that would lead from the picture to what the database has are gone, or never were: see EventTail.
std::optional<std::int64_t> load_anew(PostgresStore& store, observe::Observer& observer, RuleBook& book,
                                      const Config& config) {
  const auto before = observer.latest()->version().event_seq;
  const auto seq = load_picture(store, observer);
  const auto changed = seq ? changed_profiles(store) : tl::unexpected(seq.error());
  const auto done = changed ? book.replace(config.profiles, *changed) : tl::unexpected(changed.error());
  if (!done) {
    log_line("error", fmt::format("event=events_lost action=try_again error={}", log_text(done.error().message)));
    return std::nullopt;
  }
  log_line("error", fmt::format("event=events_lost action=loaded_anew had={} now={}", before, *seq));
  return *seq;
}

// One replica at a time finishes what was left behind.
void recover(Scheduler& scheduler, PostgresStore& store) {
  const Deadline deadline = std::chrono::steady_clock::now() + std::chrono::seconds(8);
  const auto lease = store.hold_lease("recover", 2 * kRecoverEvery.count(), deadline);
  if (!lease || !*lease) return;
  if (const auto done = scheduler.recover(store, deadline); !done)
    log_line("warn", fmt::format("event=recover error={}", log_text(done.error().message)));
}

// ---- the service

// One connection string for the whole life of the service: the operator's database, or our own in DIR.
Result<std::string> connection_of(const Config& config, std::unique_ptr<EmbeddedPostgres>& database) {
  if (!config.database_url.empty()) return config.database_url;
  auto started = EmbeddedPostgres::start(config.data, store_log);
  if (!started) return tl::unexpected(started.error());
  database = std::move(*started);
  return database->connection_string();
}

Result<void> serve(const Config& config, const std::string& connection) {
  log_nova(config);
  log_cloud(config.openstack);
  const fs::path data = config.data;
  const auto arena = Arena::create();
  if (!arena) return tl::unexpected(arena.error());
  const auto settings = plugin_settings(*arena);
  auto loaded_plugins = Plugins::load(settings, plugin_choices(config, settings));
  if (!loaded_plugins) return tl::unexpected(loaded_plugins.error());
  log_plugins(*loaded_plugins);
  CurrentPlugins plugins(*std::move(loaded_plugins));
  auto options = hypervisor_options(config);
  if (!options) return tl::unexpected(options.error());
  const auto tokens = tokens_of(config, data);
  if (!tokens) return tl::unexpected(tokens.error());
  const auto policy = policy_of(config);
  if (!policy) return tl::unexpected(policy.error());

  PostgresStore store({.connection = connection,
                       .replica = config.replica,
                       .now_us = wall_clock_us,
                       .new_uuid = random_uuid,
                       .log = store_log,
                       .schema = config.database_schema});
  RuleBook rule_book(Catalogue{});
  const auto changed = changed_profiles(store);
  if (!changed) return tl::unexpected(changed.error());
  auto rules = rules_of(*plugins.get(), config, *changed);
  if (const auto filled =
          rule_book.replace(std::move(rules), config.profiles, *changed, {config.profile, config.front_limit});
      !filled)
    return filled;

  std::unique_ptr<observe::History> history;
  if (config.history_mib > 0) {
    auto opened = observe::History::open({.directory = (data / "history").string(),
                                          .replica = config.replica,
                                          .limit_bytes = std::uint64_t{config.history_mib} << 20,
                                          .complain = [](const std::string& line) {
                                            log_line("warn", fmt::format("event=history error={}", log_text(line)));
                                          }});
    if (!opened) return tl::unexpected(opened.error());
    history = std::move(*opened);
  }
  observe::Observer observer(*arena, config.replica, std::move(history), wall_clock_us, [](const std::string& line) {
    log_line("error", fmt::format("event=not_understood error={}", log_text(line)));
  });
  const auto loaded = load_picture(store, observer);
  if (!loaded) return tl::unexpected(loaded.error());

  // Hypervisors report to the keeper, which acts through them.
  EventLoop libvirt_events;
  std::promise<Hypervisors*> promised_hosts;
  observe::Findings findings(wall_clock_us, log_line);
  observe::Keeper keeper(observer, store, promised_hosts.get_future().share(), findings, log_line);
  const auto tail = store.tail(
      *loaded,
      [&](std::span<const Event> events) {
        observer.apply(events);
        take_profiles(events, rule_book);
        plugins.get()->observe(*observer.latest());
      },
      [&](EventTail::Loss loss) {
        if (loss == EventTail::Loss::kRewound)
          log_line("error",
                   "event=rewound what=\"the database lacks events that it had: it was restored, or a replica of it"
                   " took over without the newest commits\"");
        const auto seq = load_anew(store, observer, rule_book, config);
        if (seq) plugins.get()->observe(*observer.latest());
        return seq;
      });
  LibvirtHosts hosts(libvirt_events, host_configs(config), std::move(*options), reports_to(keeper));
  promised_hosts.set_value(&hosts);

  observe::Mirror mirror(observer, store, config.openstack.brake_percent, log_line);
  CloudReadings readings(store, wall_clock_us());
  const auto cloud = start_openstack(config, store, mirror, observer, readings, findings);
  if (!cloud) return tl::unexpected(cloud.error());
  std::vector<Hypervisors*> drivers{&hosts};
  if (*cloud) drivers.push_back(&(*cloud)->hosts());
  Drivers hypervisors(std::move(drivers));

  Scheduler scheduler(observer, store, hypervisors, ambient());
  observe::ReservationBook reservations(observer, store, wall_clock_us, log_line);
  http::RateLimit rate(config.requests_per_s);
  std::atomic<const http::Server*> listening{nullptr};
  http::LinePool lines(config.line_threads);
  http::Api api({.pictures = observer,
                 .store = store,
                 .hypervisors = hypervisors,
                 .scheduler = scheduler,
                 .reservations = reservations,
                 .rule_book = rule_book,
                 .lines = lines,
                 .tokens = *tokens,
                 .policy = *policy,
                 .rate = rate,
                 .ambient = ambient(),
                 .replica = config.replica,
                 .version = EMPLACE_VERSION,
                 .plugins = [&] { return plugin_states(*plugins.get()); },
                 .check_options = [&](std::string_view part) { return plugins.get()->check_options(part); },
                 .hypervisor_states = [&] { return hypervisor_states(hosts); },
                 .findings = [&] { return findings.all(); },
                 .sources = [&] { return source_states(cloud->get(), readings.read_at_us() != 0); },
                 .cloud = [&] { return *cloud ? std::optional(view_of(readings, **cloud)) : std::nullopt; },
                 .database = [&] { return database_state(store); },
                 .warnings = [&] { return own_warnings(config, *tokens); },
                 .candidates = *cloud ? &(*cloud)->candidates() : nullptr,
                 .authority = *cloud ? &(*cloud)->tokens() : nullptr,
                 .server_counters = [&] { return listening ? listening.load()->counters() : http::Counters(); },
                 .cors_origins = config.cors_origins,
                 .log = [](std::string_view level, const std::string& line) { log_line(level, line); }});
  auto server = http::Server::start(
      config.listen, server_limits(config),
      [&](auto request, http::Reply reply) { api.handle(request, std::move(reply)); },
      [](std::string_view level, const std::string& line) { log_line(level, line); });
  if (!server) return tl::unexpected(server.error());
  listening = server->get();

  for (const std::string& warning : own_warnings(config, *tokens))
    log_line("warn", fmt::format("event=warning what={}", json_text(warning)));
  store.keep_house();
  QTimer recovery;
  QObject::connect(&recovery, &QTimer::timeout, [&] { lines.submit([&] { recover(scheduler, store); }); });
  recovery.start(kRecoverEvery);
  lines.submit([&] { recover(scheduler, store); });
  const Signals signals([] { QCoreApplication::exit(0); },
                        [&] { reload(config, settings, plugins, rule_book, store); });
  // The log first: who waits for the line on the standard output may read the log at once.
  log_line("info", fmt::format("event=ready hosts={} vms={} url={}", observer.latest()->rows(Table::kHosts),
                               observer.latest()->rows(Table::kVms), (*server)->url()));
  fmt::print("emplaced ready url={} data={}\n", (*server)->url(), data.string());
  std::fflush(stdout);
  const int code = QCoreApplication::exec();

  log_line("info", "event=draining");
  recovery.stop();
  api.drain();
  (*server)->stop();
  if (code != 0) return fail(ErrorCode::kUnavailable, "stopped: see the log");
  return {};
}

// Where to listen, and where the database is, as far as that can be said without trying.
Result<void> check_addresses(const Config& config) {
  if (const auto checked = http::Acceptor::check(config.listen); !checked) return checked;
  return check_connection_string(config.database_url).map_error([](Error error) {
    error.message = "database.url: " + error.message;
    return error;
  });
}

int run(int argc, char** argv, const Config& config, bool migrate_only) {
  Signals::block();
  const QCoreApplication application(argc, argv);
  if (const auto addresses = check_addresses(config); !addresses) return complain(addresses.error());
  std::unique_ptr<EmbeddedPostgres> database;
  const auto connection = connection_of(config, database);
  if (!connection) return complain(connection.error());
  const Address address(*connection, config.database_schema, config.replica);
  const auto checked = check_pooling(address, std::chrono::steady_clock::now() + kPoolingDeadline);
  if (!checked) return complain(checked.error());
  const auto migrated = migrate(address, known_migrations(), std::chrono::steady_clock::now() + kStartDeadline);
  if (!migrated) return complain(migrated.error());
  if (*migrated > 0) log_line("info", fmt::format("event=migrated migrations={}", *migrated));
  if (migrate_only) return 0;
  const auto served = serve(config, *connection);
  return served ? 0 : complain(served.error());
}

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

// Everything that can be said about a configuration without starting anything.
int check(const Config& config) {
  if (const auto addresses = check_addresses(config); !addresses) return complain(addresses.error());
  if (const auto policy = policy_of(config); !policy) return complain(policy.error());
  if (const auto checked = check_rules(config); !checked) return complain(checked.error());
  if (const auto options = hypervisor_options(config); !options) return complain(options.error());
  if (!config.tokens_file.empty()) {
    if (const auto tokens = http::Tokens::load(config.tokens_file); !tokens) return complain(tokens.error());
  }
  const auto databases = openstack::NovaDatabase::create(openstack_options(config.openstack).database);
  if (!databases) return complain(databases.error());
  for (const CloudNote& note : config.openstack.notes) {
    fmt::print(stderr, "{}: {}: {}\n", note.level == CloudNote::Level::kNote ? "note" : "warning",
               shown_text(note.about), shown_text(note.text));
  }
  fmt::print("{}: ok\n", config.file.empty() ? "defaults" : config.file);
  return end_of_output(0);
}

}  // namespace

int main_program(int argc, char** argv) {
  CLI::App app{"emplaced decides where virtual machines live, says why, and moves them there."};
  std::string file, data, listen, database;
  bool check_only = false, migrate_only = false;
  app.add_option("--config", file, "emplaced.toml (docs/configuration.md)");
  app.add_option("--data", data, "directory for the embedded database, the history and the admin token");
  app.add_option("--listen", listen, "ADDRESS:PORT or unix:/path; port 0 picks one");
  app.add_option("--database", database, "PostgreSQL URL; without it a private PostgreSQL is started in --data");
  app.add_flag("--check-config", check_only, "check the configuration and end");
  app.add_flag("--migrate-only", migrate_only, "bring the database's schema up to date and end");
  app.set_version_flag("--version", EMPLACE_VERSION);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? end_of_output(0) : kBadUsage;
  }
  auto config = file.empty() ? Result<Config>(Config()) : read_config(file);
  if (!config) return complain(config.error());
  if (const auto taken = take_cloud(config->openstack, usual_places()); !taken) return complain(taken.error());
  if (!data.empty()) config->data = data;
  if (!listen.empty()) config->listen = listen;
  if (!database.empty()) config->database_url = database;
  return check_only ? check(*config) : run(argc, argv, *config, migrate_only);
}

}  // namespace emplace

int main(int argc, char** argv) {
  emplace::keep_standard_streams();
  emplace::keep_plain_locale();
  // What is as large as an answer about all hosts gets pages of its own, which go back to the system as soon as it is
  // freed; without this the bound rises with the largest of them, and they leave holes between what lives longer.
  ::mallopt(M_MMAP_THRESHOLD, 4 << 20);
  try {
    return emplace::main_program(argc, argv);
  } catch (const std::exception& error) {
    fmt::print(stderr, "emplaced: {}\n", error.what());
    return emplace::kCannotRun;
  }
}
