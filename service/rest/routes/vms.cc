#include <fmt/format.h>

#include <set>

#include "service/core/act/sighting.h"
#include "service/core/base/shown_text.h"
#include "service/core/change/change.h"
#include "service/rest/listing.h"
#include "service/rest/moving.h"
#include "service/rest/project.h"
#include "service/rest/route.h"

namespace emplace::http {
namespace {

// A row of the list: a vm, or the claim of one that is not there yet.
bool is_listed(const Picture& picture, std::uint32_t row) {
  if (!is_alive(picture, vms::alive, row)) return false;
  const auto id = picture[vms::id].get(row);
  if (!id) return false;
  return !picture[vms::claim].valid(row) || picture.find_vm(*id) == kNoRow;
}

std::uint32_t find_listed(const Picture& picture, const Uuid& id) {
  const std::uint32_t vm = picture.find_vm(id);
  if (vm != kNoRow) return vm;
  for (const auto& entry : picture.index(Index::kVmsById).find(id.low())) {
    if (picture[vms::id].get(entry.row) == id && is_listed(picture, entry.row)) return entry.row;
  }
  return kNoRow;
}

void write_vm(JsonWriter& writer, const VmRow& vm) {
  writer.open().text("id", to_string(vm.id)).text("name", vm.name).text_or_null("host", vm.host);
  writer.text("state", to_string(vm.claim ? VmState::kClaimed : vm.state)).text_or_null("source", vm.source);
  writer.text_or_null("project", vm.project).text_or_null("group", vm.group);
  writer.number("vcpus", vm.vcpus).number("memory_mib", vm.memory_mib).number("disk_gib", vm.disk_gib);
  writer.whole("numa_nodes", vm.numa_nodes).key("cells").open_list();
  for (const std::uint32_t cell : vm.cells) writer.whole(cell);
  writer.close_list().key("spread");
  if (vm.spread.by == SpreadBy::kNone) {
    writer.null();
  } else {
    writer.open()
        .text("by", to_string(vm.spread.by))
        .text("group", vm.spread.group)
        .text("domain", vm.spread.domain)
        .close();
  }
  writer.key("claim");
  vm.claim ? writer.text(to_string(*vm.claim)) : writer.null();
  writer.text_or_null("failure", vm.failure);
  const auto known = [&](std::string_view name, double value) {
    writer.key(name);
    value > 0 ? writer.number(value) : writer.null();
  };
  known("vcpus_max", vm.vcpus_max);
  known("memory_max_mib", vm.memory_max_mib);
}

// ---- verify: what the hypervisors say now

class Verification {
 public:
  Verification(const ApiRoom& room, Deadline deadline) : room_(room), deadline_(deadline) {}

  void write(JsonWriter& writer, const VmRow& vm) {
    writer.key("verified");
    if (vm.host.empty() || vm.claim || vm.source == kAllocationSource || !room_.parts.hypervisors.drives(vm.host)) {
      ++unasked_;
      return void(writer.null());
    }
    const Seen& seen = ask(vm.host);
    const auto found = seen.domains.find(vm.id);
    const auto differ = found != seen.domains.end() ? differences(vm, found->second) : std::vector<std::string>();
    const bool agrees = found != seen.domains.end() && differ.empty();
    ++(seen.why.empty() ? (agrees ? agree_ : differ_) : unreachable_);
    writer.open().key("agrees");
    seen.why.empty() ? writer.flag(agrees) : writer.null();
    writer.key("seen");
    found != seen.domains.end() ? writer.text(to_string(found->second.state)) : writer.null();
    writer.text_or_null("why", seen.why).key("differences").open_list();
    for (const std::string& one : differ) writer.text(one);
    writer.close_list().close();
  }

  void write_sum(JsonWriter& writer) const {
    writer.key("verified").open().whole("agree", agree_).whole("differ", differ_);
    writer.whole("unreachable", unreachable_).whole("unasked", unasked_).close();
  }

 private:
  struct Seen {
    std::map<Uuid, DomainSeen> domains;
    std::string why;  // when the host did not answer
  };

