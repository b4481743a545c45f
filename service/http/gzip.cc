#include "service/http/gzip.h"

#include <zlib.h>

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <string>

namespace emplace::http {
namespace {

constexpr int kGzip = 15 + 16;  // the largest window, with gzip's header
constexpr int kMemory = 8;      // zlib's own choice

std::string_view without_blanks(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool is_word(std::string_view text, std::string_view word) {
  return std::equal(text.begin(), text.end(), word.begin(), word.end(), [](char found, char wanted) {
    return (found >= 'A' && found <= 'Z' ? found - 'A' + 'a' : found) == wanted;
  });
}

// Takes what stands before `mark` off the text.
std::string_view take(std::string_view& text, char mark) {
  const std::size_t end = std::min(text.find(mark), text.size());
  const std::string_view first = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return without_blanks(first);
}

// The q of a coding's parameters: 1 when absent, 0 when it is no number from 0 to 1.
double quality(std::string_view parameters) {
  while (!parameters.empty()) {
    std::string_view value = take(parameters, ';');
    const std::string_view name = take(value, '=');
    if (!is_word(name, "q")) continue;
    const std::string text(without_blanks(value));
    const bool digits = !text.empty() && text.find_first_not_of("0123456789.") == std::string::npos;
    const double q = digits ? std::strtod(text.c_str(), nullptr) : 0;
    return q >= 0 && q <= 1 ? q : 0;
  }
  return 1;
}

bool is_text(const std::string& type) {
  return type.find("json") != std::string::npos || type.find("yaml") != std::string::npos || type.starts_with("text/");
}

bool has(const Response& response, std::string_view name) {
  return std::any_of(response.headers.begin(), response.headers.end(),
                     [&](const auto& one) { return one.first == name; });
}

std::optional<std::string> zipped(const std::string& text) {
  z_stream stream = {};
  if (deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, kGzip, kMemory, Z_DEFAULT_STRATEGY) != Z_OK) return std::nullopt;
  std::string out(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const bool done = deflate(&stream, Z_FINISH) == Z_STREAM_END;
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return done ? std::optional(std::move(out)) : std::nullopt;
}

}  // namespace

bool prefers_gzip(std::string_view accept_encoding) {
  double gzip = -1, any = 0, identity = -1;
  while (!accept_encoding.empty()) {
    std::string_view parameters = take(accept_encoding, ',');
    const std::string_view coding = take(parameters, ';');
    const double q = quality(parameters);
    if (is_word(coding, "gzip") || is_word(coding, "x-gzip")) gzip = q;
    if (is_word(coding, "identity")) identity = q;
    if (coding == "*") any = q;
  }
  if (gzip < 0) gzip = any;
  return gzip > 0 && gzip >= identity;
}

void zip(const Request& request, Response& response) {
  const std::size_t size = response.body.size();
  if (size < kLeastZipped || size > UINT32_MAX || !is_text(response.content_type) || has(response, "ETag")) return;
  response.headers.emplace_back("Vary", "Accept-Encoding");
  const std::string* accepted = request.header("accept-encoding");
  if (!accepted || !prefers_gzip(*accepted)) return;
  auto body = zipped(response.body);
  if (!body) return;
  response.body = *std::move(body);
  response.headers.emplace_back("Content-Encoding", "gzip");
}

}  // namespace emplace::http
