#include "service/http/target.h"

#include "service/core/base/utf8.h"

namespace emplace::http {
namespace {

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool is_control(unsigned char c) { return c < 0x20 || c == 0x7f; }

// Calls f with each piece between separators; stops when f says false.
template <typename F>
bool for_each_piece(std::string_view text, char separator, F f) {
  for (;;) {
    const std::size_t end = text.find(separator);
    if (!f(text.substr(0, end))) return false;
    if (end == std::string_view::npos) return true;
    text.remove_prefix(end + 1);
  }
}

bool split_path(std::string_view path, Request& request) {
  path.remove_prefix(1);
  const bool is_root = path.empty();
  return is_root || for_each_piece(path, '/', [&](std::string_view piece) {
           auto decoded = percent_decoded(piece, false);
           if (!decoded || !is_utf8(*decoded)) return false;
           request.segments.push_back(std::move(*decoded));
           return true;
         });
}

bool split_query(std::string_view query, Request& request) {
  return for_each_piece(query, '&', [&](std::string_view piece) {
    if (piece.empty()) return true;
    const std::size_t equals = piece.find('=');
    auto key = percent_decoded(piece.substr(0, equals), true);
    auto value = percent_decoded(equals == std::string_view::npos ? "" : piece.substr(equals + 1), true);
    if (!key || !value || !is_utf8(*key) || !is_utf8(*value)) return false;
    request.query.emplace_back(std::move(*key), std::move(*value));
    return true;
  });
}

// "http://host/path" -> "/path".
std::string_view without_authority(std::string_view target) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!target.starts_with(scheme)) continue;
    target.remove_prefix(scheme.size());
    const std::size_t end = target.find_first_of("/?");
    if (end == std::string_view::npos) return "/";
    return end == 0 ? "" : target.substr(end);
  }
  return target;
}

}  // namespace

std::optional<std::string> percent_decoded(std::string_view text, bool plus_is_blank) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '+' && plus_is_blank) c = ' ';
    if (c == '%') {
      if (i + 2 >= text.size()) return std::nullopt;
      const int high = hex_value(text[i + 1]);
      const int low = hex_value(text[i + 2]);
      if (high < 0 || low < 0) return std::nullopt;
      c = static_cast<char>(high * 16 + low);
      i += 2;
    }
    if (is_control(static_cast<unsigned char>(c))) return std::nullopt;
    decoded.push_back(c);
  }
  return decoded;
}

bool split_target(Request& request) {
  if (request.target == "*") {
    request.path = "*";
    request.segments = {"*"};
    return request.method == "OPTIONS";
  }
  std::string_view target = without_authority(request.target);
  if (target.find('#') != std::string_view::npos) return false;
  const std::size_t question = target.find('?');
  std::string path(target.substr(0, question));
  if (path.empty() && question != std::string_view::npos && target.data() != request.target.data()) path = "/";
  if (path.empty() || path.front() != '/') return false;
  if (!split_path(path, request)) return false;
  request.path = *percent_decoded(path, false);
  return question == std::string_view::npos || split_query(target.substr(question + 1), request);
}

}  // namespace emplace::http
