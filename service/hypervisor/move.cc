#include "service/hypervisor/move.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <thread>

#include "service/hypervisor/domains.h"
#include "service/hypervisor/session.h"

namespace emplace {
namespace {

using Clock = std::chrono::steady_clock;

constexpr double kBytesPerMib = 1024.0 * 1024;
constexpr std::chrono::seconds kAfterAbort{20};  // how long an aborted job may take to end
constexpr std::chrono::seconds kToBeSeen{10};    // how long after its end the domain may take to be seen

Result<bool> read_bool(const std::string& name, const std::string& text) {
  if (text == "true") return true;
  if (text == "false") return false;
  return fail(ErrorCode::kInvalid, fmt::format("options.{}: wanted true or false, found \"{}\"", name, text));
}

Result<std::uint64_t> read_whole(const std::string& name, const std::string& text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc() && end == text.data() + text.size() && value > 0 && value <= 1'000'000'000) return value;
  return fail(ErrorCode::kInvalid, fmt::format("options.{}: wanted a whole number above 0, found \"{}\"", name, text));
}

Result<void> read_option(const std::string& name, const std::string& text, MoveOptions& options) {
  const auto flag = [&](bool& into) { return read_bool(name, text).map([&](bool value) { into = value; }); };
  const auto number = [&](auto& into) {
    return read_whole(name, text).map([&](std::uint64_t value) {
      into = std::remove_reference_t<decltype(into)>(value);
    });
  };
  if (name == "copy_storage") return flag(options.copy_storage);
  if (name == "unsafe") return flag(options.unsafe);
  if (name == "post_copy") return flag(options.post_copy);
  if (name == "auto_converge") return flag(options.auto_converge);
  if (name == "bandwidth_mib_s") return number(options.bandwidth_mib_s);
  if (name == "max_downtime_ms") return number(options.max_downtime_ms);
  if (name == "timeout_s") return number(options.timeout);
  if (name == "destination_uri") return options.destination_uri = text, Result<void>();
  if (name == "mode" && (text == "p2p" || text == "direct")) return options.direct = text == "direct", Result<void>();
  if (name == "mode")
    return fail(ErrorCode::kInvalid, fmt::format("options.mode: wanted p2p or direct, found \"{}\"", text));
  return fail(ErrorCode::kInvalid,
              fmt::format("options.{}: unknown; there are mode post_copy auto_converge bandwidth_mib_s "
                          "max_downtime_ms timeout_s copy_storage unsafe destination_uri",
                          name));
}

// The one call that copies. It can't be interrupted, only aborted from another connection, so it runs on a thread of
// its own and is left behind if it hangs; hence what it uses belongs to it.
struct Call {
  Connection source, destination;  // destination: only for direct
  Domain domain;
  std::string peer;  // only for peer-to-peer
  unsigned long flags = 0;
  TypedParameters parameters;

