// ApiRoute: one row of the API's table, and Exchange: one request on its way through a handler. Internal to the
// api_*.cc files.
//
// Threads: an Exchange is immutable once authorised and shared by the threads that work on it.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "service/core/json/json.h"
#include "service/http/router.h"
#include "service/rest/api.h"

namespace emplace {
struct Staleness;
}

namespace emplace::http {

class EventFeed;
class Metrics;

// What all handlers share.
struct ApiRoom {
  ApiParts parts;
  EventFeed& events;
  Metrics& metrics;
  LinePool& presses;  // line threads for answers that may be large: few, so that few such are in the making at once

  std::int64_t now_us() const { return parts.ambient.now_us(); }
  Deadline deadline() const { return std::chrono::steady_clock::now() + parts.limits.deadline; }
  // Of a change that is as large as its body.
  Deadline deadline(std::size_t bytes) const {
    return deadline() + parts.limits.deadline_per_mib * static_cast<std::int64_t>(bytes >> 20);
  }
  // Waits, for a moment, until the change is in the picture, so that a caller reads its own writes.
  void settle(std::int64_t event_seq) const {
    parts.pictures.wait_for(event_seq, std::chrono::steady_clock::now() + parts.limits.read_own_write);
  }
  void log(std::string_view level, std::string line) const {
    if (parts.log) parts.log(level, std::move(line));
  }
};

struct Exchange {
  std::shared_ptr<const Request> request;
  Pairs parameters;
  Identity identity;
  Reply reply;  // for streams only: everything else is returned

  std::string_view parameter(std::string_view name) const;
  const std::string* query(std::string_view name) const;
};
using ExchangePtr = std::shared_ptr<const Exchange>;
using Finish = std::function<void(Result<Response>)>;

enum class Where { kWorker, kLine, kPress };

struct ApiRoute {
  std::string method;
  std::string pattern;
  Role role;
  std::vector<std::string_view> query;  // parameters it knows
  Where where = Where::kWorker;
  std::function<Result<Response>(const ApiRoom&, const Exchange&)> handler = {};
  // Instead of `handler`, for routes that choose their thread by what is asked.
  std::function<void(const ApiRoom&, ExchangePtr, Finish)> chooser = {};
};
using ApiRoutes = std::vector<ApiRoute>;

void add_placement_routes(ApiRoutes& routes);
void add_decision_routes(ApiRoutes& routes);
void add_host_routes(ApiRoutes& routes);
void add_drain_routes(ApiRoutes& routes);
void add_vm_routes(ApiRoutes& routes);
void add_claim_routes(ApiRoutes& routes);
void add_inventory_routes(ApiRoutes& routes);  // inventory, groups, aggregates
void add_rule_routes(ApiRoutes& routes);       // plugins, profiles
void add_filter_routes(ApiRoutes& routes);     // filter, weigh
void add_destination_routes(ApiRoutes& routes);
void add_external_routes(ApiRoutes& routes);
void add_operation_routes(ApiRoutes& routes);  // versions, events, metrics, health
void add_progress_routes(ApiRoutes& routes);   // what became of starts, moves, deletes

// Runs `job` on a thread of the pool; a full queue finishes with kUnavailable.
void on_line(LinePool& lines, Finish finish, std::function<Result<Response>()> job);

// ---- what several families need

Result<Uuid> uuid_of(std::string_view what, std::string_view text);
// The generation that If-Match asks for; nothing when absent or "*".
Result<std::optional<std::int64_t>> if_match(const Request& request);
std::string etag(std::int64_t generation);
Response json_response(std::string body, int status = 200);
Response no_content();
Staleness staleness_of(const ApiRoom& room);
// unread_cloud() of cloud_view.h on what the room knows of its cloud.
Result<std::string> unread_cloud(const ApiRoom& room, const Picture& picture, AskedHosts asked = {});
// "stale": true and "age_s" when the store is away, or the picture's cloud was not read since this replica began.
void write_staleness(const ApiRoom& room, JsonWriter& writer);

// The key of an Idempotency-Key header, with what it is bound to; nothing without the header.
Result<std::optional<IdempotencyKey>> idempotency_key(const Exchange& exchange);
// The answer that this key got before, or what `make` says.
Result<Response> once(const ApiRoom& room, const std::optional<IdempotencyKey>& key,
                      const std::function<Result<Response>()>& make);
// The same for a `make` that stores its answer in the transaction that does everything else, which fails when the key
// has one: then nothing is asked before, only when `make` fails.
Result<Response> once_stored(const ApiRoom& room, const std::optional<IdempotencyKey>& key,
                             const std::function<Result<Response>()>& make);
// `answer` for a Store call that remembers it.
std::optional<std::pair<IdempotencyKey, RememberedAnswer>> remembering(const std::optional<IdempotencyKey>& key,
                                                                       const Response& response);

}  // namespace emplace::http
