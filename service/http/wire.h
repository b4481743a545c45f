// How answers look on the wire: the status line and fields; their bodies follow as they are.
//
// Every answer carries Date, X-Openstack-Request-Id and Content-Length (204 and 304 have none). HEAD gets the fields of
// GET without the body. A stream is chunked for HTTP/1.1 and ends with the connection for HTTP/1.0.
//
// Threads: pure functions.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "service/http/message.h"

namespace emplace::http {

// What an answer must know of its request.
struct ReplyForm {
  std::string id;
  bool head = false;
  bool keep_alive = false;
  bool openstack_shape = false;
  int minor_version = 1;
};

// `date`: as http_date gives it.
std::string answer_head_bytes(const Response& response, const ReplyForm& form, std::string_view date);
// Whether the response's body follows its head.
bool sends_body(const Response& response, const ReplyForm& form);

// The fields of a streamed answer, which always ends with the connection, without its first bytes.
std::string stream_head_bytes(const Response& head, const ReplyForm& form, std::string_view date);

// A chunk is its head, its bytes and a line end.
bool is_chunked(const ReplyForm& form);
std::string chunk_head(std::size_t bytes);  // precondition: not 0, which would be the end
inline constexpr std::string_view kChunkEnd = "\r\n";
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";

// "Sun, 06 Nov 1994 08:49:37 GMT" of seconds since 1970.
std::string http_date(long long seconds);

}  // namespace emplace::http
