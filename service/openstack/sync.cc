#include "service/openstack/sync.h"

#include <fmt/format.h>

#include <algorithm>

#include "service/core/json.h"
#include "service/core/shown_text.h"

namespace emplace::openstack {
namespace {

constexpr std::array<const char*, 7> kNames = {"hypervisors", "services",  "aggregates", "groups",
                                               "servers",     "providers", "picture"};
constexpr std::size_t kNotesLogged = 5;

std::int64_t us(std::chrono::milliseconds time) { return std::chrono::microseconds(time).count(); }

bool says_nothing(const CloudReport& report) {
  return !report.hosts && !report.vms && !report.groups && !report.aggregates;
}

}  // namespace

Sync::Sync(NovaReader& nova, PlacementReader& placement, SyncOptions options, Doors doors)
    : nova_(nova), placement_(placement), options_(options), doors_(std::move(doors)) {
  for (std::size_t i = 0; i < kParts; ++i) states_[i] = {kNames[i], "not read yet", "", 0};
  thread_ = std::thread([this] { run(); });
}

Sync::~Sync() { stop(); }

void Sync::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Sync::hurry() {
  {
    const std::lock_guard lock(mutex_);
    hurried_ = true;
  }
  changed_.notify_all();
}

std::vector<PartState> Sync::states() const {
  const std::lock_guard lock(mutex_);
  return {states_.begin(), states_.end()};
}

void Sync::run() {
  for (;;) {
    if (doors_.leads()) {
      round();
    } else {
      forget();
    }
    const auto soonest = std::min_element(attempts_.begin(), attempts_.end(),
                                          [](const Attempt& a, const Attempt& b) { return a.next_us < b.next_us; });
    const auto wait = std::chrono::microseconds(std::max<std::int64_t>(soonest->next_us - doors_.now_us(), 1000));
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, wait, [this] { return stopping_ || hurried_; });
    if (stopping_) return;
    if (std::exchange(hurried_, false)) attempts_[kServers].next_us = attempts_[kProviders].next_us = 0;
  }
}

// Another replica reads: what we have read grows old.
void Sync::forget() {
  cloud_ = {};
  all_servers_ = all_providers_ = true;
  deleted_.clear();
  for (Attempt& attempt : attempts_) attempt = {0, doors_.now_us() + us(options_.interval)};
  const std::lock_guard lock(mutex_);
  for (PartState& state : states_) state.error.clear();
}

bool Sync::is_due(Part part) const { return attempts_[part].next_us <= round_us_; }

// What came of a try, for the log once per change and for states(); and when the next one is.
void Sync::settle(Part part, const Result<void>& outcome) {
  Attempt& attempt = attempts_[part];
  attempt.failures = outcome ? 0 : attempt.failures + 1;
  attempt.next_us = outcome ? round_us_ + us(options_.interval)
                            : doors_.now_us() + us(options_.backoff.after(attempt.failures, random_fraction()));
  const std::string error = outcome ? std::string() : outcome.error().message;
  {
    const std::lock_guard lock(mutex_);
    if (outcome) states_[part].good_at_us = doors_.now_us();
    states_[part].code = outcome ? std::string() : outcome.error().detail_code;
    const std::string before = std::exchange(states_[part].error, error);
    if (stopping_ || error == before) return;
  }
  doors_.log(outcome ? "info" : "error",
             fmt::format("event=openstack_sync part={} error={}", kNames[part], outcome ? "-" : log_text(error)));
}

template <typename Rows>
void Sync::refresh(Part part, Reading<Rows>& reading, const std::function<Result<Told<Rows>>(Deadline)>& read) {
  if (!is_due(part)) return;
  auto told = read(std::chrono::steady_clock::now() + options_.deadline);
  settle(part, told ? Result<void>() : tl::unexpected(told.error()));
  something_new_ |= told || !reading.failed;
  reading.failed = !told;
  if (!told) return;
  reading = {std::move(told->rows), round_us_, std::move(told->notes), false};
}

// Nova leaves those of a cell that does not answer out; they are still there.
Result<Told<std::vector<Hypervisor>>> Sync::read_hypervisors(Deadline deadline) {
  auto read = nova_.hypervisors(deadline);
  if (!read) return read;
  std::set<std::string_view> away;
  for (const auto& [host, service] : cloud_.services.rows) {
    if (service.unreachable) away.insert(host);
  }
  for (const Hypervisor& one : read->rows) away.erase(one.host);
  const auto& known = cloud_.hypervisors.rows;
  for (const std::string_view host : away) {
    const auto is_on_it = [&](const Hypervisor& one) { return one.host == host; };
    if (std::none_of(known.begin(), known.end(), is_on_it)) {
      return fail(ErrorCode::kUnavailable, fmt::format("host {}: its cell does not answer", host));
    }
    std::copy_if(known.begin(), known.end(), std::back_inserter(read->rows), is_on_it);
  }
  return read;
}

