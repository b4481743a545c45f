#include "service/wiring/signals.h"

#include <pthread.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <QSocketNotifier>
#include <csignal>

namespace emplace {
namespace {

sigset_t handled() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, signal);
  return signals;
}

}  // namespace

struct Signals::Inside {
  int fd;
  QSocketNotifier notifier;
};

void Signals::block() {
  const sigset_t signals = handled();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

Signals::Signals(std::function<void()> stop, std::function<void()> reload) {
  const sigset_t signals = handled();
  const int fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
  inside_ = std::unique_ptr<Inside>(new Inside{fd, QSocketNotifier(fd, QSocketNotifier::Read)});
  QObject::connect(&inside_->notifier, &QSocketNotifier::activated,
                   [fd, stop = std::move(stop), reload = std::move(reload)] {
                     signalfd_siginfo info{};
                     while (read(fd, &info, sizeof info) == sizeof info) info.ssi_signo == SIGHUP ? reload() : stop();
                   });
}

Signals::~Signals() {
  inside_->notifier.setEnabled(false);
  close(inside_->fd);
}

}  // namespace emplace
