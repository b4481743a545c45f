#include "service/openstack/live_migration.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "service/core/json/json.h"
#include "service/openstack/nova_json.h"

namespace emplace::openstack {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::array<std::string_view, 3> kFailures = {"error", "failed", "cancelled"};
constexpr std::array<std::string_view, 3> kAbortable = {"queued", "preparing", "running"};

template <std::size_t N>
bool is_one_of(std::string_view word, const std::array<std::string_view, N>& words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

ErrorCode code_of(int status) {
  switch (status) {
    case 400:
      return ErrorCode::kInvalid;
    case 403:
      return ErrorCode::kForbidden;
    case 404:
      return ErrorCode::kNotFound;
    default:
      return ErrorCode::kConflict;
  }
}

// What a look found: the end, or none yet.
using Verdict = std::optional<Result<void>>;

class LiveMigration {
 public:
  LiveMigration(Keystone& keystone, const LiveMigrationOptions& options, const LiveMigrationJob& job)
      : keystone_(keystone),
        options_(options),
        job_(job),
        server_("/servers/" + to_string(job.order.vm)),
        what_(fmt::format("move of vm {} from host {} to host {}", job.order.vm_name, job.order.from, job.order.to)),
        time_up_(Clock::now() + job.timeout),
        last_moment_(time_up_ + options.after_abort) {}

  Result<void> carry_out() {
    const auto before = whereabouts();
    if (!before) return failure(before.error());
    if (before->host == job_.order.to && before->task_state.empty()) return {};
    if (before->host != job_.order.from) {
      return failure({ErrorCode::kConflict, "Nova has it on host " + json_text(before->host)});
    }
    const auto earlier = migrations();
    if (!earlier) return failure(earlier.error());
    for (const Migration& one : *earlier) earlier_ = std::max(earlier_, one.id);
    if (auto begun = begin(); !begun) return begun;
    return follow();
  }

 private:
  // ---- questions

  Deadline call_deadline() const {
    const auto now = Clock::now();
    return std::min(now + options_.call, std::max(last_moment_, now + std::chrono::seconds(1)));
  }

  Result<std::string> get(const std::string& path, std::string_view version = kNovaVersion) {
    return keystone_.get({"compute", path, std::string(version)}, call_deadline());
  }
  Result<Whereabouts> whereabouts() { return get(server_).and_then(read_whereabouts); }
  Result<std::vector<Migration>> migrations() {
    return get(fmt::format("/os-migrations?migration_type=live-migration&limit=50&instance_uuid={}",
                           to_string(job_.order.vm)))
        .and_then(read_migrations);
  }
  Result<ActionOutcome> action() {
    const std::string path = server_ + "/os-instance-actions/" + request_;
    auto told = get(path, kActionVersion);
    if (!told) told = get(path);  // an older Nova knows it without the reason in words
    return told.and_then(read_action);
  }

  // ---- the beginning

  // An answer that is lost, or a server's error, does not say that nothing began.
  Result<void> begin() {
    const auto reply = keystone_.ask({"compute", server_ + "/action", std::string(kNovaVersion), "POST",
                                      migrate_live_body(job_.order.to, job_.block)},
                                     call_deadline());
    if (!reply) {
      doubt_ = reply.error().message;
    } else if (reply->status == 202) {
      request_ = reply->header("x-openstack-request-id");
    } else if (reply->status >= 500) {
      doubt_ = fmt::format("Nova answered {}: {}", reply->status, refusal_of(reply->body));
    } else {
      return failure({code_of(reply->status), fmt::format("Nova refuses it: {}", refusal_of(reply->body))});
    }
    return {};
  }

  // ---- following

  Result<void> follow() {
    for (;;) {
      const auto seen = look();
      if (seen && *seen) return **seen;
      away_ = seen ? std::string() : seen.error().message;
      if (!seen && seen.error().code == ErrorCode::kNotFound) return failure({ErrorCode::kNotFound, away_});
      if (Clock::now() > last_moment_) return give_up();
      if (Clock::now() > time_up_ && !aborted_) abort();
      if (!job_.wait(options_.interval)) {
        return failure({ErrorCode::kUnknownOutcome, "the service is stopping; the migration goes its way"});
      }
    }
  }

  Result<Verdict> look() {
    const auto all = migrations();
    if (!all) return tl::unexpected(all.error());
    const auto newest =
        std::max_element(all->begin(), all->end(), [](const Migration& a, const Migration& b) { return a.id < b.id; });
    const bool has_ours = newest != all->end() && newest->id > earlier_;
    if (has_ours) ours_ = *newest;
    if (has_ours && newest->status != "completed" && !is_one_of(newest->status, kFailures)) {
      report(newest->id);
      return Verdict();
    }
    const auto server = whereabouts();
    if (!server) return tl::unexpected(server.error());
    const bool is_calm = server->task_state.empty();
    if (is_calm && server->host == job_.order.to && server->vm_state != "error") return done();
    if (!is_calm) return Verdict();
    return has_ours ? Verdict(ended_elsewhere(*server)) : without_record(*server);
  }

  Verdict done() {
    MoveProgress end;
    end.fraction = 1;
    end.total_mib = ours_ ? ours_->memory_total_mib : 0;
    job_.progress(end);
    return Result<void>();
  }

  void report(std::int64_t id) {
    const auto detail = get(fmt::format("{}/migrations/{}", server_, id)).and_then(read_migration);
    if (!detail || detail->memory_total_mib <= 0) return;  // not begun to copy, or ended meanwhile
    ours_ = *detail;
    MoveProgress now;
    now.total_mib = detail->memory_total_mib;
    now.remaining_mib = detail->memory_remaining_mib;
    now.fraction = std::clamp(1 - now.remaining_mib / now.total_mib, 0.0, 1.0);
    job_.progress(now);
  }

  // ---- ends that are none of ours

  Result<void> ended_elsewhere(const Whereabouts& server) {
    const std::string where = fmt::format("it is on host {} ({})", server.host, server.vm_state);
    if (ours_->status == "completed") {
      return failure(
          {ErrorCode::kConflict, fmt::format("Nova says that migration {} is completed, but {}", ours_->id, where)});
    }
    if (aborted_) {
      return failure({ErrorCode::kTimeout, fmt::format("not finished within {} s, aborted; {}", seconds(), where)});
    }
    const std::string why = reason(server);
    return failure({ErrorCode::kUnavailable, fmt::format("Nova's migration {} ended with {}{}; {}", ours_->id,
                                                         ours_->status, why.empty() ? "" : ": " + why, where)});
  }

  // Nova keeps a record from the moment on that its conductor takes the request up.
  Verdict without_record(const Whereabouts& server) {
    const auto told = request_.empty() ? Result<ActionOutcome>() : action();
    if (told && told->failed) {
      return failure({ErrorCode::kUnavailable, fmt::format("Nova gave it up: {}", reason(server))});
    }
    if (++quiet_looks_ < options_.quiet_looks) return std::nullopt;
    return failure({ErrorCode::kUnavailable, doubt_.empty() ? "Nova took the request and began no migration" : doubt_});
  }

  std::string reason(const Whereabouts& server) {
    const auto told = request_.empty() ? Result<ActionOutcome>() : action();
    if (told && !told->why.empty()) return told->why;
    return server.fault;
  }

  // ---- too late

  void abort() {
    if (!ours_ || !is_one_of(ours_->status, kAbortable)) return;
    const auto reply = keystone_.ask(
        {"compute", fmt::format("{}/migrations/{}", server_, ours_->id), std::string(kNovaVersion), "DELETE"},
        call_deadline());
    aborted_ = reply && reply->status == 202;
    if (!aborted_) not_aborted_ = reply ? refusal_of(reply->body) : reply.error().message;
  }

  Result<void> give_up() const {
    std::string how = fmt::format("not finished within {} s; ", seconds());
    if (!away_.empty()) {
      how += "Nova does not say whether it moved (" + away_ + ')';
    } else if (aborted_) {
      how += "it was aborted without effect, and may still happen";
    } else {
      how += "it may still happen";
      if (!not_aborted_.empty()) how += " (abort: " + not_aborted_ + ')';
    }
    return failure({ErrorCode::kUnknownOutcome, how});
  }

  tl::unexpected<Error> failure(Error error) const {
    error.message = what_ + ": " + error.message;
    return tl::unexpected<Error>(std::move(error));
  }
  double seconds() const { return std::chrono::duration<double>(job_.timeout).count(); }

  Keystone& keystone_;
  const LiveMigrationOptions& options_;
  const LiveMigrationJob& job_;
  const std::string server_, what_;
  const Deadline time_up_, last_moment_;
  std::int64_t earlier_ = 0;  // the last migration before ours
  std::string request_;       // Nova's id of our request; empty: its answer was lost
  std::string doubt_;         // why it is not sure that Nova took the request
  std::string away_;          // why the last look failed
  std::optional<Migration> ours_;
  int quiet_looks_ = 0;
  bool aborted_ = false;
  std::string not_aborted_;
};

Result<std::chrono::seconds> read_timeout(const std::string& text) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc() && end == text.data() + text.size() && value > 0 && value <= 86'400) {
    return std::chrono::seconds(value);
  }
  return fail(ErrorCode::kInvalid,
              "options.timeout_s: wanted a whole number from 1 to 86400, found " + json_text(text));
}

}  // namespace

Result<LiveMigrationJob> read_job(MoveOrder order) {
  LiveMigrationJob job;
  for (const auto& [name, text] : order.options) {
    if (name == "timeout_s") {
      const auto timeout = read_timeout(text);
      if (!timeout) return tl::unexpected(timeout.error());
      job.timeout = *timeout;
    } else if (name == "copy_storage" && (text == "true" || text == "false")) {
      job.block = text == "true";
    } else {
      return fail(ErrorCode::kInvalid,
                  fmt::format("options.{}: wanted timeout_s, or copy_storage with true or false (the "
                              "rest is Nova's to choose), found {}",
                              name, json_text(text)));
    }
  }
  job.order = std::move(order);
  return job;
}

Result<void> migrate_live(Keystone& keystone, const LiveMigrationOptions& options, const LiveMigrationJob& job) {
  return LiveMigration(keystone, options, job).carry_out();
}

}  // namespace emplace::openstack
