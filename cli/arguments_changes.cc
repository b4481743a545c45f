#include "cli/arguments_changes.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <charconv>

#include "cli/commands.h"
#include "cli/numbers.h"

namespace emplace::cli {
namespace {

// An option that tells "" from nothing.
CLI::Option* typed(CLI::App& command, const std::string& name, Typed& target, const std::string& help) {
  return command
      .add_option_function<std::string>(
          name, [&target](const std::string& text) { target = text; }, help)
      ->type_name("TEXT");
}

void add_vm_options(CLI::App& command, PlaceOptions& options) {
  typed(command, "--name", options.name, "the vm's name; a claim needs one that its project does not have yet");
  typed(command, "--id", options.id, "the vm's uuid, where it has one");
  typed(command, "--vcpus", options.vcpus, "virtual CPUs; needed");
  typed(command, "--memory", options.memory, "a size such as 4GiB or 512MiB, a number alone in MiB; needed");
  typed(command, "--disk", options.disk, "a size such as 20GiB or 1TiB, a number alone in GiB");
  typed(command, "--project", options.project, "whose it is");
  typed(command, "--group", options.group, "server group");
  typed(command, "--zone", options.zone, "the zone it must be in");
  command.add_option("--trait", options.traits, "a trait the host must have; may be repeated")->allow_extra_args(false);
  command.add_option("--forbid-trait", options.forbidden_traits, "a trait the host must not have; may be repeated")
      ->allow_extra_args(false);
  typed(command, "--numa-nodes", options.numa_nodes, "spread over so many NUMA cells");
  typed(command, "--spread-by", options.spread_by,
        "rack or zone: what vms of a spread group must not share; rack when left out")
      ->check(CLI::IsMember({"rack", "zone"}));
  typed(command, "--spread-group", options.spread_group,
        "vms of this group whose domains differ are put into different racks");
  typed(command, "--spread-domain", options.spread_domain,
        "the vm's domain in its spread group; vms of one domain may share a rack");
  typed(command, "--image", options.image, "the image that the template is told");
  typed(command, "--flavor", options.flavor, "the flavor that the template is told");
  typed(command, "--template", options.domain_template, "the libvirt domain template");
  command.add_option("--parameter", options.parameters, "KEY=VALUE for the template; may be repeated")
      ->allow_extra_args(false);
}

void add_placement_options(CLI::App& command, PlaceOptions& options) {
  typed(command, "--count", options.count, "so many vms, all or none: NAME-1, NAME-2, ...");
  typed(command, "--profile", options.profile, "how to choose on the front");
  command.add_flag("--dry-run", options.dry_run, "only rank");
  command.add_flag("--claim", options.claim, "promise the resources to the vm");
  command.add_flag("--start", options.start, "claim and start it");
  command.add_flag("--allow-duplicate-name", options.allow_duplicate_name,
                   "take a claim even if the project has a vm of that name");
  typed(command, "--ttl", options.ttl, "seconds the claim holds; 60 when left out");
  typed(command, "--alternates", options.alternates, "further hosts to name; 3 when left out");
  typed(command, "--explain", options.explain, "how much of the reasons")
      ->check(CLI::IsMember({"none", "summary", "full"}));
  command.add_flag("--record", options.record, "store the decision even of a dry run");
  typed(command, "--deadline-ms", options.deadline_ms, "give up after so long");
}

// What the file would leave unsaid.
void refuse_beside_request(const CLI::App& command) {
  for (const CLI::Option* option : command.get_options()) {
    const std::string name = option->get_name();
    const bool fits = name == "--request" || name == "--wait" || name == "--timeout";
    if (option->count() == 0 || fits) continue;
    throw Failure(kBadInput, fmt::format("{}: wanted in the file of --request, which is the whole request", name));
  }
}

void add_drain(CLI::App& hosts, Session& session) {
  auto options = std::make_shared<DrainOptions>();
  CLI::App* command = hosts.add_subcommand("drain", "sets a host to maintenance and moves its vms away");
  command->add_option("HOST", options->host, "its name")->required();
  command->add_option("--profile", options->profile, "how to choose their hosts");
  command->add_option("--at-once", options->at_once, "vms on their way at a time")
      ->check(whole_from(1, 100))
      ->capture_default_str();
  command->add_flag("--wait", options->wait, "until all that can move have moved");
  add_timeout(*command, options->timeout_s);
  command->callback([&session, options] { drain_host(session, *options); });
}

}  // namespace

std::function<std::string(const std::string&)> whole_from(std::int64_t least, std::int64_t most) {
  // Not CLI::Range, which says of 1.5 that it is not from 1 to 256.
  return [least, most](const std::string& text) {
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error == std::errc() && end == text.data() + text.size() && number >= least && number <= most)
      return std::string();
    return fmt::format("wanted a whole number from {} to {}, found '{}'", least, most, printable(text));
  };
}

void add_timeout(CLI::App& command, double& timeout_s) {
  // Not CLI::PositiveNumber, which names the largest double by its 309 digits.
  const auto check = [](const std::string& text) {
    return is_positive(text) ? std::string() : fmt::format("wanted more than 0 seconds, found '{}'", printable(text));
  };
  command.add_option("--timeout", timeout_s, "seconds to wait")->check(check)->capture_default_str();
}

