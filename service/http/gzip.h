// Answers in gzip for those who accept it: text of at least kLeastZipped bytes, where it is worth the time. What has an
// ETag stays as it is, since an ETag names its bytes. Event streams never come here.
//
// Threads: pure functions. Cost: about 10 ms for a megabyte.
#pragma once

#include <string_view>

#include "service/http/message.h"

namespace emplace::http {

inline constexpr std::size_t kLeastZipped = 4096;

// Whether an Accept-Encoding prefers gzip to the bytes as they are (RFC 9110, 12.5.3).
bool prefers_gzip(std::string_view accept_encoding);

// In gzip, if the request wants it and the answer is such a one; "Vary" if it is.
void zip(const Request& request, Response& response);

}  // namespace emplace::http
