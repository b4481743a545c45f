// What connections cost: the memory of many is bounded whatever they did before, and comes back.
#include <gtest/gtest.h>
#include <malloc.h>
#include <sys/resource.h>

#include <mutex>
#include <thread>

#include "tests/http/client.h"
#include "tests/http/serving.h"

namespace emplace::http {
namespace {

constexpr std::size_t kMiB = 1 << 20;

// In use from the heap, server and clients together. Sanitizers bring an allocator of their own, about which this says
// 0: under them only the behaviour is tested.
std::size_t heap_bytes() {
  const struct mallinfo2 heap = ::mallinfo2();
  return heap.uordblks + heap.hblkhd;
}

std::size_t grown(std::size_t before) {
  const std::size_t now = heap_bytes();
  return now > before ? now - before : 0;
}

// Raises the limit of open descriptors for as long as it lives.
class ManyDescriptors {
 public:
  explicit ManyDescriptors(rlim_t wanted) {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    const rlimit many = {std::max(before_.rlim_cur, std::min(wanted, before_.rlim_max)), before_.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &many);
    enough_ = many.rlim_cur >= wanted;
  }
  ~ManyDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }
  ManyDescriptors(const ManyDescriptors&) = delete;
  ManyDescriptors& operator=(const ManyDescriptors&) = delete;

  bool enough() const { return enough_; }

 private:
  rlimit before_ = {};
  bool enough_ = false;
};

std::vector<std::unique_ptr<Client>> connected(const Server& server, std::size_t count) {
  std::vector<std::unique_ptr<Client>> clients;
  for (std::size_t i = 0; i < count; ++i) clients.push_back(std::make_unique<Client>(server.port()));
  return clients;
}

TEST(Memory, OfFiveThousandIdleConnectionsIsSmallAndComesBack) {
  constexpr std::size_t kClients = 5'000;
  const ManyDescriptors many(2 * kClients + 200);
  if (!many.enough()) GTEST_SKIP() << "the hard limit of open descriptors is below " << 2 * kClients + 200;
  const auto server = serve(echo);
  EXPECT_EQ(Client(server->port()).get("/warm").status, 200);
  const std::size_t before = heap_bytes();

  auto clients = connected(*server, kClients);
  for (const auto& client : clients) ASSERT_EQ(client->get("/one").body, "/one ");
  const std::size_t each = grown(before) / kClients;
  RecordProperty("bytes_per_connection", static_cast<int>(each));
  std::printf("%zu bytes of heap per idle connection, the client's end included\n", each);

  EXPECT_EQ(server->counters().connections_now, kClients);
  EXPECT_LT(each, 8 * 1024U);
  EXPECT_EQ(Client(server->port()).get("/another").status, 200);
  clients.clear();
  EXPECT_TRUE(eventually([&] { return server->counters().connections_now == 0; }));
  EXPECT_LT(grown(before), 2 * kMiB);
}

TEST(Memory, OfABigAnswerComesBackWhileTheConnectionStays) {
  constexpr std::size_t kClients = 16;
  const auto server = serve([](const std::shared_ptr<const Request>& request, const Reply& reply) {
    reply.send({.body = std::string(request->path == "/big" ? 4 * kMiB : 1, 'x')});
  });
  const auto clients = connected(*server, kClients);
  for (const auto& client : clients) client->get("/small");
  const std::size_t before = heap_bytes();

  for (const auto& client : clients) ASSERT_EQ(client->get("/big").body.size(), 4 * kMiB);

  EXPECT_TRUE(eventually([&] { return grown(before) < 2 * kMiB; })) << grown(before);
  EXPECT_EQ(server->counters().connections_now, kClients);
}

TEST(Memory, OfABigHeaderComesBackWhileTheConnectionStays) {
  constexpr std::size_t kClients = 200;
  const auto server = serve(echo);
  const auto clients = connected(*server, kClients);
  for (const auto& client : clients) client->get("/small");
  const std::size_t before = heap_bytes();

  for (const auto& client : clients) {
    client->send("GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(15'000, 'x') + "\r\n\r\n");
    ASSERT_EQ(client->answer().status, 200);
  }

  EXPECT_TRUE(eventually([&] { return grown(before) < kMiB; })) << grown(before);
}

// A body is read before anybody knows whose it is.
TEST(Memory, OfBodiesIsBoundedInAll) {
  constexpr std::size_t kClients = 32;
  Limits limits;
  limits.framing.body_bytes = kMiB;
  limits.big_bodies = 8;
  const auto server = serve(echo, limits);
  const std::size_t before = heap_bytes();

  auto clients = connected(*server, kClients);
  for (const auto& client : clients) {
    client->send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(kMiB) + "\r\n\r\n" +
                 std::string(kMiB - 1, 'x'));
  }
  EXPECT_TRUE(eventually([&] { return server->counters().refused[503] > 0; }));
  EXPECT_LE(server->counters().body_bytes_now, 9 * kMiB);
  EXPECT_LT(grown(before), 24 * kMiB);  // strings grow by doubling
  EXPECT_EQ(Client(server->port()).get("/small").status, 200);

  std::size_t answered = 0;
  for (const auto& client : clients) {
    client->send("x");
    const int status = client->answer().status;
    EXPECT_TRUE(status == 200 || status == 503) << status;
    if (status == 200) ++answered;
  }
  EXPECT_GE(answered, 1U);
  EXPECT_LT(answered, kClients);
  clients.clear();
  EXPECT_TRUE(eventually([&] { return server->counters().body_bytes_now == 0; }));
}

TEST(Memory, OfAnAnsweredBodyIsFreeForTheNext) {
  Limits limits;
  limits.framing.body_bytes = kMiB;
  limits.big_bodies = 1;
  const auto server = serve(echo, limits);
  Client client(server->port());

  for (int i = 0; i < 5; ++i) {
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(kMiB) + "\r\n\r\n" +
                std::string(kMiB, 'x'));
    ASSERT_EQ(client.answer().status, 200) << i;
  }
}