  std::mutex mutex;
  std::condition_variable ended;
  std::optional<Result<void>> result;  // guarded by mutex
};

Result<void> migrate(Call& call, const std::string& what) {
  const auto count = static_cast<unsigned>(call.parameters.count());
  if (call.destination == nullptr) {
    const int result = virDomainMigrateToURI3(call.domain.get(), call.peer.c_str(), call.parameters.values(), count,
                                              static_cast<unsigned>(call.flags));
    return result == 0 ? Result<void>() : libvirt_fail(what);
  }
  const Domain moved(virDomainMigrate3(call.domain.get(), call.destination.get(), call.parameters.values(), count,
                                       static_cast<unsigned>(call.flags)));
  return moved != nullptr ? Result<void>() : libvirt_fail(what);
}

void run_call(const std::shared_ptr<Call>& call, const std::string& what) {
  std::thread([call, what] {
    auto result = migrate(*call, what);
    const std::lock_guard lock(call->mutex);
    call->result = std::move(result);
    call->ended.notify_all();
  }).detach();
}

// A domain without a definition has none afterwards either.
unsigned long flags_of(const MoveOptions& options, bool is_persistent) {
  unsigned long flags = VIR_MIGRATE_LIVE;
  if (is_persistent) flags |= VIR_MIGRATE_PERSIST_DEST | VIR_MIGRATE_UNDEFINE_SOURCE;
  if (!options.direct) flags |= VIR_MIGRATE_PEER2PEER;
  if (options.copy_storage) flags |= VIR_MIGRATE_NON_SHARED_DISK;
  if (options.unsafe) flags |= VIR_MIGRATE_UNSAFE;
  if (options.post_copy) flags |= VIR_MIGRATE_POSTCOPY;
  if (options.auto_converge) flags |= VIR_MIGRATE_AUTO_CONVERGE;
  return flags;
}

// One migration under way. Its connections are apart from the call's: questions would queue behind it.
class Migration {
 public:
  Migration(const MoveJob& job, HostSession source, HostSession destination)
      : job_(job),
        source_(std::move(source)),
        destination_(std::move(destination)),
        what_(fmt::format("move of vm {} from host {} to host {}", job.order.vm_name, job.from.name, job.to.name)) {}

  Result<void> carry_out() {
    const auto moved = attempt();
    if (!moved) tell_where_it_was_left();
    return moved;
  }

 private:
  Result<void> attempt() {
    const auto moved_before = look_before();
    if (!moved_before) return tl::unexpected<Error>(moved_before.error());
    if (*moved_before) return {};
    auto call = prepare();
    if (!call) return tl::unexpected<Error>(call.error());
    run_call(*call, what_);
    const Result<void> ended = watch(**call);
    if (job_.abandoned()) return ended;
    return judge(ended);
  }

  void tell_where_it_was_left() {
    const auto here = find_domain(source_.get(), job_.order.vm);
    if (!here || !*here || job_.abandoned()) return;
    MoveProgress left;
    left.left_in = (*here)->state;
    job_.progress(left);
  }

  // true: it runs on the destination already.
  Result<bool> look_before() const {
    const auto here = find_domain(source_.get(), job_.order.vm);
    const auto there = find_domain(destination_.get(), job_.order.vm);
    if (!here) return tl::unexpected<Error>(here.error());
    if (!there) return tl::unexpected<Error>(there.error());
    if (*here) {
      if (auto ours = refuse_nova(**here, job_.from.name); !ours) return tl::unexpected<Error>(ours.error());
    }
    if (*there) {
      if (auto ours = refuse_nova(**there, job_.to.name); !ours) return tl::unexpected<Error>(ours.error());
    }
    if (!*here && *there && (*there)->state == VmState::kRunning) return true;
    if (!*here) return fail(ErrorCode::kNotFound, what_ + ": there is no such domain on the source");
    if ((*here)->state != VmState::kRunning)
      return fail(ErrorCode::kConflict, what_ + ": it does not run on the source");
    return false;
  }

  Result<std::shared_ptr<Call>> prepare() const {
    auto call = std::make_shared<Call>();
    auto source = open_session(job_.from, job_.hypervisor);
    if (!source) return tl::unexpected<Error>(source.error());
    call->source = std::move(source->connection);
    call->domain = domain_of(call->source.get(), job_.order.vm);
    if (call->domain == nullptr) return libvirt_fail(what_);
    call->flags = flags_of(job_.options, virDomainIsPersistent(call->domain.get()) != 0);
    if (auto addressed = address(*call); !addressed) return tl::unexpected<Error>(addressed.error());
    const auto& bandwidth = job_.options.bandwidth_mib_s;
    if (bandwidth && !call->parameters.add(VIR_MIGRATE_PARAM_BANDWIDTH, static_cast<unsigned long long>(*bandwidth))) {
      return libvirt_fail(what_);
    }
    return call;
  }

