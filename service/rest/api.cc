#include "service/rest/api.h"

#include <fmt/format.h>

#include <algorithm>

#include "service/core/base/actor.h"
#include "service/core/base/shown_text.h"
#include "service/http/cors.h"
#include "service/http/gzip.h"
#include "service/http/problem.h"
#include "service/rest/event_feed.h"
#include "service/rest/metrics.h"
#include "service/rest/names.h"
#include "service/rest/project.h"
#include "service/rest/route.h"
#include "service/rest/version.h"

namespace emplace::http {
namespace {

constexpr std::size_t kPresses = 2;

ApiRoutes all_routes() {
  ApiRoutes routes;
  add_operation_routes(routes);
  add_progress_routes(routes);
  add_placement_routes(routes);
  add_decision_routes(routes);
  add_host_routes(routes);
  add_drain_routes(routes);
  add_vm_routes(routes);
  add_claim_routes(routes);
  add_inventory_routes(routes);
  add_rule_routes(routes);
  add_filter_routes(routes);
  add_destination_routes(routes);
  add_external_routes(routes);
  return routes;
}

// Each parameter once, and none that the route does not know.
Result<void> check_query(const ApiRoute& route, const Request& request) {
  for (auto it = request.query.begin(); it != request.query.end(); ++it) {
    const std::string& name = it->first;
    if (std::find(route.query.begin(), route.query.end(), name) == route.query.end()) {
      std::string known;
      for (const std::string_view one : route.query) known += (known.empty() ? "" : ", ") + std::string(one);
      return fail(ErrorCode::kInvalid, "query: wanted " + (known.empty() ? "no parameters" : "one of " + known) +
                                           ", found " + json_text(name));
    }
    const bool twice = std::any_of(request.query.begin(), it, [&](const auto& other) { return other.first == name; });
    if (twice)
      return fail(ErrorCode::kInvalid, "query: wanted each parameter once, found " + json_text(name) + " twice");
  }
  return {};
}

}  // namespace

std::string_view Exchange::parameter(std::string_view name) const {
  for (const auto& [key, value] : parameters) {
    if (key == name) return value;
  }
  return {};
}

const std::string* Exchange::query(std::string_view name) const {
  for (const auto& [key, value] : request->query) {
    if (key == name) return &value;
  }
  return nullptr;
}

struct Api::Inside {
  explicit Inside(ApiParts parts)
      : feed(parts.pictures, parts.store, parts.limits.heartbeat),
        cors(parts.cors_origins),
        room{std::move(parts), feed, metrics, presses},
        routes(all_routes()) {
    for (const ApiRoute& route : routes) {
      router.add(route.method, route.pattern,
                 [this, &route](const Call& call, const Reply& reply) { run(route, call, reply); });
    }
  }

  // Every answer under a route leaves here.
  Finish finish_of(const ApiRoute& route, const ExchangePtr& exchange) {
    const auto began = std::chrono::steady_clock::now();
    return [this, &route, exchange, began](Result<Response> result) {
      Response response = result ? *std::move(result) : problem(result.error(), *exchange->request);
      if (!result && result.error().code == ErrorCode::kInternal) {
        room.log("error", fmt::format("event=defect request={} route=\"{} {}\" message={}", exchange->request->id,
                                      route.method, route.pattern, log_text(result.error().message)));
      }
      stamp(kMinimumVersion, response);
      zip(*exchange->request, response);
      const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
      metrics.answered(route.method, route.pattern, response.status, took.count());
      exchange->reply.send(std::move(response));
    };
  }

  void run(const ApiRoute& route, const Call& call, const Reply& reply) {
    const auto exchange = std::make_shared<Exchange>(Exchange{call.request, call.parameters, {}, reply});
    const ApiParts& parts = room.parts;
    if (parts.authority) {
      if (const auto token = foreign_token(*call.request, route.pattern, parts.tokens, parts.policy)) {
        return run_for_owner(*token, route, exchange);
      }
    }
    const auto now = std::chrono::steady_clock::now();
    run_as(authorize(*call.request, route.pattern, parts.tokens, parts.policy, parts.rate, now), route, exchange,
           finish_of(route, exchange));
  }

