#include "service/openstack/nova_hosts.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "service/core/json/json.h"
#include "service/openstack/rows.h"

namespace emplace::openstack {
namespace {

constexpr std::size_t kMostMoves = 64;  // each has a thread; Nova queues what its hosts are not to copy at once

tl::unexpected<Error> not_ours(const std::string& what, const std::string& host) {
  return fail(ErrorCode::kConflict, fmt::format("{}: Nova owns the vms of host {}; ask Nova", what, host),
              "emplace.vm.nova");
}

// Nova's own rule for the host that a migration names. One nova-compute with several nodes makes several of our hosts.
bool is_nova_host(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
           c == '_';
  });
}

}  // namespace

// Shared with the threads, the last of which may outlive the door by the end of its function.
struct NovaHosts::Moves {
  std::mutex mutex;
  std::condition_variable changed;
  std::size_t running = 0;  // guarded by mutex
  bool stopping = false;    // guarded by mutex

  // How many there are now; 0: the door is closed.
  std::size_t add() {
    const std::lock_guard lock(mutex);
    return stopping ? 0 : ++running;
  }
  void remove() {
    const std::lock_guard lock(mutex);
    --running;
    changed.notify_all();
  }
  bool wait(std::chrono::milliseconds time) {
    std::unique_lock lock(mutex);
    return !changed.wait_for(lock, time, [this] { return stopping; });
  }
  void stop() {
    std::unique_lock lock(mutex);
    stopping = true;
    changed.notify_all();
    changed.wait(lock, [this] { return running == 0; });
  }
};

NovaHosts::NovaHosts(Keystone& keystone, NovaReader& nova, LiveMigrationOptions options, Doors doors)
    : keystone_(keystone),
      nova_(nova),
      options_(options),
      doors_(std::move(doors)),
      moves_(std::make_shared<Moves>()) {}

NovaHosts::~NovaHosts() { stop(); }

void NovaHosts::stop() { moves_->stop(); }

// On a thread of its own, also when it only refuses: the caller may hold what its `done` takes.
void NovaHosts::run(std::function<Result<void>()> work, Done done, std::function<void()> afterwards) {
  const std::size_t running = moves_->add();
  if (running == 0) return done(fail(ErrorCode::kUnavailable, "the service is stopping"));
  const bool too_many = running > kMostMoves;
  std::thread([moves = moves_, too_many, work = std::move(work), done = std::move(done),
               afterwards = std::move(afterwards)] {
    done(too_many ? fail(ErrorCode::kTooMany, "too many moves of OpenStack's vms are under way", {}, 10) : work());
    afterwards();
    moves->remove();
  }).detach();
}

void NovaHosts::start(StartOrder order, Done done) {
  run([what = "start of vm " + order.claim.vm_name,
       host = order.claim.host]() -> Result<void> { return not_ours(what, host); },
      std::move(done), [] {});
}

void NovaHosts::destroy(const std::string& host, const Uuid& vm, std::optional<Uuid>, Done done) {
  run([what = "destroy of vm " + to_string(vm), host]() -> Result<void> { return not_ours(what, host); },
      std::move(done), [] {});
}

void NovaHosts::shut_down(const std::string& host, const Uuid& vm, Done done) {
  run([what = "shut-down of vm " + to_string(vm), host]() -> Result<void> { return not_ours(what, host); },
      std::move(done), [] {});
}

// Where it goes may not be known yet.
Result<void> NovaHosts::check(const MoveOrder& order) const {
  if (auto hosts = check_hosts(order); !hosts) return hosts;
  return read_job(order).map([](const LiveMigrationJob&) {});
}

Result<void> NovaHosts::check_hosts(const MoveOrder& order) const {
  const std::string to = order.to.empty() ? std::string() : " to host " + order.to;
  const std::string what = fmt::format("move of vm {} from host {}{}", order.vm_name, order.from, to);
  for (const std::string& host : {order.from, order.to}) {
    if (host.empty()) continue;
    if (!drives(host)) return fail(ErrorCode::kNotFound, fmt::format("{}: OpenStack has no host {}", what, host));
    if (is_nova_host(host)) continue;
    return fail(
        ErrorCode::kConflict,
        fmt::format("{}: host {} is one of several nodes of a nova-compute, which Nova can't name", what, host));
  }
  if (order.from == order.to) return fail(ErrorCode::kInvalid, what + ": these are one host");
  return {};
}

Result<void> NovaHosts::carry_out(MoveOrder order, std::function<void(const MoveProgress&)> progress) {
  if (auto can = check_hosts(order); !can) return can;
  auto job = read_job(std::move(order));
  if (!job) return tl::unexpected(job.error());
  job->progress = std::move(progress);
  job->wait = [moves = moves_](std::chrono::milliseconds time) { return moves->wait(time); };
  return migrate_live(keystone_, options_, *job);
}

void NovaHosts::move(MoveOrder order, std::function<void(const MoveProgress&)> progress, Done done) {
  // What was moved is read again once whoever asked has noted it, so that the newer word is Nova's.
  run([this, order = std::move(order), progress = std::move(progress)] { return carry_out(order, progress); },
      std::move(done), doors_.moved);
}

Result<std::vector<DomainSeen>> NovaHosts::domains(const std::string& host, Deadline deadline) {
  if (!is_nova_host(host)) {
    return fail(ErrorCode::kConflict, fmt::format("host {} is one of several nodes of a nova-compute", host));
  }
  const auto servers = nova_.servers_on(host, deadline);
  if (!servers) return tl::unexpected(servers.error());
  std::vector<DomainSeen> all;
  for (const Server& server : servers->rows) {
    if (server.deleted || server.unreachable) continue;
    all.push_back({server.id, server.name, vm_state_of(server), server.vcpus, server.memory_mib, {}, true});
  }
  return all;
}

}  // namespace emplace::openstack
