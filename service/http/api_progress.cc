// Operations: what became of the starts, moves and deletes that were asked for.
#include <algorithm>
#include <array>

#include "service/core/operations.h"
#include "service/core/time_text.h"
#include "service/http/api_route.h"
#include "service/http/listing.h"

namespace emplace::http {
namespace {

constexpr std::array<std::string_view, 4> kStates{"running", "succeeded", "failed", "unknown"};

void write_operation(JsonWriter& writer, const Operation& operation) {
  writer.open().text("id", to_string(operation.id)).text("kind", operation.kind);
  writer.text("vm", to_string(operation.vm)).text("vm_name", operation.vm_name);
  writer.text("host", operation.host).text_or_null("from", operation.from).text("state", operation.state);
  writer.key("progress");
  operation.progress ? writer.number(*operation.progress) : writer.null();
  writer.text_or_null("error", operation.error).text("started_at", time_text(operation.started_at_us));
  writer.text_or_null("ended_at", operation.ended_at_us > 0 ? time_text(operation.ended_at_us) : "").close();
}

Result<OperationFilter> filter_of(const Exchange& exchange, const Page& page) {
  OperationFilter filter;
  filter.limit = page.limit + 1;
  if (!page.marker.empty()) {
    const auto marker = uuid_of("marker", page.marker);
    if (!marker) return tl::unexpected(marker.error());
    filter.marker = *marker;
  }
  if (const std::string* vm = exchange.query("vm")) {
    const auto id = uuid_of("vm", *vm);
    if (!id) return tl::unexpected(id.error());
    filter.vm = *id;
  }
  if (const std::string* state = exchange.query("state")) {
    if (std::find(kStates.begin(), kStates.end(), *state) == kStates.end()) {
      return fail(ErrorCode::kInvalid,
                  "state: wanted running, succeeded, failed or unknown, found " + json_text(*state));
    }
    filter.state = *state;
  }
  return filter;
}

// Where the following page of the same question is.
std::string path_of(const OperationFilter& filter) {
  std::string path = "/v1/operations";
  char joint = '?';
  const auto add = [&](std::string_view name, const std::string& value) {
    path += joint + std::string(name) + '=' + value;
    joint = '&';
  };
  if (filter.vm) add("vm", to_string(*filter.vm));
  if (!filter.state.empty()) add("state", filter.state);
  return path;
}

Result<Response> list_operations(const ApiRoom& room, const Exchange& exchange) {
  const auto page = page_of(room, exchange);
  if (!page) return tl::unexpected(page.error());
  const auto filter = filter_of(exchange, *page);
  if (!filter) return tl::unexpected(filter.error());
  auto found = room.parts.store.operations(*filter, room.deadline());
  if (!found) return tl::unexpected(found.error());
  const bool more = found->size() > page->limit;
  if (more) found->pop_back();
  JsonWriter writer;
  writer.open().key("operations").open_list();
  for (const Operation& operation : *found) write_operation(writer, operation);
  writer.close_list();
  write_next(writer, path_of(*filter), *page, found->empty() ? "" : to_string(found->back().id), more);
  writer.close();
  return json_response(writer.take());
}

Result<Response> show_operation(const ApiRoom& room, const Exchange& exchange) {
  const auto id = uuid_of("operation", exchange.parameter("id"));
  if (!id) return tl::unexpected(id.error());
  const auto operation = room.parts.store.operation(*id, room.deadline());
  if (!operation) return tl::unexpected(operation.error());
  JsonWriter writer;
  write_operation(writer, *operation);
  return json_response(writer.take());
}

}  // namespace

void add_progress_routes(ApiRoutes& routes) {
  routes.push_back(
      {"GET", "/v1/operations", Role::kReader, {"limit", "marker", "vm", "state"}, Where::kLine, list_operations});
  routes.push_back({"GET", "/v1/operations/{id}", Role::kReader, {}, Where::kLine, show_operation});
}

}  // namespace emplace::http
