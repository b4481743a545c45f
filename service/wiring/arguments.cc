#include "service/wiring/arguments.h"

#include <CLI/CLI.hpp>
#include <string>

#include "service/configuration/clouds.h"
#include "service/wiring/complaint.h"

namespace emplace {

std::variant<Arguments, int> read_arguments(int argc, char** argv) {
  CLI::App app{"emplaced decides where virtual machines live, says why, and moves them there."};
  std::string file, data, listen, database;
  Arguments given;
  app.add_option("--config", file, "emplaced.toml (docs/configuration.md)");
  app.add_option("--data", data, "directory for the embedded database, the history and the admin token");
  app.add_option("--listen", listen, "ADDRESS:PORT or unix:/path; port 0 picks one");
  app.add_option("--database", database, "PostgreSQL URL; without it a private PostgreSQL is started in --data");
  app.add_flag("--check-config", given.check_only, "check the configuration and end");
  app.add_flag("--migrate-only", given.migrate_only, "bring the database's schema up to date and end");
  app.set_version_flag("--version", EMPLACE_VERSION);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? end_of_output(kDone) : kBadUsage;
  }
  auto config = file.empty() ? Result<Config>(Config()) : read_config(file);
  if (!config) return complain(config.error());
  if (const auto taken = take_cloud(config->openstack, usual_places()); !taken) return complain(taken.error());
  if (!data.empty()) config->data = data;
  if (!listen.empty()) config->listen = listen;
  if (!database.empty()) config->database_url = database;
  given.config = *std::move(config);
  return given;
}

}  // namespace emplace
