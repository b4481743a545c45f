#include "tests/libvirt/harness.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>

namespace emplace::testing_libvirt {

EventLoop& event_loop() {
  static EventLoop loop;
  return loop;
}

namespace {
// Made before the first host and destroyed after the last: static objects die in reverse order.
class LoopFirst : public ::testing::Environment {
 public:
  void SetUp() override { event_loop(); }
};
const ::testing::Environment* const kLoopFirst =
    ::testing::AddGlobalTestEnvironment(std::make_unique<LoopFirst>().release());
}  // namespace

TempDir::TempDir() {
  std::string name = (std::filesystem::temp_directory_path() / "emplace-libvirt-XXXXXX").string();
  path = mkdtemp(name.data());
}

TempDir::~TempDir() {
  std::error_code ignored;
  std::filesystem::remove_all(path, ignored);
}

std::string TempDir::write(const std::string& name, const std::string& text) const {
  const auto file = path / name;
  // Whole at once: a host may be reading the directory while it is written.
  std::ofstream(file.string() + ".new") << text;
  std::filesystem::rename(file.string() + ".new", file);
  return file.string();
}

std::string host_xml(const TestHost& host) {
  std::string pools;
  for (int i = 0; i < host.pools; ++i) {
    pools += fmt::format("<pool type='dir'><name>disks{0}</name><target><path>/nowhere/{0}</path></target></pool>", i);
  }
  return fmt::format(
      "<node><cpu><nodes>1</nodes><sockets>1</sockets><cores>{0}</cores><threads>1</threads><active>{0}</active>"
      "<mhz>2000</mhz><model>x86_64</model></cpu><memory>{1}</memory>{2}{3}</node>",
      host.vcpus, host.memory_mib * 1024, pools, host.domains);
}

HostConfig test_host(const TempDir& dir, const std::string& name, const TestHost& host) {
  HostConfig config;
  config.name = name;
  config.uri = "test://" + dir.write(name + ".xml", host_xml(host));
  return config;
}

std::string foreign_domain(const std::string& name, const Uuid& id, const std::string& metadata) {
  return fmt::format(
      "<domain type='test'><name>{}</name><uuid>{}</uuid><metadata>{}</metadata><memory>262144</memory><vcpu>1</vcpu>"
      "<os><type>hvm</type></os></domain>",
      name, to_string(id), metadata);
}

Reports Recorder::reports() {
  Reports reports;
  reports.connected = [this](const std::string& host, bool fresh, const std::string&) {
    note(host, [&](News& news) { news.connected.push_back(fresh); });
  };
  reports.disconnected = [this](const std::string& host, const std::string& reason) {
    note(host, [&](News& news) { news.disconnected.push_back(reason); });
  };
  reports.inventory = [this](const HostRow& row, const std::vector<std::string>&) {
    note(row.name, [&](News& news) { news.inventory.push_back(row); });
  };
  reports.domains = [this](const std::string& host, const std::vector<DomainSeen>& all) {
    note(host, [&](News& news) { news.domains.push_back(all); });
  };
  reports.domain = [this](const std::string& host, const DomainEvent& event) {
    note(host, [&](News& news) { news.events.push_back(event); });
  };
  return reports;
}

Recorder::News Recorder::wait(const std::string& host, const std::function<bool(const News&)>& wanted) {
  std::unique_lock lock(mutex_);
  EXPECT_TRUE(changed_.wait_for(lock, kLimit, [&] { return wanted(news_[host]); }))
      << "news of " << host << " never came";
  return news_[host];
}

Recorder::News Recorder::wait_connected(const std::string& host) {
  return wait(host, [](const News& news) { return !news.domains.empty(); });
}

Done Answer::done() const {
  return [state = state_](const Result<void>& result) {
    if (++state->answers == 1) {
      state->promise.set_value(result);
    } else {
      ADD_FAILURE() << "answered twice";
    }
  };
}

Result<void> Answer::wait() const {
  if (state_->future.wait_for(kLimit) == std::future_status::ready) return state_->future.get();
  ADD_FAILURE() << "never answered";
  return fail(ErrorCode::kInternal, "never answered");
}

Result<void> start(Hypervisors& hosts, const StartOrder& order) {
  const Answer answer;
  hosts.start(order, answer.done());
  return answer.wait();
}

Result<void> destroy(Hypervisors& hosts, const std::string& host, const Uuid& vm) {
  const Answer answer;
  hosts.destroy(host, vm, {}, answer.done());
  return answer.wait();
}

Result<std::vector<DomainSeen>> domains(Hypervisors& hosts, const std::string& host) {
  return hosts.domains(host, soon());
}

Uuid uuid(int n) { return *parse_uuid(fmt::format("00000000-0000-4000-8000-{:012}", n)); }

StartOrder order(const std::string& host, int vm, int claim) {
  StartOrder order;
  order.claim.id = uuid(claim);
  order.claim.vm = order.vm.id = uuid(vm);
  order.claim.vm_name = order.vm.name = fmt::format("vm-{}", vm);
  order.claim.host = host;
  order.vm.vcpus = 1;
  order.vm.memory_mib = 256;
  return order;
}

HypervisorOptions quick() {
  HypervisorOptions options;
  options.poll = std::chrono::hours(1);
  options.retry_first = std::chrono::milliseconds(1);
  options.retry_most = std::chrono::milliseconds(20);
  return options;
}

DeadPort::DeadPort(bool listening) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  socklen_t size = sizeof address;
  EXPECT_EQ(getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size), 0);
  port_ = ntohs(address.sin_port);
  if (listening) {
    EXPECT_EQ(listen(fd_, 64), 0);
  }
}

DeadPort::~DeadPort() { close_listener(); }

std::string DeadPort::uri() const { return fmt::format("qemu+tcp://127.0.0.1:{}/system", port_); }

int DeadPort::accept_one() const {
  pollfd ready{fd_, POLLIN, 0};
  EXPECT_EQ(poll(&ready, 1, static_cast<int>(std::chrono::milliseconds(kLimit).count())), 1) << "nobody connects";
  return accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
}

void DeadPort::close_listener() {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
}

}  // namespace emplace::testing_libvirt
