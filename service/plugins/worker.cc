#include "service/plugins/worker.h"

#include <fmt/format.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>

namespace emplace {
namespace {

using std::chrono::milliseconds;

}  // namespace

Worker::Worker(Order order) : order_(std::move(order)), wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

Worker::~Worker() {
  stop();
  close(wake_);
}

void Worker::start(std::function<void()> started) {
  started_ = std::move(started);
  thread_ = std::thread([this] { run(); });
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return tried_; });
}

void Worker::stop() {
  std::shared_ptr<WorkerProcess> process;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    status_.state = State::kStopped;
    process = process_;
  }
  // Also while the plugin is being loaded, or is shown a picture: neither may hold up the end.
  if (process) process->kill("the plugin is not needed any more");
  eventfd_write(wake_, 1);
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

Result<std::shared_ptr<WorkerProcess>> Worker::process() const {
  const std::lock_guard lock(mutex_);
  const bool own_thread = std::this_thread::get_id() == own_thread_.load();
  if (process_ && (status_.state == State::kRunning || own_thread)) return process_;
  const bool refused = status_.state == State::kRefused;
  return fail(ErrorCode::kUnavailable,
              fmt::format("its worker {}{}{}", refused ? "cannot be started" : "is being started again",
                          status_.last_error.empty() ? "" : ": ", status_.last_error));
}

void Worker::worked() {
  const std::lock_guard lock(mutex_);
  failures_ = 0;
}

void Worker::lost(const WorkerProcess& process, const std::string& why) {
  const std::lock_guard lock(mutex_);
  if (process_.get() != &process || stopping_) return;
  status_.state = State::kStarting;
  status_.last_error = why;
}

Worker::Status Worker::status() const {
  const std::lock_guard lock(mutex_);
  return status_;
}

void Worker::set(State state, std::shared_ptr<WorkerProcess> process, const std::string& error) {
  {
    const std::lock_guard lock(mutex_);
    process_ = std::move(process);
    if (stopping_) return;
    status_.state = state;
    if (!error.empty()) status_.last_error = error;
    if (state != State::kStarting) tried_ = true;
  }
  changed_.notify_all();
}

void Worker::run() {
  own_thread_ = std::this_thread::get_id();
  for (bool first = true; first || wait_back_off(); first = false) {
    const auto process = start_process();
    if (!process) {
      set(State::kRefused, nullptr, process.error().message);
      continue;
    }
    started_();
    set(State::kRunning, *process, {});
    if (!(*process)->wait_for_end(wake_)) break;
    set(State::kStarting, nullptr, (*process)->ending());
  }
  set(State::kStopped, nullptr, {});
}

// False: stop.
bool Worker::wait_back_off() {
  std::unique_lock lock(mutex_);
  const WorkerSettings& settings = order_.settings;
  const std::int64_t wait_ms =
      std::min(settings.longest_back_off_ms, settings.first_back_off_ms << std::min(failures_, 20));
  ++failures_;
  ++status_.restarts;
  changed_.wait_for(lock, milliseconds(wait_ms), [this] { return stopping_; });
  return !stopping_;
}

Result<std::shared_ptr<WorkerProcess>> Worker::start_process() {
  auto started = WorkerProcess::start(order_.settings, *order_.annex, order_.load.library->copy_fd());
  if (!started) return tl::unexpected(started.error());
  std::shared_ptr<WorkerProcess> process = *std::move(started);
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return fail(ErrorCode::kUnavailable, "stopped");
    process_ = process;  // so that stop() reaches it
  }
  const auto loaded = load_into(*process, order_.load, order_.settings);
  if (!loaded) {
    process->kill("was not loaded");
    return tl::unexpected(loaded.error());
  }
  const std::lock_guard lock(mutex_);
  status_.confinement = *loaded;
  return process;
}

}  // namespace emplace
