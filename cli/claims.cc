#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/numbers.h"

namespace emplace::cli {

void list_claims(Session& session) {
  const std::vector<Json> claims = list_all(session.client(), "/v1/claims?limit=1000", "claims");
  if (print_as_json(session, "claims", claims)) return;
  Table table({"CLAIM", "VM", "HOST", "STATE", "EXPIRES AT"});
  for (const Json& claim : claims) {
    table.row({claim["id"].text(), claim["vm_name"].string(claim["vm"].text()), claim["host"].text(),
               claim["state"].text(), claim["expires_at"].text()});
  }
  table.print();
}

void confirm_claim(Session& session, const std::string& id) {
  const Json answer = session.client().ask({.method = "PUT", .target = path_of("claims", id) + ":confirm"});
  if (session.json) return print_json(answer);
  fmt::print("{} is confirmed\n", id);
}

namespace {

std::vector<Json> held_claims(Session& session, const std::string& vm) {
  name_typed("--all-of", vm);
  std::vector<Json> claims = list_all(session.client(), "/v1/claims?limit=1000", "claims");
  std::erase_if(claims, [&](const Json& claim) {
    const bool is_of_vm = claim["vm"].string() == vm || claim["vm_name"].string() == vm;
    return claim["state"].string() != "held" || !is_of_vm;
  });
  return claims;
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
  if (options.all_of.has_value() == !options.claim.empty()) {
    throw Failure(kBadInput, "claims release: wanted either a CLAIM, or --all-of VM");
  }
  if (!options.all_of) return release_one(session, options.claim);
  std::vector<Json> claims = held_claims(session, *options.all_of);
  if (claims.empty()) throw Failure(kNotFound, fmt::format("no claim is held for {}", printable(*options.all_of)));
  std::erase_if(claims, [&](const Json& claim) { return !release(session, claim.need("id").string()); });
  print_released(session, claims);
}

}  // namespace emplace::cli