// Answers with as many megabytes as the path says.
void answer_megabytes(const std::shared_ptr<const Request>& request, const Reply& reply) {
  reply.send({.body = std::string(std::stoul(request->path.substr(1)) * kMiB, 'x')});
}

std::vector<std::unique_ptr<Client>> slow_clients(const Server& server, std::size_t count) {
  std::vector<std::unique_ptr<Client>> clients;
  for (std::size_t i = 0; i < count; ++i) clients.push_back(std::make_unique<Client>(server.port(), 4096));
  return clients;
}

void ask(Client& client, const std::string& target) { client.send("GET " + target + " HTTP/1.1\r\nHost: a\r\n\r\n"); }

TEST(Memory, OfUnreadAnswersIsBoundedInAll) {
  constexpr std::size_t kClients = 32;
  Limits limits;
  limits.unsent_bytes = 32 * kMiB;
  const auto server = serve(answer_megabytes, limits);
  const std::size_t before = heap_bytes();
  const auto clients = slow_clients(*server, kClients);

  for (std::size_t i = 0; i < kClients; ++i) {
    ask(*clients[i], "/8");
    ASSERT_TRUE(
        eventually([&] { return server->counters().requests == i + 1 && server->counters().requests_now == 0; }));
    EXPECT_LE(server->counters().unsent_bytes_now, limits.unsent_bytes);
  }
  EXPECT_TRUE(eventually([&] { return server->counters().answers_dropped >= kClients - 4; }));
  EXPECT_TRUE(eventually([&] { return grown(before) < limits.unsent_bytes + 4 * kMiB; })) << grown(before);
  EXPECT_EQ(Client(server->port()).get("/1").body.size(), kMiB);

  EXPECT_LT(clients.front()->answer().body.size(), 8 * kMiB) << "the oldest goes first";
  EXPECT_EQ(clients.back()->answer().body.size(), 8 * kMiB);
  EXPECT_TRUE(eventually([&] { return grown(before) < limits.unsent_bytes; }));
}

