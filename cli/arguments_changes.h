// The arguments of the commands that change something: place, and what hosts, groups, profiles, claims and tokens know
// besides lists. As in arguments.cc, a command that is parsed runs.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace CLI {
class App;
}

namespace emplace::cli {

struct Session;

// For Option::check().
std::function<std::string(const std::string&)> whole_from(std::int64_t least, std::int64_t most);

void add_timeout(CLI::App& command, double& timeout_s);  // --timeout
void add_place(CLI::App& app, Session& session);
void add_host_changes(CLI::App& hosts, Session& session);
void add_claims(CLI::App& app, Session& session);
void add_groups(CLI::App& app, Session& session);
void add_profiles(CLI::App& app, Session& session);
void add_tokens(CLI::App& app, Session& session);

}  // namespace emplace::cli
