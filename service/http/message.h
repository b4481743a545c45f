// Request and Response: one HTTP/1.1 message each way, as plain values.
//
// A Request is complete when it reaches anyone: framing has checked it, read its whole body and decoded its path. A
// Response is what a handler answers with; the server adds Content-Length, Connection, Date and the request id.
//
// Threads: values; a Request is shared as `shared_ptr<const Request>` and never changes after it was handed out.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace emplace::http {

using Pairs = std::vector<std::pair<std::string, std::string>>;
using Bytes = std::shared_ptr<const std::string>;  // in memory once, however many connections send them

struct Request {
  std::string method;                 // as sent: methods are case-sensitive
  std::string target;                 // as sent, for the log
  std::string path;                   // percent-decoded; for people: an escaped '/' can't be told from a real one here
  std::vector<std::string> segments;  // of the path, each percent-decoded after the split; empty for "/"
  Pairs query;                        // decoded, in the order sent, repetitions kept
  Pairs headers;                      // names in lower case, values without surrounding blanks, in the order sent
  std::string body;
  int minor_version = 1;  // HTTP/1.N
  bool keep_alive = true;
  std::string id;         // "req-<uuid>", given by the server
  std::string global_id;  // the X-Openstack-Request-Id that came in, if it was well-formed; else empty
  std::string client;     // "address:port" or "unix"

  // HEAD is answered as GET, without the body.
  bool head() const { return method == "HEAD"; }

  // The first field of that lower-case name, or null.
  const std::string* header(std::string_view name) const {
    for (const auto& [key, value] : headers) {
      if (key == name) return &value;
    }
    return nullptr;
  }
};

struct Response {
  int status = 200;
  std::string body = {};
  std::string content_type = "application/json";  // sent only with a body
  Pairs headers = {};                             // CR, LF and NUL in them are replaced by blanks
};

}  // namespace emplace::http