  Result<void> address(Call& call) const {
    std::string memory_to = job_.to.migration_uri;
    if (job_.options.direct) {
      auto destination = open_session(job_.to, job_.hypervisor);
      if (!destination) return tl::unexpected<Error>(destination.error());
      call.destination = std::move(destination->connection);
      if (!job_.options.destination_uri.empty()) memory_to = job_.options.destination_uri;
    } else {
      auto peer = peer_uri(job_.options, job_.to);
      if (!peer) return tl::unexpected<Error>(peer.error());
      call.peer = std::move(*peer);
    }
    if (!memory_to.empty() && !call.parameters.add(VIR_MIGRATE_PARAM_URI, memory_to)) return libvirt_fail(what_);
    return {};
  }

  // Follows the call to its end, or as long as time allows.
  Result<void> watch(Call& call) {
    const Domain domain = domain_of(source_.get(), job_.order.vm);
    const auto time_up = Clock::now() + job_.options.timeout;
    for (;;) {
      {
        std::unique_lock lock(call.mutex);
        call.ended.wait_for(lock, job_.hypervisor.progress_interval, [&] { return call.result.has_value(); });
        if (call.result) return aborted_ ? late("aborted") : *call.result;
      }
      if (job_.abandoned()) return late("left alone");
      if (aborted_ && Clock::now() > time_up + kAfterAbort) return late("aborted without effect");
      if (domain != nullptr) follow(domain.get());
      if (!aborted_ && domain != nullptr && Clock::now() > time_up) abort(domain.get());
    }
  }

  void follow(virDomainPtr domain) {
    int type = VIR_DOMAIN_JOB_NONE, count = 0;
    virTypedParameterPtr values = nullptr;
    if (virDomainGetJobStats(domain, &type, &values, &count, 0) != 0) return;
    const TypedParameters stats(values, count);
    if (type == VIR_DOMAIN_JOB_NONE) return;
    report(stats);
    // Both are only taken by a job that runs.
    const auto& downtime = job_.options.max_downtime_ms;
    if (downtime && !downtime_set_) downtime_set_ = virDomainMigrateSetMaxDowntime(domain, *downtime, 0) == 0;
    // The first pass moves what the guest seldom writes; from the second on the rest may be fetched on demand.
    const bool second_pass = stats.get(VIR_DOMAIN_JOB_MEMORY_ITERATION).value_or(0) > 1;
    if (job_.options.post_copy && !post_copy_ && second_pass)
      post_copy_ = virDomainMigrateStartPostCopy(domain, 0) == 0;
  }

  void report(const TypedParameters& stats) {
    const auto mib = [&](const char* name) { return static_cast<double>(stats.get(name).value_or(0)) / kBytesPerMib; };
    MoveProgress now;
    now.total_mib = mib(VIR_DOMAIN_JOB_DATA_TOTAL);
    now.remaining_mib = mib(VIR_DOMAIN_JOB_DATA_REMAINING);
    if (now.total_mib <= 0) return;  // not begun to copy
    now.fraction = std::clamp(1 - now.remaining_mib / now.total_mib, 0.0, 1.0);
    const double page = static_cast<double>(stats.get(VIR_DOMAIN_JOB_MEMORY_PAGE_SIZE).value_or(4096));
    now.dirty_mib_per_s =
        static_cast<double>(stats.get(VIR_DOMAIN_JOB_MEMORY_DIRTY_RATE).value_or(0)) * page / kBytesPerMib;
    now.downtime_ms = static_cast<double>(stats.get(VIR_DOMAIN_JOB_DOWNTIME).value_or(0));
    job_.progress(now);
  }

  void abort(virDomainPtr domain) {
    aborted_ = true;
    if (virDomainAbortJob(domain) != 0) abort_error_ = libvirt_error("abort").message;
  }

  tl::unexpected<Error> late(const std::string& how) const {
    const std::string failed = abort_error_.empty() ? std::string() : " (" + abort_error_ + ")";
    return fail(ErrorCode::kTimeout,
                fmt::format("{}: not finished within {} s, {}{}", what_, job_.options.timeout.count(), how, failed));
  }

