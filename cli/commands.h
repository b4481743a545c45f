// The commands of the command line: what each one is told, and the function that does it. What they print for a person
// is a table or lines; with --json it is the service's own document. arguments.cc declares them to the parser.
#pragma once

#include <optional>

#include "cli/lists.h"
#include "cli/session.h"
#include "cli/simulate/replay.h"

namespace emplace::cli {

void print_status(Session& session);

struct HostOptions {
  std::string name, state;
  ListOptions list = {};
};
void list_hosts(Session& session, const ListOptions& options);
void show_host(Session& session, const std::string& name);
void set_host(Session& session, const HostOptions& options);
void remove_host(Session& session, const std::string& name);

struct DrainOptions {
  std::string host;
  std::string profile;
  double at_once = 1;  // vms on their way at a time
  bool wait = false;
  double timeout_s = 3600;
};
void drain_host(Session& session, const DrainOptions& options);

struct VmOptions {
  std::string vm, to;
  std::vector<std::string> options;  // "KEY=VALUE" of a move
  bool wait = false;
  bool verify = false;
  double timeout_s = 300;
  ListOptions list = {};
};
void list_vms(Session& session, const VmOptions& options);
void show_vm(Session& session, const std::string& name);
void migrate_vm(Session& session, const VmOptions& options);
void delete_vm(Session& session, const VmOptions& options);

// What was typed; nothing: the option was not given.
using Typed = std::optional<std::string>;

struct PlaceOptions {
  Typed name, id, project, group, zone, image, flavor, domain_template;
  Typed vcpus, memory, disk, numa_nodes;
  std::vector<std::string> traits, forbidden_traits, parameters;
  Typed spread_by, spread_group, spread_domain;
  Typed count, ttl, deadline_ms, alternates, profile, explain;
  bool dry_run = false, claim = false, start = false, record = false;
  bool allow_duplicate_name = false;
  Typed file;  // the whole request instead of all above
  bool wait = false;
  double timeout_s = 120;
};
void place(Session& session, const PlaceOptions& options);
// A placement's answer for a person: the host, why, the claim. Shared by place and explain.
void print_placement(const Json& answer);

struct DecisionListOptions {
  std::string vm;  // id or name
  ListOptions list = {};
};
void list_decisions(Session& session, const DecisionListOptions& options);
// `named` as in decisions.h.
void explain(Session& session, const std::string& named);
void replay(Session& session, const std::string& named);

void list_claims(Session& session);
void confirm_claim(Session& session, const std::string& claim);
struct ReleaseOptions {
  std::string claim;  // this one; or those that both of the following name
  Typed all_of;       // a vm, by id or name
  Typed older_than;   // a time since the claim was taken
};
void release_claims(Session& session, const ReleaseOptions& options);

void list_groups(Session& session);
struct GroupOptions {
  std::string name, policy;
  Typed max_per_host;
};
void put_group(Session& session, const GroupOptions& options);
void delete_group(Session& session, const std::string& name);
void list_plugins(Session& session);
// The manifests in a directory; empty: of the plugins that came with this program. Needs no service.
void list_manifests(Session& session, const std::string& directory);

struct NewPluginOptions {
  std::string name;
  std::string directory;  // empty: the name, in the current one
};
// Writes a plugin that compiles, with a test. Needs no service.
void new_plugin(const NewPluginOptions& options);

// The columns of the picture that a manifest may name. Needs no service.
[[noreturn]] void list_columns();

// As given; what is empty is not passed on.
struct CheckPluginOptions {
  std::string plugin;  // its library or its manifest
  std::string config, seed, json, junit, budget_us, only;
};
// Becomes emplace-plugin-check (cli/check), whose exit codes are this command's.
[[noreturn]] void check_plugin(const CheckPluginOptions& options);

void list_profiles(Session& session);
void show_profile(Session& session, const std::string& name);
void delete_profile(Session& session, const std::string& name);
void put_profile(Session& session, const std::string& name, const std::string& path);

struct NewTokenOptions {
  std::string role;  // reader, planner, operator, admin, or project:NAME
  std::string name;  // for the log
  Typed file;        // the service's tokens file; nothing: the line is printed
};
// Prints a new token, and keeps its hash alone. Needs no service.
void make_token(Session& session, const NewTokenOptions& options);

void import_inventory(Session& session, const std::string& path);
void export_inventory(Session& session, const std::string& path);

struct EventOptions {
  bool follow = false;
  std::string after;  // only events after this number
};
void show_events(Session& session, const EventOptions& options);

void examine(Session& session);  // doctor

struct SimulateOptions {
  std::string trace, hosts, racks, format = "csv", profile_file;
  std::vector<std::string> policies = {"service", "first-fit", "best-fit"};
  ReplayOptions replay;
};
void simulate(Session& session, const SimulateOptions& options);

// The completion script of a shell from the words of each command ("vms migrate" → its options).
struct CommandWords {
  std::string path;  // empty: emplace itself
  std::vector<std::string> words;
};
std::string completion_script(const std::string& shell, const std::vector<CommandWords>& commands);

}  // namespace emplace::cli
