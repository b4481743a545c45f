#include <fmt/format.h>

#include "service/core/base/shown_text.h"
#include "service/core/change/change.h"
#include "service/core/change/inventory_json.h"
#include "service/rest/listing.h"
#include "service/rest/names.h"
#include "service/rest/project.h"
#include "service/rest/route.h"

namespace emplace::http {
namespace {

// Rows of the configuration's hypervisors, and what runs there, are theirs: an import writes only static ones, and may
// repeat what is known of others.
Result<void> check_static(const Picture& picture, const std::vector<Change>& changes) {
  for (const Change& change : changes) {
    std::string_view name, source = "static", what;
    if (const auto* host = std::get_if<HostRow>(&change)) {
      name = host->name, what = "hosts";
      const std::uint32_t row = picture.find_host(name);
      if (row != kNoRow) source = picture.text(picture[hosts::source].get(row).value_or(kNoRow));
    } else if (const auto* vm = std::get_if<VmRow>(&change)) {
      name = vm->name, what = "vms";
      const std::uint32_t row = vm->id.is_zero() ? picture.find_vm_by_name(name) : picture.find_vm(vm->id);
      if (row != kNoRow && picture[vms::id].valid(row))
        source = picture.text(picture[vms::source].get(row).value_or(kNoRow));
    }
    if (source != "static" && !source.empty()) {
      return fail(ErrorCode::kInvalid,
                  fmt::format("{}: wanted of source {} only what is known already, found {} with other values", what,
                              source, json_text(name)));
    }
  }
  return {};
}

Result<Response> import(const ApiRoom& room, const Exchange& exchange, const std::optional<IdempotencyKey>& key) {
  const auto picture = room.parts.pictures.latest();
  auto changes = parse_inventory(exchange.request->body, room.now_us(), picture.get());
  if (!changes) return tl::unexpected(changes.error());
  if (const auto checked = check_static(*picture, *changes); !checked) {
    return tl::unexpected(checked.error());
  }
  JsonWriter writer;
  writer.open().whole("changes", static_cast<std::int64_t>(changes->size())).close();
  const Response response = json_response(writer.take());
  const std::size_t count = changes->size();
  const Deadline deadline = room.deadline(exchange.request->body.size());
  const auto written = room.parts.store.write(*std::move(changes), std::nullopt, remembering(key, response), deadline);
  if (!written) return tl::unexpected(written.error());
  room.settle(written->event_seq);
  room.log("info", fmt::format("event=import request={} changes={} event_seq={} by={}", exchange.request->id, count,
                               written->event_seq, log_text(exchange.identity.name)));
  return response;
}

Result<Response> post_import(const ApiRoom& room, const Exchange& exchange) {
  const auto key = idempotency_key(exchange);
  if (!key) return tl::unexpected(key.error());
  return once(room, *key, [&] { return import(room, exchange, *key); });
}

Result<Response> export_all(const ApiRoom& room, const Exchange&) {
  return json_response(inventory_json(*room.parts.pictures.latest()));
}

// ---- lists by name

struct NamedTable {
  Table table;
  Column<std::uint8_t> alive;
  Column<Utf8> name;
};

template <typename Seen>
RowPage page_of_names(const Picture& picture, const NamedTable& table, const ListQuestion& question, Seen seen) {
  const auto name = [&](std::uint32_t row) { return picture[table.name][row]; };
  return page_of_rows(
      picture.rows(table.table), question,
      [&](std::uint32_t row) {
        return is_alive(picture, table.alive, row) && name(row).starts_with(question.name_prefix) && seen(name(row));
      },
      [&](std::uint32_t row) { return RowPlace{name(row)}; });
}

// ---- groups

void write_group(JsonWriter& writer, const Identity& identity, const Picture& picture, std::uint32_t row) {
  const GroupRow group = group_row(picture, row);
  writer.open().text("name", group.name).text("policy", to_string(group.policy));
  writer.number("max_per_host", group.max_per_host).whole("generation", group.generation).key("members").open_list();
  std::vector<std::string> members;
  for (const auto& entry : picture.index(Index::kVmsByGroup).find(row)) {
    const auto id = picture[vms::id].get(entry.row);
    const auto project = picture[vms::project].get(entry.row);
    if (id && sees(identity, picture.text(project.value_or(kNoRow)))) members.push_back(to_string(*id));
  }
  std::sort(members.begin(), members.end());
  members.erase(std::unique(members.begin(), members.end()), members.end());
  for (const std::string& id : members) writer.text(id);
  writer.close_list().close();
}

Result<Response> list_groups(const ApiRoom& room, const Exchange& exchange) {
  const auto picture = room.parts.pictures.latest();
  const auto question = list_question(room, exchange, *picture, ListKey::kName);
  if (!question) return tl::unexpected(question.error());
  const RowPage page = page_of_names(*picture, {Table::kGroups, groups::alive, groups::name}, *question,
                                     [&](std::string_view name) { return sees_group(exchange.identity, name); });
  JsonWriter writer;
  writer.open().key("groups").open_list();
  for (const std::uint32_t row : page.rows) write_group(writer, exchange.identity, *picture, row);
  return end_list(room, exchange, writer,
                  {picture->version().event_seq, question->limit, marker_after(page, *picture, groups::name)});
}

// A row of groups that the caller sees; kNoRow when there is none.
std::uint32_t find_group(const Exchange& exchange, const Picture& picture, std::string_view name) {
  return sees_group(exchange.identity, name) ? picture.find_group(name) : kNoRow;
}

Result<Response> show_group_named(const ApiRoom& room, const Exchange& exchange, std::string_view name, int status) {
  const auto picture = room.parts.pictures.latest();
  const std::uint32_t row = find_group(exchange, *picture, name);
  if (row == kNoRow) return fail(ErrorCode::kNotFound, "no group " + json_text(name));
  JsonWriter writer;
  write_group(writer, exchange.identity, *picture, row);
  Response response = json_response(writer.take(), status);
  response.headers.emplace_back("ETag", etag((*picture)[groups::generation].get(row).value_or(0)));
  return response;
}

Result<Response> show_group(const ApiRoom& room, const Exchange& exchange) {
  return show_group_named(room, exchange, exchange.parameter("name"), 200);
}

Result<Response> put_group(const ApiRoom& room, const Exchange& exchange) {
  const auto document = JsonDocument::parse(exchange.request->body);
  if (!document) return tl::unexpected(document.error());
  JsonErrors errors;
  JsonFields fields(document->root(), "", errors);
  GroupRow row;
  row.name = exchange.parameter("name");
  fields.require("policy");
  read_group(fields, row);
  fields.refuse_unknown();
  if (!errors.none()) return errors.failure();
  if (const auto named = check_path_name(row.name); !named) return tl::unexpected(named.error());
  if (!sees_group(exchange.identity, row.name)) {
    return fail(ErrorCode::kForbidden, "name: wanted one that begins with " +
                                           json_text(exchange.identity.project + '/') + ", found " +
                                           json_text(row.name));
  }
  const auto generation = if_match(*exchange.request);
  if (!generation) return tl::unexpected(generation.error());
  const bool is_new = room.parts.pictures.latest()->find_group(row.name) == kNoRow;
  const auto written = room.parts.store.write({row}, *generation, std::nullopt, room.deadline());
  if (!written) return tl::unexpected(written.error());
  room.settle(written->event_seq);
  return show_group_named(room, exchange, row.name, is_new ? 201 : 200);
}

Result<Response> remove_group(const ApiRoom& room, const Exchange& exchange) {
  const std::string name(exchange.parameter("name"));
  if (find_group(exchange, *room.parts.pictures.latest(), name) == kNoRow) {
    return fail(ErrorCode::kNotFound, "no group " + json_text(name));
  }
  const auto generation = if_match(*exchange.request);
  if (!generation) return tl::unexpected(generation.error());
  const auto written = room.parts.store.write({GroupRemoved{name}}, *generation, std::nullopt, room.deadline());
  if (!written) return tl::unexpected(written.error());
  room.settle(written->event_seq);
  return no_content();
}

// ---- aggregates: without a generation of their own, their ETag is a hash of what they say

std::string aggregate_json(const Picture& picture, std::uint32_t row) {
  JsonWriter writer;
  writer.open().text("name", picture[aggregates::name][row]).key("metadata");
  writer.raw(picture[aggregates::metadata].get(row).value_or("{}")).close();
  return writer.take();
}

std::string aggregate_etag(const Picture& picture, std::uint32_t row) {
  return '"' + sha256_hex(aggregate_json(picture, row)).substr(0, 16) + '"';
}

Result<Response> list_aggregates(const ApiRoom& room, const Exchange& exchange) {
  const auto picture = room.parts.pictures.latest();
  const auto question = list_question(room, exchange, *picture, ListKey::kName);
  if (!question) return tl::unexpected(question.error());
  const RowPage page = page_of_names(*picture, {Table::kAggregates, aggregates::alive, aggregates::name}, *question,
                                     [](std::string_view) { return true; });
  JsonWriter writer;
  writer.open().key("aggregates").open_list();
  for (const std::uint32_t row : page.rows) writer.raw(aggregate_json(*picture, row));
  return end_list(room, exchange, writer,
                  {picture->version().event_seq, question->limit, marker_after(page, *picture, aggregates::name)});
}

Result<Response> show_aggregate_named(const ApiRoom& room, std::string_view name, int status) {
  const auto picture = room.parts.pictures.latest();
  const std::uint32_t row = picture->find_aggregate(name);
  if (row == kNoRow) return fail(ErrorCode::kNotFound, "no aggregate " + json_text(name));
  Response response = json_response(aggregate_json(*picture, row), status);
  response.headers.emplace_back("ETag", aggregate_etag(*picture, row));
  return response;
}

Result<Response> show_aggregate(const ApiRoom& room, const Exchange& exchange) {
  return show_aggregate_named(room, exchange.parameter("name"), 200);
}

Result<void> check_aggregate_match(const ApiRoom& room, const Exchange& exchange) {
  const std::string* header = exchange.request->header("if-match");
  if (!header) return {};
  const auto picture = room.parts.pictures.latest();
  const std::uint32_t row = picture->find_aggregate(exchange.parameter("name"));
  const std::string current = row == kNoRow ? "none" : aggregate_etag(*picture, row);
  if (row != kNoRow && (*header == "*" || *header == current)) return {};
  return fail(ErrorCode::kConflict, "If-Match: wanted " + current + ", found " + *header,
              "emplace.generation.conflict");
}

Result<Response> put_aggregate(const ApiRoom& room, const Exchange& exchange) {
  const auto document = JsonDocument::parse(exchange.request->body);
  if (!document) return tl::unexpected(document.error());
  JsonErrors errors;
  JsonFields fields(document->root(), "", errors);
  AggregateRow row;
  row.name = exchange.parameter("name");
  read_aggregate(fields, row);
  fields.refuse_unknown();
  if (!errors.none()) return errors.failure();
  if (const auto named = check_path_name(row.name); !named) return tl::unexpected(named.error());
  if (const auto matched = check_aggregate_match(room, exchange); !matched) return tl::unexpected(matched.error());
  const bool is_new = room.parts.pictures.latest()->find_aggregate(row.name) == kNoRow;
  const auto written = room.parts.store.write({row}, std::nullopt, std::nullopt, room.deadline());
  if (!written) return tl::unexpected(written.error());
  room.settle(written->event_seq);
  return show_aggregate_named(room, row.name, is_new ? 201 : 200);
}

Result<Response> remove_aggregate(const ApiRoom& room, const Exchange& exchange) {
  const std::string name(exchange.parameter("name"));
  if (room.parts.pictures.latest()->find_aggregate(name) == kNoRow) {
    return fail(ErrorCode::kNotFound, "no aggregate " + json_text(name));
  }
  if (const auto matched = check_aggregate_match(room, exchange); !matched) return tl::unexpected(matched.error());
  const auto written = room.parts.store.write({AggregateRemoved{name}}, std::nullopt, std::nullopt, room.deadline());
  if (!written) return tl::unexpected(written.error());
  room.settle(written->event_seq);
  return no_content();
}

}  // namespace

void add_inventory_routes(ApiRoutes& routes) {
  routes.push_back({"POST", "/v1/inventory:import", Role::kAdmin, {}, Where::kLine, post_import});
  routes.push_back({"GET", "/v1/inventory:export", Role::kOperator, {}, Where::kPress, export_all});
  routes.push_back({"GET", "/v1/groups", Role::kReader, list_query({}), Where::kWorker, list_groups});
  routes.push_back({"GET", "/v1/groups/{name}", Role::kReader, {}, Where::kWorker, show_group});
  routes.push_back({"PUT", "/v1/groups/{name}", Role::kPlanner, {}, Where::kLine, put_group});
  routes.push_back({"DELETE", "/v1/groups/{name}", Role::kPlanner, {}, Where::kLine, remove_group});
  routes.push_back({"GET", "/v1/aggregates", Role::kReader, list_query({}), Where::kWorker, list_aggregates});
  routes.push_back({"GET", "/v1/aggregates/{name}", Role::kReader, {}, Where::kWorker, show_aggregate});
  routes.push_back({"PUT", "/v1/aggregates/{name}", Role::kOperator, {}, Where::kLine, put_aggregate});
  routes.push_back({"DELETE", "/v1/aggregates/{name}", Role::kOperator, {}, Where::kLine, remove_aggregate});
}

}  // namespace emplace::http