  // What is seen decides.
  Result<void> judge(const Result<void>& ended) {
    const auto give_up = Clock::now() + kToBeSeen;
    for (;;) {
      const auto here = find_domain(source_.get(), job_.order.vm);
      const auto there = find_domain(destination_.get(), job_.order.vm);
      const bool runs_here = here && *here && (*here)->state != VmState::kStopped;
      const bool runs_there = there && *there && (*there)->state == VmState::kRunning;
      if (here && runs_there && !runs_here) return settle(*here);
      if (!ended && runs_here) return error_with(ended, "it still runs on host " + job_.from.name);
      if (Clock::now() > give_up || job_.abandoned()) {
        const bool known = here && there;
        return error_with(ended,
                          known ? "it was not seen running on the destination" : "where it runs can't be seen now");
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(100));  // libvirt tells of no moment to wait for
    }
  }

  Result<void> settle(const std::optional<DomainSeen>& left_behind) {
    if (left_behind) {
      const Domain domain = domain_of(source_.get(), job_.order.vm);
      if (domain != nullptr) {
        if (auto undefined = undefine_domain(domain.get(), what_); !undefined) return undefined;
      }
    }
    report_end();
    return {};
  }

  void report_end() {
    const Domain domain = domain_of(destination_.get(), job_.order.vm);
    int type = VIR_DOMAIN_JOB_NONE, count = 0;
    virTypedParameterPtr values = nullptr;
    MoveProgress end;
    if (domain != nullptr &&
        virDomainGetJobStats(domain.get(), &type, &values, &count, VIR_DOMAIN_JOB_STATS_COMPLETED) == 0) {
      const TypedParameters stats(values, count);
      end.total_mib = static_cast<double>(stats.get(VIR_DOMAIN_JOB_DATA_TOTAL).value_or(0)) / kBytesPerMib;
      end.downtime_ms = static_cast<double>(stats.get(VIR_DOMAIN_JOB_DOWNTIME).value_or(0));
    }
    end.fraction = 1;
    job_.progress(end);
  }

  Result<void> error_with(const Result<void>& ended, const std::string& where) const {
    Error error = ended ? Error{ErrorCode::kUnavailable, what_ + ": libvirt said it was done"} : ended.error();
    error.message += "; " + where;
    return tl::unexpected<Error>(std::move(error));
  }

  const MoveJob& job_;
  const HostSession source_, destination_;
  const std::string what_;
  bool aborted_ = false, downtime_set_ = false, post_copy_ = false;
  std::string abort_error_;
};

}  // namespace

Result<MoveOptions> read_move_options(const Parameters& options) {
  MoveOptions read;
  for (const auto& [name, text] : options) {
    if (auto one = read_option(name, text, read); !one) return tl::unexpected<Error>(one.error());
  }
  return read;
}

Result<std::string> peer_uri(const MoveOptions& options, const HostConfig& to) {
  if (!options.destination_uri.empty()) return options.destination_uri;
  if (!to.peer_uri.empty()) return to.peer_uri;
  const std::size_t authority = to.uri.find("://");
  const bool local = authority == std::string::npos || authority + 3 >= to.uri.size() || to.uri[authority + 3] == '/';
  if (!local) return to.uri;
  return fail(ErrorCode::kInvalid,
              fmt::format("host {}: its uri {} is a local one; a peer-to-peer move needs its peer_uri "
                          "(or options.destination_uri)",
                          to.name, to.uri));
}

Result<void> move_domain(const MoveJob& job) {
  auto source = open_session(job.from, job.hypervisor);
  if (!source) return tl::unexpected<Error>(source.error());
  auto destination = open_session(job.to, job.hypervisor);
  if (!destination) return tl::unexpected<Error>(destination.error());
  return Migration(job, std::move(*source), std::move(*destination)).carry_out();
}

}  // namespace emplace
