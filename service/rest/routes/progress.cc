// Operations: what became of the starts, moves and deletes that were asked for.
#include <algorithm>
#include <array>

#include "service/core/base/time_text.h"
#include "service/core/doors/operations.h"
#include "service/rest/listing.h"
#include "service/rest/project.h"
#include "service/rest/route.h"

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

Result<OperationFilter> filter_of(const ListQuestion& question) {
  const bool known = std::find(kStates.begin(), kStates.end(), question.state) != kStates.end();
  if (!question.state.empty() && !known) {
    return fail(ErrorCode::kInvalid,
                "state: wanted running, succeeded, failed or unknown, found " + json_text(question.state));
  }
  OperationFilter filter;
  filter.limit = question.limit + 1;
  filter.marker = question.after.value_or(ListMarker()).id;
  filter.vm = question.vm;
  filter.state = question.state;
  return filter;
}

Result<Response> list_operations(const ApiRoom& room, const Exchange& exchange) {
  const auto picture = room.parts.pictures.latest();
  const auto question = list_question(room, exchange, *picture, ListKey::kId);
  if (!question) return tl::unexpected(question.error());
  const auto filter = filter_of(*question);
  if (!filter) return tl::unexpected(filter.error());
  auto found = room.parts.store.operations(*filter, room.deadline());
  if (!found) return tl::unexpected(found.error());
  ListEnd end{picture->version().event_seq, question->limit, std::nullopt};
  if (found->size() > question->limit) {
    found->resize(question->limit);
    end.marker = to_string(found->back().id);
  }
  JsonWriter writer;
  writer.open().key("operations").open_list();
  for (const Operation& operation : *found) write_operation(writer, operation);
  return end_list(room, exchange, writer, end);
}

// Of a vm in the caller's project, or of a claim of one.
bool is_seen(const ApiRoom& room, const Exchange& exchange, const Operation& operation) {
  if (exchange.identity.project.empty()) return true;
  const auto picture = room.parts.pictures.latest();
  if (const std::uint32_t vm = picture->find_vm(operation.vm); vm != kNoRow)
    return sees(exchange.identity, vm_row(*picture, vm).project);
  const auto claim = room.parts.store.claim(operation.id, room.deadline());
  return claim && sees(exchange.identity, claim->project);
}

Result<Response> show_operation(const ApiRoom& room, const Exchange& exchange) {
  const auto id = uuid_of("operation", exchange.parameter("id"));
  if (!id) return tl::unexpected(id.error());
  const auto operation = room.parts.store.operation(*id, room.deadline());
  if (!operation) return tl::unexpected(operation.error());
  if (!is_seen(room, exchange, *operation)) return fail(ErrorCode::kNotFound, "no operation " + to_string(*id));
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
