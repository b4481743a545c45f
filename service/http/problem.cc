#include "service/http/problem.h"

#include <array>
#include <cstdint>
#include <cstdio>

#include "service/core/base/utf8.h"
#include "service/core/json/json.h"

namespace emplace::http {
namespace {

// In the order of ErrorCode, which is the index.
constexpr std::array<Kind, 12> kKinds = {{
    {ErrorCode::kInvalid, 400, "Bad Request", "emplace.invalid"},
    {ErrorCode::kUnauthorized, 401, "Unauthorized", "emplace.unauthorized"},
    {ErrorCode::kForbidden, 403, "Forbidden", "emplace.forbidden"},
    {ErrorCode::kNotFound, 404, "Not Found", "emplace.not_found"},
    {ErrorCode::kConflict, 409, "Conflict", "emplace.conflict"},
    {ErrorCode::kGone, 410, "Gone", "emplace.gone"},
    {ErrorCode::kUnprocessable, 422, "Unprocessable Content", "emplace.unprocessable"},
    {ErrorCode::kTooMany, 429, "Too Many Requests", "emplace.too_many"},
    {ErrorCode::kUnavailable, 503, "Service Unavailable", "emplace.unavailable"},
    {ErrorCode::kUnknownOutcome, 503, "Service Unavailable", "emplace.unknown_outcome"},
    {ErrorCode::kTimeout, 504, "Gateway Timeout", "emplace.timeout"},
    {ErrorCode::kInternal, 500, "Internal Server Error", "emplace.internal"},
}};

constexpr std::string_view kDefect = "a defect of the service; its log has more under this request_id";

constexpr bool is_in_order() {
  for (std::size_t i = 0; i < kKinds.size(); ++i) {
    if (static_cast<std::size_t>(kKinds[i].error_code) != i) return false;
  }
  return true;
}
static_assert(is_in_order());

std::string member(std::string_view name, std::string_view value) {
  return "\"" + std::string(name) + "\":" + json_quoted(value) + ",";
}

// What clients send is quoted, and they may send a lot.
constexpr std::size_t kLongestDetail = 1500;

struct Text {
  int status;
  std::string_view title;
  std::string_view code;
  std::string_view detail;
  std::string_view request_id;
};

Response written(const Text& text, bool openstack_shape) {
  const std::string tail = member("title", text.title) + "\"status\":" + std::to_string(text.status) + "," +
                           member("detail", shortened(text.detail, kLongestDetail)) + member("code", text.code) +
                           "\"request_id\":" + json_quoted(text.request_id) + "}";
  Response response;
  response.status = text.status;
  response.content_type = openstack_shape ? "application/json" : "application/problem+json";
  response.body = openstack_shape ? "{\"errors\":[{" + tail + "]}" : "{\"type\":\"about:blank\"," + tail;
  return response;
}

bool is_hex_run(std::string_view text) { return text.find_first_not_of("0123456789abcdef") == std::string_view::npos; }

}  // namespace

const Kind& kind_of(ErrorCode code) {
  const auto index = static_cast<std::size_t>(code);
  return index < kKinds.size() ? kKinds[index] : kKinds.back();
}

Response problem(const Error& error, const Request& request) {
  const Kind& kind = kind_of(error.code);
  const bool is_ours = error.code == ErrorCode::kInternal;
  const std::string_view code = error.detail_code.empty() ? kind.code : std::string_view(error.detail_code);
  const std::string_view detail = is_ours ? kDefect : std::string_view(error.message);
  const Text text = {kind.status, kind.title, code, detail, request.id};
  Response response = written(text, wants_openstack_shape(request));
  if (error.retry_after_s > 0) response.headers.emplace_back("Retry-After", std::to_string(error.retry_after_s));
  if (kind.status == 401) response.headers.emplace_back("WWW-Authenticate", "Bearer");
  return response;
}

Response problem(int status, std::string_view code, std::string_view detail, std::string_view request_id,
                 bool openstack_shape) {
  return written({status, reason_phrase(status), code, detail, request_id}, openstack_shape);
}

bool wants_openstack_shape(const Request& request) { return request.header("openstack-api-version") != nullptr; }

std::string_view reason_phrase(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 300:
      return "Multiple Choices";
    case 304:
      return "Not Modified";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 406:
      return "Not Acceptable";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 410:
      return "Gone";
    case 412:
      return "Precondition Failed";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 417:
      return "Expectation Failed";
    case 422:
      return "Unprocessable Content";
    case 428:
      return "Precondition Required";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Status";
  }
}

std::string json_quoted(std::string_view text) {
  const bool valid = is_utf8(text);
  std::string quoted = "\"";
  for (const char c : text) {
    const auto u = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (u < 0x20 || u == 0x7f) {
      std::array<char, 8> escape = {};
      std::snprintf(escape.data(), escape.size(), "\\u%04x", static_cast<unsigned>(u));
      quoted += escape.data();
    } else if (u >= 0x80 && !valid) {
      quoted += "\\ufffd";
    } else {
      quoted += c;
    }
  }
  return quoted += '"';
}

bool is_request_id(std::string_view text) {
  if (text.size() != 40 || !text.starts_with("req-")) return false;
  text.remove_prefix(4);
  const bool dashes = text[8] == '-' && text[13] == '-' && text[18] == '-' && text[23] == '-';
  return dashes && is_hex_run(text.substr(0, 8)) && is_hex_run(text.substr(9, 4)) && is_hex_run(text.substr(14, 4)) &&
         is_hex_run(text.substr(19, 4)) && is_hex_run(text.substr(24));
}

RequestIds::RequestIds() {
  std::random_device system;
  std::seed_seq seed{system(), system(), system(), system(), system(), system(), system(), system()};
  random_.seed(seed);
}

std::string RequestIds::next() {
  const std::uint64_t high = (random_() & ~0xf000ULL) | 0x4000ULL;
  const std::uint64_t low = (random_() & ~(3ULL << 62)) | (2ULL << 62);
  std::array<char, 48> text = {};
  std::snprintf(text.data(), text.size(), "req-%08llx-%04llx-%04llx-%04llx-%012llx",
                static_cast<unsigned long long>(high >> 32), static_cast<unsigned long long>((high >> 16) & 0xffff),
                static_cast<unsigned long long>(high & 0xffff), static_cast<unsigned long long>(low >> 48),
                static_cast<unsigned long long>(low & 0xffffffffffffULL));
  return text.data();
}

}  // namespace emplace::http
