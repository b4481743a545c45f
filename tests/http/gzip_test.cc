#include "service/http/gzip.h"
#include "tests/http/header_of.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <random>
#include <string>

namespace emplace::http {
namespace {

std::string unzipped(const std::string& bytes, std::size_t size) {
  std::string text(size + 1, '\0');
  z_stream stream = {};
  inflateInit2(&stream, 15 + 16);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(text.data());
  stream.avail_out = static_cast<uInt>(text.size());
  const bool whole = inflate(&stream, Z_FINISH) == Z_STREAM_END;
  text.resize(stream.total_out);
  inflateEnd(&stream);
  return whole ? text : "not gzip";
}

Response answer_to(const std::string& accepted, Response response) {
  Request request;
  if (!accepted.empty()) request.headers = {{"accept-encoding", accepted}};
  zip(request, response);
  return response;
}

TEST(Gzip, IsPreferredAsTheClientSays) {
  for (const char* const yes : {"gzip", "GZIP", "x-gzip", "deflate, gzip;q=1.0, *;q=0.5", "br;q=1.0, gzip;q=0.8", "*",
                                "gzip;q=0.5, identity;q=0.5", " gzip ; q=0.001 ", "identity;q=0, *"}) {
    EXPECT_TRUE(prefers_gzip(yes)) << yes;
  }
  for (const char* const no : {"", "identity", "br", "gzip;q=0", "gzip;q=0.000, *", "*;q=0", "gzip;q=0.5, identity",
                               "gzip;q=2", "gzip;q=x", "gzip;q=", "gzipped", ",,;;=,"}) {
    EXPECT_FALSE(prefers_gzip(no)) << no;
  }
}

TEST(Gzip, GivesTheSameTextBack) {
  std::mt19937 random(7);
  for (const std::size_t size : {kLeastZipped, kLeastZipped * 10, std::size_t{1} << 20}) {
    std::string text(size, ' ');
    for (char& c : text) c = static_cast<char>('a' + random() % 26);
    const Response response = answer_to("gzip", {.body = text});
    EXPECT_EQ(header(response, "Content-Encoding"), "gzip");
    EXPECT_EQ(header(response, "Vary"), "Accept-Encoding");
    EXPECT_LT(response.body.size(), size);
    EXPECT_EQ(unzipped(response.body, size), text);
  }
}

TEST(Gzip, LeavesAloneWhatIsSmallOrNoTextOrHasAnETag) {
  const std::string small(kLeastZipped - 1, 'a'), big(kLeastZipped, 'a');
  EXPECT_EQ(answer_to("gzip", {.body = small}).body, small);
  EXPECT_TRUE(answer_to("gzip", {.body = small}).headers.empty());
  EXPECT_EQ(answer_to("gzip", {.body = big, .content_type = "application/octet-stream"}).body, big);
  EXPECT_EQ(answer_to("gzip", {.body = big, .headers = {{"ETag", "\"1\""}}}).body, big);
}

TEST(Gzip, SaysThatItDependsOnTheClientAlsoToThoseWhoDoNotAccept) {
  const std::string big(kLeastZipped, 'a');
  const Response plain = answer_to("", {.body = big});
  EXPECT_EQ(plain.body, big);
  EXPECT_EQ(header(plain, "Vary"), "Accept-Encoding");
  EXPECT_EQ(header(plain, "Content-Encoding"), "");
}

}  // namespace
}  // namespace emplace::http