TEST(Memory, OfUnreadAnswersIsTakenFromTheLargestFirst) {
  Limits limits;
  limits.unsent_bytes = 32 * kMiB;
  std::mutex mutex;
  std::vector<std::string> lines;
  auto server = Server::start("127.0.0.1:0", limits, answer_megabytes, [&](std::string_view, const std::string& line) {
    const std::lock_guard lock(mutex);
    lines.push_back(line);
  });
  const auto clients = slow_clients(**server, 3);
  const auto answered = [&](std::uint64_t count) {
    return eventually(
        [&] { return (*server)->counters().requests == count && (*server)->counters().requests_now == 0; });
  };

  ask(*clients[0], "/7");
  ASSERT_TRUE(answered(1));
  ask(*clients[1], "/20");
  ASSERT_TRUE(answered(2));
  std::this_thread::sleep_for(std::chrono::milliseconds(50));  // ages that hardly differ
  ask(*clients[2], "/16");
  ASSERT_TRUE(answered(3));

  EXPECT_TRUE(eventually([&] { return (*server)->counters().answers_dropped == 1; }));
  EXPECT_LT(clients[1]->answer().body.size(), 20 * kMiB);
  EXPECT_EQ(clients[0]->answer().body.size(), 7 * kMiB);
  EXPECT_EQ(clients[2]->answer().body.size(), 16 * kMiB);
  server->reset();
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_TRUE(lines[0].starts_with("event=client_dropped client=127.0.0.1:")) << lines[0];
}

TEST(Memory, OfAnAnswerBeyondAllIsRefusedClearly) {
  Limits limits;
  limits.unsent_bytes = 4 * kMiB;
  const auto server = serve(answer_megabytes, limits);
  Client client(server->port());

  const Answer answer = client.get("/5");

  EXPECT_EQ(answer.status, 503);
  EXPECT_NE(answer.body.find("limits.answers_mib"), std::string::npos);
  EXPECT_EQ(client.get("/1").body.size(), kMiB);
}

// Requests that wait behind an answer that nobody takes hold nothing but themselves.
TEST(Memory, OfPipelinedRequestsIsThatOfOneAnswer) {
  Limits limits;
  limits.unsent_bytes = 32 * kMiB;
  const auto server = serve(answer_megabytes, limits);
  const std::size_t before = heap_bytes();
  Client client(server->port(), 4096);

  for (int i = 0; i < 6; ++i) ask(client, "/8");
  EXPECT_TRUE(eventually([&] { return server->counters().unsent_bytes_now > 0; }));

  EXPECT_LT(grown(before), 12 * kMiB);
  for (int i = 0; i < 6; ++i) ASSERT_EQ(client.answer().body.size(), 8 * kMiB);
  EXPECT_EQ(server->counters().answers_dropped, 0U);
}

TEST(Memory, OfOneEventIsSharedByAllStreams) {
  constexpr std::size_t kStreams = 64;
  std::mutex mutex;
  std::vector<std::shared_ptr<Stream>> streams;
  Limits limits;
  limits.stream_unsent_bytes = 64 * kMiB;
  const auto server = serve(
      [&](const std::shared_ptr<const Request>&, const Reply& reply) {
        const std::lock_guard lock(mutex);
        streams.push_back(reply.stream({.content_type = "text/event-stream"}));
      },
      limits);
  const auto clients = slow_clients(*server, kStreams);
  for (const auto& client : clients) client->send(kGet);
  EXPECT_TRUE(eventually([&] { return server->counters().streams_now == kStreams; }));
  const std::size_t before = heap_bytes();

  const auto event = std::make_shared<const std::string>(16 * kMiB, 'x');
  for (const auto& stream : streams) EXPECT_TRUE(stream->write(event));

  EXPECT_TRUE(eventually([&] { return streams.back()->unsent() > 0 && streams.back()->unsent() < event->size(); }));
  EXPECT_LT(grown(before), 20 * kMiB);
}

}  // namespace
}  // namespace emplace::http
