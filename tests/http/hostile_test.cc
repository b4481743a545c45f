// Clients that send what they should not, or not as they should: each gets a clear answer or an end, and the next
// client is served.
#include <gtest/gtest.h>

#include "tests/http/client.h"
#include "tests/http/serving.h"

namespace emplace::http {
namespace {

constexpr int kPaceMs = 10;  // between two bytes of a client that takes its time

const std::string kHostilePost = "POST /p HTTP/1.1\r\nHost: a\r\n";
const std::string kHostileChunked = kHostilePost + "Transfer-Encoding: chunked\r\n\r\n";

// Sends `start`, then `byte` over and over, until the server says something; how many were sent.
int trickle(Client& client, const std::string& start, std::string_view byte) {
  client.send(start);
  for (int sent = 0; sent < 1'000; ++sent) {
    if (client.readable(kPaceMs)) return sent;
    client.send(byte);
  }
  return -1;
}

TEST(Hostile, GetsAClearRefusalAndAnEnd) {
  const auto server = serve(echo);
  const std::pair<int, std::string> cases[] = {
      {400, kHostilePost + "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"},
      {400, kHostilePost + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
      {400, kHostileChunked + "5;a=" + std::string(1 << 20, 'x') + "\r\nhello\r\n0\r\n\r\n"},
      {431, kHostileChunked + "0\r\nX: " + std::string(1 << 20, 'x') + "\r\n\r\n"},
      {413, kHostileChunked + "fffffffff\r\n"},
  };
  for (const auto& [status, bytes] : cases) {
    Client client(server->port());
    client.send(bytes);
    EXPECT_EQ(client.answer().status, status) << bytes.substr(0, 100);
    EXPECT_EQ(client.until_end(), "");
  }
  EXPECT_EQ(server->counters().requests, 0U);
  EXPECT_EQ(Client(server->port()).get("/next").status, 200);
}

TEST(Hostile, MaySendItsChunksByteByByte) {
  const auto server = serve(echo);
  Client client(server->port());

  for (const char c : kHostileChunked + "5;x=y\r\nhello\r\n1\r\n!\r\n0\r\nT: u\r\n\r\n") client.send({&c, 1});

  EXPECT_EQ(client.answer().body, "/p hello!");
  EXPECT_EQ(client.get("/next").body, "/next ");
}

TEST(Hostile, IsNotAskedForABodyThatIsTooLong) {
  const auto server = serve(echo);
  Client client(server->port());

  client.send(kHostilePost + "Expect: 100-continue\r\nContent-Length: 53687091200\r\n\r\n");

  EXPECT_TRUE(client.until("\r\n\r\n").starts_with("HTTP/1.1 413 "));
}

TEST(Hostile, IsCutOffHoweverSlowlyItSendsAHeader) {
  Limits limits;
  limits.header_timeout_ms = 200;
  const auto server = serve(echo, limits);
  Client client(server->port());

  EXPECT_GT(trickle(client, "GET / HTTP/1.1\r\nX: ", "x"), 1);

  EXPECT_EQ(client.answer().status, 408);
  EXPECT_EQ(client.until_end(), "");
}

TEST(Hostile, IsCutOffHoweverSlowlyItSendsABody) {
  Limits limits;
  limits.body_timeout_ms = 200;
  const auto server = serve(echo, limits);
  for (const std::string& start : {kHostilePost + "Content-Length: 100000\r\n\r\n", kHostileChunked + "ffff\r\n"}) {
    Client client(server->port());

    EXPECT_GT(trickle(client, start, "x"), 1);

    EXPECT_EQ(client.answer().status, 408);
    EXPECT_EQ(client.until_end(), "");
  }
}

TEST(Hostile, IsCutOffWhenItGoesOnSendingAfterARefusal) {
  const auto server = serve(echo);
  Client client(server->port());
  client.send("GET / HTTP/1.1\r\n\r\n");
  EXPECT_EQ(client.answer().status, 400);

  int sent = 0;
  while (sent < 5'000 && client.send(std::string(4096, 'x'))) {
    ++sent;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));  // its pace
  }

  EXPECT_LT(sent, 5'000);
  EXPECT_TRUE(eventually([&] { return server->counters().connections_now == 0; }));
}

TEST(Hostile, IsReadNoFasterThanItReads) {
  constexpr std::size_t kRequests = 1'000;
  constexpr std::size_t kAnswerBytes = 128 * 1024;
  const auto server =
      serve([body = std::string(kAnswerBytes, 'x')](const std::shared_ptr<const Request>&, const Reply& reply) {
        reply.send({.body = body});
      });
  Client client(server->port());
  Client& sending = client;
  std::thread sender([&sending] {
    std::string bytes;
    for (std::size_t i = 0; i < kRequests; ++i) bytes += kGet;
    sending.send(bytes);
  });

  std::size_t most_ahead = 0;
  for (std::size_t read = 1; read <= kRequests; ++read) {
    ASSERT_EQ(client.answer().body.size(), kAnswerBytes);
    most_ahead = std::max<std::size_t>(most_ahead, server->counters().requests - read);
  }
  sender.join();

  // What the kernel buffers of a connection, some megabytes, and what a worker leaves unsent.
  EXPECT_LT(most_ahead, (std::size_t{32} << 20) / kAnswerBytes);
}

}  // namespace
}  // namespace emplace::http
