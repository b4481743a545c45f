#include "service/http/framing.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace emplace::http {
namespace {

using State = Framer::State;

struct Outcome {
  std::vector<Request> requests;
  int refused = 0;
  State state = State::kIdle;
};

Outcome frame(std::string_view bytes, std::size_t step, const FramingLimits& limits = {}) {
  Framer framer(limits);
  Outcome outcome;
  while (!bytes.empty()) {
    const std::size_t taken = framer.feed(bytes.substr(0, step));
    bytes.remove_prefix(taken);
    if (framer.state() == State::kRefused) {
      outcome.refused = framer.refusal().status;
      EXPECT_FALSE(framer.refusal().detail.empty());
      break;
    }
    if (framer.state() == State::kComplete) outcome.requests.push_back(framer.take());
  }
  outcome.state = framer.state();
  return outcome;
}

std::string get(const std::string& target) { return "GET " + target + " HTTP/1.1\r\nHost: a\r\n\r\n"; }

const std::string kPost = "POST /p HTTP/1.1\r\nHost: a\r\n";
const std::string kChunked = kPost + "Transfer-Encoding: chunked\r\n\r\n";

struct Case {
  const char* name;
  std::string bytes;
  int refused;           // 0: not
  std::size_t complete;  // requests before the end or the refusal
};

std::vector<Case> cases() {
  const std::string head = "GET / HTTP/1.1\r\nHost: a\r\n";
  const std::string one = get("/");
  return {
      {"a simple request", one, 0, 1},
      {"16,000 slashes", get(std::string(16'000, '/')), 414, 0},
      {"a target of 8 KiB", get("/" + std::string(8191, 'a')), 0, 1},
      {"a target of 8 KiB and 1", get("/" + std::string(8192, 'a')), 414, 0},
      {"a request line without end", "GET /" + std::string(1 << 20, 'a'), 414, 0},
      {"a method without end", std::string(1 << 20, 'A'), 431, 0},
      {"a 1 MB header", head + "X: " + std::string(1 << 20, 'x') + "\r\n\r\n", 431, 0},
      {"1,000 fields",
       [&] {
         std::string s = head;
         for (int i = 0; i < 1000; ++i) s += "a: b\r\n";
         return s + "\r\n";
       }(),
       431, 0},
      {"a 50 GB Content-Length", kPost + "Content-Length: 53687091200\r\n\r\nx", 413, 0},
      {"a Content-Length beyond 64 bits", kPost + "Content-Length: 99999999999999999999999\r\n\r\n", 413, 0},
      {"Content-Length and Transfer-Encoding",
       kPost + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, 0},
      {"Transfer-Encoding and Content-Length",
       kPost + "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n", 400, 0},
      {"xchunked", kPost + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501, 0},
      {"identity", kPost + "Transfer-Encoding: identity\r\n\r\n", 501, 0},
      {"chunked, identity", kPost + "Transfer-Encoding: chunked, identity\r\n\r\n", 501, 0},
      {"gzip, chunked", kPost + "Transfer-Encoding: gzip, chunked\r\n\r\n", 501, 0},
      {"an empty Transfer-Encoding", kPost + "Transfer-Encoding:\r\n\r\n", 501, 0},
      {"two Transfer-Encodings", kPost + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
       400, 0},
      {"Transfer-Encoding in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, 0},
      {"Chunked in capitals", kPost + "Transfer-Encoding: Chunked\r\n\r\n0\r\n\r\n", 0, 1},
      {"Content-Length 2, 2", kPost + "Content-Length: 2, 2\r\n\r\nab", 400, 0},
      {"Content-Length twice and equal", kPost + "Content-Length: 2\r\nContent-Length: 2\r\n\r\nab", 400, 0},
      {"Content-Length twice and different", kPost + "Content-Length: 2\r\nContent-Length: 3\r\n\r\nab", 400, 0},
      {"Content-Length +2", kPost + "Content-Length: +2\r\n\r\nab", 400, 0},
      {"Content-Length -2", kPost + "Content-Length: -2\r\n\r\nab", 400, 0},
      {"Content-Length 0x2", kPost + "Content-Length: 0x2\r\n\r\nab", 400, 0},
      {"Content-Length 2 2", kPost + "Content-Length: 2 2\r\n\r\nab", 400, 0},
      {"an empty Content-Length", kPost + "Content-Length:\r\n\r\n", 400, 0},
      {"Content-Length 0", kPost + "Content-Length: 0\r\n\r\n", 0, 1},
      {"a body", kPost + "Content-Length: 2\r\n\r\nab", 0, 1},
      {"a body that is not all there", kPost + "Content-Length: 3\r\n\r\nab", 0, 0},
      {"no Host", "GET / HTTP/1.1\r\n\r\n", 400, 0},
      {"no Host in HTTP/1.0", "GET / HTTP/1.0\r\n\r\n", 0, 1},
      {"two Hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, 0},
      {"two equal Hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400, 0},
      {"a list of Hosts", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400, 0},
      {"an obs-fold", head + "X: a\r\n b\r\n\r\n", 400, 0},
      {"an obs-fold of Host", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400, 0},
      {"a blank before the colon", head + "X : a\r\n\r\n", 400, 0},
      {"a field without a colon", head + "X\r\n\r\n", 400, 0},
      {"a field without a name", head + ": a\r\n\r\n", 400, 0},
      {"a NUL in a field", head + std::string("X: a\0b\r\n\r\n", 10), 400, 0},
      {"a bare CR in a field", head + "X: a\rb\r\n\r\n", 400, 0},
      {"a bare LF in the header", "GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", 400, 0},
      {"a bare LF after the request line", "GET / HTTP/1.1\nHost: a\r\n\r\n", 400, 0},
      {"one empty line before", "\r\n" + one, 0, 1},
      {"two empty lines before", "\r\n\r\n" + one, 400, 0},
      {"HTTP/2.0", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505, 0},
      {"HTTP/1.2", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505, 0},
      {"the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, 0},
      {"HTTP/0.9", "GET /\r\n", 400, 0},
      {"two blanks in the request line", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400, 0},
      {"a blank in the target", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400, 0},
      {"a method that is no token", "G(T / HTTP/1.1\r\nHost: a\r\n\r\n", 400, 0},
      {"a TLS greeting", std::string("\x16\x03\x01\x02\x00\x01\x00\n", 8), 400, 0},
      {"a target with high bytes", get("/\xc3\xa4"), 400, 0},
      {"a target with a fragment", get("/a#b"), 400, 0},
      {"a target without a slash", get("a"), 400, 0},
      {"CONNECT", "CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", 400, 0},
      {"a bad escape", get("/%zz"), 400, 0},
      {"a short escape", get("/%4"), 400, 0},
      {"an escaped NUL", get("/a%00b"), 400, 0},
      {"an escaped line end", get("/a%0d%0ab"), 400, 0},
      {"an escaped NUL in the query", get("/?a=%00"), 400, 0},
      {"an escape that is not UTF-8", get("/%ff"), 400, 0},
      {"an overlong escape", get("/%c0%af"), 400, 0},
      {"Expect of something else", kPost + "Expect: 200-ok\r\nContent-Length: 1\r\n\r\n", 417, 0},
      {"a chunked body", kChunked + "5\r\nhello\r\n0\r\n\r\n", 0, 1},
      {"a lone last chunk", kChunked + "0\r\n\r\n", 0, 1},
      {"a last chunk of many zeros", kChunked + "000000\r\n\r\n", 0, 1},
      {"two chunks in capitals", kChunked + "A\r\n0123456789\r\n1\r\n!\r\n0\r\n\r\n", 0, 1},
      {"a chunk extension", kChunked + "5;a=b;c=\"d\"\r\nhello\r\n0;x\r\n\r\n", 0, 1},
      {"a long chunk extension", kChunked + "5;a=" + std::string(300, 'x') + "\r\nhello\r\n0\r\n\r\n", 400, 0},
      {"a 1 MB chunk extension", kChunked + "5;a=" + std::string(1 << 20, 'x') + "\r\nhello\r\n0\r\n\r\n", 400, 0},
      {"a malformed chunk extension", kChunked + "5;=;\r\nhello\r\n0\r\n\r\n", 400, 0},
      {"trailers", kChunked + "5\r\nhello\r\n0\r\nX: y\r\nZ: w\r\n\r\n", 0, 1},
      {"long trailers", kChunked + "0\r\nX: " + std::string(5'000, 'x') + "\r\n\r\n", 431, 0},
      {"a 1 MB trailer", kChunked + "0\r\nX: " + std::string(1 << 20, 'x') + "\r\n\r\n", 431, 0},
      {"a folded trailer", kChunked + "0\r\nX: y\r\n z\r\n\r\n", 400, 0},
      {"a Content-Length trailer", kChunked + "0\r\nContent-Length: 5\r\n\r\n", 400, 0},
      {"a bare LF in a chunk line", kChunked + "5\nhello\r\n0\r\n\r\n", 400, 0},
      {"a bare LF in an extension", kChunked + "5;a\n=b\r\nhello\r\n0\r\n\r\n", 400, 0},
      {"a bare LF after a chunk", kChunked + "5\r\nhello\n0\r\n\r\n", 400, 0},
      {"a bare LF in the trailers", kChunked + "0\r\nX: y\n\r\n", 400, 0},
      {"a bare LF at the end", kChunked + "0\r\n\n", 400, 0},
      {"a bare CR in a chunk line", kChunked + "5\rx\r\nhello\r\n0\r\n\r\n", 400, 0},
      {"a chunk longer than said", kChunked + "4\r\nhello\r\n0\r\n\r\n", 400, 0},
      {"a chunk without a size", kChunked + "\r\nhello\r\n0\r\n\r\n", 400, 0},
      {"a chunk of negative size", kChunked + "-5\r\nhello\r\n0\r\n\r\n", 400, 0},
      {"a chunk of 0x5", kChunked + "0x5\r\nhello\r\n0\r\n\r\n", 400, 0},
      {"a chunk of size g", kChunked + "g\r\nhello\r\n0\r\n\r\n", 400, 0},
      {"a chunk over the limit", kChunked + "ffffffff\r\nhello", 413, 0},
      {"a chunk beyond 64 bits", kChunked + "fffffffffffffffffff\r\nhello", 413, 0},
      {"pipelined requests",
       get("/1") + kPost + "Content-Length: 2\r\n\r\nab" + kChunked + "1\r\nx\r\n0\r\n\r\n" + get("/4"), 0, 4},
      {"a good request, then a bad one", one + "GET / HTTP/1.1\r\n\r\n" + one, 400, 1},
      {"HEAD", "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n" + one, 0, 2},
      {"GET with a body", head + "Content-Length: 3\r\n\r\nGET" + one, 0, 2},
      {"the absolute form", get("http://example.org/a?b=c"), 0, 1},
      {"OPTIONS *", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 0, 1},
      {"GET *", get("*"), 400, 0},
  };
}

TEST(Framer, RefusesHostileInputHoweverItIsSplit) {
  for (const Case& one : cases()) {
    for (const std::size_t step :
         {std::size_t{1}, std::size_t{2}, std::size_t{3}, std::size_t{7}, std::size_t{4096}, std::string::npos}) {
      const Outcome outcome = frame(one.bytes, step);
      EXPECT_EQ(outcome.refused, one.refused) << one.name << ", step " << step;
      EXPECT_EQ(outcome.requests.size(), one.complete) << one.name << ", step " << step;
    }
  }
}

TEST(Framer, TakesARequestApart) {
  const Outcome outcome = frame(
      "PATCH /v1/hosts/a%20b%2Fc?limit=5&x=a+b%26&flag&limit=6 HTTP/1.1\r\nHOST: h:1\r\nX-A:  one two "
      "\t\r\nx-a:\r\nContent-Length: 2\r\n\r\n{}",
      5);

  ASSERT_EQ(outcome.requests.size(), 1U);
  const Request& request = outcome.requests[0];
  EXPECT_EQ(request.method, "PATCH");
  EXPECT_EQ(request.path, "/v1/hosts/a b/c");
  EXPECT_EQ(request.segments, (std::vector<std::string>{"v1", "hosts", "a b/c"}));
  EXPECT_EQ(request.query, (Pairs{{"limit", "5"}, {"x", "a b&"}, {"flag", ""}, {"limit", "6"}}));
  EXPECT_EQ(request.headers, (Pairs{{"host", "h:1"}, {"x-a", "one two"}, {"x-a", ""}, {"content-length", "2"}}));
  EXPECT_EQ(request.body, "{}");
  EXPECT_EQ(outcome.state, State::kIdle);
}

TEST(Framer, JoinsChunks) {
  const Outcome outcome = frame(kChunked + "5;x=y\r\nhello\r\n1\r\n \r\n5\r\nworld\r\n0\r\nT: u\r\n\r\n", 1);

  ASSERT_EQ(outcome.requests.size(), 1U);
  EXPECT_EQ(outcome.requests[0].body, "hello world");
  EXPECT_EQ(outcome.requests[0].header("t"), nullptr);
}

TEST(Framer, SplitsPathsOfEveryForm) {
  using Segments = std::vector<std::string>;
  EXPECT_EQ(frame(get("/"), 99).requests[0].segments, Segments{});
  EXPECT_EQ(frame(get("/v1/"), 99).requests[0].segments, (Segments{"v1", ""}));
  EXPECT_EQ(frame(get("//"), 99).requests[0].segments, (Segments{"", ""}));
  EXPECT_EQ(frame(get("http://example.org"), 99).requests[0].path, "/");
  EXPECT_EQ(frame(get("http://example.org?a=b"), 99).requests[0].query, (Pairs{{"a", "b"}}));
  EXPECT_EQ(frame(get("http://example.org/x/y"), 99).requests[0].segments, (Segments{"x", "y"}));
}

TEST(Framer, KeepsAliveAsTheVersionSays) {
  const auto keeps = [](const std::string& version, const std::string& fields) {
    return frame("GET / HTTP/" + version + "\r\nHost: a\r\n" + fields + "\r\n", 99).requests.at(0).keep_alive;
  };
  EXPECT_TRUE(keeps("1.1", ""));
  EXPECT_FALSE(keeps("1.1", "Connection: close\r\n"));
  EXPECT_FALSE(keeps("1.1", "Connection: x, CLOSE\r\n"));
  EXPECT_FALSE(keeps("1.0", ""));
  EXPECT_TRUE(keeps("1.0", "Connection: Keep-Alive\r\n"));
}

TEST(Framer, AsksToContinueOnlyWhenABodyIsAwaited) {
  const std::string expecting = kPost + "Expect: 100-Continue\r\nContent-Length: 2\r\n\r\n";

  Framer waiting;
  waiting.feed(expecting);
  EXPECT_TRUE(waiting.take_continue());
  EXPECT_FALSE(waiting.take_continue());

  Framer not_waiting;
  not_waiting.feed(expecting + "a");
  EXPECT_FALSE(not_waiting.take_continue());

  Framer without_body;
  without_body.feed(kPost + "Expect: 100-continue\r\nContent-Length: 0\r\n\r\n");
  EXPECT_FALSE(without_body.take_continue());

  Framer chunked;
  chunked.feed(kPost + "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n");
  EXPECT_TRUE(chunked.take_continue());
}

TEST(Framer, CountsAllChunksAgainstTheBodyLimit) {
  FramingLimits limits;
  limits.body_bytes = 8;
  const std::string five = "5\r\nhello\r\n";

  EXPECT_EQ(frame(kChunked + five + "3\r\nabc\r\n0\r\n\r\n", 1, limits).requests.size(), 1U);
  EXPECT_EQ(frame(kChunked + five + "4\r\nabcd\r\n0\r\n\r\n", 1, limits).refused, 413);
  EXPECT_EQ(frame(kPost + "Content-Length: 9\r\n\r\n", 1, limits).refused, 413);
}

TEST(Framer, TellsItsPhase) {
  Framer framer;
  EXPECT_EQ(framer.state(), State::kIdle);
  framer.feed("G");
  EXPECT_EQ(framer.state(), State::kHeader);
  framer.feed("ET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n");
  EXPECT_EQ(framer.state(), State::kBody);
  EXPECT_EQ(framer.feed("xyz"), 1U);
  EXPECT_EQ(framer.state(), State::kComplete);
  EXPECT_EQ(framer.feed("yz"), 0U);
}

}  // namespace
}  // namespace emplace::http
