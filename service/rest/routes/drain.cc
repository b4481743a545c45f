#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <tuple>

#include "service/core/change/change.h"
#include "service/rest/listing.h"
#include "service/rest/moving.h"
#include "service/rest/route.h"

namespace emplace::http {
namespace {

// POST /v1/hosts/{name}:drain. It keeps nothing between calls: each looks at what is on the host, so that any replica
// can go on where another one stopped, and a caller ends a drain by not calling again.

constexpr Range kAtOnce{1, 100};

struct DrainWish {
  MoveWish move;
  std::uint32_t at_once = 1;  // vms of the host that may be on their way at a time
  std::set<Uuid> leave;       // vms that the caller gave up on
};

struct Moving {
  VmRow vm;
  std::string to;
  std::optional<Uuid> claim;  // on `to`; nothing: it was not taken by us
};
struct Stuck {
  VmRow vm;
  Error why;
};

struct Drain {
  std::vector<Moving> moving;
  std::vector<Stuck> stuck;
  std::size_t waiting = 0;  // vms whose turn has not come
};

Result<DrainWish> parse_drain(std::string_view json) {
  DrainWish wish;
  if (json.empty()) return wish;
  const auto document = JsonDocument::parse(json);
  if (!document) return tl::unexpected(document.error());
  JsonErrors errors;
  JsonFields fields(document->root(), "", errors);
  fields.name("profile", wish.move.profile);
  fields.texts_by_name("options", wish.move.options);
  fields.whole("at_once", wish.at_once, kAtOnce);
  fields.each("leave", [&](JsonValue item, const std::string& path) {
    const auto id = item.is_text() ? parse_uuid(item.text()) : std::nullopt;
    id ? void(wish.leave.insert(*id)) : errors.add(path + ": wanted the id of a vm, found " + item.found());
  });
  fields.refuse_unknown();
  if (!errors.none()) return errors.failure();
  return wish;
}

// What is on the host or promised to it, by name; claims come as rows of their own.
std::vector<VmRow> vms_on(const Picture& picture, std::uint32_t host) {
  std::vector<VmRow> found;
  for (const auto& entry : picture.index(Index::kVmsByHost).find(host)) {
    if (is_alive(picture, vms::alive, entry.row)) found.push_back(vm_row(picture, entry.row));
  }
  std::sort(found.begin(), found.end(),
            [](const VmRow& a, const VmRow& b) { return std::tie(a.name, a.id) < std::tie(b.name, b.id); });
  return found;
}

// The claim of a vm on the host that it moves to.
Moving under_way(const Picture& picture, VmRow vm) {
  for (const auto& entry : picture.index(Index::kVmsById).find(vm.id.low())) {
    if (!is_alive(picture, vms::alive, entry.row)) continue;
    const VmRow other = vm_row(picture, entry.row);
    if (other.id == vm.id && other.claim && other.host != vm.host) return {std::move(vm), other.host, other.claim};
  }
  return {std::move(vm), "", std::nullopt};
}

Error promised_only() {
  return {ErrorCode::kConflict, "it is a claim: confirm or release it, or wait until it expires",
          "emplace.vm.not_placed"};
}

Drain move_away(const ApiRoom& room, const std::string& host, const DrainWish& wish) {
  const Deadline deadline = room.deadline();
  const auto picture = room.parts.pictures.latest();
  Drain result;
  std::vector<VmRow> movable;
  for (VmRow& vm : vms_on(*picture, picture->find_host(host))) {
    if (vm.claim) {
      if (picture->find_vm(vm.id) == kNoRow) result.stuck.push_back({std::move(vm), promised_only()});
    } else if (vm.state == VmState::kMigrating) {
      result.moving.push_back(under_way(*picture, std::move(vm)));
    } else if (!wish.leave.contains(vm.id)) {
      movable.push_back(std::move(vm));
    }
  }
  for (VmRow& vm : movable) {
    if (result.moving.size() >= wish.at_once || std::chrono::steady_clock::now() > deadline) {
      ++result.waiting;
      continue;
    }
    // A fresh picture each time: the claims of the moves before are in it.
    auto claim = start_move(room, room.parts.pictures.latest(), vm, wish.move);
    if (claim) {
      result.moving.push_back({std::move(vm), claim->host, claim->id});
    } else if (claim.error().detail_code == "emplace.vm.claimed") {  // a call before this one moves it
      result.moving.push_back({std::move(vm), "", std::nullopt});
    } else {
      result.stuck.push_back({std::move(vm), std::move(claim.error())});
    }
  }
  return result;
}

void write_drained(JsonWriter& writer, const VmRow& vm) {
  writer.open().text("vm", to_string(vm.id)).text("vm_name", vm.name);
}

std::string drain_json(const std::string& host, const Drain& drain) {
  JsonWriter writer;
  writer.open().text("host", host).text("state", "maintenance").key("moving").open_list();
  for (const Moving& one : drain.moving) {
    write_drained(writer, one.vm);
    writer.text_or_null("to", one.to).text_or_null("operation", one.claim ? to_string(*one.claim) : "").close();
  }
  writer.close_list().key("stuck").open_list();
  for (const Stuck& one : drain.stuck) {
    write_drained(writer, one.vm);
    writer.text("state", to_string(one.vm.claim ? VmState::kClaimed : one.vm.state)).text("why", one.why.message);
    writer.text_or_null("code", one.why.detail_code).close();
  }
  writer.close_list().whole("waiting", static_cast<std::int64_t>(drain.waiting)).close();
  return writer.take();
}

// Nothing goes to a host in maintenance.
Result<void> keep_away(const ApiRoom& room, const std::string& host) {
  const auto picture = room.parts.pictures.latest();
  const std::uint32_t row = picture->find_host(host);
  if (row == kNoRow) return fail(ErrorCode::kNotFound, "no host " + json_text(host));
  if (host_row(*picture, row).state == HostState::kMaintenance) return {};
  const auto written = room.parts.store.set_host_state(host, HostState::kMaintenance, std::nullopt, room.deadline());
  if (!written) return tl::unexpected(written.error());
  room.settle(written->event_seq);
  return {};
}

Result<Response> post_drain(const ApiRoom& room, const Exchange& exchange) {
  const auto wish = parse_drain(exchange.request->body);
  if (!wish) return tl::unexpected(wish.error());
  if (const auto rules = room.parts.rule_book.find(wish->move.profile); !rules) return tl::unexpected(rules.error());
  const std::string host(exchange.parameter("name"));
  if (const auto kept = keep_away(room, host); !kept) return tl::unexpected(kept.error());
  const Drain done = move_away(room, host, *wish);
  room.log("info",
           fmt::format("event=drain request={} host={} moving={} stuck={} waiting={} by={}", exchange.request->id,
                       json_text(host), done.moving.size(), done.stuck.size(), done.waiting, exchange.identity.name));
  return json_response(drain_json(host, done), done.moving.empty() ? 200 : 202);
}

}  // namespace

void add_drain_routes(ApiRoutes& routes) {
  routes.push_back({"POST", "/v1/hosts/{name}:drain", Role::kOperator, {}, Where::kLine, post_drain});
}

}  // namespace emplace::http
