#include "service/store/session.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <utility>

#include "service/store/pooling.h"
#include "service/store/sql.h"

namespace emplace {
namespace {

using namespace std::chrono_literals;

constexpr sql::Statement kTransactionStatus{"transaction_status", "SELECT pg_xact_status($1::xid8)"};

constexpr sql::Statement kEndBackend{
    "end_backend", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_xid = $1::xid8::xid"};

// A pqxx connection would silently reconnect at the next BEGIN, behind the back of cut().
std::unique_ptr<pqxx::connection> connect(const std::string& text) {
  auto connection = std::make_unique<pqxx::connection>(text);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
  connection->inhibit_reactivation(true);
#pragma GCC diagnostic pop
  connection->set_verbosity(pqxx::connection_base::terse);
  return connection;
}

// A plan is kept as it was made for the tables of that time; one made for a few rows would read all of a million. They
// are made anew soon after the start, then now and then: it takes a millisecond or two.
bool plans_age(std::uint64_t opened) { return std::has_single_bit(opened) || opened % 256 == 0; }

}  // namespace

Session::Session(Address address, Purpose purpose) : address_(std::move(address)), purpose_(purpose) {}

Session::~Session() { close(); }

void Session::connect(Deadline answer_by) {
  open_ = emplace::connect(connection_string(address_, purpose_));
  opened_ = 0;
  {
    const std::lock_guard lock(mutex_);
    socket_ = fcntl(open_->sock(), F_DUPFD_CLOEXEC, 0);
    answer_by_ = answer_by;
  }
  try {
    pqxx::nontransaction transaction(*open_);
    backend_ = transaction.exec(settings(address_, purpose_, open_->server_version())).front().front().as<int>();
  } catch (...) {
    close();  // never work without them
    throw;
  }
}

pqxx::connection& Session::open(Deadline answer_by) {
  if (open_ && !open_->is_open()) close();
  if (!open_) connect(answer_by);
  {
    const std::lock_guard lock(mutex_);
    answer_by_ = answer_by;
  }
  if (plans_age(++opened_)) pqxx::nontransaction(*open_).exec("DISCARD PLANS");
  return *open_;
}

void Session::begin_anew_after(int refusals) {
  if (std::exchange(refusals_, refusals) != refusals) close();
}

void Session::check_backend(int now) const {
  if (now != backend_) throw Pooled();
}

int Session::check_backend(pqxx::transaction_base& transaction) const {
  const int now = transaction.exec1("SELECT pg_backend_pid()")[0].as<int>();
  check_backend(now);
  return now;
}

void Session::close() {
  {
    const std::lock_guard lock(mutex_);
    if (socket_ >= 0) ::close(socket_);
    socket_ = -1;
    answer_by_.reset();
  }
  open_.reset();
}

void Session::idle() {
  const std::lock_guard lock(mutex_);
  answer_by_.reset();
}

void Session::cut() {
  const std::lock_guard lock(mutex_);
  if (socket_ >= 0) shutdown(socket_, SHUT_RDWR);
}

void Session::cut_if_overdue(Deadline now) {
  const std::lock_guard lock(mutex_);
  if (answer_by_ && now > *answer_by_ && socket_ >= 0) shutdown(socket_, SHUT_RDWR);
}

Watch::Watch() : thread_([this] { run(); }) {}

Watch::~Watch() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Watch::add(Session& session) {
  const std::lock_guard lock(mutex_);
  sessions_.push_back(&session);
}

void Watch::remove(Session& session) {
  const std::lock_guard lock(mutex_);
  std::erase(sessions_, &session);
}

void Watch::run() {
  std::unique_lock lock(mutex_);
  while (!changed_.wait_for(lock, 50ms, [this] { return stopping_; })) {
    const auto now = std::chrono::steady_clock::now();
    for (Session* const session : sessions_) session->cut_if_overdue(now);
  }
}

namespace {
// Nothing: still open.
std::optional<bool> ask_outcome(pqxx::connection& connection, const std::string& transaction_id) {
  pqxx::work transaction(connection);
  const auto status = sql::run(transaction, kTransactionStatus, transaction_id).front().front();
  if (status.is_null() || sql::text(status) == "aborted") return false;
  if (sql::text(status) == "committed") return true;
  sql::run(transaction, kEndBackend, transaction_id);
  return std::nullopt;
}
}  // namespace

std::optional<bool> was_committed(Session& session, const std::string& transaction_id, Deadline deadline,
                                  const std::function<bool()>& stopping) {
  while (std::chrono::steady_clock::now() < deadline && !stopping()) {
    try {
      const auto outcome = ask_outcome(session.open(std::chrono::steady_clock::now() + 2s), transaction_id);
      session.idle();
      if (outcome) return outcome;
    } catch (const pqxx::broken_connection&) {
      session.close();
    } catch (const pqxx::sql_error&) {
      session.close();  // a server that is starting or stopping
    }
    std::this_thread::sleep_for(20ms);
  }
  return std::nullopt;
}

}  // namespace emplace
