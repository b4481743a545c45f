#include <gtest/gtest.h>

#include <stdlib.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <future>

#include "tests/openstack/fake_cloud.h"

namespace emplace::openstack {
namespace {

TEST(Web, GivesStatusHeadersAndBody) {
  FakeCloud cloud(1, 0);

  const auto reply = cloud.web().fetch({"GET", cloud.url() + "/compute/v2.1/"}, in_ms(5'000));
  const auto refused = cloud.web().fetch({"GET", cloud.url() + "/compute/v2.1/os-services"}, in_ms(5'000));

  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(reply->status, 200);
  EXPECT_EQ(reply->header("content-type"), "application/json");
  EXPECT_NE(reply->body.find("\"2.93\""), std::string::npos);
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->status, 401);
}

TEST(Web, AsksByWayOfItsProxy) {
  FakeCloud cloud(1, 0);  // takes whole URLs, too
  ::setenv("http_proxy", cloud.url().c_str(), 1);
  const auto asked = [](const std::string& proxy) {
    return (*Web::create({.proxy = proxy}))->fetch({"GET", "http://nova.invalid:8774/compute/v2.1/"}, in_ms(5'000));
  };

  const auto by_proxy = asked(cloud.url()), directly = asked(""), by_nobody = asked("http://user:hunter2@127.0.0.1:1");
  ::unsetenv("http_proxy");

  ASSERT_TRUE(by_proxy) << by_proxy.error().message;
  EXPECT_EQ(by_proxy->status, 200);
  EXPECT_FALSE(directly) << "the environment is not read";
  ASSERT_FALSE(by_nobody);
  EXPECT_NE(by_nobody.error().message.find("proxy 127.0.0.1:1: "), std::string::npos) << by_nobody.error().message;
  EXPECT_EQ(by_nobody.error().message.find("hunter2"), std::string::npos) << by_nobody.error().message;
  for (const char* bad : {"nova:1", "https://p:1", "http://", "http:///x", "http://u:hunter2@:1", "socks4://p"}) {
    const auto none = Web::create({.proxy = bad});
    ASSERT_FALSE(none) << bad;
    EXPECT_EQ(none.error().message, "proxy: wanted http://HOST:PORT or socks5://HOST:PORT, found something else");
  }
}

TEST(Web, ShowsItsOwnCertificate) {
  const auto refused = [](const WebOptions& options) { return Web::create(options).error().message; };
  const std::string nowhere = "/nonexistent/me.pem";

  EXPECT_EQ(refused({.cert_file = nowhere}), nowhere + ": wanted certificates in PEM, found none");
}

TEST(Web, GivesUpOnWhoHangs) {
  FakeCloud cloud(1, 0);
  cloud.set(R"({"hang":["/compute"]})");

  const auto reply = cloud.web().fetch({"GET", cloud.url() + "/compute/v2.1/"}, in_ms(200));

  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, ErrorCode::kTimeout);
  EXPECT_NE(reply.error().message.find("GET " + cloud.url() + "/compute/v2.1/: no whole answer within 0.2 s"),
            std::string::npos)
      << reply.error().message;
}

TEST(Web, SaysThatNobodyListens) {
  FakeCloud cloud(1, 0);

  const auto reply = cloud.web().fetch({"GET", "http://127.0.0.1:1/"}, in_ms(5'000));

  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, ErrorCode::kUnavailable);
  EXPECT_NE(reply.error().message.find("refused"), std::string::npos) << reply.error().message;
}

TEST(Web, TakesNoHalfBody) {
  FakeCloud cloud(1, 0);
  cloud.set(R"({"truncate":["/compute"]})");

  const auto reply = cloud.web().fetch({"GET", cloud.url() + "/compute/v2.1/"}, in_ms(5'000));

  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, ErrorCode::kUnavailable);
}

TEST(Web, RefusesABodyBeyondTheLimit) {
  FakeCloud cloud(1, 0);
  const auto small = *Web::create({.most_bytes = 50});

  const auto reply = small->fetch({"GET", cloud.url() + "/compute/v2.1/"}, in_ms(5'000));

  ASSERT_FALSE(reply);
  EXPECT_NE(reply.error().message.find("at most 50 bytes"), std::string::npos) << reply.error().message;
}

TEST(Web, AnswersManyInTheirOrder) {
  FakeCloud cloud(1, 0);
  std::vector<WebRequest> requests;
  for (int i = 0; i < 50; ++i) {
    requests.push_back({"GET", cloud.url() + (i % 2 == 0 ? "/compute/v2.1/" : "/placement/")});
  }

  const auto replies = cloud.web().fetch_all(requests, in_ms(10'000));

  ASSERT_EQ(replies.size(), requests.size());
  for (std::size_t i = 0; i < replies.size(); ++i) {
    ASSERT_TRUE(replies[i]);
    EXPECT_EQ(replies[i]->body.find("v2.1") != std::string::npos, i % 2 == 0) << i;
  }
}

TEST(Web, EndsWhatWaitsWhenItStops) {
  FakeCloud cloud(1, 0);
  cloud.set(R"({"hang":["/compute"]})");
  const auto web = *Web::create({});
  auto waiting = std::async(std::launch::async, [&] {
    return web->fetch({"GET", cloud.url() + "/compute/v2.1/"}, in_ms(60'000));
  });
  ASSERT_TRUE(eventually([&] { return cloud.calls("GET /compute/v2.1/") == 1; }));

  web->stop();

  ASSERT_EQ(waiting.wait_for(std::chrono::seconds(10)), std::future_status::ready);
  EXPECT_FALSE(waiting.get());
  EXPECT_FALSE(web->fetch({"GET", cloud.url() + "/placement/"}, in_ms(1'000)));
}

// An HTTPS server of Python's with a certificate that it signed itself; `directory` holds it.
class SecureServer {
 public:
  SecureServer() {
    std::string path = "/tmp/emplace-tls-XXXXXX";
    directory = ::mkdtemp(path.data());
    const std::string make = "cd " + directory +
                             " && openssl req -x509 -newkey rsa:2048 -nodes -days 2 -keyout key.pem" +
                             " -out cert.pem -subj /CN=localhost -addext subjectAltName=DNS:localhost 2>/dev/null";
    if (std::system(make.c_str()) != 0) return;
    const std::string run =
        "cd " + directory + " && exec python3 -c \"import http.server as h, os, ssl\n" +
        "s = h.ThreadingHTTPServer(('127.0.0.1', 0), h.SimpleHTTPRequestHandler)\n" +
        "c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER); c.load_cert_chain('cert.pem', 'key.pem')\n" +
        "s.socket = c.wrap_socket(s.socket, server_side=True)\nprint(s.server_address[1], os.getpid(), flush=True)\n" +
        "s.serve_forever()\" 2>/dev/null";
    output_ = ::popen(run.c_str(), "r");
    if (output_ && std::fscanf(output_, "%d %d", &port, &pid_) != 2) port = 0;
  }
  ~SecureServer() {
    if (pid_ > 0) ::kill(pid_, SIGTERM);
    if (output_) ::pclose(output_);
    std::filesystem::remove_all(directory);
  }
  std::string directory;
  int port = 0;

 private:
  FILE* output_ = nullptr;
  pid_t pid_ = 0;
};

TEST(Web, VerifiesCertificates) {
  SecureServer server;
  if (server.port == 0) GTEST_SKIP() << "no openssl or python3";
  const std::string url = "https://localhost:" + std::to_string(server.port) + "/cert.pem";
  {
    const auto stranger = *Web::create({});
    const auto refused = stranger->fetch({"GET", url}, in_ms(5'000));
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().message.find("certificate"), std::string::npos) << refused.error().message;
  }

  const auto friend_of_it = *Web::create({.ca_file = server.directory + "/cert.pem"});
  const auto taken = friend_of_it->fetch({"GET", url}, in_ms(5'000));

  ASSERT_TRUE(taken) << taken.error().message;
  EXPECT_EQ(taken->status, 200);
}

TEST(Web, WantsCertificatesInItsCaFile) {
  const auto web = Web::create({.ca_file = "/dev/null"});
  ASSERT_FALSE(web);
  EXPECT_EQ(web.error().message, "/dev/null: wanted certificates in PEM, found none");
}

}  // namespace
}  // namespace emplace::openstack
