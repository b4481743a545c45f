#include "service/openstack/migration_json.h"

#include <algorithm>

#include "service/openstack/reading.h"
#include "service/openstack/refusal.h"

namespace emplace::openstack {
namespace {

constexpr double kBytesPerMib = 1024.0 * 1024;
constexpr std::size_t kLongestReason = 500;

double mib_of(JsonFields& row, std::string_view field) {
  const auto bytes = row.value(field);
  return bytes && bytes->is_number() ? bytes->number() / kBytesPerMib : 0;
}

Migration migration_of(JsonFields& row) {
  Migration one;
  for (const auto* field : {"id", "status"}) row.require(field);
  row.whole("id", one.id, {0, 9e15});
  one.status = text_of(row, "status");
  one.from = text_of(row, "source_compute");
  one.to = text_of(row, "dest_compute");
  one.memory_total_mib = mib_of(row, "memory_total_bytes");
  one.memory_remaining_mib = mib_of(row, "memory_remaining_bytes");
  return one;
}

// The last line of a traceback is the exception.
std::string last_line(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.remove_suffix(1);
  const std::size_t start = text.rfind('\n');
  return std::string(start == std::string_view::npos ? text : text.substr(start + 1));
}

}  // namespace

std::string migrate_live_body(const std::string& host, std::optional<bool> block) {
  JsonWriter writer;
  writer.open().key("os-migrateLive").open().text("host", host).key("block_migration");
  block ? writer.flag(*block) : writer.text("auto");
  writer.close().close();
  return writer.take();
}

Result<std::vector<Migration>> read_migrations(std::string_view body) {
  std::vector<Migration> all;
  auto read = read_list(body, kNovaAnswer, "migrations",
                        [&](JsonFields& row, JsonErrors&) { all.push_back(migration_of(row)); });
  return read.map([&] { return std::move(all); });
}

Result<Migration> read_migration(std::string_view body) {
  Migration one;
  auto read = read_answer(body, kNovaAnswer, [&](JsonFields& answer, JsonErrors& errors) {
    answer.require("migration");
    JsonFields row(answer.value("migration"), "migration", errors);
    one = migration_of(row);
  });
  return read.map([&] { return std::move(one); });
}

Result<Whereabouts> read_whereabouts(std::string_view body) {
  Whereabouts server;
  auto read = read_answer(body, kNovaAnswer, [&](JsonFields& answer, JsonErrors& errors) {
    answer.require("server");
    JsonFields row(answer.value("server"), "server", errors);
    row.require("OS-EXT-STS:vm_state");
    server.vm_state = text_of(row, "OS-EXT-STS:vm_state");
    server.task_state = text_of(row, "OS-EXT-STS:task_state");
    server.host = text_of(row, "OS-EXT-SRV-ATTR:host");
    if (!row.has("fault")) return;
    JsonFields fault(row.value("fault"), "server.fault", errors);
    server.fault = shortened(text_of(fault, "message"), kLongestReason);
  });
  return read.map([&] { return std::move(server); });
}

Result<ActionOutcome> read_action(std::string_view body) {
  ActionOutcome outcome;
  auto read = read_answer(body, kNovaAnswer, [&](JsonFields& answer, JsonErrors& errors) {
    answer.require("instanceAction");
    JsonFields action(answer.value("instanceAction"), "instanceAction", errors);
    outcome.failed = !text_of(action, "message").empty();
    action.each("events", [&](JsonValue item, const std::string& path) {
      JsonFields event(item, path, errors);
      if (text_of(event, "result") != "Error") return;
      const std::string details = text_of(event, "details"), traceback = text_of(event, "traceback");
      outcome.failed = true;
      const std::string why = details.empty() ? last_line(traceback) : details;
      if (outcome.why.empty()) outcome.why = shortened(why, kLongestReason);
    });
  });
  return read.map([&] { return std::move(outcome); });
}

std::string refusal_of(std::string_view body) { return sentence_of(body); }

}  // namespace emplace::openstack
