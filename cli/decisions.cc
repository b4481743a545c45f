#include "cli/decisions.h"

#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/lists.h"
#include "cli/vms.h"
#include "cli/why.h"

namespace emplace::cli {
namespace {

std::string plain(const Json& value) {
  if (!value.is_array()) return printable(value.text());
  std::string text;
  for (const Json& item : value.items()) text += (text.empty() ? "" : ", ") + printable(item.text());
  return text;
}

// What was asked for, in the words of the request; sizes first.
std::string asked_for(const Json& request) {
  const Json vm = request["vm"];
  std::string text =
      fmt::format("{} vcpus, {}, {} GiB of disk", vm["vcpus"].is_null() ? "?" : vm["vcpus"].text(),
                  mebibytes(vm["memory_mib"].number()), vm["disk_gib"].is_null() ? "0" : vm["disk_gib"].text());
  if (request["count"].number(1) > 1) text = fmt::format("{} vms of {} each", request["count"].text(), text);
  for (const auto& [name, value] : vm.members()) {
    if (name == "name" || name == "vcpus" || name == "memory_mib" || name == "disk_gib" || value.is_null()) continue;
    text += fmt::format("; {} {}", printable(name), plain(value));
  }
  for (const char* act : {"dry_run", "claim", "start"}) {
    if (request[act].truth()) text += std::string("; ") + (act == std::string("dry_run") ? "only ranked" : act);
  }
  return text;
}

void print_explained(const Json& stored, std::size_t others) {
  const Json request = stored["request"]["request"];
  const std::string vm = printable(stored["vm_name"].string(request["vm"]["name"].string(stored["vm"].text())));
  const std::string id = stored["vm"].string();
  fmt::print("vm          {}{}\n", vm, id.empty() || id == vm ? "" : "  " + id);
  if (request["vm"].is_object()) fmt::print("asked for   {}\n", asked_for(request));
  fmt::print("made at     {}, profile {}, picture {} of replica {}\n", stored["made_at"].text(),
             printable(stored["profile"].text()), stored["picture"]["version"].text(),
             printable(stored["picture"]["replica"].text()));
  fmt::print("decision    {}{}\n", stored["id"].text(),
             others == 0 ? "" : fmt::format("; {} earlier: emplace decisions --vm {}", others, vm));
  print_placement(stored["decision"]);
}

// The service's document, and the sentence in it.
void print_explained_json(const Json& stored) {
  JsonWriter writer;
  writer.begin_object();
  const Json decision = stored["decision"];
  if (decision["placements"].is_null()) writer.field("why", why(decision));
  for (const auto& [name, value] : stored.members()) writer.field(name, value);
  fmt::print("{}\n", writer.end_object().take());
}

}  // namespace

void explain(Session& session, const std::string& named) {
  Client& client = session.client();
  const FoundDecision found = find_decision(client, named);
  const Json stored = client.ask({.target = path_of("decisions", found.head.need("id").string())});
  session.json ? print_explained_json(stored) : print_explained(stored, found.others);
}

void replay(Session& session, const std::string& named) {
  Client& client = session.client();
  const std::string id = find_decision(client, named).head.need("id").string();
  const Json result = client.ask({.method = "POST", .target = path_of("decisions", id) + ":replay"});
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

void list_decisions(Session& session, const DecisionListOptions& options) {
  Client& client = session.client();
  std::string target = list_target("decisions", options.list);
  if (!options.vm.empty()) {
    target += is_uuid(options.vm) ? "&vm=" + options.vm : "&name_prefix=" + percent_encode(options.vm);
  }
  std::vector<Json> decisions = list_all(client, target, "decisions");
  if (!options.vm.empty() && !is_uuid(options.vm)) {
    std::erase_if(decisions, [&](const Json& decision) { return decision["vm_name"].string() != options.vm; });
  }
  if (print_as_json(session, "decisions", decisions)) return;
  Table table({"DECISION", "VM", "HOST", "PROJECT", "PROFILE", "MADE AT"});
  for (const Json& decision : decisions) {
    table.row({decision["id"].text(), decision["vm_name"].string(decision["vm"].text()), decision["host"].text(),
               decision["project"].text(), decision["profile"].text(), decision["made_at"].text()});
  }
  table.print();
}

}  // namespace emplace::cli
