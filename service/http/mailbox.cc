#include "service/http/mailbox.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <system_error>
#include <utility>

namespace emplace::http {

Mailbox::Mailbox() : fd_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  if (fd_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
}

Mailbox::~Mailbox() { ::close(fd_); }

bool Mailbox::post(Letter letter) {
  const std::lock_guard lock(mutex_);
  if (closed_) return false;
  letters_.push_back(std::move(letter));
  if (!awake_ && letters_.size() == 1) signal();
  return true;
}

void Mailbox::close() {
  std::vector<Letter> forgotten;  // declared first, destroyed after the lock: a letter may own what posts when it goes
  const std::lock_guard lock(mutex_);
  closed_ = true;
  forgotten.swap(letters_);
}

void Mailbox::wake() {
  std::uint64_t count = 0;
  const std::lock_guard lock(mutex_);
  awake_ = true;
  if (!signalled_) return;
  [[maybe_unused]] const ssize_t bytes = ::read(fd_, &count, sizeof count);
  signalled_ = false;
}

std::vector<Mailbox::Letter> Mailbox::take() {
  const std::lock_guard lock(mutex_);
  return std::exchange(letters_, {});
}

void Mailbox::rest() {
  const std::lock_guard lock(mutex_);
  awake_ = false;
  if (!letters_.empty()) signal();
}

void Mailbox::signal() {
  signalled_ = true;
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t bytes = ::write(fd_, &one, sizeof one);
}

}  // namespace emplace::http
