// Keystone: our own login, and calls to the services of its catalogue with that login's token. The token is fetched
// when it is first needed, renewed before it expires, and once more when a service refuses it (401). A failed login is
// not tried again at once: until its back-off is over every call gets the same error, so that a wrong password does not
// lock the account.
//
// No message contains a secret: neither passwords nor tokens are in URLs, error texts are made from URLs, statuses,
// field names and what the service says, and tokens are left out of that.
//
// Threads: any; one logs in, the others wait for it, at most the time of one call.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "service/openstack/backoff.h"
#include "service/openstack/identity.h"
#include "service/openstack/web.h"

namespace emplace::openstack {

using Log = std::function<void(std::string_view level, std::string_view line)>;

struct KeystoneOptions {
  std::string auth_url;  // "https://keystone/v3"; the "/v3" may be left out (endpoints.h)
  Credentials credentials = {};
  std::string interface = "internal";
  std::string region = {};                                           // empty: the only one
  std::map<std::string, EndpointChoice, std::less<>> services = {};  // by type: what differs from interface and region
  Backoff backoff = {};
};

// A call of a service: below its endpoint, in the version of its API.
struct ServiceCall {
  std::string service;  // type in the catalogue: "compute", "placement"
  std::string path;     // "/servers/detail?limit=1000"
  std::string version;  // microversion; empty: none named
  std::string method = "GET";
  std::string body = {};  // an act: sent once
};

class Keystone {
 public:
  Keystone(Web& web, KeystoneOptions options, std::function<std::int64_t()> now_us, Log log);

  Result<std::shared_ptr<const Token>> token(Deadline deadline);
  // That one is refused; the next call logs in again.
  void forget(const Token& token);

  // Bodies of 200 and 300. Errors: kUnavailable, kTimeout; kUnauthorized when the login is refused, kForbidden when the
  // service says so, kNotFound.
  Result<std::string> get(const ServiceCall& call, Deadline deadline);
  // As get(), with the headers. A refusal of the request itself (400) is kInvalid.
  Result<WebReply> get_reply(const ServiceCall& call, Deadline deadline);
  // Whatever the service answers.
  Result<WebReply> ask(const ServiceCall& call, Deadline deadline);
  std::vector<Result<std::string>> get_all(const std::vector<ServiceCall>& calls, Deadline deadline);

  // Asks who owns a token. kUnauthorized: nobody.
  Result<Caller> owner_of(const std::string& subject, Deadline deadline);

 private:
  Result<Token> log_in(Deadline deadline);
  EndpointChoice choice_of(const std::string& service) const;
  Result<std::string> endpoint_of(const std::string& service, const Token& token, Deadline deadline);
  Result<std::string> discover(const std::string& root, const Token& token, Deadline deadline);
  Result<WebRequest> request_of(const ServiceCall& call, const Token& token, Deadline deadline);
  Result<WebReply> fetch(const std::function<Result<WebRequest>(const Token&)>& make, Deadline deadline);

  Web& web_;
  const KeystoneOptions options_;
  const std::string tokens_url_;
  const std::function<std::int64_t()> now_us_;
  const Log log_;
  std::mutex mutex_;  // guards what follows; held during a login
  std::shared_ptr<const Token> token_;
  int failures_ = 0;
  std::int64_t next_login_us_ = 0;
  std::optional<Error> last_error_;
  std::mutex discovery_mutex_;                   // guards what follows
  std::map<std::string, std::string> versions_;  // by the root of the compute endpoint: where its version is
};

}  // namespace emplace::openstack
