// Api: the REST contract (api/rest/openapi.yaml) on top of the transport. It authorises, negotiates the version,
// refuses what it does not know, calls the handler of the route, and turns every Result into an answer. The handlers
// themselves lie in api_*.cc, one file per family of resources; they hold no state, all of it is in the collaborators.
//
//   server thread:  handle → route → authorise → handler ──────────────→ answer     reads and dry runs
//                                              └→ line thread: handler → answer     whatever waits for store or
//                                              hypervisor
//
// Order: construct, handle() as often as you like, drain(), stop the server, destroy. The destructor stops the
// LinePool, whose jobs work with what is in here.
//
// Threads: handle() from any thread.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "service/core/act/scheduler.h"
#include "service/core/base/result.h"
#include "service/core/decide/rule_book.h"
#include "service/core/doors/cloud.h"
#include "service/core/doors/finding.h"
#include "service/core/doors/hypervisors.h"
#include "service/core/doors/pictures.h"
#include "service/core/doors/reservations.h"
#include "service/core/doors/store.h"
#include "service/http/message.h"
#include "service/http/reply.h"
#include "service/http/server.h"
#include "service/rest/auth.h"
#include "service/rest/cloud_view.h"
#include "service/rest/line_pool.h"

namespace emplace::http {

// One loaded plugin, or one that was refused, as GET /v1/plugins shows it.
struct PluginState {
  std::string id;
  std::string version;
  std::string isolation;           // "in-process", "worker"
  std::string state;               // "running", "quarantined", "starting", "refused"
  std::vector<std::string> rules;  // ids of its filters, objectives and weighers
  std::uint64_t calls = 0;
  double last_us = 0, mean_us = 0;
  std::uint64_t errors = 0;
  std::uint64_t misses = 0;              // of the deadline; calls that lost their worker
  std::uint64_t restarts = 0;            // of its worker
  std::string last_error;                // of its worker: how the last one ended
  std::vector<std::string> confinement;  // of its worker
  std::string why;                       // one line when not running
  std::string configuration = "{}";      // JSON, complete
};

// One configured hypervisor, as GET /v1/hosts and /readyz show it.
struct HypervisorState {
  std::string host;
  bool connected = false;
  std::string why;  // one line when not connected
};

// One table that is read from elsewhere ("openstack.servers"), as /readyz and the metrics show it.
struct SourceState {
  std::string name;
  std::string why;              // one line when the last try failed
  bool blocks = false;          // while `why` is there, traffic is kept away
  std::int64_t good_at_us = 0;  // when it was last read; 0: never
};

// What is odd about a database that answers, as GET /readyz and the metrics show it.
struct DatabaseState {
  std::string full;                 // what it said when it had no room to write; empty: it has
  std::int64_t clock_ahead_us = 0;  // our clock's lead over its, which decides what has expired
  std::int64_t rewinds = 0;         // how often it turned out to lack events that the picture had
  std::int64_t rewound_at_us = 0;   // the last time
};

struct ApiLimits {
  std::chrono::milliseconds deadline{10'000};          // of one call, unless the request names its own
  std::chrono::milliseconds deadline_per_mib{10'000};  // more for each whole MiB of an import
  std::chrono::milliseconds read_own_write{
      2'000};  // how long a change waits to be in the picture before it is answered
  std::size_t page = 100, most_per_page = 1000;
  std::chrono::milliseconds heartbeat{15'000};  // of an event stream
};

// The collaborators; all of them outlive the Api.
struct ApiParts {
  const Pictures& pictures;
  Store& store;
  Hypervisors& hypervisors;
  Scheduler& scheduler;
  Reservations& reservations;
  RuleBook& rule_book;
  LinePool& lines;
  const Tokens& tokens;
  const Policy& policy;
  RateLimit& rate;
  Ambient ambient;
  std::string replica;
  std::string version;
  ApiLimits limits = {};
  std::function<std::vector<PluginState>()> plugins = {};  // empty: none
  // Whether plugins have such options: an object that stands in place of parts of their configurations for one call;
  // empty: they are not looked at.
  std::function<Result<void>(std::string_view options)> check_options = {};
  std::function<std::vector<HypervisorState>()> hypervisor_states = {};
  std::function<std::vector<Finding>()> findings = {};
  std::function<std::vector<SourceState>()> sources = {};
  std::function<std::optional<CloudView>()> cloud = {};  // nothing: there is none
  std::function<DatabaseState()> database = {};
  std::function<std::vector<std::string>()> warnings = {};  // what else an operator should know
  AllocationCandidates* candidates = nullptr;               // null: there is no Placement
  TokenAuthority* authority = nullptr;                      // for tokens that are not ours; null: there are none
  std::function<Counters()> server_counters = {};
  std::vector<std::string> cors_origins = {};  // whose pages may read answers; "*": anyone's
  Log log = {};
};

class Api {
 public:
  explicit Api(ApiParts parts);
  ~Api();
  Api(const Api&) = delete;
  Api& operator=(const Api&) = delete;

  void handle(const std::shared_ptr<const Request>& request, Reply to);

  // Ends event streams and takes no new ones; call before Server::stop().
  void drain();

  // The built-in rows of the policy: the least role of every route.
  static void fill(Policy& policy);
  // "GET /v1/hosts/{name}", for a test that holds the OpenAPI document against the routes.
  static std::vector<std::string> routes();

 private:
  struct Inside;
  std::unique_ptr<Inside> inside_;
};

}  // namespace emplace::http
