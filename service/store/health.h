// Health: whether the database answers, as the last thread that asked it learned, and since when not; whether it has
// room to write; whether it must not be used at all.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <string>

namespace emplace {

class Health {
 public:
  struct State {
    bool connected = false;
    std::string message;
    std::int64_t down_since_us = 0;
    std::string full;  // what it said when it had no room; empty: it has
  };

  explicit Health(std::function<std::int64_t()> now_us) : now_us_(std::move(now_us)) {}

  void up() {
    const std::lock_guard lock(mutex_);
    if (!refused_.empty()) return;
    state_.connected = true;
    state_.message.clear();
    state_.down_since_us = 0;
  }
  void down(std::string message) {
    const std::lock_guard lock(mutex_);
    set_down(std::move(message));
  }

  // Something was written that takes room, or could not be.
  void wrote() {
    up();
    const std::lock_guard lock(mutex_);
    state_.full.clear();
  }
  void full(std::string message) {
    const std::lock_guard lock(mutex_);
    state_.full = std::move(message);
    full_at_us_ = now_us_();
  }

  // From here on nothing may be asked of it, until allow().
  void refuse(std::string message) {
    const std::lock_guard lock(mutex_);
    refused_ = message;
    ++refusals_;
    set_down(std::move(message));
  }
  void allow() {
    const std::lock_guard lock(mutex_);
    refused_.clear();
  }
  // How often it was refused: a session from before one is to be closed.
  int refusals() const {
    const std::lock_guard lock(mutex_);
    return refusals_;
  }
  std::string refused() const {  // why; empty: it is not
    const std::lock_guard lock(mutex_);
    return refused_;
  }

  State state() const {
    const std::int64_t now = now_us_();
    const std::lock_guard lock(mutex_);
    State state = state_;
    if (now - full_at_us_ > kFullFor_us) state.full.clear();
    return state;
  }

 private:
  // Where nothing is written nobody would notice that there is room again.
  static constexpr std::int64_t kFullFor_us = 60'000'000;

  void set_down(std::string message) {
    while (!message.empty() && message.back() == '\n') message.pop_back();
    if (state_.down_since_us == 0) state_.down_since_us = now_us_();
    state_.connected = false;
    state_.message = std::move(message);
  }

  const std::function<std::int64_t()> now_us_;
  mutable std::mutex mutex_;
  State state_;
  std::int64_t full_at_us_ = 0;
  std::string refused_;
  int refusals_ = 0;
};

}  // namespace emplace