  // Whose the token is may have to be asked, which a worker must not wait for.
  void run_for_owner(const std::string& token, const ApiRoute& route, const std::shared_ptr<Exchange>& exchange) {
    const Finish finish = finish_of(route, exchange);
    const auto go_on = [this, &route, exchange, finish](const Result<Caller>& caller) {
      const ApiParts& parts = room.parts;
      auto identity = caller.and_then([&](const Caller& owner) {
        return authorize(owner, *exchange->request, route.pattern, parts.policy, parts.rate,
                         std::chrono::steady_clock::now());
      });
      run_as(std::move(identity), route, exchange, finish);
    };
    if (const auto known = room.parts.authority->remembered(token)) return go_on(*known);
    const auto now = std::chrono::steady_clock::now();
    if (auto taken = room.parts.rate.take_for_address(exchange->request->client, now); !taken) {
      return finish(tl::unexpected(taken.error()));
    }
    const bool queued = room.parts.lines.submit([this, token, go_on, finish] {
      try {
        go_on(room.parts.authority->verify(token, room.deadline()));
      } catch (const std::exception& defect) {
        finish(fail(ErrorCode::kInternal, defect.what()));
      }
    });
    if (queued) return;
    finish(
        fail(ErrorCode::kUnavailable, "more requests wait than the service will hold; try again", "emplace.busy", 1));
  }

  void run_as(Result<Identity> identity, const ApiRoute& route, const std::shared_ptr<Exchange>& exchange,
              const Finish& finish) {
    if (!identity) return finish(tl::unexpected(identity.error()));
    exchange->identity = *std::move(identity);
    const bool is_open = room.parts.policy.least(route.method, route.pattern) == Role::kAnyone ||
                         is_open_to_projects(route.method, route.pattern);
    if (!exchange->identity.project.empty() && !is_open) {
      return finish(fail(ErrorCode::kForbidden, "wanted a token that is not a project's, found one of project " +
                                                    json_text(exchange->identity.project)));
    }
    const Acting acting(exchange->identity.actor());
    if (auto checked = check_query(route, *exchange->request); !checked) return finish(tl::unexpected(checked.error()));
    if (route.chooser) {
      if (auto named = check_names(exchange->request->body); !named) return finish(tl::unexpected(named.error()));
      return route.chooser(room, exchange, finish);
    }
    const auto handle = [this, &route, exchange] {
      return check_names(exchange->request->body).and_then([&] { return route.handler(room, *exchange); });
    };
    if (route.where == Where::kWorker) return finish(handle());
    on_line(route.where == Where::kPress ? presses : room.parts.lines, finish, handle);
  }

  Metrics metrics;
  EventFeed feed;
  LinePool presses{kPresses};
  Cors cors;
  ApiRoom room;
  const ApiRoutes routes;
  Router router;
};

Api::Api(ApiParts parts) : inside_(std::make_unique<Inside>(std::move(parts))) {}
Api::~Api() {
  inside_->room.parts.lines.stop();
  inside_->presses.stop();
}

void Api::handle(const std::shared_ptr<const Request>& request, Reply to) {
  if (auto answer = inside_->cors.preflight(*request)) return void(to.send(*std::move(answer)));
  Reply reply = inside_->cors.dressed(*request, std::move(to));
  const auto version = negotiate(*request);
  if (!version) return void(reply.send(problem(version.error(), *request)));
  if (const auto* refused = std::get_if<Unacceptable>(&*version))
    return void(reply.send(unacceptable(*refused, *request)));
  inside_->router.dispatch(request, std::move(reply));
}

void Api::drain() { inside_->feed.close(); }

void Api::fill(Policy& policy) {
  for (const ApiRoute& route : all_routes()) policy.set(route.method, route.pattern, route.role);
}

std::vector<std::string> Api::routes() {
  std::vector<std::string> names;
  for (const ApiRoute& route : all_routes()) names.push_back(route.method + ' ' + route.pattern);
  return names;
}

}  // namespace emplace::http