void add_place(CLI::App& app, Session& session) {
  auto options = std::make_shared<PlaceOptions>();
  CLI::App* command = app.add_subcommand("place", "finds a host for a vm; with --claim or --start takes it");
  add_vm_options(*command, *options);
  add_placement_options(*command, *options);
  command->add_flag("--wait", options->wait, "with --start: until it runs");
  add_timeout(*command, options->timeout_s);
  typed(*command, "--request", options->file, "a file with the whole request (- for standard input)");
  command->callback([&session, options, command] {
    if (options->file) refuse_beside_request(*command);
    place(session, *options);
  });
}

void add_host_changes(CLI::App& hosts, Session& session) {
  auto options = std::make_shared<HostOptions>();
  CLI::App* set = hosts.add_subcommand("set", "changes a host's state");
  set->add_option("HOST", options->name, "its name")->required();
  set->add_option("STATE", options->state, "maintenance and disabled hosts get no new vms")
      ->required()
      ->check(CLI::IsMember({"enabled", "disabled", "maintenance"}));
  set->callback([&session, options] { set_host(session, *options); });
  CLI::App* removing = hosts.add_subcommand("remove", "forgets a static host, one that an import brought");
  removing->add_option("HOST", options->name, "its name")->required();
  removing->callback([&session, options] { remove_host(session, options->name); });
  add_drain(hosts, session);
}

void add_claims(CLI::App& app, Session& session) {
  auto id = std::make_shared<std::string>();
  auto options = std::make_shared<ReleaseOptions>();
  CLI::App* command = app.add_subcommand("claims", "lists what is promised to vms; confirms or releases it");
  CLI::App* confirming = command->add_subcommand("confirm", "the vm is there");
  confirming->add_option("CLAIM", *id, "its id, as emplace claims shows it")->required();
  confirming->callback([&session, id] { confirm_claim(session, *id); });
  CLI::App* releasing = command->add_subcommand("release", "gives resources back");
  releasing->add_option("CLAIM", options->claim, "this claim");
  typed(*releasing, "--all-of", options->all_of, "the held claims of this vm, by id or name");
  typed(*releasing, "--older-than", options->older_than, "held claims taken longer ago, such as 15min, 2h or 1d");
  releasing->callback([&session, options] { release_claims(session, *options); });
  command->callback([&session, command] {
    if (command->get_subcommands().empty()) list_claims(session);
  });
}

void add_groups(CLI::App& app, Session& session) {
  auto options = std::make_shared<GroupOptions>();
  CLI::App* command = app.add_subcommand("groups", "lists the server groups; makes, changes or deletes one");
  CLI::App* put = command->add_subcommand("put", "makes a server group, or changes its policy");
  put->add_option("NAME", options->name)->required();
  put->add_option("POLICY", options->policy)
      ->required()
      ->check(CLI::IsMember({"affinity", "anti-affinity", "soft-affinity", "soft-anti-affinity"}));
  typed(*put, "--max-per-host", options->max_per_host,
        "of anti-affinity: so many members on one host; 1 when left out");
  put->callback([&session, options] { put_group(session, *options); });
  CLI::App* removing = command->add_subcommand("delete", "forgets a server group without members");
  removing->add_option("NAME", options->name)->required();
  removing->callback([&session, options] { delete_group(session, options->name); });
  command->callback([&session, command] {
    if (command->get_subcommands().empty()) list_groups(session);
  });
}

void add_profiles(CLI::App& app, Session& session) {
  auto name = std::make_shared<std::string>();
  auto path = std::make_shared<std::string>();
  CLI::App* command = app.add_subcommand("profiles", "lists the profiles; shows, stores or deletes one");
  CLI::App* showing = command->add_subcommand("show", "prints a profile as JSON, as put reads it");
  showing->add_option("NAME", *name)->required();
  showing->callback([&session, name] { show_profile(session, *name); });
  CLI::App* put = command->add_subcommand("put", "stores a profile");
  put->add_option("NAME", *name)->required();
  put->add_option("FILE", *path, "JSON; - for standard input")->required();
  put->callback([&session, name, path] { put_profile(session, *name, *path); });
  CLI::App* removing =
      command->add_subcommand("delete", "forgets what was put; the configuration's profile is back then");
  removing->add_option("NAME", *name)->required();
  removing->callback([&session, name] { delete_profile(session, *name); });
  command->callback([&session, command] {
    if (command->get_subcommands().empty()) list_profiles(session);
  });
}

void add_tokens(CLI::App& app, Session& session) {
  auto options = std::make_shared<NewTokenOptions>();
  CLI::App* command = app.add_subcommand("tokens", "makes tokens for the service's tokens file");
  command->require_subcommand(1);
  CLI::App* making = command->add_subcommand("new", "prints a new token once, and keeps its hash alone");
  making->add_option("ROLE", options->role, "reader, planner, operator, admin, or project:NAME")->required();
  making->add_option("NAME", options->name, "whose it is, for the log; one word")->required();
  typed(*making, "--file", options->file,
        "the service's tokens file, to which the hash is added; printed when left out");
  making->callback([&session, options] { make_token(session, *options); });
}

}  // namespace emplace::cli
