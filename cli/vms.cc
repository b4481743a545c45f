#include "cli/vms.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <thread>

#include "cli/commands.h"

namespace emplace::cli {

namespace {

constexpr double kDeleteTimeout_s = 120;

// What a hypervisor sees of a vm: its state, or all that differs, or why it does not say.
std::string seen_text(const Json& verified) {
  if (!verified["why"].is_null()) return verified["why"].text();
  std::string differences;
  for (const Json& one : verified["differences"].items()) differences += (differences.empty() ? "" : "; ") + one.text();
  return differences.empty() ? verified["seen"].text() : differences;
}

// What the hypervisors say now beside what the service believes. A vm on a static host has nobody to ask.
void print_verified(Session& session, const std::vector<Json>& vms) {
  Table table({"VM", "STATE", "HOST", "SEEN", "AGREES"});
  std::size_t agree = 0, differ = 0;
  for (const Json& vm : vms) {
    const Json verified = vm["verified"];
    const bool asked = !verified.is_null();
    const bool agrees = verified["agrees"].truth();
    agree += asked && agrees ? 1 : 0;
    differ += asked && !agrees ? 1 : 0;
    table.row({vm["name"].text(), vm["state"].text(), vm["host"].text(), seen_text(verified),
               !asked   ? "not asked"
               : agrees ? "yes"
                        : "NO"});
  }
  table.print();
  fmt::print("{} agree, {} differ, {} not asked\n", agree, differ, vms.size() - agree - differ);
  if (differ > 0) session.exit_code = kFailed;
}

constexpr std::size_t kMostTold = 5;

// One line: several vms of one name, and how to say which.
std::string told_apart(const std::string& name, const std::vector<Json>& vms) {
  std::string text = fmt::format("{} vms are called {}; give the id of one:", vms.size(), printable(name));
  for (std::size_t i = 0; i < std::min(vms.size(), kMostTold); ++i) {
    text += fmt::format("{} {} ({} on {})", i == 0 ? "" : ",", vms[i]["id"].text(), vms[i]["state"].text(),
                        printable(vms[i]["host"].text()));
  }
  return vms.size() > kMostTold ? text + ", ..." : text;
}

}  // namespace

void list_vms(Session& session, const VmOptions& options) {
  const std::string target = list_target("vms", options.list) + (options.verify ? "&verify=true" : "");
  const std::vector<Json> vms = list_all(session.client(), target, "vms");
  if (print_as_json(session, "vms", vms)) return;
  if (options.verify) return print_verified(session, vms);
  Table table({"VM", "STATE", "HOST", "GROUP", "VCPUS>", "MEMORY>", "ID"});
  for (const Json& vm : vms) {
    table.row({vm["name"].text(), vm["state"].text(), vm["host"].text(), vm["group"].text(), vm["vcpus"].text(),
               mebibytes(vm["memory_mib"].number()), vm["id"].text()});
  }
  table.print();
}

void show_vm(Session& session, const std::string& name) {
  const Json vm = find_vm(session.client(), name);
  if (session.json) return print_json(vm);
  for (const auto& [key, value] : vm.members()) {
    if (value.is_null() || (value.is_array() && value.size() == 0)) continue;
    fmt::print("{:<24} {}\n", key, printable(value.text()));
  }
}

void migrate_vm(Session& session, const VmOptions& options) {
  Client& client = session.client();
  const Json vm = find_vm(client, options.vm);
  const std::string id = vm.need("id").string();
  JsonWriter body;
  body.begin_object().field_if("host", options.to);
  if (!options.options.empty()) {
    body.key("options").begin_object();
    for (const auto& [key, value] : key_values(options.options, "--option")) body.field(key, value);
    body.end_object();
  }
  const Json order = client.ask({.method = "POST",
                                 .target = path_of("vms", id) + ":migrate",
                                 .body = body.end_object().take(),
                                 .headers = {{"Idempotency-Key", new_key()}}});
  const std::string from = vm["host"].string();
  const std::string to = order.need("to").string();
  if (!options.wait) {
    if (session.json) return print_json(order);
    fmt::print("{} moves from {} to {}; follow it with: emplace vms {}\n", vm["name"].text(), from, to,
               vm["name"].text());
    return;
  }
  const Json ended = wait_for_operation(client, order.need("claim").string(), options.timeout_s);
  const Json moved = client.ask({.target = path_of("vms", id)});
  if (ended["state"].string() != "succeeded") {
    throw Failure(kFailed, fmt::format("{} is on {} ({}): {}", vm["name"].text(), moved["host"].text(),
                                       moved["state"].text(), printable(ended["error"].text())));
  }
  if (session.json) return print_json(moved);
  fmt::print("{} moved from {} to {} ({})\n", vm["name"].text(), from, to, moved["state"].text());
}

void delete_vm(Session& session, const VmOptions& options) {
  Client& client = session.client();
  const Json vm = find_vm(client, options.vm);
  const Json answer = client.ask({.method = "DELETE", .target = path_of("vms", vm.need("id").string())});
  if (answer["operation"].is_string()) {
    const Json ended = wait_for_operation(client, answer["operation"].string(), kDeleteTimeout_s);
    if (ended["state"].string() != "succeeded")
      throw Failure(kFailed,
                    fmt::format("{} was not deleted: {}", vm["name"].text(), printable(ended["error"].text())));
  }
  if (session.json) return print_json(answer);
  fmt::print("{} is deleted\n", vm["name"].text());
}

bool is_uuid(const std::string& text) {
  if (text.size() != 36) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? text[i] != '-' : !std::isxdigit(static_cast<unsigned char>(text[i]))) return false;
  }
  return true;
}

Json find_vm(Client& client, const std::string& vm) {
  if (is_uuid(vm)) return client.ask({.target = path_of("vms", vm)});
  std::vector<Json> found;
  for (const Json& entry : list_all(client, "/v1/vms?limit=1000", "vms")) {
    if (entry["name"].string() == vm) found.push_back(entry);
  }
  if (found.empty()) throw Failure(kNotFound, fmt::format("no vm is called {}", printable(vm)));
  if (found.size() > 1) throw Failure(kBadInput, told_apart(vm, found));
  return client.ask({.target = path_of("vms", found.front().need("id").string())});
}

Json wait_for_operation(Client& client, const std::string& id, double timeout_s) {
  using std::chrono::steady_clock;
  const auto deadline = steady_clock::now() + std::chrono::duration<double>(timeout_s);
  while (true) {
    const Json operation = client.ask({.target = path_of("operations", id)});
    if (operation["state"].string() != "running") return operation;
    if (steady_clock::now() > deadline) {
      const std::string why = operation["error"].is_null() ? "" : ": " + printable(operation["error"].text());
      throw Failure(kFailed, fmt::format("the {} of {} is not over after {}{}", operation["kind"].text(),
                                         operation["vm_name"].text(), age(timeout_s), why));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }
}

}  // namespace emplace::cli