// All, or the known ones with what changed.
Result<Told<std::map<Uuid, Server>>> Sync::read_servers(Deadline deadline) {
  const auto& known = cloud_.servers;
  const std::int64_t since_us = known.known() && !all_servers_ ? known.read_at_us - us(options_.overlap) : 0;
  auto read = nova_.servers(since_us, deadline);
  if (!read) return tl::unexpected(read.error());
  std::map<Uuid, Server> all;
  if (since_us != 0) all = known.rows;
  for (const Server& server : read->rows) {
    if (server.deleted) {
      if (all.erase(server.id) > 0) deleted_.insert(server.id);
    } else if (!server.unreachable) {
      all.insert_or_assign(server.id, server);
    } else {
      // Its cell is away, the server is not.
      const auto before = known.rows.find(server.id);
      if (before == known.rows.end()) {
        return fail(ErrorCode::kUnavailable, fmt::format("vm {}: its cell does not answer", to_string(server.id)));
      }
      all.insert_or_assign(server.id, before->second);
    }
  }
  std::vector<std::string> notes = since_us == 0 ? std::vector<std::string>() : known.notes;
  for (std::string& note : read->notes) {
    if (std::find(notes.begin(), notes.end(), note) == notes.end()) notes.push_back(std::move(note));
  }
  all_servers_ = false;
  return Told<std::map<Uuid, Server>>{std::move(all), std::move(notes)};
}

void Sync::round() {
  round_us_ = doors_.now_us();
  something_new_ = false;
  if (round_us_ - full_us_ >= us(options_.full_interval)) {
    full_us_ = round_us_;
    all_servers_ = all_providers_ = true;
    nova_checked_ = placement_checked_ = false;
  }
  const auto checked = [](bool& done, auto check) {
    return [&done, check](Deadline deadline) -> Result<void> {
      if (done) return {};
      const Result<void> fits = check(deadline);
      done = fits.has_value();
      return fits;
    };
  };
  const auto nova = checked(nova_checked_, [this](Deadline d) { return nova_.check(d); });
  const auto placement = checked(placement_checked_, [this](Deadline d) { return placement_.check(d); });
  refresh<std::vector<NovaAggregate>>(kAggregates, cloud_.aggregates, [&](Deadline d) {
    return nova(d).and_then([&] { return nova_.aggregates(d); });
  });
  refresh<std::map<std::string, ComputeService>>(
      kServices, cloud_.services, [&](Deadline d) { return nova(d).and_then([&] { return nova_.services(d); }); });
  refresh<std::vector<Hypervisor>>(kHypervisors, cloud_.hypervisors,
                                   [&](Deadline d) { return nova(d).and_then([&] { return read_hypervisors(d); }); });
  refresh<std::vector<ServerGroup>>(kGroups, cloud_.groups,
                                    [&](Deadline d) { return nova(d).and_then([&] { return nova_.groups(d); }); });
  refresh<std::map<Uuid, Server>>(kServers, cloud_.servers,
                                  [&](Deadline d) { return nova(d).and_then([&] { return read_servers(d); }); });
  refresh<std::map<Uuid, Provider>>(kProviders, cloud_.providers, [&](Deadline d) {
    const std::map<Uuid, Provider> none;
    auto read =
        placement(d).and_then([&] { return placement_.providers(all_providers_ ? none : cloud_.providers.rows, d); });
    all_providers_ &= !read;
    return read;
  });
  const bool again = attempts_[kPicture].failures > 0 && is_due(kPicture);
  if (something_new_ || again) return hand_over();
  if (attempts_[kPicture].failures == 0) attempts_[kPicture].next_us = round_us_ + us(options_.interval);
}

void Sync::hand_over() {
  CloudRows rows = rows_of(cloud_);
  rows.report.deleted_vms = deleted_;
  if (says_nothing(rows.report)) return;
  const auto taken = doors_.take(rows.report);
  settle(kPicture, taken);
  if (taken) {
    deleted_.clear();
    ++rounds_;
  } else {
    full_us_ = 0;  // what was read may be wrong: read it again
  }
  if (rows.notes == notes_) return;
  notes_ = std::move(rows.notes);
  for (std::size_t i = 0; i < std::min(notes_.size(), kNotesLogged); ++i) {
    doors_.log("warn", fmt::format("event=openstack_odd note={} of={}", log_text(notes_[i]), notes_.size()));
  }
}

}  // namespace emplace::openstack
