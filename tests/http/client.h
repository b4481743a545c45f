// A Client is one plain TCP connection for tests: it sends exactly the bytes it is told to, and reads answers.
//
// Threads: one at a time. Every wait ends after 10 s, so that a test fails instead of hanging.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <utility>

namespace emplace::http {

struct Answer {
  int status = 0;  // 0: the connection ended first
  std::string head;
  std::string body;
};

class Client {
 public:
  // `receive_bytes` > 0 keeps the kernel from taking much on our behalf: a slow reader.
  explicit Client(int port, int receive_bytes = 0) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    if (receive_bytes > 0) ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof receive_bytes);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connect(reinterpret_cast<const sockaddr*>(&address), sizeof address);
  }

  explicit Client(const std::string& unix_path) : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    unix_path.copy(address.sun_path, sizeof address.sun_path - 1);
    connect(reinterpret_cast<const sockaddr*>(&address), sizeof address);
  }

  Client(Client&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)), connected_(other.connected_), input_(std::move(other.input_)) {}
  Client& operator=(Client&&) = delete;
  ~Client() {
    if (fd_ >= 0) ::close(fd_);
  }

  bool connected() const { return connected_; }

  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t count = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (count <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(count));
    }
    return true;
  }

  // Whether there is something to read, or the end, within the time.
  bool readable(int within_ms) {
    pollfd one = {fd_, POLLIN, 0};
    return !input_.empty() || ::poll(&one, 1, within_ms) == 1;
  }

  void half_close() { ::shutdown(fd_, SHUT_WR); }

  // Closes with a reset instead of an orderly end.
  void reset() {
    const linger hard = {1, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    ::close(std::exchange(fd_, -1));
  }

  // Bytes up to and including `mark`; what there is if the connection ends first.
  std::string until(std::string_view mark) {
    for (;;) {
      const std::size_t at = input_.find(mark);
      if (at != std::string::npos) return cut(at + mark.size());
      if (!more()) return cut(input_.size());
    }
  }

  // At most so many bytes, thrown away; false at the end.
  bool take(std::size_t count) {
    std::string bytes(count, '\0');
    return ::recv(fd_, bytes.data(), count, 0) > 0;
  }

  std::string until_end() {
    while (more()) {
    }
    return cut(input_.size());
  }

  Answer answer(bool head = false) {
    Answer result;
    do {
      result.head = until("\r\n\r\n");
      if (result.head.size() < 12) return result;
      result.status = std::atoi(result.head.c_str() + 9);
    } while (result.status == 100);
    const std::size_t field = result.head.find("Content-Length: ");
    const std::size_t length =
        field == std::string::npos ? 0 : std::strtoul(result.head.c_str() + field + 16, nullptr, 10);
    while (!head && input_.size() < length && more()) {
    }
    if (!head) result.body = cut(std::min(length, input_.size()));
    return result;
  }

  Answer get(const std::string& target) {
    send("GET " + target + " HTTP/1.1\r\nHost: a\r\n\r\n");
    return answer();
  }

 private:
  void connect(const sockaddr* address, socklen_t size) {
    const timeval limit = {10, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    connected_ = ::connect(fd_, address, size) == 0;
  }

  bool more() {
    char buffer[16 * 1024];
    const ssize_t count = ::recv(fd_, buffer, sizeof buffer, 0);
    if (count > 0) input_.append(buffer, static_cast<std::size_t>(count));
    return count > 0;
  }

  std::string cut(std::size_t count) {
    std::string result = input_.substr(0, count);
    input_.erase(0, count);
    if (input_.empty()) input_.shrink_to_fit();  // tests of the server's memory share the heap with us
    return result;
  }

  int fd_;
  bool connected_ = false;
  std::string input_;
};

}  // namespace emplace::http
