#include <fmt/format.h>

#include "cli/commands.h"

namespace emplace::cli {

void explain(Session& session, const std::string& id) {
  const Json decision = session.client().ask({.target = path_of("decisions", id)});
  if (session.json) return print_json(decision);
  fmt::print("made at     {}, profile {}, picture {} of replica {}\n", decision["made_at"].text(),
             decision["profile"].text(), decision["picture"]["version"].text(), decision["picture"]["replica"].text());
  print_placement(decision["decision"]);
}

void replay(Session& session, const std::string& id) {
  const Json result = session.client().ask({.method = "POST", .target = path_of("decisions", id) + ":replay"});
  const bool identical = result["identical"].truth();
  if (session.json) {
    print_json(result);
  } else {
    fmt::print("{}\n", identical ? "identical: the same bytes again" : "differs");
    if (result["rules_changed"].truth()) fmt::print("  the rules or their configuration changed since\n");
    for (const Json& difference : result["differences"].items()) fmt::print("  {}\n", printable(difference.text()));
  }
  if (!identical) session.exit_code = kFailed;
}

void list_decisions(Session& session) {
  const std::vector<Json> decisions = list_all(session.client(), "/v1/decisions?limit=1000", "decisions");
  Table table({"DECISION", "VM", "PROFILE", "MADE AT"});
  for (const Json& decision : decisions) {
    table.row({decision["id"].text(), decision["vm"].text(), decision["profile"].text(), decision["made_at"].text()});
  }
  table.print();
}

}  // namespace emplace::cli
