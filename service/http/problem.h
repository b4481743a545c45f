// What goes wrong, on the wire. One table maps each ErrorCode to a status, a title and the code that programs match on;
// nothing else in the service chooses an error's status.
//
// The shape is RFC 9457 application/problem+json {type,title,status,detail,code,request_id}; a client that sends
// OpenStack-API-Version gets the shape its libraries parse: {"errors":[{status,title,detail,code,request_id}]}.
// `detail` is the error's message: it says which field, what was wanted, what was found. A kInternal error's message is
// for the log, so the wire says only that it was logged.
//
// Threads: pure functions, except RequestIds, which is for one thread.
#pragma once

#include <random>
#include <string>
#include <string_view>

#include "service/core/base/result.h"
#include "service/http/message.h"

namespace emplace::http {

struct Kind {
  ErrorCode error_code;
  int status;
  std::string_view title;
  std::string_view code;  // when the Error has no detail_code of its own
};

// The row of the table.
const Kind& kind_of(ErrorCode code);

// The answer to `request`. Retry-After is set when error.retry_after_s > 0.
Response problem(const Error& error, const Request& request);

// The same for a status that no ErrorCode has (framing and routing: 404, 405, 413, 431 ...), before or without a
// request of its own; `code` such as "emplace.http.too_large".
Response problem(int status, std::string_view code, std::string_view detail, std::string_view request_id,
                 bool openstack_shape);

// Whether the client asked for the OpenStack shape.
bool wants_openstack_shape(const Request& request);

// "Not Found" and so on; "Status" for one we never send.
std::string_view reason_phrase(int status);

// The text as a JSON string, with its quotes; what is not UTF-8 becomes U+FFFD.
std::string json_quoted(std::string_view text);

// ^req-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$
bool is_request_id(std::string_view text);

// "req-" and a random UUID (version 4). They name requests in logs and are no secrets: a fast generator, seeded once
// from the system's, is enough.
class RequestIds {
 public:
  RequestIds();
  std::string next();

 private:
  std::mt19937_64 random_;
};

}  // namespace emplace::http
