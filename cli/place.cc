#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/vms.h"

namespace emplace::cli {
namespace {

void write_vm(JsonWriter& body, const PlaceOptions& options) {
  body.key("vm").begin_object();
  body.field_if("id", options.id).field_if("name", options.name);
  body.field("vcpus", options.vcpus).field("memory_mib", options.memory_mib).field("disk_gib", options.disk_gib);
  body.field_if("project", options.project).field_if("group", options.group).field_if("zone", options.zone);
  if (!options.traits.empty()) body.field("traits", options.traits);
  if (!options.forbidden_traits.empty()) body.field("forbidden_traits", options.forbidden_traits);
  if (options.numa_nodes > 0) body.field("numa_nodes", options.numa_nodes);
  if (!options.spread_group.empty()) {
    body.key("spread").begin_object().field("by", options.spread_by.empty() ? "rack" : options.spread_by);
    body.field("group", options.spread_group).field("domain", options.spread_domain).end_object();
  }
  body.field_if("image", options.image)
      .field_if("flavor", options.flavor)
      .field_if("template", options.domain_template);
  if (!options.parameters.empty()) {
    body.key("parameters").begin_object();
    for (const auto& [key, value] : key_values(options.parameters, "--parameter")) body.field(key, value);
    body.end_object();
  }
  body.end_object();
}

std::string placement_body(const PlaceOptions& options) {
  if (!options.file.empty()) return read_file(options.file);
  JsonWriter body;
  body.begin_object();
  write_vm(body, options);
  if (options.count > 1) body.field("count", options.count);
  body.field_if("profile", options.profile).field_if("explain", options.explain);
  if (options.dry_run) body.field("dry_run", true);
  if (options.claim) body.field("claim", true);
  if (options.start) body.field("start", true);
  if (options.record) body.field("record", true);
  if (options.ttl_s > 0) body.field("ttl_s", options.ttl_s);
  if (options.deadline_ms > 0) body.field("deadline_ms", options.deadline_ms);
  body.field("alternates", static_cast<double>(options.alternates));
  return body.end_object().take();
}

std::string cost_text(const Json& cost) {
  const bool known = cost["quality"].string("ok") != "no_data" && cost["value"].is_number();
  return known ? fmt::format("{:.4g} {}", cost["value"].number(), cost["unit"].string()) : std::string("no data");
}

// One column per objective of the first host; a host that lacks one has no data for it.
void print_ranking(const Json& ranking) {
  const auto objectives = ranking.at(0)["costs"].members();
  std::vector<std::string> header = {">", "HOST", "FRONT"};
  for (const auto& objective : objectives) header.push_back(objective.first + ">");
  Table table(header);
  std::size_t place = 1;
  for (const Json& entry : ranking.items()) {
    std::vector<std::string> cells = {std::to_string(place++), entry["host"].text(),
                                      entry["front"].truth() ? "yes" : ""};
    for (const auto& objective : objectives) cells.push_back(cost_text(entry["costs"][objective.first]));
    table.row(cells);
  }
  table.print();
}

void print_refusals(const Json& answer) {
  const Json refused = answer["refused"];
  std::string filters;
  for (const auto& [filter, count] : refused["by_filter"].members()) {
    filters += fmt::format("{}{} {}", filters.empty() ? "" : ", ", filter, count.text());
  }
  if (refused["count"].number() > 0) fmt::print("refused     {} hosts ({})\n", refused["count"].text(), filters);
  for (const Json& host : answer["hosts"].items()) {
    fmt::print("  {:<20} {}: wanted {}, found {} {}\n", printable(host["name"].text()), host["code"].text(),
               printable(host["wanted"].text()), printable(host["found"].text()), host["unit"].string());
  }
}

void print_remarks(const Json& answer) {
  for (const Json& part : answer["not_considered"].items()) {
    fmt::print("not read    {}: no enabled rule considers it\n", printable(part.text()));
  }
  for (const Json& rule : answer["degraded"].items()) {
    fmt::print("degraded    {}: {}\n", rule["plugin"].text(), printable(rule["why"].text()));
  }
  if (answer["front_too_wide"].truth()) fmt::print("note        the front is wide: the objectives disagree\n");
}

void print_claim(const Json& claim) {
  if (claim.is_null()) return;
  fmt::print("claim       {} of {} on {} ({})\n", claim["id"].text(), claim["vm"].text(), claim["host"].text(),
             claim["state"].text());
}

bool was_placed(const Json& answer) {
  if (answer["placements"].size() > 0) {
    for (const Json& placement : answer["placements"].items()) {
      if (placement["ranking"].size() == 0) return false;
    }
    return true;
  }
  return answer["ranking"].size() > 0;
}

void wait_until_running(Session& session, const Json& claim, double timeout_s) {
  const Json vm = wait_for_vm(session.client(), claim.need("vm").string(), timeout_s, [](const Json& seen) {
    const std::string state = seen["state"].string();
    return state == "running" || state == "failed" || state == "placed";
  });
  if (vm["state"].string() == "failed") {
    throw Failure(kFailed, fmt::format("{} did not start: {}", vm["name"].text(), printable(vm["failure"].text())));
  }
  if (!session.json)
    fmt::print("started     {} is {} on {}\n", vm["name"].text(), vm["state"].text(), vm["host"].text());
}

}  // namespace

void place(Session& session, const PlaceOptions& options) {
  std::map<std::string, std::string> headers;
  if (options.claim || options.start || !options.file.empty()) headers["Idempotency-Key"] = new_key();
  const Json answer = session.client().ask(
      {.method = "POST", .target = "/v1/placements", .body = placement_body(options), .headers = headers});
  if (session.json) {
    print_json(answer);
  } else {
    print_placement(answer);
  }
  if (!was_placed(answer)) {
    session.exit_code = kRefused;
    return;
  }
  if (!options.wait) return;
  for (const Json& placement : answer["placements"].items())
    wait_until_running(session, placement["claim"], options.timeout_s);
  if (!answer["claim"].is_null()) wait_until_running(session, answer["claim"], options.timeout_s);
}

void print_placement(const Json& answer) {
  for (const Json& placement : answer["placements"].items()) {
    const Json host = placement["ranking"].at(0)["host"];
    fmt::print("{:<20} {}\n", printable(placement["vm"]["name"].string(placement["vm"].text())), host.text());
    print_claim(placement["claim"]);
  }
  const Json ranking = answer["ranking"];
  if (ranking.size() > 0) {
    fmt::print("{}\n", printable(ranking.at(0)["host"].text()));
    print_ranking(ranking);
  } else if (answer["placements"].size() == 0) {
    fmt::print("no host fits\n");
  }
  print_claim(answer["claim"]);
  if (!answer["decision_id"].is_null()) fmt::print("decision    {}\n", answer["decision_id"].text());
  if (answer["candidates"].is_number()) {
    const Json took_us = answer["took_us"];  // a stored decision has none
    fmt::print("candidates  {}, {} on the front{}\n", answer["candidates"].text(), answer["front_size"].text(),
               took_us.is_null() ? "" : fmt::format(", {} us", took_us.text()));
  }
  print_refusals(answer);
  print_remarks(answer);
}

}  // namespace emplace::cli
