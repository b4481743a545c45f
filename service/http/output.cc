#include "service/http/output.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <utility>

namespace emplace::http {
namespace {

constexpr std::size_t kPiecesAtOnce = 64;
constexpr std::size_t kKeptPieces = 8;  // room for them, of a connection with nothing to send

}  // namespace

void Output::push(Bytes piece) {
  if (piece->empty()) return;
  size_ += piece->size();
  pieces_.push_back(std::move(piece));
}

ssize_t Output::send(int fd) {
  std::array<iovec, kPiecesAtOnce> parts = {};
  const std::size_t count = std::min(pieces_.size() - first_, parts.size());
  for (std::size_t i = 0; i < count; ++i) {
    const std::string& piece = *pieces_[first_ + i];
    const std::size_t skipped = i == 0 ? sent_ : 0;
    parts[i] = {const_cast<char*>(piece.data()) + skipped, piece.size() - skipped};  // sendmsg only reads them
  }
  msghdr message = {};
  message.msg_iov = parts.data();
  message.msg_iovlen = count;
  const ssize_t sent = ::sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent > 0) forget(static_cast<std::size_t>(sent));
  return sent;
}

void Output::forget(std::size_t bytes) {
  size_ -= bytes;
  sent_ += bytes;
  while (first_ < pieces_.size() && sent_ >= pieces_[first_]->size()) {
    sent_ -= pieces_[first_]->size();
    pieces_[first_++].reset();
  }
  if (first_ < pieces_.size() && first_ < kPiecesAtOnce) return;
  pieces_.erase(pieces_.begin(), pieces_.begin() + static_cast<std::ptrdiff_t>(first_));
  first_ = 0;
  if (pieces_.empty() && pieces_.capacity() > kKeptPieces) std::vector<Bytes>().swap(pieces_);
}

}  // namespace emplace::http
