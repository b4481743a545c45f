#include "service/http/wire.h"

#include <array>
#include <cstdio>
#include <ctime>

#include "service/http/problem.h"

namespace emplace::http {
namespace {

// A line end in a value that came from outside would be a second answer.
void append_field(std::string& out, std::string_view name, std::string_view value) {
  const std::size_t start = out.size();
  out.append(name).append(": ").append(value);
  for (std::size_t i = start; i < out.size(); ++i) {
    if (out[i] == '\r' || out[i] == '\n' || out[i] == '\0') out[i] = ' ';
  }
  out.append("\r\n");
}

void append_start(std::string& out, const Response& response, const ReplyForm& form, std::string_view date) {
  out.append("HTTP/1.1 ").append(std::to_string(response.status)).append(" ");
  out.append(reason_phrase(response.status)).append("\r\n");
  append_field(out, "Date", date);
  append_field(out, "X-Openstack-Request-Id", form.id);
  for (const auto& [name, value] : response.headers) append_field(out, name, value);
}

bool has_body(int status) { return status >= 200 && status != 204 && status != 304; }

}  // namespace

std::string answer_head_bytes(const Response& response, const ReplyForm& form, std::string_view date) {
  std::string out;
  append_start(out, response, form, date);
  if (has_body(response.status)) {
    if (!response.body.empty()) append_field(out, "Content-Type", response.content_type);
    append_field(out, "Content-Length", std::to_string(response.body.size()));
  }
  if (!form.keep_alive) append_field(out, "Connection", "close");
  if (form.keep_alive && form.minor_version == 0) append_field(out, "Connection", "keep-alive");
  out.append("\r\n");
  return out;
}

bool sends_body(const Response& response, const ReplyForm& form) { return has_body(response.status) && !form.head; }

std::string stream_head_bytes(const Response& head, const ReplyForm& form, std::string_view date) {
  std::string out;
  append_start(out, head, form, date);
  append_field(out, "Content-Type", head.content_type);
  append_field(out, "Cache-Control", "no-store");
  if (is_chunked(form)) append_field(out, "Transfer-Encoding", "chunked");
  append_field(out, "Connection", "close");
  out.append("\r\n");
  return out;
}

bool is_chunked(const ReplyForm& form) { return form.minor_version >= 1; }

std::string chunk_head(std::size_t bytes) {
  std::array<char, 24> size = {};
  std::snprintf(size.data(), size.size(), "%zx\r\n", bytes);
  return size.data();
}

// Not strftime, which speaks the process's locale.
std::string http_date(long long seconds) {
  static constexpr std::array<const char*, 7> kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr std::array<const char*, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                          "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const auto time = static_cast<std::time_t>(seconds);
  std::tm utc = {};
  ::gmtime_r(&time, &utc);
  std::array<char, 64> text = {};
  std::snprintf(text.data(), text.size(), "%s, %02d %s %04d %02d:%02d:%02d GMT",
                kDays[static_cast<std::size_t>(utc.tm_wday)], utc.tm_mday,
                kMonths[static_cast<std::size_t>(utc.tm_mon)], utc.tm_year + 1900, utc.tm_hour, utc.tm_min, utc.tm_sec);
  return text.data();
}

}  // namespace emplace::http
