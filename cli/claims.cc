#include <fmt/format.h>

#include "cli/commands.h"

namespace emplace::cli {

void list_claims(Session& session) {
  const std::vector<Json> claims = list_all(session.client(), "/v1/claims?limit=1000", "claims");
  if (session.json) {
    JsonWriter writer;
    writer.begin_object().key("claims").begin_array();
    for (const Json& claim : claims) writer.value(claim);
    fmt::print("{}\n", writer.end_array().end_object().take());
    return;
  }
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

void release_claim(Session& session, const std::string& id) {
  const Json answer = session.client().ask({.method = "DELETE", .target = path_of("claims", id)});
  if (session.json) return print_json(answer);
  fmt::print("{} is released\n", id);
}

}  // namespace emplace::cli
