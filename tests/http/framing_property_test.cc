#include <gtest/gtest.h>
// After gtest.h, whose types it needs.
#include <rapidcheck/gtest.h>

#include "service/http/framing.h"

namespace emplace::http {
namespace {

// Everything a caller can see of a stream, as text.
std::string seen(const std::string& bytes, const std::vector<std::size_t>& pieces) {
  Framer framer;
  std::string result;
  std::string_view rest = bytes;
  std::size_t piece = 0;
  while (!rest.empty()) {
    std::size_t left = pieces.empty() ? rest.size() : std::min(rest.size(), 1 + pieces[piece++ % pieces.size()] % 40);
    while (left > 0) {
      const std::size_t taken = framer.feed(rest.substr(0, left));
      rest.remove_prefix(taken);
      left -= taken;
      if (framer.state() == Framer::State::kRefused) {
        return result + "refused " + std::to_string(framer.refusal().status) + " " + framer.refusal().detail;
      }
      if (framer.state() != Framer::State::kComplete) continue;
      const Request request = framer.take();
      result += request.method + " " + request.path + " " + std::to_string(request.keep_alive);
      for (const auto& [name, value] : request.headers) result += "|" + name + "=" + value;
      result += "|" + request.body + "\n";
    }
  }
  return result + std::to_string(static_cast<int>(framer.state()));
}

// Streams of fragments that are each plausible, so that random orders reach every state of the framer.
rc::Gen<std::string> fragment() {
  return rc::gen::element<std::string>("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "POST /p HTTP/1.1\r\nHost: a\r\n",
                                       "Content-Length: 5\r\n\r\n", "hello", "Transfer-Encoding: chunked\r\n\r\n",
                                       "5\r\nhello\r\n", "0\r\n\r\n", "0\r\n", "X: y\r\n", "\r\n", "\n", "\r",
                                       "5;a=b\r\n", " ", "Expect: 100-continue\r\n", "Connection: close\r\n",
                                       "Content-Length: 3\r\n", "Transfer-Encoding: identity\r\n", "%41", "a");
}

RC_GTEST_PROP(FramerProperty, SeesTheSameHoweverTheBytesAreSplit, ()) {
  std::string bytes = *rc::gen::element<std::string>(
      "", "POST /p HTTP/1.1\r\nHost: a\r\n", "POST /p HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
  for (const std::string& one : *rc::gen::container<std::vector<std::string>>(fragment())) bytes += one;
  const auto pieces = *rc::gen::container<std::vector<std::size_t>>(rc::gen::inRange<std::size_t>(0, 40));

  const std::string whole = seen(bytes, {});

  RC_ASSERT(seen(bytes, pieces) == whole);
  RC_ASSERT(seen(bytes, {0}) == whole);
}

RC_GTEST_PROP(FramerProperty, SurvivesAnyBytes, (const std::string& bytes)) {
  const std::string chunked = "POST /p HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";

  RC_ASSERT(seen(bytes, {}) == seen(bytes, {0}));
  RC_ASSERT(seen(chunked + bytes, {}) == seen(chunked + bytes, {0}));
}

RC_GTEST_PROP(FramerProperty, GivesBackTheBodyItWasSent, (const std::string& body)) {
  const auto cuts =
      *rc::gen::nonEmpty(rc::gen::container<std::vector<std::size_t>>(rc::gen::inRange<std::size_t>(1, 20)));
  std::string bytes = "POST /p HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  std::size_t at = 0;
  for (std::size_t i = 0; at < body.size(); ++i) {
    const std::string piece = body.substr(at, cuts[i % cuts.size()]);
    char size[16];
    std::snprintf(size, sizeof size, "%zx\r\n", piece.size());
    bytes += size + piece + "\r\n";
    at += piece.size();
  }
  bytes += "0\r\n\r\n";

  Framer framer;
  for (const char c : bytes) framer.feed(std::string_view(&c, 1));

  RC_ASSERT(framer.state() == Framer::State::kComplete);
  RC_ASSERT(framer.take().body == body);
}

}  // namespace
}  // namespace emplace::http
