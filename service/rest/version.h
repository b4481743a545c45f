// Microversions, as OpenStack services have them: a client says "OpenStack-API-Version: placement-advisor 1.N" and gets
// exactly that behaviour, or 406 with the range. Without the header it gets the minimum; "latest" is the maximum.
// Entries for other services, as in "compute 2.90, placement-advisor 1.0", are not ours to judge and are skipped.
//
// Threads: pure functions. Errors: kInvalid (400) for a malformed header; out of range is the value Unacceptable (406),
// which no ErrorCode has.
#pragma once

#include <string>
#include <variant>

#include "service/core/base/result.h"
#include "service/http/message.h"

namespace emplace::http {

struct Microversion {
  int major = 1;
  int minor = 0;
  auto operator<=>(const Microversion&) const = default;
};

inline constexpr Microversion kMinimumVersion{1, 0};
inline constexpr Microversion kMaximumVersion{1, 0};

struct Unacceptable {
  std::string detail;
};

std::string to_string(Microversion version);

Result<std::variant<Microversion, Unacceptable>> negotiate(const Request& request);

// The answer to a request whose version is out of range.
Response unacceptable(const Unacceptable& why, const Request& request);

// Adds OpenStack-API-Version and Vary, which every answer under /v1 carries.
void stamp(Microversion version, Response& response);

// The documents of "/" (300, as OpenStack services answer it) and "/v1" (200). `base` is "http://host:port" or empty.
Response versions_document(const std::string& base);
Response version_document(const std::string& base);

}  // namespace emplace::http
