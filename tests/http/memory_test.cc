// What connections cost: the memory of many is bounded whatever they did before, and comes back.
#include <gtest/gtest.h>
#include <malloc.h>
#include <sys/resource.h>

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

TEST(Memory, OfUnreadAnswersIsBoundedInAll) {
  constexpr std::size_t kClients = 16;
  Limits limits;
  limits.unsent_bytes = 24 * kMiB;
  const auto server =
      serve([](const std::shared_ptr<const Request>& request,
               const Reply& reply) { reply.send({.body = std::string(request->path == "/big" ? 8 * kMiB : 1, 'x')}); },
            limits);
  std::vector<std::unique_ptr<Client>> clients;
  for (std::size_t i = 0; i < kClients; ++i) clients.push_back(std::make_unique<Client>(server->port(), 4096));

  for (const auto& client : clients) client->send("GET /big HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(
      eventually([&] { return server->counters().requests == kClients && server->counters().requests_now == 0; }));
  EXPECT_LE(server->counters().unsent_bytes_now,
            limits.unsent_bytes + limits.workers * 8 * kMiB);  // each looks by itself
  EXPECT_EQ(Client(server->port()).get("/small").status, 200);

  std::size_t whole = 0;
  for (const auto& client : clients) {
    const Answer answer = client->answer();
    EXPECT_TRUE(answer.status == 503 || answer.body.size() == 8 * kMiB) << answer.status;
    if (answer.status == 200) ++whole;
  }
  EXPECT_GE(whole, 3U);
  EXPECT_LT(whole, kClients);
  EXPECT_TRUE(eventually([&] { return server->counters().unsent_bytes_now == 0; }));
}

}  // namespace
}  // namespace emplace::http
