// A byte stream as HTTP requests. The first line says where the rest is cut: piece i has as many bytes as character
// i of the line says (its code modulo 64, plus 1), over and over. However it is cut, the same must be seen.
#include "service/http/framing.h"

#include "service/core/base/utf8.h"
#include "tests/fuzz/targets.h"

namespace emplace::fuzz {
namespace {

using http::Framer;

constexpr http::FramingLimits kLimits = {.header_bytes = 2048,
                                         .header_fields = 16,
                                         .target_bytes = 512,
                                         .body_bytes = 1024,
                                         .chunk_line_bytes = 64,
                                         .trailer_bytes = 256};

void require_sound(const http::Request& request) {
  require(request.body.size() <= kLimits.body_bytes, "a body is within its limit");
  require(request.headers.size() <= kLimits.header_fields, "fields are within their limit");
  require(request.target.size() <= kLimits.target_bytes, "a target is within its limit");
  require(!request.path.empty() && is_utf8(request.path), "a path is UTF-8");
  for (const auto& [name, value] : request.headers) {
    require(!name.empty() && value.find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos,
            "a field is a line");
  }
}

std::string seen_of(const http::Request& request) {
  std::string seen = request.method + ' ' + request.target + ' ' + std::to_string(request.keep_alive);
  for (const auto& [name, value] : request.headers) seen.append("|").append(name).append("=").append(value);
  return seen + '|' + request.body + '\n';
}

// Everything that a caller of the framer can see, as text.
std::string seen(std::string_view bytes, std::string_view cuts) {
  Framer framer(kLimits);
  std::string result;
  for (std::size_t i = 0; !bytes.empty(); ++i) {
    const std::size_t wanted =
        cuts.empty() ? bytes.size() : static_cast<unsigned char>(cuts[i % cuts.size()]) % 64U + 1;
    std::string_view piece = bytes.substr(0, wanted);
    bytes.remove_prefix(piece.size());
    while (!piece.empty()) {
      const std::size_t taken = framer.feed(piece);
      piece.remove_prefix(taken);
      if (framer.state() == Framer::State::kRefused) {
        const http::Refusal& why = framer.refusal();
        require(why.status >= 400 && why.status < 600 && !why.detail.empty(), "a refusal says why");
        return result + "refused " + std::to_string(why.status) + ' ' + why.detail;
      }
      require(taken > 0, "a framer that has not refused takes bytes");
      if (framer.state() != Framer::State::kComplete) continue;
      const http::Request request = framer.take();
      require_sound(request);
      result += seen_of(request);
    }
  }
  return result + std::to_string(static_cast<int>(framer.state()));
}

}  // namespace

void framing(std::string_view input) {
  const std::string_view cuts = first_line(input);
  const std::string whole = seen(input, "");
  require(seen(input, cuts) == whole, "the same is seen however the bytes are cut");
  require(seen(input, "@") == whole, "the same is seen byte by byte");
}

}  // namespace emplace::fuzz
