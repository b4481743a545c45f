#include <fmt/format.h>

#include "service/core/answer/explanation.h"
#include "service/core/base/failpoint.h"
#include "service/core/base/shown_text.h"
#include "service/core/request/request_json.h"
#include "service/rest/listing.h"
#include "service/rest/metrics.h"
#include "service/rest/nova_request.h"
#include "service/rest/placing.h"
#include "service/rest/project.h"
#include "service/rest/route.h"

namespace emplace::http {
namespace {

bool placed(const Placement& placement) {
  return placement.instances.size() == placement.request->options.count &&
         !placement.instances.back().decision->ranking.order.empty();
}

// One line per decision.
void report(const ApiRoom& room, const Request& request, const Placement& placement) {
  const Instance& first = placement.instances.front();
  const bool claimed = first.claim.has_value();
  const std::string host = chosen_host(first);
  room.metrics.decided(!placed(placement) ? "none"
                       : claimed          ? "claimed"
                                          : "placed",
                       static_cast<double>(placement.took_us) / 1e6);
  room.log(
      "info",
      fmt::format("event=decision request={} decision={} profile={} vm={} count={} host={} candidates={} front={} "
                  "claim={} picture={}/{} event_seq={} took_us={}",
                  request.id, placement.decision_id.is_zero() ? "-" : to_string(placement.decision_id),
                  log_text(placement.rules->profile.name), log_text(first.vm.name), placement.request->options.count,
                  log_text(host.empty() ? "-" : host), first.decision->costs.hosts.size(), first.decision->front.size(),
                  claimed ? to_string(first.claim->id) : "-", placement.version.replica, placement.version.version,
                  placement.version.event_seq, placement.took_us));
}

// What the request asks to be kept: the decision, or only the answer of its key. A claim's are kept with the claim.
Result<void> keep(const ApiRoom& room, Placement& placement, const std::optional<IdempotencyKey>& key,
                  Deadline deadline) {
  if (placement.instances.front().claim) return {};
  if (placement.request->options.record) {
    placement.decision_id = room.parts.ambient.new_uuid();
    return room.parts.store.record(record_of(placement, decision_document(placement)),
                                   remembering(key, json_response(answer_json(placement))), deadline);
  }
  if (!key) return {};
  const auto written =
      room.parts.store.write({}, std::nullopt, remembering(key, json_response(answer_json(placement))), deadline);
  return written ? Result<void>() : tl::unexpected(written.error());
}

struct Order {
  std::shared_ptr<const PlacementRequest> request;
  std::shared_ptr<const Rules> rules;
  std::optional<IdempotencyKey> key;
};

Result<Response> place(const ApiRoom& room, const Exchange& exchange, const Order& order) {
  const auto wait = order.request->options.deadline_ms > 0
                        ? std::chrono::milliseconds(order.request->options.deadline_ms)
                        : room.parts.limits.deadline;
  const Deadline deadline = std::chrono::steady_clock::now() + wait;
  auto placement = room.parts.scheduler.place(order.request, order.rules, deadline, order.key);
  if (!placement) {
    room.metrics.decided("failed", 0);
    return tl::unexpected(placement.error());
  }
  if (fail_at("answer.ready")) return fail(ErrorCode::kUnavailable, "the answer was lost");
  if (const auto kept = keep(room, *placement, order.key, deadline); !kept) return tl::unexpected(kept.error());
  report(room, *exchange.request, *placement);
  const bool claimed = placement->instances.front().claim.has_value();
  if (claimed) room.settle(placement->event_seq);
  const bool started = claimed && order.request->options.start;
  // What a key remembers was written with the claim, so this must be the same bytes.
  Response response =
      json_response(answer_json(*placement, claimed ? Staleness{} : staleness_of(room)), started ? 202 : 200);
  if (started) {
    response.headers.emplace_back("Location", "/v1/operations/" + to_string(placement->instances.front().claim->id));
  }
  return response;
}

// What the hypervisors can say of a start before there is a host for it.
Result<void> check_start(const ApiRoom& room, const PlacementRequest& request, const Picture& picture) {
  if (!request.options.start) return {};
  for (std::uint32_t host = 0; host < picture.rows(Table::kHosts); ++host) {
    const std::string name(picture[hosts::name].get(host).value_or(""));
    if (!is_alive(picture, hosts::alive, host) || !room.parts.hypervisors.drives(name)) continue;
    StartOrder order{{}, instance_of(request, 0)};
    order.claim.id = room.parts.ambient.new_uuid();
    order.claim.vm = order.vm.id.is_zero() ? order.claim.id : order.vm.id;
    order.claim.vm_name = order.vm.name;
    order.claim.host = name;
    return room.parts.hypervisors.check(order);
  }
  return {};
}

Result<Order> order_of(const ApiRoom& room, const Exchange& exchange) {
  const auto picture = room.parts.pictures.latest();
  auto request = parse_placement(in_project(exchange.identity, exchange.request->body), picture.get());
  if (!request) return tl::unexpected(request.error());
  if (auto may = check_placement(exchange.identity, *request, *picture); !may) return tl::unexpected(may.error());
  const auto& only_hosts = request->vm.only_hosts;
  const bool is_novas = !request->vm.nova_spec.empty();
  auto unread = unread_cloud(room, *picture, {only_hosts.empty() ? nullptr : &only_hosts, !is_novas});
  if (!unread) return tl::unexpected(unread.error());
  request->unread_cloud = *std::move(unread);
  request->discreet = !exchange.identity.project.empty();
  if (auto limited = start_only_where_driven(*request, *picture); !limited) return tl::unexpected(limited.error());
  if (auto startable = check_start(room, *request, *picture); !startable) return tl::unexpected(startable.error());
  auto rules = room.parts.rule_book.find(request->options.profile);
  if (!rules) return tl::unexpected(rules.error());
  if (request->vm.allocation_candidates && !hears_candidates(**rules)) {
    return fail(ErrorCode::kInvalid,
                "allocation_candidates: wanted a profile with the filter \"capacity\", found profile " +
                    json_text(request->options.profile));
  }
  auto key = idempotency_key(exchange);
  if (!key) return tl::unexpected(key.error());
  return Order{std::make_shared<const PlacementRequest>(*std::move(request)), *std::move(rules), *std::move(key)};
}

bool makes_something(const PlacementOptions& options) { return options.claim || options.record; }

// Only what waits for the store leaves the worker.
void post_placement(const ApiRoom& room, ExchangePtr exchange, Finish finish) {
  auto order = order_of(room, *exchange);
  if (!order) return finish(tl::unexpected(order.error()));
  if (!makes_something(order->request->options)) {
    order->key.reset();
    return finish(place(room, *exchange, *order));
  }
  const bool is_large = order->request->options.explain == ExplainLevel::kFull;
  on_line(is_large ? room.presses : room.parts.lines, finish, [&room, exchange, order = *std::move(order)] {
    return once_stored(room, order.key, [&] { return place(room, *exchange, order); });
  });
}

}  // namespace

void add_placement_routes(ApiRoutes& routes) {
  routes.push_back(
      {.method = "POST", .pattern = "/v1/placements", .role = Role::kPlanner, .query = {}, .chooser = post_placement});
}

}  // namespace emplace::http