  const Seen& ask(const std::string& host) {
    const auto known = seen_.find(host);
    if (known != seen_.end()) return known->second;
    Seen& seen = seen_[host];
    const auto domains = room_.parts.hypervisors.domains(host, deadline_);
    if (!domains) {
      seen.why = domains.error().message;
      return seen;
    }
    for (const DomainSeen& one : *domains) seen.domains.emplace(one.id, one);
    return seen;
  }

  const ApiRoom& room_;
  const Deadline deadline_;
  std::map<std::string, Seen> seen_;
  std::int64_t agree_ = 0, differ_ = 0, unreachable_ = 0, unasked_ = 0;
};

Result<bool> wants_verification(const Exchange& exchange) {
  const std::string* verify = exchange.query("verify");
  if (verify && !exchange.identity.project.empty())
    return fail(ErrorCode::kForbidden, "verify: wanted none of a project's token, found " + json_text(*verify));
  if (!verify || *verify == "false") return false;
  if (*verify == "true") return true;
  return fail(ErrorCode::kInvalid, "verify: wanted true or false, found " + json_text(*verify));
}

VmState listed_state(const Picture& picture, std::uint32_t row) {
  return picture[vms::claim].valid(row) ? VmState::kClaimed : static_cast<VmState>(picture[vms::state][row]);
}

Result<RowPage> listed_rows(const Picture& picture, const ListQuestion& question) {
  const auto state =
      state_of(question, "expected, claimed, starting, running, stopped, migrating, failed or placed", &parse_vm_state);
  if (!state) return tl::unexpected(state.error());
  const VmRows wanted(picture, question);
  return page_of_rows(
      picture.rows(Table::kVms), question,
      [&](std::uint32_t row) {
        return is_listed(picture, row) && wanted.has(row) && (!*state || listed_state(picture, row) == **state);
      },
      [&](std::uint32_t row) { return wanted.place(row, picture[vms::id][row]); });
}

std::optional<std::string> marker_after(const RowPage& page, const Picture& picture, const ListQuestion& question) {
  if (!page.more) return std::nullopt;
  const VmRow last = vm_row(picture, page.rows.back());
  return list_marker(question, ListKey::kId, {.id = last.id, .name = last.name});
}

Result<Response> list_vms(const ApiRoom& room, const Exchange& exchange, bool verify) {
  const auto picture = room.parts.pictures.latest();
  const auto question = list_question(room, exchange, *picture, ListKey::kId);
  if (!question) return tl::unexpected(question.error());
  const auto page = listed_rows(*picture, *question);
  if (!page) return tl::unexpected(page.error());
  Verification verification(room, room.deadline());
  JsonWriter writer;
  writer.open().key("vms").open_list();
  for (const std::uint32_t row : page->rows) {
    const VmRow vm = vm_row(*picture, row);
    write_vm(writer, vm);
    if (verify) verification.write(writer, vm);
    writer.close();
  }
  ListEnd end{picture->version().event_seq, question->limit, marker_after(*page, *picture, *question)};
  if (verify) end.also = [&](JsonWriter& to) { verification.write_sum(to); };
  return end_list(room, exchange, writer, end);
}

// Only a verification waits.
void get_vms(const ApiRoom& room, ExchangePtr exchange, Finish finish) {
  const auto verify = wants_verification(*exchange);
  if (!verify) return finish(tl::unexpected(verify.error()));
  if (!*verify) return finish(list_vms(room, *exchange, false));
  on_line(room.parts.lines, finish, [&room, exchange] { return list_vms(room, *exchange, true); });
}

struct Found {
  std::shared_ptr<const Picture> picture;
  VmRow vm;
};

Result<Found> find_vm(const ApiRoom& room, const Exchange& exchange) {
  const auto id = uuid_of("vm", exchange.parameter("id"));
  if (!id) return tl::unexpected(id.error());
  auto picture = room.parts.pictures.latest();
  const std::uint32_t row = find_listed(*picture, *id);
  VmRow vm = row == kNoRow ? VmRow() : vm_row(*picture, row);
  if (row == kNoRow || !sees(exchange.identity, vm.project))
    return fail(ErrorCode::kNotFound, "no vm " + to_string(*id));
  return Found{picture, std::move(vm)};
}

Result<Response> show_vm(const ApiRoom& room, const Exchange& exchange) {
  const auto found = find_vm(room, exchange);
  if (!found) return tl::unexpected(found.error());
  JsonWriter writer;
  write_vm(writer, found->vm);
  write_staleness(room, writer);
  writer.close();
  return json_response(writer.take());
}

// While [openstack] is configured: what is left of a cloud that is no longer there can be removed.
bool is_novas(const ApiRoom& room, const VmRow& vm) {
  return vm.source == "openstack" && !vm.claim && room.parts.sources && !room.parts.sources().empty();
}

// The host takes its time: it goes on without the caller.
Response accepted(const Removal& removal) {
  JsonWriter writer;
  writer.open().text("operation", to_string(removal.operation)).close();
  Response response = json_response(writer.take(), 202);
  response.headers.emplace_back("Location", "/v1/operations/" + to_string(removal.operation));
  return response;
}

Result<Response> remove_vm(const ApiRoom& room, const Exchange& exchange) {
  const auto found = find_vm(room, exchange);
  if (!found) return tl::unexpected(found.error());
  const VmRow& vm = found->vm;
  if (is_novas(room, vm)) {
    return fail(ErrorCode::kConflict, "Nova owns vm " + to_string(vm.id) + ": delete it there", "emplace.vm.nova");
  }
  const auto removal = start_removal(room, vm);
  if (!removal) return tl::unexpected(removal.error());
  if (removal->done.wait_until(room.deadline()) != std::future_status::ready) return accepted(*removal);
  const auto event_seq = removal->done.get();
  if (!event_seq) return tl::unexpected(event_seq.error());
  room.settle(*event_seq);
  room.log("info",
           fmt::format("event=vm_removed request={} vm={} name={} host={} by={}", exchange.request->id,
                       to_string(vm.id), log_text(vm.name), log_text(vm.host), log_text(exchange.identity.name)));
  return no_content();
}

Result<Response> post_migrate(const ApiRoom& room, const Exchange& exchange) {
  const auto key = idempotency_key(exchange);
  if (!key) return tl::unexpected(key.error());
  return once(room, *key, [&]() -> Result<Response> {
    const auto wish = parse_move(exchange.request->body);
    if (!wish) return tl::unexpected(wish.error());
    const auto found = find_vm(room, exchange);
    if (!found) return tl::unexpected(found.error());
    const auto moving = start_move(room, found->picture, found->vm, *wish);
    if (!moving) return tl::unexpected(moving.error());
    JsonWriter writer;
    writer.open().text("vm", to_string(found->vm.id)).text("from", found->vm.host).text("to", moving->host);
    writer.text("claim", to_string(moving->id)).close();
    Response response = json_response(writer.take(), 202);
    response.headers.emplace_back("Location", "/v1/operations/" + to_string(moving->id));
    if (*key) {
      const auto kept = room.parts.store.write({}, std::nullopt, remembering(*key, response), room.deadline());
      if (!kept)
        room.log("warn",
                 "event=key_not_kept request=" + exchange.request->id + " why=" + log_text(kept.error().message));
    }
    room.log("info", fmt::format("event=migrate request={} vm={} from={} to={} claim={} by={}", exchange.request->id,
                                 to_string(found->vm.id), log_text(found->vm.host), log_text(moving->host),
                                 to_string(moving->id), log_text(exchange.identity.name)));
    return response;
  });
}

}  // namespace

void add_vm_routes(ApiRoutes& routes) {
  routes.push_back({.method = "GET",
                    .pattern = "/v1/vms",
                    .role = Role::kReader,
                    .query = list_query({"verify", "host", "group", "project", "state"}),
                    .chooser = get_vms});
  routes.push_back({"GET", "/v1/vms/{id}", Role::kReader, {}, Where::kWorker, show_vm});
  routes.push_back({"DELETE", "/v1/vms/{id}", Role::kOperator, {}, Where::kLine, remove_vm});
  routes.push_back({"POST", "/v1/vms/{id}:migrate", Role::kOperator, {}, Where::kLine, post_migrate});
}

}  // namespace emplace::http
