// Cors: which pages of other origins may read answers (the Fetch standard's CORS protocol), by configuration; none
// unless told otherwise. Callers show their token in a header and never by a cookie, so that credentials in the sense
// of the protocol are not allowed to anyone.
//
// Threads: immutable. Answers that were refused before they had a request (bad framing) carry none of this.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "service/http/message.h"
#include "service/http/reply.h"

namespace emplace::http {

class Cors {
 public:
  // Origins such as "https://portal.example"; "*" is any.
  explicit Cors(std::vector<std::string> origins) : origins_(std::move(origins)) {}

  // The answer to a preflight; nothing when the request is none, or nobody may.
  std::optional<Response> preflight(const Request& request) const;

  // The reply through which every answer to this request goes.
  Reply dressed(const Request& request, Reply reply) const;

 private:
  bool allows(const std::string& origin) const;
  void allow(const std::string& origin, Response& response) const;

  const std::vector<std::string> origins_;
};

}  // namespace emplace::http
