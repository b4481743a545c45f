#include "tests/openstack/maria_db.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <thread>
#include <vector>

namespace emplace::openstack {
namespace {

constexpr char kServer[] = "/usr/sbin/mariadbd";

int free_port() {
  const int descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ::bind(descriptor, reinterpret_cast<sockaddr*>(&address), size);
  ::getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &size);
  ::close(descriptor);
  return ntohs(address.sin_port);
}

pid_t spawn(std::vector<std::string> words, const std::string& log) {
  const pid_t pid = ::fork();
  if (pid != 0) return pid;
  const int out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  ::dup2(out, STDOUT_FILENO);
  ::dup2(out, STDERR_FILENO);
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  ::execv(arguments.front(), arguments.data());
  ::_exit(127);
}

// MariaDB runs as root only when it is told so, and only root may tell.
std::vector<std::string> with_user(std::vector<std::string> words) {
  if (::geteuid() == 0) words.push_back("--user=root");
  return words;
}

using Connection = std::unique_ptr<MYSQL, decltype(&mysql_close)>;

Connection connect(const std::string& socket) {
  Connection connection(mysql_init(nullptr), &mysql_close);
  if (!mysql_real_connect(connection.get(), nullptr, "root", "", nullptr, 0, socket.c_str(), CLIENT_MULTI_STATEMENTS)) {
    connection.reset();
  }
  return connection;
}

}  // namespace

MariaDb::MariaDb() : port_(free_port()) {
  std::string pattern = (std::filesystem::temp_directory_path() / "emplace-maria-XXXXXX").string();
  if (!::mkdtemp(pattern.data())) throw std::runtime_error("no temporary directory");
  directory_ = pattern;
  socket_ = directory_ + "/socket";
  const pid_t installer =
      spawn(with_user({"/usr/bin/mariadb-install-db", "--no-defaults", "--datadir=" + directory_ + "/data",
                       "--skip-test-db", "--auth-root-authentication-method=normal", "--innodb-log-file-size=8M"}),
            directory_ + "/log");
  int status = 0;
  ::waitpid(installer, &status, 0);
  if (status != 0) throw std::runtime_error("mariadb-install-db failed: see " + directory_ + "/log");
  start();
}

MariaDb::~MariaDb() {
  stop();
  std::filesystem::remove_all(directory_);
}

void MariaDb::start() {
  pid_ = spawn(with_user({kServer, "--no-defaults", "--datadir=" + directory_ + "/data", "--socket=" + socket_,
                          "--bind-address=127.0.0.1", "--port=" + std::to_string(port_), "--innodb-log-file-size=8M",
                          "--innodb-flush-log-at-trx-commit=0", "--pid-file=" + directory_ + "/pid"}),
               directory_ + "/log");
  for (int i = 0; i < 1200; ++i) {
    if (connect(socket_)) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  throw std::runtime_error("MariaDB does not start: see " + directory_ + "/log");
}

void MariaDb::stop() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

void MariaDb::run(const std::string& statements) {
  const Connection connection = connect(socket_);
  ASSERT_TRUE(connection);
  int status = mysql_real_query(connection.get(), statements.data(), statements.size());
  for (; status == 0; status = mysql_next_result(connection.get())) {
    mysql_free_result(mysql_store_result(connection.get()));
  }
  ASSERT_EQ(mysql_errno(connection.get()), 0u) << mysql_error(connection.get()) << " in " << statements;
}

}  // namespace emplace::openstack
