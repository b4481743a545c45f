// Clients that shut their sending half and wait: for them the answer is still to come. What they had not sent in full
// is forgotten, without a word and without a trace.
#include <gtest/gtest.h>

#include <atomic>

#include "tests/http/client.h"
#include "tests/http/serving.h"

namespace emplace::http {
namespace {

// Answers when `go` is raised, from another thread.
struct Later {
  Pool pool{2};
  Flag asked;
  Flag go;

  Handler handler() {
    return [this](std::shared_ptr<const Request> request, Reply reply) {
      asked.raise();
      pool.post([this, request = std::move(request), reply = std::move(reply)] {
        go.wait();
        echo(request, reply);
      });
    };
  }
};

TEST(HalfClosed, GetsItsAnswersThatComeLater) {
  Later later;
  const auto server = serve(later.handler());
  Client client(server->port());

  client.send(kGet + "GET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
  client.half_close();
  ASSERT_TRUE(later.asked.wait());
  later.go.raise();

  EXPECT_EQ(client.answer().body, "/ ");
  EXPECT_EQ(client.answer().body, "/2 ");
  EXPECT_EQ(client.until_end(), "");
  EXPECT_TRUE(eventually([&] { return server->counters().connections_now == 0; }));
  EXPECT_EQ(server->counters().answers_lost, 0U);
}

TEST(HalfClosed, GetsItsAnswerWithEveryKindOfEnd) {
  Later later;
  later.go.raise();
  const auto server = serve(later.handler());
  for (const std::string& start :
       {std::string("GET /x HTTP/1.0\r\n\r\n"), std::string("GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"),
        std::string("GET /x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")}) {
    Client client(server->port());
    client.send(start);
    client.half_close();
    EXPECT_EQ(client.answer().body, "/x ");
    EXPECT_EQ(client.until_end(), "");
  }
}

TEST(HalfClosed, GetsALongAnswerHoweverSlowlyItReads) {
  const std::string body(8 << 20, 'x');
  const auto server =
      serve([&](const std::shared_ptr<const Request>&, const Reply& reply) { reply.send({.body = body}); });
  Client client(server->port(), 4096);

  client.send(kGet);
  client.half_close();

  EXPECT_EQ(client.answer().body.size(), body.size());
  EXPECT_EQ(client.until_end(), "");
}

TEST(HalfClosed, IsForgottenInTheMiddleOfARequest) {
  const auto server = serve(echo);
  for (const char* part : {"", "GET / HT", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab",
                           "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"}) {
    Client client(server->port());
    client.send(part);
    client.half_close();
    EXPECT_EQ(client.until_end(), "") << part;
  }
  EXPECT_TRUE(eventually([&] { return server->counters().connections_now == 0; }));
  EXPECT_EQ(server->counters().requests, 0U);
}

TEST(HalfClosed, MayStillLeave) {
  Later later;
  const auto server = serve(later.handler());
  Client client(server->port());
  client.send(kGet);
  client.half_close();
  ASSERT_TRUE(later.asked.wait());

  client.reset();
  EXPECT_TRUE(eventually([&] { return server->counters().connections_now == 0; }));
  later.go.raise();

  EXPECT_TRUE(eventually([&] { return server->counters().answers_lost == 1; }));
  EXPECT_EQ(server->counters().requests_now, 0U);
}

TEST(HalfClosed, EndsAStream) {
  Flag closed;
  std::shared_ptr<Stream> stream;
  const auto server = serve([&](const std::shared_ptr<const Request>&, const Reply& reply) {
    stream = reply.stream({.content_type = "text/event-stream"});
    stream->on_close([&] { closed.raise(); });
  });
  Client client(server->port());

  client.send(kGet);
  client.half_close();

  EXPECT_TRUE(closed.wait());
  EXPECT_TRUE(eventually([&] { return server->counters().connections_now == 0; }));
}

TEST(HalfClosed, ManyGetTheirOwnAnswers) {
  constexpr int kClients = 64;
  Pool pool(4);
  const auto server = serve([&](std::shared_ptr<const Request> request, Reply reply) {
    pool.post([request = std::move(request), reply = std::move(reply)] { echo(request, reply); });
  });
  std::atomic<int> right = 0;
  std::vector<std::thread> threads;
  for (int one = 0; one < kClients; ++one) {
    threads.emplace_back([&, one] {
      for (int i = 0; i < 20; ++i) {
        const std::string target = "/" + std::to_string(one) + "/" + std::to_string(i);
        Client client(server->port());
        client.send("GET " + target + " HTTP/1.1\r\nHost: a\r\n\r\n");
        client.half_close();
        if (client.answer().body == target + " " && client.until_end().empty()) ++right;
      }
    });
  }
  for (auto& thread : threads) thread.join();

  EXPECT_EQ(right, kClients * 20);
  EXPECT_TRUE(eventually([&] { return server->counters().connections_now == 0; }));
}

}  // namespace
}  // namespace emplace::http
