#include "service/openstack/sync.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "service/core/base/shown_text.h"
#include "service/core/json/json.h"
#include "service/openstack/consumers.h"

namespace emplace::openstack {
namespace {

constexpr std::array<const char*, 8> kNames = {"hypervisors", "services",  "aggregates",    "groups",
                                               "servers",     "providers", "compute_nodes", "picture"};
constexpr std::size_t kNotesLogged = 5;

std::int64_t us(std::chrono::milliseconds time) { return std::chrono::microseconds(time).count(); }

bool says_nothing(const CloudReport& report) {
  return !report.hosts && !report.vms && !report.groups && !report.aggregates;
}

}  // namespace

Sync::Sync(Sources sources, SyncOptions options, Doors doors)
    : sources_(sources), options_(options), doors_(std::move(doors)) {
  for (const Part part : kAllParts) states_[part] = {kNames[part], "not read yet", "", 0, is_needed(part)};
  cloud_.reads_compute_nodes = is_there(kComputeNodes);
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
  std::vector<PartState> states;
  for (const Part part : kAllParts) {
    if (is_there(part)) states.push_back(states_[part]);
  }
  return states;
}

// ---- the thread

void Sync::run() {
  while (wait()) {
    merge_finished();
    if (is_any_ready() && !(leads_ = doors_.leads())) forget();
    if (!leads_) continue;
    start_ready();
    const bool again = is_ready(kPicture);
    const bool news = news_us_ != 0 && (!runs() || doors_.now_us() >= news_us_ + us(options_.together));
    if (news || again) hand_over();
  }
  for (Attempt& attempt : attempts_) {
    if (attempt.thread.joinable()) attempt.thread.join();
  }
}

// Until something is to be done; false: nothing any more.
bool Sync::wait() {
  const auto left = std::chrono::microseconds(std::max<std::int64_t>(next_us() - doors_.now_us(), 1000));
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, left, [this] { return stopping_ || hurried_ || !finished_.empty(); });
  if (!std::exchange(hurried_, false)) return !stopping_;
  for (const Part part : {kServers, kProviders}) {
    attempts_[part].next_us = 0;
    attempts_[part].again = attempts_[part].running;
  }
  return !stopping_;
}

bool Sync::runs() const {
  return std::any_of(attempts_.begin(), attempts_.end(), [](const Attempt& one) { return one.running; });
}

// Whether time alone makes it ready. A picture that was taken is not handed over again. Each reading of hypervisors
// comes after one of services, which tell whose cell does not answer.
bool Sync::waits_for_time(Part part) const {
  if (!is_there(part)) return false;
  if (part == kPicture) return attempts_[kPicture].failures > 0;
  if (part != kHypervisors) return !attempts_[part].running;
  const Attempt &own = attempts_[kHypervisors], &services = attempts_[kServices];
  return !own.running && !services.running && (services.failures > 0 || services.began_us > own.began_us);
}

bool Sync::is_ready(Part part) const { return waits_for_time(part) && attempts_[part].next_us <= doors_.now_us(); }

bool Sync::is_any_ready() const {
  return std::any_of(kAllParts.begin(), kAllParts.end(), [this](Part part) { return is_ready(part); });
}

std::int64_t Sync::next_us() const {
  std::int64_t next = doors_.now_us() + us(options_.interval);
  for (const Part part : kAllParts) {
    if (waits_for_time(part)) next = std::min(next, attempts_[part].next_us);
  }
  return news_us_ == 0 ? next : std::min(next, runs() ? news_us_ + us(options_.together) : 0);
}

// Another replica reads: what we have read grows old.
void Sync::forget() {
  for (Attempt& attempt : attempts_) {
    attempt.failures = 0;
    attempt.next_us = doors_.now_us() + us(options_.interval);
  }
  const std::lock_guard lock(mutex_);
  for (PartState& state : states_) state.error.clear();
  news_us_ = 0;
  if (runs()) return;
  cloud_ = {};
  cloud_.reads_compute_nodes = is_there(kComputeNodes);
  missed_.clear();
  pages_ = {};
  providers_.clear();
  deleted_.clear();
  others_.clear();
  all_servers_ = all_providers_ = all_nodes_ = true;
}

