#include <fmt/chrono.h>
#include <fmt/format.h>

#include <chrono>
#include <map>

#include "cli/commands.h"
#include "cli/numbers.h"

namespace emplace::cli {

void list_claims(Session& session) {
  const std::vector<Json> claims = list_all(session.client(), "/v1/claims?limit=1000&sort=name", "claims");
  if (print_as_json(session, "claims", claims)) return;
  Table table({"CLAIM", "VM", "HOST", "STATE", "TAKEN AT", "EXPIRES AT"});
  for (const Json& claim : claims) {
    table.row({claim["id"].text(), claim["vm_name"].string(claim["vm"].text()), claim["host"].text(),
               claim["state"].text(), claim["taken_at"].text(), claim["expires_at"].text()});
  }
  table.print();
}

void confirm_claim(Session& session, const std::string& id) {
  const Json answer = session.client().ask({.method = "PUT", .target = path_of("claims", id) + ":confirm"});
  if (session.json) return print_json(answer);
  fmt::print("{} is confirmed\n", id);
}

namespace {

// As the service writes times, so that texts compare as times do.
std::string time_before_now(double seconds) {
  using namespace std::chrono;
  const auto then = system_clock::now() - duration_cast<microseconds>(duration<double>(seconds));
  const auto us = duration_cast<microseconds>(then.time_since_epoch()).count();
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:06}Z", fmt::gmtime(static_cast<std::time_t>(us / 1'000'000)),
                     us % 1'000'000);
}

std::vector<Json> held_claims(Session& session, const ReleaseOptions& options) {
  const std::string before =
      options.older_than ? time_before_now(duration_typed("--older-than", *options.older_than)) : "";
  if (options.all_of) name_typed("--all-of", *options.all_of);
  std::vector<Json> claims = list_all(session.client(), "/v1/claims?limit=1000", "claims");
  std::erase_if(claims, [&](const Json& claim) {
    const bool is_of_vm =
        !options.all_of || claim["vm"].string() == *options.all_of || claim["vm_name"].string() == *options.all_of;
    const bool is_old = before.empty() || (claim["taken_at"].is_string() && claim["taken_at"].string() < before);
    return claim["state"].string() != "held" || !is_of_vm || !is_old;
  });
  return claims;
}

// A name is its project's: one that several have means none of them.
void check_one_project(const std::string& name, const std::vector<Json>& claims) {
  std::map<std::string, std::string> vms;  // by project
  for (const Json& claim : claims) vms.try_emplace(claim["project"].string(""), claim["vm"].string());
  if (vms.size() < 2) return;
  std::string told;
  for (const auto& [project, vm] : vms) {
    told += fmt::format("{} {} ({})", told.empty() ? "" : ",", vm,
                        project.empty() ? "no project" : "project " + printable(project));
  }
  throw Failure(kBadInput, fmt::format("vms of {} projects are called {}; give the id of one:{}", vms.size(),
                                       printable(name), told));
}

// False: it was gone already.
bool release(Session& session, const std::string& id) {
  const Answer answer = session.client().send({.method = "DELETE", .target = path_of("claims", id)});
  if (answer.status == 404) return false;
  if (!answer.is_ok()) raise(answer);
  return true;
}

void print_released(Session& session, const std::vector<Json>& released) {
  if (print_as_json(session, "released", released)) return;
  for (const Json& claim : released) {
    fmt::print("{} of {} on {} is released\n", claim["id"].text(),
               printable(claim["vm_name"].string(claim["vm"].text())), printable(claim["host"].text()));
  }
  fmt::print("{} released\n", released.size());
}

void release_one(Session& session, const std::string& id) {
  session.client().ask({.method = "DELETE", .target = path_of("claims", id)});
  if (!session.json) fmt::print("{} is released\n", id);
}

}  // namespace

void release_claims(Session& session, const ReleaseOptions& options) {
  const bool many = options.all_of || options.older_than;
  if (many == !options.claim.empty()) {
    throw Failure(kBadInput, "claims release: wanted either a CLAIM, or --all-of VM or --older-than TIME or both");
  }
  if (!many) return release_one(session, options.claim);
  std::vector<Json> claims = held_claims(session, options);
  if (claims.empty() && options.all_of) {
    throw Failure(kNotFound, fmt::format("no claim is held for {}", printable(*options.all_of)));
  }
  if (options.all_of) check_one_project(*options.all_of, claims);
  std::erase_if(claims, [&](const Json& claim) { return !release(session, claim.need("id").string()); });
  print_released(session, claims);
}

}  // namespace emplace::cli
