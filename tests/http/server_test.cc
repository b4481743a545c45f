#include "service/http/server.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <atomic>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "tests/http/client.h"
#include "tests/http/serving.h"

namespace emplace::http {
namespace {

using std::chrono::milliseconds;

TEST(Server, Answers) {
  const auto server = serve(echo);
  Client client(server->port());

  const Answer first = client.get("/one?x=1");
  client.send("POST /two HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n");
  const Answer second = client.answer();

  EXPECT_EQ(first.status, 200);
  EXPECT_EQ(first.body, "/one?x=1 ");
  EXPECT_NE(first.head.find("\r\nX-Openstack-Request-Id: req-"), std::string::npos);
  EXPECT_NE(first.head.find("\r\nDate: "), std::string::npos);
  EXPECT_EQ(second.body, "/two ab");
  EXPECT_EQ(server->counters().requests, 2U);
  EXPECT_EQ(server->url(), "http://127.0.0.1:" + std::to_string(server->port()));
}

TEST(Server, AnswersOnAUnixSocket) {
  const std::string path = testing::TempDir() + "emplace-http-" + std::to_string(::getpid());
  const auto server = serve(echo, {}, "unix:" + path);

  EXPECT_EQ(Client(path).get("/u").body, "/u ");
  EXPECT_EQ(server->port(), 0);
  EXPECT_FALSE(Server::start("unix:" + path, {}, echo));
  server->stop();
  EXPECT_NE(::access(path.c_str(), F_OK), 0);
}

TEST(Server, RefusesAddressesThatAreNone) {
  for (const char* bad : {"", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:70000", ":80", "unix:"}) {
    const auto server = Server::start(bad, {}, echo);
    ASSERT_FALSE(server) << bad;
    EXPECT_EQ(server.error().code, ErrorCode::kInvalid) << bad;
  }
  const auto first = serve(echo);
  EXPECT_EQ(Server::start("127.0.0.1:" + std::to_string(first->port()), {}, echo).error().code,
            ErrorCode::kUnavailable);
}

TEST(Server, AnswersPipelinedRequestsInOrder) {
  Pool pool(4);
  std::atomic<int> count = 0;
  const auto server = serve([&](std::shared_ptr<const Request> request, Reply reply) {
    // Every other one at once, the rest from other threads.
    if (++count % 2 == 0) return echo(request, reply);
    pool.post([request = std::move(request), reply = std::move(reply)] { echo(request, reply); });
  });
  Client client(server->port());

  std::string bytes;
  for (int i = 0; i < 500; ++i)
    bytes += "POST /" + std::to_string(i) + " HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
  std::thread sender([&] { client.send(bytes); });
  sender.join();

  for (int i = 0; i < 500; ++i) ASSERT_EQ(client.answer().body, "/" + std::to_string(i) + " abc");
}

TEST(Server, SendsContinueBeforeTheBody) {
  const auto server = serve(echo);
  Client client(server->port());

  client.send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  EXPECT_EQ(client.until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("ab");
  EXPECT_EQ(client.answer().body, "/ ab");
}

TEST(Server, AnswersHeadWithoutBody) {
  const auto server = serve(echo);
  Client client(server->port());

  client.send("HEAD /abc HTTP/1.1\r\nHost: a\r\n\r\n" + kGet);

  EXPECT_NE(client.answer(true).head.find("Content-Length: 5\r\n"), std::string::npos);
  EXPECT_EQ(client.answer().body, "/ ");
}

TEST(Server, ClosesWhenTheClientWantsIt) {
  const auto server = serve(echo);
  for (const char* request : {"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "GET / HTTP/1.0\r\n\r\n"}) {
    Client client(server->port());
    client.send(request);
    const Answer answer = client.answer();
    EXPECT_EQ(answer.body, "/ ");
    EXPECT_NE(answer.head.find("Connection: close\r\n"), std::string::npos);
    EXPECT_EQ(client.until_end(), "");
  }
}

TEST(Server, RefusesAndClosesWithoutLosingTheAnswer) {
  const auto server = serve(echo);
  const std::string post = "POST / HTTP/1.1\r\nHost: a\r\n";
  const std::pair<int, std::string> cases[] = {
      {400, "GET / HTTP/1.1\r\n\r\n"},
      {413, post + "Content-Length: 53687091200\r\n\r\n" + std::string(4 << 20, 'x')},
      {414, "GET " + std::string(16'000, '/') + " HTTP/1.1\r\nHost: a\r\n\r\n"},
      {431, "GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(1 << 20, 'x') + "\r\n\r\n"},
      {501, post + "Transfer-Encoding: identity\r\n\r\n" + kGet},
  };
  for (const auto& [status, bytes] : cases) {
    Client client(server->port());
    client.send(bytes);
    const Answer answer = client.answer();
    EXPECT_EQ(answer.status, status);
    EXPECT_NE(answer.body.find("\"code\":\"emplace.http."), std::string::npos);
    EXPECT_EQ(client.until_end(), "") << status << ": nothing may follow a refused request";
    EXPECT_EQ(server->counters().refused[status], 1U);
  }
  EXPECT_EQ(server->counters().requests, 0U);
}

TEST(Server, Sends500ForAForgottenReplyAndAnException) {
  const auto server = serve([](const std::shared_ptr<const Request>& request, const Reply&) {
    if (request->path == "/throw") throw std::runtime_error("a defect");
  });
  Client client(server->port());

  EXPECT_EQ(client.get("/forget").status, 500);
  EXPECT_EQ(client.get("/throw").status, 500);
  EXPECT_EQ(server->counters().exceptions, 1U);
}

TEST(Server, KeepsOnlyWellFormedGlobalIds) {
  const auto server = serve([](const std::shared_ptr<const Request>& request, const Reply& reply) {
    reply.send({.body = request->global_id});
  });
  const std::string good = "req-0123abcd-0123-0123-0123-0123456789ab";
  Client client(server->port());
  for (const auto& [sent, kept] : {std::pair(good, good), std::pair(std::string("req-x"), std::string())}) {
    client.send("GET / HTTP/1.1\r\nHost: a\r\nX-Openstack-Request-Id: " + sent + "\r\n\r\n");
    EXPECT_EQ(client.answer().body, kept);
  }
}

// The heart of it: answers from other threads, sockets that come and go under the same descriptors.
TEST(Server, NeverAnswersTheWrongClient) {
  constexpr int kClients = 64;
  constexpr int kRequests = 2'000 / kClients + 1;  // of each
  Pool pool(4);
  const auto server = serve([&](std::shared_ptr<const Request> request, Reply reply) {
    pool.post([request = std::move(request), reply = std::move(reply)] {
      std::this_thread::sleep_for(std::chrono::microseconds(std::hash<std::string>()(request->target) % 1'000));
      echo(request, reply);
    });
  });

  std::atomic<int> right = 0;
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int one = 0; one < kClients; ++one) {
    threads.emplace_back([&, one, leaves = one % 2 == 0] {
      auto client = std::make_unique<Client>(server->port());
      for (int i = 0; i < kRequests; ++i) {
        const std::string target = "/" + std::to_string(one) + "/" + std::to_string(i);
        client->send("GET " + target + " HTTP/1.1\r\nHost: a\r\n\r\n");
        if (leaves) {
          if (i % 2 == 0) client->reset();
          client = std::make_unique<Client>(server->port());
        } else {
          ++(client->answer().body == target + " " ? right : wrong);
        }
      }
    });
  }
  for (auto& thread : threads) thread.join();

  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(right, kClients / 2 * kRequests);
  EXPECT_TRUE(eventually([&] { return server->counters().requests_now == 0; }));
  EXPECT_TRUE(eventually([&] { return server->counters().connections_now == 0; }));
  EXPECT_EQ(server->counters().exceptions, 0U);
}

TEST(Server, TimesOutSlowClients) {
  Limits limits;
  limits.header_timeout_ms = limits.body_timeout_ms = limits.idle_timeout_ms = 100;
  const auto server = serve(echo, limits);
  Client header(server->port());
  Client body(server->port());
  Client idle(server->port());

  header.send("GET / HTTP/1.1\r\nHo");
  body.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc");

  EXPECT_EQ(header.answer().status, 408);
  EXPECT_EQ(body.answer().status, 408);
  EXPECT_EQ(idle.until_end(), "");
  EXPECT_EQ(server->counters().refused[408], 2U);
  EXPECT_EQ(server->counters().idle_closed, 1U);
}

TEST(Server, SendsALongAnswerToASlowReader) {
  const std::string body(8 << 20, 'x');
  const auto server =
      serve([&](const std::shared_ptr<const Request>&, const Reply& reply) { reply.send({.body = body}); });
  Client client(server->port(), 4096);

  client.send(kGet + kGet);

  EXPECT_EQ(client.answer().body.size(), body.size());
  EXPECT_EQ(client.answer().body.size(), body.size());
}

TEST(Server, DropsAClientThatReadsNothing) {
  Limits limits;
  limits.write_timeout_ms = 200;
  const auto server = serve([](const std::shared_ptr<const Request>&,
                               const Reply& reply) { reply.send({.body = std::string(16 << 20, 'x')}); },
                            limits);
  Client client(server->port(), 4096);

  client.send(kGet);

  EXPECT_TRUE(eventually([&] { return server->counters().slow_closed == 1; }));
  EXPECT_EQ(server->counters().connections_now, 0U);
}

TEST(Server, DropsAClientThatTakesAnAnswerByteByByte) {
  Limits limits;
  limits.write_timeout_ms = 300;
  const auto server = serve([](const std::shared_ptr<const Request>&,
                               const Reply& reply) { reply.send({.body = std::string(16 << 20, 'x')}); },
                            limits);
  Client client(server->port(), 4096);

  client.send(kGet);

  // Some at each look, but never much.
  EXPECT_TRUE(eventually([&] { return !client.take(256) || server->counters().slow_closed == 1; }));
  EXPECT_TRUE(eventually([&] { return server->counters().slow_closed == 1; }));
}

TEST(Server, TellsClientsBeyondTheLimit) {
  Limits limits;
  limits.connections = 4;
  const auto server = serve(echo, limits);
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 4; ++i) {
    clients.push_back(std::make_unique<Client>(server->port()));
    ASSERT_EQ(clients.back()->get("/").status, 200);
  }

  Client beyond(server->port());
  EXPECT_EQ(beyond.answer().status, 503);
  EXPECT_EQ(clients.front()->get("/").status, 200);
  clients.pop_back();
  EXPECT_TRUE(eventually([&] { return Client(server->port()).get("/").status == 200; }));
}

// Lowers the limit of open descriptors for as long as it lives.
class FewDescriptors {
 public:
  explicit FewDescriptors(rlim_t more) {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    const int next = ::dup(0);
    ::close(next);
    const rlimit few = {static_cast<rlim_t>(next) + more, before_.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &few);
  }
  ~FewDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_ = {};
};

TEST(Server, SurvivesTheLackOfDescriptors) {
  const auto server = serve(echo);
  {
    const FewDescriptors few(12);
    std::vector<std::unique_ptr<Client>> clients;
    for (int i = 0; i < 12; ++i) clients.push_back(std::make_unique<Client>(server->port()));
    EXPECT_TRUE(eventually([&] { return server->counters().accept_failures > 0; }));
    const auto failures = server->counters().accept_failures;
    std::this_thread::sleep_for(milliseconds(200));
    EXPECT_LT(server->counters().accept_failures, failures + 50) << "accepting spins";
  }
  EXPECT_TRUE(eventually([&] { return Client(server->port()).get("/").status == 200; }));
}

struct Streams {
  std::mutex mutex;
  std::shared_ptr<Stream> stream;
  Flag opened;
  Flag closed;

  Handler handler() {
    return [this](const std::shared_ptr<const Request>&, const Reply& reply) {
      auto made = reply.stream({.content_type = "text/event-stream"});
      made->on_close([this] { closed.raise(); });
      {
        const std::lock_guard lock(mutex);
        stream = std::move(made);
      }
      opened.raise();
    };
  }
};

TEST(Server, StreamsFromAnyThread) {
  Streams streams;
  const auto server = serve(streams.handler());
  Client client(server->port());

  client.send(kGet);
  ASSERT_TRUE(streams.opened.wait());
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(streams.stream->write("data: " + std::to_string(i) + "\n\n"));
  streams.stream->finish();
  const std::string head = client.until("\r\n\r\n");
  const std::string body = client.until_end();

  EXPECT_NE(head.find("Content-Type: text/event-stream\r\n"), std::string::npos);
  EXPECT_NE(head.find("Transfer-Encoding: chunked\r\n"), std::string::npos);
  EXPECT_TRUE(body.starts_with("9\r\ndata: 0\n\n\r\n"));
  EXPECT_TRUE(body.ends_with("a\r\ndata: 99\n\n\r\n0\r\n\r\n"));
  EXPECT_TRUE(streams.closed.wait());
  EXPECT_FALSE(streams.stream->write("x"));
  EXPECT_FALSE(streams.stream->alive());
  EXPECT_EQ(server->counters().streams_now, 0U);
}

TEST(Server, NoticesThatAStreamsReaderLeft) {
  for (const bool hard : {false, true}) {
    Streams streams;
    const auto server = serve(streams.handler());
    auto client = std::make_unique<Client>(server->port());
    client->send(kGet);
    ASSERT_TRUE(streams.opened.wait());
    EXPECT_TRUE(streams.stream->write("data: x\n\n"));
    client->until("data: x");

    if (hard) client->reset();
    client.reset();

    EXPECT_TRUE(streams.closed.wait());
    EXPECT_FALSE(streams.stream->write("data: y\n\n"));
  }
}

TEST(Server, DropsAStreamsReaderThatFallsBehind) {
  Streams streams;
  Limits limits;
  limits.stream_unsent_bytes = 256 * 1024;
  const auto server = serve(streams.handler(), limits);
  Client client(server->port(), 4096);
  client.send(kGet);
  ASSERT_TRUE(streams.opened.wait());

  std::size_t written = 0;
  const std::string event = "data: " + std::string(10'000, 'x') + "\n\n";
  while (written < (256U << 20) && streams.stream->write(event)) written += event.size();

  EXPECT_LT(written, 256U << 20);
  EXPECT_TRUE(streams.closed.wait());
  EXPECT_EQ(server->counters().slow_closed, 1U);
}

// Requests are answered while many streams have much to write.
TEST(Server, WritesStreamsBesideRequests) {
  std::mutex mutex;
  std::vector<std::shared_ptr<Stream>> streams;
  Limits limits;
  limits.workers = 1;
  const auto server = serve(
      [&](const std::shared_ptr<const Request>& request, const Reply& reply) {
        if (request->path != "/stream") return echo(request, reply);
        const std::lock_guard lock(mutex);
        streams.push_back(reply.stream({.content_type = "text/event-stream"}));
        streams.back()->on_close(
            [worker = std::this_thread::get_id()] { EXPECT_NE(std::this_thread::get_id(), worker); });
      },
      limits);
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 20; ++i) {
    clients.push_back(std::make_unique<Client>(server->port()));
    clients.back()->send("GET /stream HTTP/1.1\r\nHost: a\r\n\r\n");
  }
  ASSERT_TRUE(eventually([&] { return server->counters().streams_now == 20; }));

  for (const auto& stream : streams) stream->write("data: x\n\n");

  for (const auto& client : clients) EXPECT_TRUE(client->until("data: x\n\n").ends_with("data: x\n\n"));
  EXPECT_EQ(Client(server->port()).get("/one").body, "/one ");
  streams.clear();
  EXPECT_TRUE(eventually([&] { return server->counters().streams_now == 0; }));
}

TEST(Server, StreamsRawToHttp10) {
  Streams streams;
  const auto server = serve(streams.handler());
  Client client(server->port());
  client.send("GET / HTTP/1.0\r\n\r\n");
  ASSERT_TRUE(streams.opened.wait());

  streams.stream->write("data: x\n\n");
  streams.stream.reset();

  client.until("\r\n\r\n");
  EXPECT_EQ(client.until_end(), "data: x\n\n");
}

TEST(Server, SurvivesManyStreamsThatBreak) {
  std::mutex mutex;
  std::vector<std::shared_ptr<Stream>> streams;
  std::atomic<int> closed = 0;
  const auto server = serve([&](const std::shared_ptr<const Request>&, const Reply& reply) {
    auto stream = reply.stream({.content_type = "text/event-stream"});
    stream->on_close([&] { ++closed; });
    const std::lock_guard lock(mutex);
    streams.push_back(std::move(stream));
  });
  std::atomic<bool> ended = false;
  std::thread writer([&] {
    while (!ended) {
      const std::lock_guard lock(mutex);
      for (const auto& stream : streams) stream->write("data: x\n\n");
      std::erase_if(streams, [](const auto& stream) { return !stream->alive(); });
    }
  });

  for (int i = 0; i < 100; ++i) {
    Client client(server->port());
    client.send(kGet);
    client.until("data: x");
    if (i % 2 == 0) client.reset();
  }

  EXPECT_TRUE(eventually([&] { return closed == 100; }));
  ended = true;
  writer.join();
  EXPECT_EQ(server->counters().streams_now, 0U);
}

TEST(Server, DrainsOnStop) {
  Pool pool(1);
  Flag asked;
  Flag go;
  Streams streams;
  const Handler stream = streams.handler();
  const auto server = serve([&](std::shared_ptr<const Request> request, Reply reply) {
    if (request->path == "/stream") return stream(request, reply);
    pool.post([&, request = std::move(request), reply = std::move(reply)] {
      asked.raise();
      go.wait();
      echo(request, reply);
    });
  });
  Client busy(server->port());
  Client idle(server->port());
  Client reader(server->port());
  const int port = server->port();
  reader.send("GET /stream HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_TRUE(streams.opened.wait());
  busy.send(kGet);
  ASSERT_TRUE(asked.wait());

  std::thread stopping([&] { server->stop(); });
  EXPECT_EQ(idle.until_end(), "");
  EXPECT_TRUE(reader.until_end().ends_with("0\r\n\r\n"));
  EXPECT_FALSE(Client(port).connected());
  go.raise();
  const Answer answer = busy.answer();
  EXPECT_EQ(busy.until_end(), "");
  stopping.join();

  EXPECT_EQ(answer.body, "/ ");
  EXPECT_NE(answer.head.find("Connection: close\r\n"), std::string::npos);
  EXPECT_EQ(server->counters().connections_now, 0U);
}

TEST(Server, CutsWhatDoesNotDrainAndOutlivesNoReply) {
  Limits limits;
  limits.drain_timeout_ms = 50;
  std::mutex mutex;
  std::vector<Reply> kept;
  Flag asked;
  auto server = serve(
      [&](const std::shared_ptr<const Request>&, const Reply& reply) {
        const std::lock_guard lock(mutex);
        kept.push_back(reply);
        asked.raise();
      },
      limits);
  Client client(server->port());
  client.send(kGet);
  ASSERT_TRUE(asked.wait());

  server.reset();

  EXPECT_EQ(client.until_end(), "");
  EXPECT_TRUE(kept.front().send({}));  // to nobody
  kept.clear();
}

}  // namespace
}  // namespace emplace::http
