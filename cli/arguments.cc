#include "cli/arguments.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <limits>

#include "cli/arguments_changes.h"
#include "cli/commands.h"
#include "cli/nova.h"

namespace emplace::cli {
namespace {

using Text = std::shared_ptr<std::string>;

void add_status(CLI::App& app, Session& session) {
  app.add_subcommand("status", "is the service ready, and how full is the cluster?")->callback([&session] {
    print_status(session);
  });
  app.add_subcommand("doctor", "checks the service, the token, the plugins and each host; says what to do")
      ->callback([&session] { examine(session); });
}

// Where one thing is named, options that narrow or sort a list would have no effect.
void refuse_options(const CLI::App& command, const std::string& named) {
  for (const CLI::Option* option : command.get_options()) {
    if (option->get_positional() || option->count() == 0) continue;
    throw Failure(kBadInput,
                  fmt::format("{}: wanted none beside {}, since it is for a list", option->get_name(), named));
  }
}

// By the first of `orders`, if nothing else is said.
void add_sort(CLI::App& command, ListOptions& options, std::vector<std::string> orders) {
  options.sort = orders.front();
  command.add_option("--sort", options.sort, "what to sort by; with a - before it descending")
      ->check(CLI::IsMember(std::move(orders)))
      ->capture_default_str();
}

void add_decisions(CLI::App& app, Session& session) {
  constexpr const char* kNamed =
      "a vm's name, for its newest decision; or the id of a decision or vm, or its beginning";
  auto named = std::make_shared<std::string>();
  auto options = std::make_shared<DecisionListOptions>();
  CLI::App* explaining =
      app.add_subcommand("explain", "says why a vm went where it went; without one lists the decisions");
  explaining->add_option("DECISION", *named, kNamed);
  explaining->callback(
      [&session, named, options] { named->empty() ? list_decisions(session, *options) : explain(session, *named); });
  CLI::App* replaying = app.add_subcommand("replay", "runs a stored decision again on its stored picture");
  replaying->add_option("DECISION", *named, kNamed)->required();
  replaying->callback([&session, named] { replay(session, *named); });
  CLI::App* listing = app.add_subcommand("decisions", "lists the stored decisions");
  listing->add_option("--vm", options->vm, "only those about this vm, by name or id");
  listing->add_option("--host", options->list.host, "only those that chose this host");
  listing->add_option("--project", options->list.project, "only those of this project");
  add_sort(*listing, options->list, {"time", "-time", "name", "-name"});
  listing->callback([&session, options] { list_decisions(session, *options); });
}

void add_hosts(CLI::App& app, Session& session) {
  auto options = std::make_shared<HostOptions>();
  CLI::App* command = app.add_subcommand("hosts", "lists the hosts, or shows one");
  command->add_option("NAME", options->name, "the host to show");
  command->add_option("--state", options->list.state, "only those in this state");
  add_sort(*command, options->list, {"name", "-name"});
  add_host_changes(*command, session);
  command->callback([&session, options, command] {
    if (!command->get_subcommands().empty()) return;
    if (options->name.empty()) return list_hosts(session, options->list);
    refuse_options(*command, "NAME");
    show_host(session, options->name);
  });
}

void add_migrate(CLI::App& command, Session& session, const std::shared_ptr<VmOptions>& options) {
  CLI::App* migrating = command.add_subcommand("migrate", "moves a running vm to another host");
  migrating->add_option("VM", options->vm, "id or name")->required();
  migrating->add_option("--to", options->to, "the host; without it the service chooses");
  migrating
      ->add_option("--option", options->options,
                   "KEY=VALUE: mode (p2p, direct), post_copy, auto_converge, bandwidth_mib_s, max_downtime_ms, "
                   "timeout_s, copy_storage, unsafe, destination_uri")
      ->allow_extra_args(false);
  migrating->add_flag("--wait", options->wait, "until the vm is there");
  add_timeout(*migrating, options->timeout_s);
  migrating->callback([&session, options] { migrate_vm(session, *options); });
}

void add_vms(CLI::App& app, Session& session) {
  auto options = std::make_shared<VmOptions>();
  CLI::App* command = app.add_subcommand("vms", "lists the vms, shows, moves or deletes one");
  command->add_option("VM", options->vm, "id or name of the vm to show");
  command->add_flag("--verify", options->verify, "ask the hypervisors again");
  command->add_option("--host", options->list.host, "only those on this host");
  command->add_option("--group", options->list.group, "only those of this server group");
  command->add_option("--project", options->list.project, "only those of this project");
  command->add_option("--state", options->list.state, "only those in this state");
  add_sort(*command, options->list, {"name", "-name"});
  add_migrate(*command, session, options);
  CLI::App* removing = command->add_subcommand("delete", "powers a vm off and forgets it");
  removing->add_option("VM", options->vm, "id or name")->required();
  removing->callback([&session, options] { delete_vm(session, *options); });
  command->callback([&session, options, command] {
    if (!command->get_subcommands().empty()) return;
    if (options->vm.empty()) return list_vms(session, *options);
    refuse_options(*command, "VM");
    show_vm(session, options->vm);
  });
}

void add_plugin_new(CLI::App& plugin) {
  auto options = std::make_shared<NewPluginOptions>();
  CLI::App* command = plugin.add_subcommand("new", "writes a plugin that compiles, with a test");
  command->add_option("NAME", options->name, "lower case letters, digits and _")->required();
  command->add_option("--directory", options->directory, "where to, a new directory; ./NAME when left out");
  command->callback([options] { new_plugin(*options); });
}

std::string is_seed(const std::string& text) {
  std::uint64_t seed = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seed);
  if (error == std::errc() && end == text.data() + text.size()) return {};
  return fmt::format("wanted a whole number from 0 to {}, found '{}'", std::numeric_limits<std::uint64_t>::max(),
                     printable(text));
}

void add_plugin_check(CLI::App& plugin) {
  auto options = std::make_shared<CheckPluginOptions>();
  CLI::App* command =
      plugin.add_subcommand("check", "holds a plugin against the contract, each test in its own process");
  command->add_option("FILE", options->plugin, "its library or its manifest")->required();
  command->add_option("--config", options->config, "JSON object; the schema's defaults when left out");
  command->add_option("--seed", options->seed, "of all that is random; printed, so that a run can be repeated")
      ->check(is_seed);
  command->add_option("--json", options->json, "write the report to this file as JSON");
  command->add_option("--junit", options->junit, "write the report to this file as JUnit XML");
  command->add_option("--budget-us", options->budget_us, "median time that a call with 20,000 hosts may take")
      ->check(whole_from(1, 3'600'000'000));
  command->add_option("--only", options->only, "run this test alone");
  command->callback([options] { check_plugin(*options); });
}

void add_plugins(CLI::App& app, Session& session) {
  auto directory = std::make_shared<std::string>();
  app.add_subcommand("plugins", "what the service loaded, and how it does")->callback([&session] {
    list_plugins(session);
  });
  CLI::App* plugin = app.add_subcommand("plugin", "works on plugin files, without a service");
  plugin->require_subcommand(1);
  CLI::App* list = plugin->add_subcommand("list", "reads the manifests of a directory");
  list->add_option("DIRECTORY", *directory, "the plugins that came with this program when left out");
  list->callback([&session, directory] { list_manifests(session, *directory); });
  plugin->add_subcommand("columns", "lists the columns of the picture that a manifest may name")->callback([] {
    list_columns();
  });
  add_plugin_new(*plugin);
  add_plugin_check(*plugin);
}

void add_inventory(CLI::App& app, Session& session) {
  auto path = std::make_shared<std::string>();
  CLI::App* importing =
      app.add_subcommand("import", "hosts, groups, vms, traffic, samples from a JSON file; all or nothing");
  importing->add_option("FILE", *path, "- for standard input")->required();
  importing->callback([&session, path] { import_inventory(session, *path); });
  CLI::App* exporting = app.add_subcommand("export", "the whole picture as a file that import reads");
  exporting->add_option("FILE", *path, "standard output when left out");
  exporting->callback([&session, path] { export_inventory(session, *path); });
}

void add_config(CLI::App& app) {
  auto options = std::make_shared<ImportConfOptions>();
  CLI::App* config = app.add_subcommand("config", "works on configuration files, without a service");
  config->require_subcommand(1);
  CLI::App* command = config->add_subcommand("import", "turns a nova.conf into a piece of emplaced.toml");
  command->add_option("NOVA_CONF", options->files, "in the order in which Nova reads them")->required();
  command->add_option("--release", options->release, "of Nova")
      ->check(CLI::IsMember({"zed", "master"}))
      ->capture_default_str();
  command->callback([options] { import_nova_conf(*options); });
}

void add_nova(CLI::App& app, Session& session) {
  auto options = std::make_shared<NovaDoctorOptions>();
  CLI::App* nova = app.add_subcommand("nova", "what concerns a Nova that asks Emplace");
  nova->require_subcommand(1);
  CLI::App* command = nova->add_subcommand("doctor", "says what a nova.conf does with Emplace, and what is wrong");
  command->add_option("--conf", options->files, "a nova.conf; may be repeated, in the order in which Nova reads them")
      ->allow_extra_args(false)
      ->capture_default_str();
  command->add_option("--release", options->release, "of Nova; the service's when left out")
      ->check(CLI::IsMember({"zed", "master"}));
  command->callback([&app, &session, options] {
    options->has_url = app.count("--url") > 0;
    options->has_token = app.count("--token-file") > 0;
    examine_nova(session, *options);
  });
}

void add_events(CLI::App& app, Session& session) {
  auto options = std::make_shared<EventOptions>();
  CLI::App* command = app.add_subcommand("events", "the changes that the service keeps, oldest first");
  command->add_flag("--follow", options->follow, "wait for new ones until Ctrl-C");
  command->add_option("--after", options->after, "only events after this number");
  command->callback([&session, options] { show_events(session, *options); });
}

void add_simulate(CLI::App& app, Session& session) {
  auto options = std::make_shared<SimulateOptions>();
  CLI::App* command = app.add_subcommand(
      "simulate", "replays a trace of requests through the service, beside first fit and best fit; checks every rule");
  command->add_option("TRACE", options->trace, "the requests")->required();
  command->add_option("--hosts", options->hosts, "the hosts they are for")->required();
  command->add_option("--format", options->format, "of TRACE and of the hosts")
      ->check(CLI::IsMember({"csv", "huawei"}))
      ->capture_default_str();
  command->add_option("--racks", options->racks, "huawei: topology_provider.csv, when it is not beside the hosts");
  command->add_option("--policy", options->policies, "service, in-process, first-fit, best-fit; may be repeated")
      ->allow_extra_args(false)
      ->check(CLI::IsMember({"service", "in-process", "first-fit", "best-fit"}));
  command->add_option("--profile", options->replay.profile, "the service's profile");
  command->add_option("--profile-file", options->profile_file, "a profile as JSON, for in-process");
  command->add_option("--clients", options->replay.clients, "requests on their way at once")
      ->check(whole_from(1, 256))
      ->capture_default_str();
  command->add_option("--ttl", options->replay.ttl_s, "seconds that the claims hold")
      ->check(whole_from(1, 86400))
      ->capture_default_str();
  command->add_flag("--keep", options->replay.keep, "leave the claims in the service");
  command->callback([&session, options] { simulate(session, *options); });
}

}  // namespace

void declare(CLI::App& app, Session& session) {
  app.require_subcommand(1);
  app.set_version_flag("--version", "emplace " EMPLACE_VERSION);
  app.add_option("--url", session.url, "where the service listens")->envname("EMPLACE_URL")->capture_default_str();
  app.add_option("--token-file", session.token_file, "file with the bearer token")->envname("EMPLACE_TOKEN_FILE");
  app.add_option("--data", session.data, "the service's data directory; its admin.token is used");
  app.add_flag("--json", session.json, "print the service's own JSON");
  app.fallthrough();
  add_status(app, session);
  add_place(app, session);
  add_decisions(app, session);
  add_hosts(app, session);
  add_vms(app, session);
  add_claims(app, session);
  add_plugins(app, session);
  add_groups(app, session);
  add_profiles(app, session);
  add_tokens(app, session);
  add_inventory(app, session);
  add_config(app);
  add_nova(app, session);
  add_events(app, session);
  add_simulate(app, session);
}

}  // namespace emplace::cli
