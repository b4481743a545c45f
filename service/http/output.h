// An Output is what waits to be sent to one client: pieces of bytes in order, which other connections may share.
//
// Threads: one at a time. Complexity: linear in the pieces, whatever their sizes; nothing is copied.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <string>
#include <vector>

#include "service/http/message.h"

namespace emplace::http {

class Output {
 public:
  void push(Bytes piece);
  void push(std::string piece) { push(std::make_shared<const std::string>(std::move(piece))); }

  std::size_t size() const { return size_; }          // bytes that were not sent yet
  std::size_t held() const { return size_ + sent_; }  // bytes in memory: pieces go when they are sent in full

  // One call of sendmsg: its result and errno. What was sent is forgotten, each piece as soon as all of it is.
  ssize_t send(int fd);

 private:
  void forget(std::size_t bytes);

  std::vector<Bytes> pieces_;
  std::size_t first_ = 0;  // of the pieces that are not sent in full
  std::size_t sent_ = 0;   // bytes of that piece
  std::size_t size_ = 0;
};

}  // namespace emplace::http
