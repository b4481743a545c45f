#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/numbers.h"
#include "cli/vms.h"
#include "cli/why.h"

namespace emplace::cli {
namespace {

constexpr double kMostVcpus = 65536;

void field_if(JsonWriter& body, std::string_view name, const Typed& text) {
  if (text) body.field(name, *text);
}

void field_if(JsonWriter& body, std::string_view name, const std::string& option, const Typed& text, double least) {
  if (text) body.field(name, whole_number(option, *text, least));
}

void write_spread(JsonWriter& body, const PlaceOptions& options) {
  if (!options.spread_group && !options.spread_domain && !options.spread_by) return;
  if (!options.spread_group)
    throw Failure(kBadInput, "--spread-group: wanted with --spread-by and --spread-domain, found none");
  body.key("spread").begin_object().field("by", options.spread_by.value_or("rack"));
  body.field("group", *options.spread_group).field("domain", options.spread_domain.value_or("")).end_object();
}

void write_parameters(JsonWriter& body, const PlaceOptions& options) {
  if (options.parameters.empty()) return;
  body.key("parameters").begin_object();
  for (const auto& [key, value] : key_values(options.parameters, "--parameter")) body.field(key, value);
  body.end_object();
}

void write_vm(JsonWriter& body, const PlaceOptions& options) {
  if (!options.vcpus || !options.memory) {
    throw Failure(kBadInput,
                  fmt::format("place needs --vcpus and --memory, such as --vcpus 2 --memory 4GiB; {} missing",
                              options.vcpus    ? "--memory is"
                              : options.memory ? "--vcpus is"
                                               : "both are"));
  }
  body.key("vm").begin_object();
  field_if(body, "id", options.id);
  if (options.name) body.field("name", name_typed("--name", *options.name));
  body.field("vcpus", whole_number("--vcpus", *options.vcpus, 1, kMostVcpus));
  const double memory_mib = mebibytes_typed("--memory", *options.memory);
  if (memory_mib < 1)
    throw Failure(kBadInput, fmt::format("--memory: wanted at least 1 MiB, found '{}'", printable(*options.memory)));
  body.field("memory_mib", memory_mib);
  if (options.disk) body.field("disk_gib", gibibytes_typed("--disk", *options.disk));
  field_if(body, "project", options.project);
  field_if(body, "group", options.group);
  field_if(body, "zone", options.zone);
  if (!options.traits.empty()) body.field("traits", options.traits);
  if (!options.forbidden_traits.empty()) body.field("forbidden_traits", options.forbidden_traits);
  field_if(body, "numa_nodes", "--numa-nodes", options.numa_nodes, 0);
  write_spread(body, options);
  field_if(body, "image", options.image);
  field_if(body, "flavor", options.flavor);
  field_if(body, "template", options.domain_template);
  write_parameters(body, options);
  body.end_object();
}

// What names are unique for: a second run of the same command then finds what the first one took.
bool wants_unique_name(const PlaceOptions& options) {
  return (options.claim || options.start) && options.name && !options.allow_duplicate_name;
}

std::string placement_body(const PlaceOptions& options) {
  if (options.file) return read_file(*options.file);
  JsonWriter body;
  body.begin_object();
  write_vm(body, options);
  field_if(body, "count", "--count", options.count, 1);
  field_if(body, "profile", options.profile);
  field_if(body, "explain", options.explain);
  if (options.dry_run) body.field("dry_run", true);
  if (options.claim) body.field("claim", true);
  if (options.start) body.field("start", true);
  if (options.record) body.field("record", true);
  if (wants_unique_name(options)) body.field("unique_name", true);
  field_if(body, "ttl_s", "--ttl", options.ttl, 1);
  field_if(body, "deadline_ms", "--deadline-ms", options.deadline_ms, 1);
  field_if(body, "alternates", "--alternates", options.alternates, 0);
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
  fmt::print("claim       {} of {} on {} ({})\n", claim["id"].text(), claim["vm"].text(),
             printable(claim["host"].text()),
             claim["existing"].truth() ? "held already, for an equal request" : claim["state"].text());
}

// A claim that was held already needs no host that fits today.
bool was_placed(const Json& answer) {
  if (!answer["claim"].is_null() || !answer["placements"].at(0)["claim"].is_null()) return true;
  if (answer["placements"].size() > 0) {
    for (const Json& placement : answer["placements"].items()) {
      if (placement["ranking"].size() == 0) return false;
    }
    return true;
  }
  return answer["ranking"].size() > 0;
}

void wait_until_running(Session& session, const Json& claim, double timeout_s) {
  const Json started = wait_for_operation(session.client(), claim.need("id").string(), timeout_s);
  const std::string name = started["vm_name"].text();
  if (started["state"].string() != "succeeded")
    throw Failure(kFailed, fmt::format("{} did not start: {}", name, printable(started["error"].text())));
  if (!session.json) fmt::print("started     {} is running on {}\n", name, started["host"].text());
}

std::vector<Json> claims_of(const Json& answer) {
  std::vector<Json> claims;
  for (const Json& placement : answer["placements"].items()) claims.push_back(placement["claim"]);
  if (claims.empty()) claims.push_back(answer["claim"]);
  std::erase_if(claims, [](const Json& claim) { return claim.is_null(); });
  return claims;
}

}  // namespace

void place(Session& session, const PlaceOptions& options) {
  if (options.wait && !options.start && !options.file) {
    throw Failure(kBadInput, "--wait: wanted --start with it, since without it nothing is started");
  }
  std::map<std::string, std::string> headers;
  if (options.claim || options.start || options.file) headers["Idempotency-Key"] = new_key();
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
  for (const Json& claim : claims_of(answer)) wait_until_running(session, claim, options.timeout_s);
}

namespace {

// What was held already was chosen before: today's ranking says nothing about it.
bool print_existing(const Json& answer) {
  for (const Json& claim : claims_of(answer)) {
    if (!claim["existing"].truth()) return false;
    fmt::print("{:<20} {}\n", printable(claim["vm_name"].text()), printable(claim["host"].text()));
    print_claim(claim);
  }
  return !claims_of(answer).empty();
}

}  // namespace

void print_placement(const Json& answer) {
  if (print_existing(answer)) return;
  for (const Json& placement : answer["placements"].items()) {
    fmt::print("{:<20} {}\n", printable(placement["name"].string(placement["vm"].text())), why(placement));
    print_claim(placement["claim"]);
  }
  const Json ranking = answer["ranking"];
  if (answer["placements"].size() == 0) {
    const std::string host = answer["claim"]["host"].string(ranking.at(0)["host"].string("no host fits"));
    fmt::print("{}\nwhy         {}\n", printable(host), why(answer));
  }
  if (ranking.size() > 0) print_ranking(ranking);
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
