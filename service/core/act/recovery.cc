#include "service/core/act/recovery.h"

#include <algorithm>

namespace emplace {
namespace {

constexpr std::int64_t kLongest_us = std::int64_t{3600} * 1'000'000;  // how long a host may be away

struct Look {
  bool answered = false;
  std::optional<VmState> state = {};  // nothing: the vm is not there
  bool runs() const { return state == VmState::kRunning; }
  bool is_active() const { return state == VmState::kRunning || state == VmState::kMigrating; }
};

class Forsaken {
 public:
  Forsaken(Store& store, Hypervisors& hypervisors, std::int64_t now_us, Deadline deadline)
      : store_(store), hypervisors_(hypervisors), now_us_(now_us), deadline_(deadline) {}

  void end(const Operation& operation) {
    if (operation.kind == "move") return end_move(operation);
    if (operation.kind == "delete") return end_delete(operation);
  }

 private:
  Look look(const std::string& host, const Uuid& vm) {
    if (!hypervisors_.drives(host)) return {};
    const auto all = hypervisors_.domains(host, deadline_);
    if (!all) return {};
    const auto found = std::find_if(all->begin(), all->end(), [&](const DomainSeen& one) { return one.id == vm; });
    return {true, found == all->end() ? std::nullopt : std::optional(found->state)};
  }

  void end_move(const Operation& move) {
    const Look here = look(move.from, move.vm), there = look(move.host, move.vm);
    if (!here.answered || !there.answered) return;
    if (there.runs() && !here.is_active()) return void(store_.confirm(move.id, VmState::kRunning, deadline_));
    if (there.state) return;  // it may still be on its way
    if (here.state) std::ignore = store_.set_vm_state(move.vm, *here.state, deadline_);
    const std::string where = here.state ? "the vm is still on host " + move.from : "the vm is on neither host";
    std::ignore = store_.give_back(move.id, "the service stopped during the move: " + where, deadline_);
  }

  void end_delete(const Operation& removal) {
    const Look there = look(removal.host, removal.vm);
    if (!there.answered) {
      if (now_us_ - removal.started_at_us < kLongest_us) return;
      std::ignore = store_.end(removal.id, "unknown", "the service stopped, and the host does not answer", deadline_);
    } else if (there.state) {
      std::ignore = store_.end(removal.id, "failed", "the service stopped before the vm was gone", deadline_);
    } else {
      const auto removed = store_.write({VmRemoved{removal.vm, {}}}, std::nullopt, std::nullopt, deadline_);
      if (!removed && removed.error().code != ErrorCode::kNotFound) return;
      std::ignore = store_.end(removal.id, "succeeded", "", deadline_);
    }
  }

  Store& store_;
  Hypervisors& hypervisors_;
  const std::int64_t now_us_;
  const Deadline deadline_;
};

}  // namespace

Result<void> end_forsaken(Store& store, Hypervisors& hypervisors, std::int64_t now_us, Deadline deadline) {
  const auto forsaken = store.forsaken(deadline);
  if (!forsaken) return tl::unexpected(forsaken.error());
  Forsaken ending(store, hypervisors, now_us, deadline);
  for (const Operation& operation : *forsaken) ending.end(operation);
  return {};
}

}  // namespace emplace
