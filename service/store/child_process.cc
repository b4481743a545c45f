#include "service/store/child_process.h"

#include <fcntl.h>
#include <grp.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

namespace emplace {
namespace {

bool become(const User& user) {
  return setgroups(0, nullptr) == 0 && setresgid(user.gid, user.gid, user.gid) == 0 &&
         setresuid(user.uid, user.uid, user.uid) == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

void reset_signals() {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  for (int signal = 1; signal < SIGRTMIN; ++signal) ::signal(signal, SIG_DFL);
}

// Only calls that are safe between fork and exec.
[[noreturn]] void become_command(char* const* arguments, int output, const Command& command, int parent) {
  reset_signals();
  setsid();
  dup2(output, STDOUT_FILENO);
  dup2(output, STDERR_FILENO);
  close(STDIN_FILENO);
  open("/dev/null", O_RDONLY);
  if (command.user && !become(*command.user)) _exit(126);
  // After the change of user, which clears it.
  if (command.signal_at_our_end != 0) {
    prctl(PR_SET_PDEATHSIG, command.signal_at_our_end, 0, 0, 0);
    if (getppid() != parent) _exit(126);
  }
  execv(arguments[0], arguments);
  _exit(127);
}

}  // namespace

int spawn(const Command& command) {
  std::vector<char*> arguments;
  for (const std::string& argument : command.arguments) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  const int output = open(command.output.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
  if (output < 0) return -1;
  const int parent = getpid();
  const int pid = fork();
  if (pid == 0) become_command(arguments.data(), output, command, parent);
  const int why = errno;
  close(output);
  errno = why;
  return pid;
}

int run_to_end(const Command& command) {
  const int pid = spawn(command);
  if (pid < 0) return -1;
  int status = 0;
  while (waitpid(pid, &status, 0) < 0)
    if (errno != EINTR) return -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace emplace
