#include "numa/numa_fit.h"

#include <algorithm>
#include <numeric>

namespace emplace::nova {
namespace {

// Orders to try before giving up on a host: Nova would need seconds for them.
constexpr std::uint32_t kMostOrders = 1u << 20;

bool overlaps(const std::vector<std::string>& some, const std::vector<std::string>& others) {
  return std::ranges::find_first_of(some, others) != some.end();
}

}  // namespace

std::uint32_t NumaFitting::slot_of(std::int64_t id) const {
  const auto in_host = std::ranges::find(host_, id, &NumaCell::id);
  if (in_host != host_.end()) return static_cast<std::uint32_t>(in_host - host_.begin());
  const auto in_guest = std::ranges::find(request_->cells, id, &GuestCell::id);
  return static_cast<std::uint32_t>(host_.size() + static_cast<std::size_t>(in_guest - request_->cells.begin()));
}

void NumaFitting::start(std::span<const NumaCell> host) {
  host_ = host;
  trials_.clear();
  for (const GuestCell& cell : request_->cells) trials_.push_back({cell, slot_of(cell.id), {}, false});
  host_slots_.clear();
  for (const NumaCell& cell : host) host_slots_.push_back(slot_of(cell.id));
  pairs_.assign(host.size() * (host.size() + trials_.size()), Pair::kUnknown);
  order_.resize(trials_.size());
  std::iota(order_.begin(), order_.end(), 0u);
}

// Of more cells than the instance needs, less used ones come first (when packing: last), and those without devices;
// those with, when the instance wants devices.
void NumaFitting::order_cells(const PciPools* pools) {
  ordered_.clear();
  const bool choice = host_.size() > request_->cells.size();
  const std::int64_t rising = pack_ ? 1 : -1;
  for (std::uint32_t i = 0; i < host_.size(); ++i) {
    const NumaCell& cell = host_[i];
    Keyed keyed{0, 0, 0, i};
    if (choice) {
      if (pools) keyed.devices = pools->free_near(cell.id) * (devices_->empty() ? 1 : -1);
      keyed.cpus = request_->cells.front().pins() ? rising * cell.free_count : -rising * cell.cpu_usage;
      keyed.memory = rising * cell.memory_free_mib();
    }
    ordered_.push_back(keyed);
  }
  if (choice) std::ranges::sort(ordered_);
}

void NumaFitting::set_id(Trial& trial, std::size_t host_cell) {
  const std::uint32_t slot = host_slots_[host_cell];
  changed_ = changed_ || trial.slot != slot;
  trial.slot = slot;
  trial.cell.id = host_[host_cell].id;
}

bool NumaFitting::try_pair(std::size_t at, const NumaLimits& limits) {
  Trial& trial = trials_[at];
  const std::size_t host_cell = ordered_[order_[at]].position;
  Pair& pair = pairs_[host_slots_[host_cell] * (host_.size() + trials_.size()) + trial.slot];
  if (pair == Pair::kDoesNotFit) return false;
  if (pair == Pair::kUnknown) {
    const bool reserve = request_->isolates_emulator && at == 0;
    const NumaObstacle obstacle = fit_cell(host_[host_cell], trial.cell, limits, reserve);
    const bool fits = obstacle == NumaObstacle::kNone;
    changed_ = true;
    pair = fits ? Pair::kFits : Pair::kDoesNotFit;
    const bool pinned = trial.cell.pins() && (fits || obstacle > NumaObstacle::kCores);
    if (pinned) trial.pinned_on = host_cell, trial.reserved = reserve;
    if (!fits && !pinned) return false;
    set_id(trial, host_cell);
    return fits;
  }
  set_id(trial, host_cell);
  return true;
}

// How many guest cells fit, in order, before one does not.
std::size_t NumaFitting::try_order(const NumaLimits& limits) {
  for (std::size_t at = 0; at < trials_.size(); ++at) {
    if (!try_pair(at, limits)) return at;
  }
  return trials_.size();
}

// The next permutation, in Python's order, in which another host cell is taken at `from` or before.
bool NumaFitting::next_order(std::size_t from) {
  const auto used_before = [this](std::size_t at, std::uint32_t value) {
    return std::find(order_.begin(), order_.begin() + static_cast<std::ptrdiff_t>(at), value) !=
           order_.begin() + static_cast<std::ptrdiff_t>(at);
  };
  const auto next_unused = [&](std::size_t at, std::uint32_t value) {
    while (value < ordered_.size() && used_before(at, value)) ++value;
    return value;
  };
  for (std::size_t at = from + 1; at-- > 0;) {
    order_[at] = next_unused(at, order_[at] + 1);
    if (order_[at] == ordered_.size()) continue;
    for (std::size_t rest = at + 1; rest < order_.size(); ++rest) order_[rest] = next_unused(rest, 0);
    return true;
  }
  return false;
}

// A network with affinity to cells of this host must have it to one of the chosen.
bool NumaFitting::networks_are_near() const {
  const auto is_chosen = [this](const NumaCell& cell) {
    return std::ranges::any_of(order_, [&](std::uint32_t at) { return &host_[ordered_[at].position] == &cell; });
  };
  std::vector<std::string> missing = request_->physnets;
  bool tunnel_is_near = !request_->tunneled;
  for (const NumaCell& cell : host_) {
    if (!is_chosen(cell)) continue;
    std::erase_if(missing, [&](const std::string& name) { return overlaps({name}, cell.physnets); });
    tunnel_is_near = tunnel_is_near || cell.tunneled;
  }
  return std::ranges::none_of(host_, [&](const NumaCell& cell) {
    return overlaps(missing, cell.physnets) || (!tunnel_is_near && cell.tunneled);
  });
}

NumaObstacle NumaFitting::accept(const PciPools* pools) {
  chosen_ids_.clear();
  for (const Trial& trial : trials_) chosen_ids_.push_back(trial.cell.id);
  if (pools && !devices_->empty() && !taking_.supports(*pools, *devices_, {chosen_ids_, host_})) {
    return NumaObstacle::kDevices;
  }
  const bool asks = request_->tunneled || !request_->physnets.empty();
  return !asks || networks_are_near() ? NumaObstacle::kNone : NumaObstacle::kNetworks;
}

NumaObstacle NumaFitting::fit(std::span<const NumaCell> host, const PciPools* pools, const NumaLimits& limits) {
  if (host.size() < request_->cells.size()) return NumaObstacle::kFewCells;
  start(host);
  order_cells(pools);
  NumaObstacle worst = NumaObstacle::kTogether;
  for (std::uint32_t tried = 0; tried < kMostOrders; ++tried) {
    changed_ = false;
    const std::size_t fitting = try_order(limits);
    std::size_t from = trials_.size() - 1;
    if (fitting == trials_.size()) {
      const NumaObstacle obstacle = accept(pools);
      if (obstacle == NumaObstacle::kNone) return obstacle;
      worst = std::max(worst, obstacle);
    } else if (!changed_) {
      from = fitting;  // orders that begin like this one end where it did
    }
    if (!next_order(from)) return worst;
  }
  return NumaObstacle::kTooManyOrders;
}

std::vector<FittedCell> NumaFitting::fitted() const {
  std::vector<FittedCell> cells;
  for (std::size_t i = 0; i < trials_.size(); ++i) {
    const Trial& trial = trials_[i];
    FittedCell& fitted = cells.emplace_back(FittedCell{trial.cell, {}});
    if (trial.pinned_on) fitted.pinning = pin(host_[*trial.pinned_on], trial.cell, trial.reserved);
  }
  return cells;
}

}  // namespace emplace::nova
