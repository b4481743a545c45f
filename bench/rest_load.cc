// rest_load: keeps N connections busy with one kind of request for some seconds, and prints what came back as one JSON
// line: answers per second, latencies, statuses. It sends prepared bytes and reads no more of an answer than its
// length, so that on a small machine the measured service gets most of the time. Used by rest_bench.py.
//
//   rest_load HOST PORT CONNECTIONS SECONDS METHOD TARGET TOKEN_FILE BODY_FILE [RATE [release]]
//
// BODY_FILE may hold @N@, which becomes another number in each request; with POST and @N@ each request has its own
// Idempotency-Key. RATE > 0: so many requests per second in all, evenly spaced, latencies counted from the moment a
// request was due; 0: as fast as answers come. "release": each claim that is answered is given back by the same
// connection before its next request, so that the cluster never fills; what that is answered with is counted among the
// statuses alone.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <iterator>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("can't read " + path);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

struct Plan {
  std::string host, method, target, token, body;
  std::uint16_t port = 0;
  int connections = 1;
  double seconds = 1;
  double rate = 0;
  bool release = false;
};

std::string request_of(const Plan& plan, long number) {
  std::string body = plan.body;
  const std::size_t at = body.find("@N@");
  if (at != std::string::npos) body.replace(at, 3, std::to_string(number));
  std::string text = fmt::format("{} {} HTTP/1.1\r\nHost: {}:{}\r\nAuthorization: Bearer {}\r\n", plan.method,
                                 plan.target, plan.host, plan.port, plan.token);
  if (plan.method == "POST" && at != std::string::npos)
    text += fmt::format("Idempotency-Key: load-{}-{}\r\n", getpid(), number);
  if (!body.empty()) text += fmt::format("Content-Type: application/json\r\nContent-Length: {}\r\n", body.size());
  return text + "\r\n" + body;
}

// The id of the claim in the answer to a placement; empty: it has none.
std::string claim_in(const std::string& answer) {
  constexpr std::string_view kClaim = "\"claim\":{\"id\":\"";
  const std::size_t at = answer.find(kClaim);
  return at == std::string::npos ? "" : answer.substr(at + kClaim.size(), 36);
}

std::string release_of(const Plan& plan, const std::string& claim) {
  return fmt::format("DELETE /v1/claims/{} HTTP/1.1\r\nHost: {}:{}\r\nAuthorization: Bearer {}\r\n\r\n", claim,
                     plan.host, plan.port, plan.token);
}

// One keep-alive connection with at most one request on its way.
struct Connection {
  int fd = -1;
  std::string in;
  Clock::time_point due;
  bool busy = false;
  bool releasing = false;
};

class Load {
 public:
  explicit Load(Plan plan) : plan_(std::move(plan)), epoll_(epoll_create1(EPOLL_CLOEXEC)) {
    for (int i = 0; i < plan_.connections; ++i) connections_.push_back(open(i));
  }
  ~Load() {
    for (const Connection& connection : connections_) close(connection.fd);
    close(epoll_);
  }

