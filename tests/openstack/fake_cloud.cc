#include "tests/openstack/fake_cloud.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <QCoreApplication>
#include <array>
#include <csignal>
#include <cstdio>

#include "service/core/json/json.h"

namespace emplace::openstack {

FakeCloud::FakeCloud(int hosts, int servers) {
  std::array<int, 2> in{}, out{};
  if (::pipe(in.data()) != 0 || ::pipe(out.data()) != 0) throw std::runtime_error("no pipe");
  pid_ = ::fork();
  if (pid_ == 0) {
    ::dup2(in[0], 0);
    ::dup2(out[1], 1);
    for (const int fd : {in[0], in[1], out[0], out[1]}) ::close(fd);
    ::execl("/usr/bin/python3", "python3", FAKE_CLOUD, "--hosts", std::to_string(hosts).c_str(), "--servers",
            std::to_string(servers).c_str(), nullptr);
    ::_exit(127);
  }
  ::close(in[0]);
  ::close(out[1]);
  stdin_ = in[1];
  FILE* const text = ::fdopen(out[0], "r");
  if (std::fscanf(text, "port %d", &port_) != 1) ADD_FAILURE() << "the fake cloud did not start";
  std::fclose(text);
  web_ = *Web::create({.timeout = std::chrono::milliseconds(5'000)});
}

FakeCloud::~FakeCloud() {
  ::close(stdin_);
  ::kill(pid_, SIGTERM);
  ::waitpid(pid_, nullptr, 0);
}

void FakeCloud::set(const std::string& json) {
  const auto done = web_->fetch({"POST", url() + "/control", {}, json}, in_ms(5'000));
  ASSERT_TRUE(done && done->status == 200) << json;
}

int FakeCloud::calls(const std::string& which) {
  const auto reply = web_->fetch({"GET", url() + "/control/counts"}, in_ms(5'000));
  const auto document = reply ? JsonDocument::parse(reply->body) : tl::unexpected(reply.error());
  const auto found = document ? document->root().find(which) : std::nullopt;
  return found ? static_cast<int>(found->number()) : 0;
}

KeystoneOptions FakeCloud::options() const {
  KeystoneOptions options;
  options.auth_url = url() + "/identity";
  options.credentials.username = "emplace";
  options.credentials.password = "secret";
  options.credentials.project = "demo";
  options.region = "RegionOne";
  options.backoff = {std::chrono::milliseconds(20), std::chrono::milliseconds(200)};
  return options;
}

}  // namespace emplace::openstack

int main(int argc, char** argv) {
  const QCoreApplication application(argc, argv);
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
