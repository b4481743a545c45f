#include "service/store/embedded.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <pwd.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstring>
#include <fstream>
#include <future>
#include <optional>
#include <vector>

#include "service/core/base/shown_text.h"
#include "service/store/child_process.h"

// glibc 2.36 declares its functions without C linkage.
extern "C" {
#include <sys/pidfd.h>
}

namespace emplace {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr char kLayout[] = "1";
constexpr char kUser[] = "emplace";
constexpr std::size_t kLongestSocketPath = 107;
constexpr std::uintmax_t kLogLimit = 16 << 20;

std::string first_line(const fs::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

std::optional<int> whole_number(std::string_view text) {
  int value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && stop != text.data() ? std::optional(value) : std::nullopt;
}

// Not there, or not for us to enter: the same.
bool has_server(const fs::path& directory) {
  std::error_code ignored;
  return fs::exists(directory / "postgres", ignored) && fs::exists(directory / "initdb", ignored);
}

// The majors installed the way Debian does, newest first.
std::vector<int> installed_majors() {
  std::vector<int> majors;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/usr/lib/postgresql", error))
    if (const auto major = whole_number(entry.path().filename().string()); major && has_server(entry.path() / "bin"))
      majors.push_back(*major);
  std::sort(majors.rbegin(), majors.rend());
  return majors;
}

fs::path debian_binaries(int major) { return fmt::format("/usr/lib/postgresql/{}/bin", major); }

std::optional<fs::path> binaries_in_path() {
  const char* const path = std::getenv("PATH");
  std::string_view rest = path != nullptr ? path : "";
  while (!rest.empty()) {
    const auto colon = std::min(rest.find(':'), rest.size());
    const fs::path directory(rest.substr(0, colon));
    if (has_server(directory)) return directory;
    rest.remove_prefix(std::min(colon + 1, rest.size()));
  }
  return std::nullopt;
}

// PostgreSQL refuses to run as root; then it runs as the user its package made.
std::optional<User> server_user() {
  if (geteuid() != 0) return std::nullopt;
  const passwd* const found = getpwnam("postgres");
  return found != nullptr ? std::optional(User{found->pw_uid, found->pw_gid}) : std::nullopt;
}

bool give_to(const std::optional<User>& user, const fs::path& path) {
  return !user || chown(path.c_str(), user->uid, user->gid) == 0;
}

std::optional<fs::path> not_searchable(const fs::path& directory) {
  for (fs::path at = directory; at != at.root_path(); at = at.parent_path()) {
    struct stat status {};
    if (stat(at.c_str(), &status) == 0 && (status.st_mode & S_IXOTH) == 0) return at;
  }
  return std::nullopt;
}

std::string last_lines(const fs::path& path) {
  std::ifstream file(path);
  std::string line, last;
  while (std::getline(file, line))
    if (!line.empty()) last = line;
  return last;
}

bool is_server_of(int pid, const fs::path& cluster) {
  std::error_code error;
  return fs::equivalent(fmt::format("/proc/{}/cwd", pid), cluster, error) &&
         first_line(fmt::format("/proc/{}/comm", pid)) == "postgres";
}

// PostgreSQL writes "ready" into the eighth line of its pid file once it takes connections.
bool says_ready(const fs::path& cluster, int pid) {
  std::ifstream file(cluster / "postmaster.pid");
  std::string line;
  if (!std::getline(file, line) || whole_number(line) != pid) return false;
  for (int i = 0; i < 7; ++i)
    if (!std::getline(file, line)) return false;
  return line.starts_with("ready");
}

}  // namespace

EmbeddedPostgres::EmbeddedPostgres(fs::path directory, Log log)
    : directory_(std::move(directory)), cluster_(directory_ / "pg"), log_(std::move(log)) {}

Result<std::unique_ptr<EmbeddedPostgres>> EmbeddedPostgres::start(const fs::path& directory, Log log) {
  std::unique_ptr<EmbeddedPostgres> server(
      new EmbeddedPostgres(fs::absolute(directory).lexically_normal(), std::move(log)));
  if (auto prepared = server->prepare(); !prepared) return tl::unexpected(prepared.error());
  std::promise<bool> first_start;
  auto started = first_start.get_future();
  server->stop_ = eventfd(0, EFD_CLOEXEC);
  server->thread_ = std::thread(
      [self = server.get(), promise = std::move(first_start)]() mutable { self->supervise(std::move(promise)); });
  if (started.get()) return server;
  return fail(ErrorCode::kUnavailable,
              fmt::format("the embedded PostgreSQL does not start: {} (see {})",
                          last_lines(server->directory_ / "pg.log"), (server->directory_ / "pg.log").string()));
}

EmbeddedPostgres::~EmbeddedPostgres() {
  if (thread_.joinable()) {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = write(stop_, &one, sizeof one);
    thread_.join();
  }
  std::error_code ignored;
  if (own_socket_directory_) fs::remove_all(socket_directory_, ignored);
  if (stop_ >= 0) close(stop_);
  if (lock_ >= 0) close(lock_);
}

std::string EmbeddedPostgres::connection_string() const {
  std::string quoted;
  for (const char c : socket_directory_.string()) {
    if (c == '\'' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return fmt::format("host='{}' user={} dbname=postgres", quoted, kUser);
}

Result<void> EmbeddedPostgres::prepare() {
  std::error_code error;
  fs::create_directories(directory_, error);
  if (error) return fail(ErrorCode::kInvalid, fmt::format("can't make {}: {}", directory_.string(), error.message()));
  chmod(directory_.c_str(), 0711);
  return lock_directory()
      .and_then([this] { return check_layout(); })
      .and_then([this] { return stop_leftover(); })
      .and_then([this] { return make_cluster(); })
      .and_then([this] { return place_socket(); });
}

Result<void> EmbeddedPostgres::lock_directory() {
  const fs::path path = directory_ / "lock";
  lock_ = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (lock_ < 0)
    return fail(ErrorCode::kInvalid, fmt::format("can't open {}: {}", path.string(), std::strerror(errno)));
  if (flock(lock_, LOCK_EX | LOCK_NB) != 0)
    return fail(ErrorCode::kInvalid,
                fmt::format("{} is in use by another emplaced (pid {})", directory_.string(), first_line(path)));
  const std::string pid = fmt::format("{}\n", getpid());
  if (ftruncate(lock_, 0) != 0 || pwrite(lock_, pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size()))
    return fail(ErrorCode::kInvalid, fmt::format("can't write {}: {}", path.string(), std::strerror(errno)));
  return {};
}

Result<void> EmbeddedPostgres::check_layout() {
  const fs::path layout = directory_ / "layout";
  if (!fs::exists(layout)) {
    if (fs::exists(cluster_))
      return fail(ErrorCode::kInvalid, fmt::format("{} holds a database but no {}: not a data directory of emplaced",
                                                   directory_.string(), layout.string()));
    std::ofstream(layout) << kLayout << '\n';
  }
  if (const std::string found = first_line(layout); found != kLayout)
    return fail(ErrorCode::kInvalid, fmt::format("{} has layout version \"{}\", this emplaced reads version {}",
                                                 directory_.string(), found, kLayout));
  const auto majors = installed_majors();
  const auto wanted = whole_number(first_line(cluster_ / "PG_VERSION"));
  if (!wanted && fs::exists(cluster_))
    return fail(ErrorCode::kInvalid, fmt::format("{} is not a PostgreSQL directory", cluster_.string()));
  if (wanted && std::find(majors.begin(), majors.end(), *wanted) != majors.end()) {
    binaries_ = debian_binaries(*wanted);
  } else if (wanted && !majors.empty()) {
    return fail(ErrorCode::kInvalid, fmt::format("{} was made by PostgreSQL {}, installed is {}", cluster_.string(),
                                                 *wanted, majors.front()));
  } else if (!majors.empty()) {
    binaries_ = debian_binaries(majors.front());
  } else if (const auto found = binaries_in_path()) {
    binaries_ = *found;
  } else {
    return fail(ErrorCode::kInvalid,
                "PostgreSQL is not installed (looked in /usr/lib/postgresql and PATH); "
                "install it or give a database URL");
  }
  return {};
}

// A PostgreSQL that outlived a killed emplaced: the directory is locked by us, so nobody else wants it.
Result<void> EmbeddedPostgres::stop_leftover() {
  const auto pid = whole_number(first_line(cluster_ / "postmaster.pid"));
  if (!pid || *pid <= 1 || !is_server_of(*pid, cluster_)) return {};
  log_(LogLevel::kWarn, fmt::format("msg=\"stopping a PostgreSQL that outlived its emplaced\" pid={}", *pid));
  const int descriptor = pidfd_open(*pid, 0);
  if (descriptor < 0) return {};
  stop_server(*pid, descriptor);
  const bool ended = wait_for_end(descriptor, 0);
  close(descriptor);
  if (!ended)
    return fail(ErrorCode::kInvalid, fmt::format("PostgreSQL {} in {} can't be stopped", *pid, cluster_.string()));
  return {};
}

// initdb works in a directory beside, renamed when it is whole, so that being killed leaves no half database.
Result<void> EmbeddedPostgres::make_cluster() {
  const auto user = server_user();
  if (geteuid() == 0 && !user)
    return fail(ErrorCode::kInvalid, "running as root needs the user \"postgres\" for the embedded PostgreSQL");
  if (user)
    if (const auto closed = not_searchable(directory_))
      return fail(ErrorCode::kInvalid, fmt::format("user postgres can't reach {}: {} is not searchable (chmod o+x)",
                                                   directory_.string(), closed->string()));
  if (fs::exists(cluster_)) return {};
  const fs::path fresh = directory_ / "pg.new";
  std::error_code error;
  fs::remove_all(fresh, error);
  if (!fs::create_directory(fresh, error) || chmod(fresh.c_str(), 0700) != 0 || !give_to(user, fresh))
    return fail(ErrorCode::kInvalid, fmt::format("can't make {}", fresh.string()));
  const int status = run_to_end({.arguments = {binaries_ / "initdb", "-D", fresh, "-U", kUser, "-A", "trust", "-E",
                                               "UTF8", "--no-locale", "--no-sync"},
                                 .output = directory_ / "pg.log",
                                 .user = user});
  if (status != 0)
    return fail(ErrorCode::kInvalid,
                fmt::format("initdb failed with {}: {}", status, last_lines(directory_ / "pg.log")));
  sync();
  fs::rename(fresh, cluster_, error);
  if (error) return fail(ErrorCode::kInvalid, fmt::format("can't make {}: {}", cluster_.string(), error.message()));
  return {};
}

Result<void> EmbeddedPostgres::place_socket() {
  socket_directory_ = cluster_;
  if ((cluster_ / ".s.PGSQL.5432.lock").string().size() <= kLongestSocketPath) return {};
  char name[] = "/tmp/emplace-XXXXXX";
  if (mkdtemp(name) == nullptr || !give_to(server_user(), name))
    return fail(ErrorCode::kInvalid, fmt::format("can't make a directory for the socket: {}", std::strerror(errno)));
  socket_directory_ = name;
  own_socket_directory_ = true;
  log_(LogLevel::kInfo,
       fmt::format("msg=\"the data directory's path is too long for a socket\" socket_directory={}", log_text(name)));
  return {};
}

int EmbeddedPostgres::spawn() const {
  const fs::path output = directory_ / "pg.log";
  std::error_code error;
  if (fs::file_size(output, error) > kLogLimit && !error) fs::rename(output, directory_ / "pg.log.1", error);
  Command command{.arguments = {binaries_ / "postgres", "-D", cluster_, "-k", socket_directory_},
                  .output = output,
                  .user = server_user(),
                  .signal_at_our_end = SIGINT};
  for (const char* const setting :
       {"listen_addresses=", "port=5432", "unix_socket_permissions=0700", "max_connections=64", "shared_buffers=64MB",
        "max_wal_size=512MB", "checkpoint_timeout=15min", "wal_level=minimal", "max_wal_senders=0", "fsync=on",
        "synchronous_commit=on", "autovacuum_naptime=20s", "log_min_messages=warning", "timezone=UTC",
        "logging_collector=off"}) {
    command.arguments.push_back("-c");
    command.arguments.push_back(setting);
  }
  return emplace::spawn(command);
}

bool EmbeddedPostgres::wait_for_end(int descriptor, int timeout_ms) const {
  pollfd end{descriptor, POLLIN, 0};
  int ready = 0;
  do ready = poll(&end, 1, timeout_ms);
  while (ready < 0 && errno == EINTR);
  return ready > 0;
}

void EmbeddedPostgres::stop_server(int pid, int pid_descriptor) const {
  const struct {
    int signal;
    int wait_ms;
  } steps[] = {{SIGINT, 15'000}, {SIGQUIT, 5'000}, {SIGKILL, 5'000}};
  for (const auto& step : steps) {
    kill(pid, step.signal);
    kill(pid, SIGCONT);  // it may be stopped
    if (wait_for_end(pid_descriptor, step.wait_ms)) return;
    log_(LogLevel::kWarn, fmt::format("msg=\"PostgreSQL does not stop\" pid={} signal={}", pid, step.signal));
  }
}

// Waits until PostgreSQL ends or is to stop; whether it took connections in between.
bool EmbeddedPostgres::watch(int pid, int pid_descriptor, const std::function<void()>& on_ready) {
  pollfd wakers[] = {{pid_descriptor, POLLIN, 0}, {stop_, POLLIN, 0}};
  bool ready = false;
  while (wakers[0].revents == 0 && wakers[1].revents == 0) {
    poll(wakers, 2, ready ? -1 : 5);
    if (ready || !says_ready(cluster_, pid)) continue;
    ready = true;
    pid_ = pid;
    on_ready();
  }
  pid_ = 0;
  return ready;
}

// Whether it was asked to stop, waiting so long for it.
bool EmbeddedPostgres::told_to_stop(int timeout_ms) const { return wait_for_end(stop_, timeout_ms); }

void EmbeddedPostgres::supervise(std::promise<bool> first_start) {
  bool ran = false;
  const auto on_ready = [&] {
    if (!std::exchange(ran, true)) first_start.set_value(true);
  };
  for (int pause_ms = 100;; pause_ms = std::min(pause_ms * 2, 5000)) {
    const int pid = spawn();
    const int descriptor = pid > 0 ? pidfd_open(pid, 0) : -1;
    if (descriptor >= 0 && watch(pid, descriptor, on_ready)) pause_ms = 100;
    if (descriptor >= 0 && told_to_stop(0)) stop_server(pid, descriptor);
    if (descriptor >= 0) close(descriptor);
    int status = 0;
    if (pid > 0) waitpid(pid, &status, 0);
    if (!ran) return first_start.set_value(false);
    if (told_to_stop(0)) return;
    log_(LogLevel::kError, fmt::format("msg=\"the embedded PostgreSQL ended, starting it again\" status={} log={}",
                                       status, log_text((directory_ / "pg.log").string())));
    if (told_to_stop(pause_ms)) return;
  }
}

}  // namespace emplace
