#include "service/http/acceptor.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace emplace::http {
namespace {

constexpr int kPauseMs = 50;  // between two tries when accepting fails for want of memory

std::string error_text() { return std::strerror(errno); }

int open_spare() { return ::open("/dev/null", O_RDONLY | O_CLOEXEC); }

struct HostAndPort {
  std::string host;
  std::string port;
};

Result<HostAndPort> host_and_port(const std::string& address) {
  const std::size_t colon = address.rfind(':');
  HostAndPort result;
  if (colon != std::string::npos) {
    result = {address.substr(0, colon), address.substr(colon + 1)};
  }
  if (result.host.size() > 2 && result.host.front() == '[' && result.host.back() == ']') {
    result.host = result.host.substr(1, result.host.size() - 2);
  }
  const bool digits = !result.port.empty() && result.port.find_first_not_of("0123456789") == std::string::npos;
  if (result.host.empty() || !digits || result.port.size() > 5 || std::stoi(result.port) > 65535) {
    return fail(ErrorCode::kInvalid, "listen: wanted ADDRESS:PORT or unix:/PATH, found \"" + address + "\"");
  }
  return result;
}

int listening_socket(const addrinfo& info) {
  const int fd = ::socket(info.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  const int one = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (::bind(fd, info.ai_addr, info.ai_addrlen) == 0 && ::listen(fd, SOMAXCONN) == 0) return fd;
  const int saved = errno;
  ::close(fd);
  errno = saved;
  return -1;
}

int port_of(int fd) {
  sockaddr_storage address = {};
  socklen_t size = sizeof address;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
  if (address.ss_family == AF_INET6) return ntohs(reinterpret_cast<const sockaddr_in6*>(&address)->sin6_port);
  return ntohs(reinterpret_cast<const sockaddr_in*>(&address)->sin_port);
}

// A socket file that a dead process left behind would keep us from binding; one that answers belongs to somebody.
void remove_stale(const sockaddr_un& address) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return;
  const int connected = ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  if (connected != 0 && errno == ECONNREFUSED) ::unlink(address.sun_path);
  ::close(fd);
}

constexpr std::string_view kUnix = "unix:";

Result<std::string> socket_path(const std::string& address) {
  std::string path = address.substr(kUnix.size());
  if (!path.empty() && path.size() < sizeof sockaddr_un().sun_path) return path;
  return fail(ErrorCode::kInvalid, "listen: wanted a socket path of 1 to 107 bytes, found \"" + path + "\"");
}

Result<int> unix_socket(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, path.size());
  remove_stale(address);
  addrinfo info = {};
  info.ai_family = AF_UNIX;
  info.ai_addr = reinterpret_cast<sockaddr*>(&address);
  info.ai_addrlen = sizeof address;
  const int fd = listening_socket(info);
  if (fd < 0) return fail(ErrorCode::kUnavailable, "listen: unix:" + path + ": " + error_text());
  ::chmod(path.c_str(), 0660);  // the socket's group is who may connect
  return fd;
}

Result<int> tcp_socket(const std::string& address, const HostAndPort& at) {
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int error = ::getaddrinfo(at.host.c_str(), at.port.c_str(), &hints, &found);
  if (error != 0) return fail(ErrorCode::kInvalid, "listen: " + address + ": " + ::gai_strerror(error));
  int fd = -1;
  for (const addrinfo* one = found; one && fd < 0; one = one->ai_next) fd = listening_socket(*one);
  const std::string why = error_text();
  ::freeaddrinfo(found);
  if (fd < 0) return fail(ErrorCode::kUnavailable, "listen: " + address + ": " + why);
  return fd;
}

}  // namespace

Result<void> Acceptor::check(const std::string& address) {
  if (address.starts_with(kUnix)) return socket_path(address).map([](const std::string&) {});
  return host_and_port(address).map([](const HostAndPort&) {});
}

Result<std::unique_ptr<Acceptor>> Acceptor::listen(const std::string& address) {
  if (address.starts_with(kUnix)) {
    const auto path = socket_path(address);
    if (!path) return tl::unexpected(path.error());
    const auto fd = unix_socket(*path);
    if (!fd) return tl::unexpected(fd.error());
    return std::unique_ptr<Acceptor>(new Acceptor(*fd, address, 0, *path));
  }
  const auto at = host_and_port(address);
  if (!at) return tl::unexpected(at.error());
  const auto fd = tcp_socket(address, *at);
  if (!fd) return tl::unexpected(fd.error());
  const int port = port_of(*fd);
  const std::string host = at->host.find(':') == std::string::npos ? at->host : "[" + at->host + "]";
  return std::unique_ptr<Acceptor>(new Acceptor(*fd, "http://" + host + ":" + std::to_string(port), port, ""));
}

Acceptor::Acceptor(int listener, std::string url, int port, std::string unix_path)
    : listener_(listener),
      url_(std::move(url)),
      port_(port),
      unix_path_(std::move(unix_path)),
      stop_signal_(::eventfd(0, EFD_CLOEXEC)),
      spare_(open_spare()) {}

Acceptor::~Acceptor() {
  stop();
  for (const int fd : {listener_, stop_signal_, spare_}) {
    if (fd >= 0) ::close(fd);
  }
}

void Acceptor::start(std::function<void(int)> take) {
  thread_ = std::thread([this, take = std::move(take)] { run(take); });
}

void Acceptor::stop() {
  if (thread_.joinable()) {
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(stop_signal_, &one, sizeof one);
    thread_.join();
  }
  if (listener_ < 0) return;
  ::close(listener_);
  listener_ = -1;
  if (!unix_path_.empty()) ::unlink(unix_path_.c_str());
}

void Acceptor::run(const std::function<void(int)>& take) {
  for (;;) {
    std::array<pollfd, 2> fds = {{{stop_signal_, POLLIN, 0}, {listener_, POLLIN, 0}}};
    if (::poll(fds.data(), fds.size(), -1) < 0 && errno != EINTR) return;
    accept_waiting(take);
    if (fds[0].revents != 0) return;
  }
}

void Acceptor::accept_waiting(const std::function<void(int)>& take) {
  for (;;) {
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      const int one = 1;
      ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);  // fails on unix sockets, which need none
      take(fd);
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      ++failures_;
      if (shed()) continue;
      pollfd stop = {stop_signal_, POLLIN, 0};
      ::poll(&stop, 1, kPauseMs);
      return;
    } else if (errno != EINTR && errno != ECONNABORTED) {
      return;
    }
  }
}

// Accepts one connection with the spare descriptor and closes it; false if that didn't work either.
bool Acceptor::shed() {
  if (spare_ < 0) spare_ = open_spare();
  if (spare_ < 0) return false;
  ::close(spare_);
  const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
  if (fd >= 0) ::close(fd);
  spare_ = open_spare();
  return fd >= 0;
}

}  // namespace emplace::http
