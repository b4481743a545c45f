// Health: whether the database answers, as the last thread that asked it learned, and since when not.
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
  };

  explicit Health(std::function<std::int64_t()> now_us) : now_us_(std::move(now_us)) {}

  void up() {
    const std::lock_guard lock(mutex_);
    state_ = {true, {}, 0};
  }
  void down(std::string message) {
    const std::int64_t now = now_us_();
    while (!message.empty() && message.back() == '\n') message.pop_back();
    const std::lock_guard lock(mutex_);
    if (state_.down_since_us == 0) state_.down_since_us = now;
    state_.connected = false;
    state_.message = std::move(message);
  }
  State state() const {
    const std::lock_guard lock(mutex_);
    return state_;
  }

 private:
  const std::function<std::int64_t()> now_us_;
  mutable std::mutex mutex_;
  State state_;
};

}  // namespace emplace
