// Who may do what: static tokens, roles, the policy that names the least role of each route, and a rate limit for each
// token, and for each address that shows none.
//
// Tokens are kept and compared as SHA-256 hashes only, so that neither the file nor a core dump gives one away and the
// comparison's time says nothing. Roles include the ones below them. What the policy doesn't name needs kAdmin.
//
//   tokens file, one a line:   <sha256 of the token in hex> <reader|planner|operator|admin|project:PROJECT> <name>
//   policy file, one a line:   <METHOD> </pattern> <anyone|reader|planner|operator|admin>
//                        or:   ROLE <role in Keystone> <reader|planner|operator|admin>
//                        or:   SEE <vm.parameters|vm.template> <reader|planner|operator|admin>
// A project's token is a planner's whose holder sees and places only what is in that project (project.h).
// '#' starts a comment. The policy file overrides rows of the built-in table; a row that isn't there is a typing error.
// Of Keystone's roles only "admin" is known without a line: "member" and "reader" are roles in one project, ours see
// all. What SEE names stands in stored requests and may be secret, so that without a line planners see it, readers not.
//
// Threads: Tokens and Policy are filled at start-up, then const; RateLimit from any thread. Errors: kInvalid for a bad
// line (file, line, what was wanted, what was found), kUnavailable for a file that can't be read or written.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "service/core/base/result.h"
#include "service/core/doors/cloud.h"
#include "service/http/message.h"

namespace emplace::http {

enum class Role { kAnyone, kReader, kPlanner, kOperator, kAdmin };  // kAnyone: only in policies, needs no token

std::string_view name_of(Role role);
std::optional<Role> role_named(std::string_view name);

// Lower-case hex of the SHA-256.
std::string sha256_hex(std::string_view text);

struct Identity {
  std::string token_hash;
  Role role = Role::kAnyone;
  std::string name;                 // for the log and events; empty for kAnyone
  std::string project = {};         // sees and places only what is in it; empty: everything
  std::string_view kind = "token";  // of name: "user" for one of Keystone's

  // Who it is, in the words of an event.
  std::string actor() const { return name.empty() ? "anyone" : std::string(kind) + ' ' + name; }
};

class Tokens {
 public:
  static Result<Tokens> load(const std::string& path);

  void add(Identity identity);

  // Null for an unknown token.
  const Identity* find(std::string_view token) const;
  bool empty() const { return by_hash_.empty(); }

 private:
  std::unordered_map<std::string, Identity> by_hash_;
};

class Policy {
 public:
  // A row of the built-in table.
  void set(std::string method, std::string pattern, Role least);

  // Replaces rows by the file's.
  Result<void> override_from(const std::string& path);

  // HEAD counts as GET.
  Role least(std::string_view method, std::string_view pattern) const;

  // The highest that one of these roles in Keystone stands for; kAnyone for none.
  Role role_of(const std::vector<std::string>& keystone_roles) const;

  // Those that stand for one of ours, for messages: "admin, member (as reader)".
  std::string known_roles() const;

  // Who sees a part of stored requests: "vm.parameters" or "vm.template".
  Role least_to_see(std::string_view part) const;

 private:
  std::map<std::pair<std::string, std::string>, Role> rows_;       // by method and pattern
  std::map<std::string, Role> roles_ = {{"admin", Role::kAdmin}};  // by role in Keystone
  std::map<std::string, Role, std::less<>> seen_by_ = {{"vm.parameters", Role::kPlanner},
                                                       {"vm.template", Role::kPlanner}};
};

// A token bucket for each token and for each address without one: `per_second` on average, up to a second's worth at
// once. 0 is off. An address is an IPv4 one, the first half of an IPv6 one, which is a network, or all of a unix
// socket. Buckets that are full again are forgotten, so that memory is bounded by `most_addresses`; beyond, addresses
// share one.
class RateLimit {
 public:
  using Time = std::chrono::steady_clock::time_point;

  explicit RateLimit(double per_second, std::size_t most_addresses = 65'536);

  // kTooMany with retry_after_s if this request is one too many.
  Result<void> take(const std::string& token_hash, Time now);
  // The same for a client that shows no token of ours; `client`: of a Request.
  Result<void> take_for_address(std::string_view client, Time now);

 private:
  struct Bucket {
    double left;
    Time filled;
  };
  using Buckets = std::unordered_map<std::string, Bucket>;

  Result<void> take_from(Buckets& buckets, const std::string& key, Time now);
  void forget_full_ones(Time now);

  const double per_second_;
  const double capacity_;
  const std::size_t most_addresses_;
  std::mutex mutex_;  // guards what follows
  Buckets tokens_;    // bounded by the tokens there are
  Buckets addresses_;
  Time looked_ = {};  // for buckets that are full again
};

// Whose bucket a client of that name ("address:port" or "unix") takes from.
std::string rate_key(std::string_view client);

// Whether the request may call the route: its token (Authorization: Bearer, or X-Auth-Token), the policy, the rate.
// kUnauthorized without a known token, kForbidden below the least role, kTooMany over the rate.
Result<Identity> authorize(const Request& request, std::string_view pattern, const Tokens& tokens, const Policy& policy,
                           RateLimit& rate, RateLimit::Time now);

// The X-Auth-Token of a request that needs a token and shows none of ours: whose it is only a TokenAuthority can say.
// Then the other authorize() says whether that caller may. Rate and idempotency keys are those of user and project,
// since their tokens change.
std::optional<std::string> foreign_token(const Request& request, std::string_view pattern, const Tokens& tokens,
                                         const Policy& policy);
Result<Identity> authorize(const Caller& caller, const Request& request, std::string_view pattern, const Policy& policy,
                           RateLimit& rate, RateLimit::Time now);

// Makes the file `path` (mode 0600) with a fresh token of 32 random bytes in hex, or keeps the one that is there, and
// returns its hash. Of several processes that start at once one makes it and all agree. kInvalid if the file isn't such
// a token or others than its owner may read it.
Result<std::string> create_admin_token(const std::string& path);

}  // namespace emplace::http
