// Web: HTTP requests to services that may be slow, gone or broken. A call ends by its deadline whatever the other side
// does: with a reply, whatever its status, or with an Error that names method and URL. Redirects are not followed,
// since a token would travel with them; certificates are verified; a body beyond the limit is refused. There is a proxy
// only where one is configured: variables such as http_proxy are not read.
//
// Threads: fetch() and fetch_all() from any thread, and they wait; the sockets live on a thread of this class with Qt's
// event loop. stop() ends all waiting calls with kUnavailable, as does the destructor; call no method after that has
// begun. A QCoreApplication must exist.
#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "service/core/base/deadline.h"
#include "service/core/base/result.h"

namespace emplace::openstack {

struct WebRequest {
  std::string method = "GET";
  std::string url;
  std::vector<std::pair<std::string, std::string>> headers = {};
  std::string body = {};  // JSON; sent with POST
  bool once = false;      // an act: not sent again when the connection ends without an answer
};

struct WebReply {
  int status = 0;
  std::map<std::string, std::string> headers = {};  // names in lower case
  std::string body = {};

  std::string header(const std::string& name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? std::string() : found->second;
  }
};

struct WebOptions {
  std::string ca_file = {};                   // PEM; empty: the system's
  std::string cert_file = {}, key_file = {};  // PEM; our own certificate. key_file empty: cert_file has the key too
  std::string proxy = {};  // "http://HOST:PORT" or "socks5://HOST:PORT", also with a user; empty: none
  bool verify = true;      // certificates
  std::chrono::milliseconds timeout{30'000};  // of one call, whatever the deadline
  std::size_t most_bytes = std::size_t{256} << 20;
  std::size_t at_once = 6;  // calls of one fetch_all(); Qt opens no more connections to one host
};

class Web {
 public:
  // kInvalid for a file without the certificates or the key that it should have, and for a proxy that is none.
  static Result<std::unique_ptr<Web>> create(WebOptions options);
  ~Web();
  Web(const Web&) = delete;
  Web& operator=(const Web&) = delete;

  Result<WebReply> fetch(const WebRequest& request, Deadline deadline);
  // In the order of the requests; some at once.
  std::vector<Result<WebReply>> fetch_all(const std::vector<WebRequest>& requests, Deadline deadline);
  void stop();

 private:
  struct Inside;
  explicit Web(std::unique_ptr<Inside> inside);
  std::unique_ptr<Inside> inside_;
};

}  // namespace emplace::openstack
