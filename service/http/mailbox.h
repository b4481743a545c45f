// A Mailbox is how other threads speak to a worker: a queue of things to do on it, and an eventfd that wakes it.
//
// The worker says wake() when it starts to work through events and takes letters until there are none; while it is
// awake, posting costs no system call. close() forgets what is queued and refuses what comes: a letter may point to the
// worker, which is gone by then.
//
// Threads: post and close from any; wake, take and rest from the worker.
#pragma once

#include <functional>
#include <mutex>
#include <vector>

namespace emplace::http {

class Mailbox {
 public:
  using Letter = std::function<void()>;

  Mailbox();  // throws std::system_error if the system gives no eventfd
  ~Mailbox();
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  // False after close().
  bool post(Letter letter);
  void close();

  int fd() const { return fd_; }  // readable when there are letters and the worker rests
  void wake();
  std::vector<Letter> take();
  void rest();

 private:
  void signal();

  const int fd_;
  std::mutex mutex_;
  std::vector<Letter> letters_;
  bool awake_ = false;
  bool signalled_ = false;  // the eventfd is readable
  bool closed_ = false;
};

}  // namespace emplace::http