  void run() {
    const auto start = Clock::now();
    const auto end = start + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(plan_.seconds));
    while (Clock::now() < end) {
      send_due(start);
      wait(plan_.rate > 0 ? 1 : 100);
    }
    elapsed_s_ = std::chrono::duration<double>(Clock::now() - start).count();
  }

  void report() {
    std::sort(latencies_us_.begin(), latencies_us_.end());
    const auto at = [&](double share) {
      return latencies_us_.empty()
                 ? 0.0
                 : latencies_us_[static_cast<std::size_t>(share * static_cast<double>(latencies_us_.size() - 1))];
    };
    std::string statuses;
    for (const auto& [status, count] : statuses_)
      statuses += fmt::format("{}\"{}\":{}", statuses.empty() ? "" : ",", status, count);
    fmt::print(
        "{{\"per_s\":{:.0f},\"answers\":{},\"cpu_s\":{:.3f},\"p50_ms\":{:.3f},\"p99_ms\":{:.3f},\"max_ms\":{:.3f},"
        "\"statuses\":{{{}}}}}"
        "\n",
        static_cast<double>(latencies_us_.size()) / elapsed_s_, latencies_us_.size(),
        static_cast<double>(std::clock()) / CLOCKS_PER_SEC, at(0.5) / 1000, at(0.99) / 1000, at(1) / 1000, statuses);
  }

 private:
  Connection open(int index) {
    Connection connection;
    connection.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(plan_.port);
    inet_pton(AF_INET, plan_.host.c_str(), &address.sin_addr);
    if (connect(connection.fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      throw std::runtime_error("no service there");
    }
    const int on = 1;
    setsockopt(connection.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u32 = static_cast<std::uint32_t>(index);
    epoll_ctl(epoll_, EPOLL_CTL_ADD, connection.fd, &event);
    return connection;
  }

  void send_due(Clock::time_point start) {
    const auto now = Clock::now();
    for (Connection& connection : connections_) {
      if (connection.busy) continue;
      connection.due = now;
      if (plan_.rate > 0) {
        connection.due = start + std::chrono::duration_cast<Clock::duration>(
                                     std::chrono::duration<double>(static_cast<double>(sent_) / plan_.rate));
        if (connection.due > now) return;
      }
      put(connection, request_of(plan_, sent_++));
      connection.busy = true;
    }
  }

  static void put(const Connection& connection, const std::string& text) {
    if (send(connection.fd, text.data(), text.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(text.size())) {
      throw std::runtime_error("the service closed the connection");
    }
  }

  void wait(int timeout_ms) {
    std::vector<epoll_event> events(connections_.size());
    const int count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), timeout_ms);
    for (int i = 0; i < count; ++i) receive(connections_[events[static_cast<std::size_t>(i)].data.u32]);
  }

  void receive(Connection& connection) {
    char buffer[65536];
    const ssize_t got = recv(connection.fd, buffer, sizeof buffer, 0);
    if (got <= 0) throw std::runtime_error("the service closed the connection");
    connection.in.append(buffer, static_cast<std::size_t>(got));
    const std::size_t head = connection.in.find("\r\n\r\n");
    if (head == std::string::npos) return;
    const std::size_t field = connection.in.find("Content-Length: ");
    const std::size_t length = field < head ? std::strtoul(connection.in.c_str() + field + 16, nullptr, 10) : 0;
    if (connection.in.size() < head + 4 + length) return;
    if (!connection.releasing)
      latencies_us_.push_back(std::chrono::duration<double, std::micro>(Clock::now() - connection.due).count());
    ++statuses_[connection.in.substr(9, 3)];
    const std::string claim = plan_.release && !connection.releasing ? claim_in(connection.in) : "";
    connection.in.clear();
    connection.releasing = connection.busy = !claim.empty();
    if (connection.releasing) put(connection, release_of(plan_, claim));
  }

  const Plan plan_;
  const int epoll_;
  std::vector<Connection> connections_;
  long sent_ = 0;
  double elapsed_s_ = 0;
  std::vector<double> latencies_us_;
  std::map<std::string, long> statuses_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 9) {
    fmt::print(stderr,
               "usage: rest_load HOST PORT CONNECTIONS SECONDS METHOD TARGET TOKEN_FILE BODY_FILE [RATE [release]]\n");
    return 2;
  }
  try {
    Plan plan{
        .host = argv[1], .method = argv[5], .target = argv[6], .token = read_file(argv[7]), .body = read_file(argv[8])};
    while (!plan.token.empty() && plan.token.back() == '\n') plan.token.pop_back();
    plan.port = static_cast<std::uint16_t>(std::strtoul(argv[2], nullptr, 10));
    plan.connections = std::max(1, std::atoi(argv[3]));
    plan.seconds = std::strtod(argv[4], nullptr);
    plan.rate = argc > 9 ? std::strtod(argv[9], nullptr) : 0;
    plan.release = argc > 10 && std::string_view(argv[10]) == "release";
    Load load(std::move(plan));
    load.run();
    load.report();
    return 0;
  } catch (const std::exception& error) {
    fmt::print(stderr, "rest_load: {}\n", error.what());
    return 1;
  }
}
