// Client: the service as a command sees it: requests and answers over HTTP/1.1 with the caller's token. send() waits
// for one answer; send_all() keeps several requests on their way and hands out the answers as they come; stream()
// follows the event stream. Every wait has a deadline. An answer of 400 or more is no Failure here: raise() makes it
// one.
//
// Threads: one thread, the one that made the Client (it runs Qt's event loop while it waits).
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "cli/json.h"

namespace emplace::cli {

struct Request {
  std::string method = "GET";
  std::string target;  // "/v1/hosts?limit=100"
  std::string body = {};
  std::map<std::string, std::string> headers = {};
  std::size_t tag = 0;  // not sent: the caller knows by it which answer is whose
};

struct Answer {
  int status = 0;
  std::string body;
  std::map<std::string, std::string> headers;  // names in lower case
  double took_ms = 0;

  bool is_ok() const { return status >= 200 && status < 300; }
  Json json() const { return Json::parse(body, "the answer of the service"); }
};

// The Failure that an answer of 400 or more stands for, from its problem document: one line.
[[noreturn]] void raise(const Answer& answer);

class Client {
 public:
  Client(std::string url, std::string token);
  ~Client();
  const std::string& url() const { return url_; }

  // Throws Failure{kUnreachable} when there is no answer.
  Answer send(const Request& request, double timeout_s = 30);
  // The answer's document; raises what is not 2xx.
  Json ask(const Request& request, double timeout_s = 30);

  // next() gives the requests (nothing: no more), done() gets each answer; at most `clients` are on their way.
  void send_all(int clients, const std::function<std::optional<Request>()>& next,
                const std::function<void(const Request&, const Answer&)>& done);

  // Calls on_line for each line of a streamed answer until it returns false, the stream ends, or nothing comes for
  // `quiet_s` (0: waits for ever).
  void stream(const Request& request, double quiet_s, const std::function<bool(const std::string&)>& on_line);

 private:
  struct Network;
  std::string url_, token_;
  std::unique_ptr<Network> network_;
};

std::string percent_encode(const std::string& text);  // for one segment of a path or a value of a query
std::string new_key();                                // for Idempotency-Key

}  // namespace emplace::cli