// What came of a try, for the log once per change and for states(); and when the next one is.
void Sync::settle(Part part, const Result<void>& outcome) {
  Attempt& attempt = attempts_[part];
  attempt.failures = outcome ? 0 : attempt.failures + 1;
  attempt.next_us = outcome ? attempt.began_us + us(options_.interval)
                            : doors_.now_us() + us(options_.backoff.after(attempt.failures, random_fraction()));
  if (std::exchange(attempt.again, false)) attempt.next_us = 0;
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

// ---- reading

void Sync::start(Part part, std::function<Merge()> read) {
  Attempt& attempt = attempts_[part];
  attempt.running = true;
  attempt.began_us = doors_.now_us();
  attempt.thread = std::thread([this, part, read = std::move(read)] {
    Merge merge = read();
    {
      const std::lock_guard lock(mutex_);
      finished_.push_back({part, std::move(merge)});
    }
    changed_.notify_all();
  });
}

template <typename Rows, typename Read>
void Sync::start_table(Part part, Reading<Rows>& reading, Read read) {
  if (!is_ready(part)) return;
  start(part, [this, part, read, &reading] {
    auto told = std::make_shared<Result<Told<Rows>>>(check_nova().and_then(read));
    return [this, part, told, &reading]() -> Result<void> {
      reading.failed = !*told;
      if (!*told) return tl::unexpected(told->error());
      reading = {std::move((*told)->rows), attempts_[part].began_us, std::move((*told)->notes), false};
      return {};
    };
  });
}

void Sync::start_ready() {
  if (doors_.now_us() - full_us_ >= us(options_.full_interval)) {
    full_us_ = doors_.now_us();
    all_servers_ = all_providers_ = all_nodes_ = true;
    nova_checked_ = placement_checked_ = false;
  }
  const Patience patience = options_.patience;
  start_hypervisors();  // before services begin again
  start_table(kAggregates, cloud_.aggregates, [this, patience] { return sources_.nova.aggregates(patience); });
  start_table(kServices, cloud_.services, [this, patience] { return sources_.nova.services(patience); });
  start_table(kGroups, cloud_.groups, [this, patience] { return sources_.nova.groups(patience); });
  start_servers();
  start_providers();
  start_compute_nodes();
}

Result<void> Sync::check_nova() {
  if (nova_checked_) return {};
  auto fits = sources_.nova.check(options_.patience);
  nova_checked_ = fits.has_value();
  return fits;
}

Result<void> Sync::check_placement() {
  if (placement_checked_) return {};
  auto fits = sources_.placement.check(options_.patience);
  placement_checked_ = fits.has_value();
  return fits;
}

void Sync::start_hypervisors() {
  if (!is_ready(kHypervisors)) return;
  start(kHypervisors, [this] {
    auto told = std::make_shared<Result<Told<std::vector<Hypervisor>>>>(
        check_nova().and_then([this] { return sources_.nova.hypervisors(options_.patience); }));
    return [this, told]() -> Result<void> {
      return *told ? merge_hypervisors(**std::move(told)) : tl::unexpected((*told).error());
    };
  });
}

// All, or what changed. What was begun goes on, unless all are wanted meanwhile.
void Sync::start_servers() {
  if (!is_ready(kServers)) return;
  const bool all = all_servers_ || !cloud_.servers.known();
  if (!pages_.begun() || (all && pages_.since_us != 0)) {
    pages_ = {};
    pages_.since_us = all ? 0 : servers_at_us_ - us(options_.overlap);
    pages_.began_us = doors_.now_us();
  }
  start(kServers, [this] {
    const auto read = check_nova().and_then([this] { return sources_.nova.servers(pages_, options_.patience); });
    return [this, read]() -> Result<void> { return read ? merge_servers() : read; };
  });
}

// All, or those whose generation is another; those that were read in vain before count as known.
void Sync::start_providers() {
  if (!is_ready(kProviders)) return;
  const bool all = all_providers_;
  if (all && !std::exchange(whole_begun_, true)) providers_.clear();
  start(kProviders, [this, all, again = doubtful_providers(cloud_)] {
    const std::map<Uuid, Provider> none;
    auto told = std::make_shared<Result<Told<std::map<Uuid, Provider>>>>(check_placement().and_then([&] {
      return sources_.placement.providers(all ? none : cloud_.providers.rows, again, providers_, options_.patience);
    }));
    return [this, told, all]() -> Result<void> {
      if (!*told) return tl::unexpected(told->error());
      if (all) all_providers_ = whole_begun_ = false;
      providers_.clear();
      merge_providers(**std::move(told));
      return {};
    };
  });
}

void Sync::start_compute_nodes() {
  if (!is_ready(kComputeNodes)) return;
  start(kComputeNodes, [this, all = all_nodes_] {
    auto told = std::make_shared<Result<ComputeNodes>>(sources_.database->read(all));
    return [this, told, all]() -> Result<void> {
      Reading<ComputeNodes>& known = cloud_.compute_nodes;
      known.failed = !*told;
      if (!*told) return tl::unexpected(told->error());
      ComputeNodes& read = **told;
      if (all) known.rows = {};
      all_nodes_ = all_nodes_ && !all;
      known.rows.cells = std::move(read.cells);
      for (auto& [id, node] : read.rows) known.rows.rows.insert_or_assign(id, std::move(node));
      known.read_at_us = attempts_[kComputeNodes].began_us;
      return {};
    };
  });
}

// ---- merging

void Sync::merge_finished() {
  std::vector<Finished> finished;
  {
    const std::lock_guard lock(mutex_);
    finished.swap(finished_);
  }
  for (Finished& one : finished) {
    Attempt& attempt = attempts_[one.part];
    attempt.thread.join();
    attempt.running = false;
    const auto merged = one.merge();
    settle(one.part, merged);
    // That something can't be read is news to who waits for it, and does without.
    if (leads_ && (merged || !is_needed(one.part)) && news_us_ == 0) news_us_ = doors_.now_us();
  }
}

// Nova leaves those of a cell that does not answer out; they are still there. Services tell of such a cell, but only
// those that were read since the host was missed: until then it stays.
Result<void> Sync::merge_hypervisors(Told<std::vector<Hypervisor>> told) {
  std::set<std::string> listed;
  for (const Hypervisor& one : told.rows) listed.insert(one.host);
  std::erase_if(missed_, [&](const auto& one) { return listed.contains(one.first); });
  std::set<std::string_view> known;
  for (const Hypervisor& one : cloud_.hypervisors.rows) {
    known.insert(one.host);
    if (!listed.contains(one.host) && stays_without_word(one.host)) told.rows.push_back(one);
  }
  for (const auto& [host, service] : cloud_.services.rows) {
    if (service.unreachable && !listed.contains(host) && !known.contains(host)) {
      return fail(ErrorCode::kUnavailable, fmt::format("host {}: its cell does not answer", host));
    }
  }
  cloud_.hypervisors = {std::move(told.rows), attempts_[kHypervisors].began_us, std::move(told.notes), false};
  return {};
}

// A host that Nova lists no more.
bool Sync::stays_without_word(const std::string& host) {
  const auto service = cloud_.services.rows.find(host);
  if (service != cloud_.services.rows.end() && service->second.unreachable) return true;
  const std::int64_t missed_us = missed_.try_emplace(host, doors_.now_us()).first->second;
  return cloud_.services.read_at_us <= missed_us;
}

// What the pages say, put over what is known. A server whose cell is away is still there.
Result<void> Sync::merge_servers() {
  ServerPages pages = std::exchange(pages_, {});
  Reading<std::map<Uuid, Server>>& servers = cloud_.servers;
  for (const Server& server : pages.rows) {
    if (server.deleted || !server.unreachable || servers.rows.contains(server.id)) continue;
    return fail(ErrorCode::kUnavailable, fmt::format("vm {}: its cell does not answer", to_string(server.id)));
  }
  const bool whole = pages.since_us == 0;
  std::map<Uuid, Server> before;
  if (whole) before.swap(servers.rows);
  const auto depart = [&](const Uuid& id) { cloud_.departed.emplace(id, doors_.now_us()); };
  for (Server& server : pages.rows) {
    const Uuid id = server.id;
    if (server.deleted) {
      if (servers.rows.erase(id) > 0) deleted_.insert(id), depart(id);
    } else if (!server.unreachable) {
      servers.rows.insert_or_assign(id, std::move(server));
    } else if (whole) {
      servers.rows.insert_or_assign(id, before.at(id));
    }
  }
  for (const auto& [id, server] : before) {
    if (!servers.rows.contains(id)) depart(id);
  }
  std::erase_if(cloud_.departed, [&](const auto& one) { return servers.rows.contains(one.first); });
  if (whole) servers.notes.clear();
  for (const std::string& note : pages.notes) {
    if (std::ranges::find(servers.notes, note) == servers.notes.end()) servers.notes.push_back(note);
  }
  servers.read_at_us = pages.began_us;
  all_servers_ = all_servers_ && !whole;
  servers_at_us_ = pages.cloud_at_us != 0 ? pages.cloud_at_us : pages.began_us;
  return {};
}

// What was given to servers that had gone before is given to them still; of others a second reading makes sure.
void Sync::merge_providers(Told<std::map<Uuid, Provider>> told) {
  const std::int64_t began_us = attempts_[kProviders].began_us;
  cloud_.providers = {std::move(told.rows), began_us, std::move(told.notes), false};
  std::erase_if(cloud_.departed, [&](const auto& one) { return one.second < began_us; });
  std::set<Uuid> others = other_consumers(cloud_);
  cloud_.unfamiliar.clear();
  std::ranges::set_difference(others, others_, std::inserter(cloud_.unfamiliar, cloud_.unfamiliar.end()));
  others_ = std::move(others);
}

// ---- handing over

void Sync::hand_over() {
  news_us_ = 0;
  CloudRows rows = rows_of(cloud_);
  rows.report.deleted_vms = deleted_;
  if (says_nothing(rows.report)) return;
  attempts_[kPicture].began_us = doors_.now_us();
  const auto taken = doors_.take(rows.report);
  settle(kPicture, taken);
  if (taken) {
    if (rows.report.vms) deleted_.clear();
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
