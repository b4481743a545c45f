#include "host_columns.h"

#include <algorithm>

#include "host_states.h"

namespace emplace::nova {
namespace {

// Nova raises for a service without any heartbeat; here it only fails itself.
ServiceState judge(const std::optional<Service>& service) {
  if (!service) return ServiceState::kNone;
  if (service->disabled) return ServiceState::kDisabled;
  if (service->forced_down) return ServiceState::kForcedDown;
  return service->heartbeat_us ? ServiceState::kHeard : ServiceState::kNeverHeard;
}

double least_disk_gb(const Value& attributes) {
  const Value* least = attributes.find("disk_available_least");
  const auto whole = least ? least->whole() : std::nullopt;
  return whole ? static_cast<double>(*whole) : std::numeric_limits<double>::infinity();
}

// Nova does not tell hosts with 99 free devices and more apart: what is scarce is the last ones.
double weight_of_devices(const HostState* state) {
  constexpr std::int64_t kMostDevices = 100;
  const std::int64_t free = state && state->pci ? state->pci->free() : 0;
  return static_cast<double>(kMostDevices - std::min(free, kMostDevices - 1));
}

// Different for different Supports: each text is preceded by its length.
std::string key_of(const HostState& state) {
  std::string key = std::to_string(state.hypervisor_version);
  for (const auto& combination : state.supported_instances) {
    key += ';';
    for (const std::string& part : combination) key += std::to_string(part.size()) + ':' + part;
  }
  return key;
}

std::optional<double> same_of(const std::array<double, kBlockRows>& column) {
  const bool same = std::ranges::all_of(column, [&](double value) { return value == column.front(); });
  return same ? std::optional(column.front()) : std::nullopt;
}

}  // namespace

HostColumns::HostColumns() : supports_(std::make_shared<Supports>()) {}

HostBlock::HostBlock() {
  least_disk_gb.fill(std::numeric_limits<double>::infinity());
  instances.fill(std::numeric_limits<double>::quiet_NaN());
  pci_weight.fill(weight_of_devices(nullptr));
  same_pci_weight = pci_weight.front();
}

void HostColumns::set(std::uint32_t row, const HostState* state) {
  HostBlock& block = blocks_.open(row);
  const std::uint32_t i = row % kBlockRows;
  if (touched_.empty() || touched_.back() != row - i) touched_.push_back(row - i);
  block.service[i] = state ? judge(state->service) : ServiceState::kNone;
  block.heard_us[i] = state && state->service ? state->service->heartbeat_us.value_or(0) : 0;
  block.support[i] = state ? position_of(*state) : 0;
  block.least_disk_gb[i] = state ? least_disk_gb(state->attributes) : std::numeric_limits<double>::infinity();
  block.pci_weight[i] = weight_of_devices(state);
  block.io_ops[i] = state ? static_cast<double>(state->io_ops) : 0;
  block.failed_builds[i] = state ? static_cast<double>(state->failed_builds) : 0;
  block.hypervisor_version[i] = state ? static_cast<double>(state->hypervisor_version) : 0;
  const auto instances = state ? state->instances : std::nullopt;
  block.instances[i] = instances ? static_cast<double>(*instances) : std::numeric_limits<double>::quiet_NaN();
}

void HostBlock::summarise() {
  first_heard_us = std::numeric_limits<std::int64_t>::max(), last_heard_us = std::numeric_limits<std::int64_t>::min();
  any_other = false;
  for (std::uint32_t i = 0; i < kBlockRows; ++i) {
    any_other = any_other || (service[i] != ServiceState::kNone && service[i] != ServiceState::kHeard);
    if (service[i] != ServiceState::kHeard) continue;
    first_heard_us = std::min(first_heard_us, heard_us[i]);
    last_heard_us = std::max(last_heard_us, heard_us[i]);
  }
  distinct_supports.assign(support.begin(), support.end());
  std::ranges::sort(distinct_supports);
  same_pci_weight = same_of(pci_weight);
  same_io_ops = same_of(io_ops);
  same_failed_builds = same_of(failed_builds);
  same_hypervisor_version = same_of(hypervisor_version);
  distinct_supports.erase(std::unique(distinct_supports.begin(), distinct_supports.end()), distinct_supports.end());
}

void HostColumns::finish() {
  for (const std::uint32_t row : touched_) blocks_.open(row).summarise();
  touched_.clear();
}

const HostBlock& HostColumns::block_of(std::uint32_t row) const {
  static const HostBlock kNothingKnown;
  const HostBlock* block = blocks_.find(row);
  return block ? *block : kNothingKnown;
}

std::uint32_t HostColumns::position_of(const HostState& state) {
  if (state.supported_instances.empty()) return 0;
  std::string key = key_of(state);
  const auto at = supports_->positions.find(key);
  if (at != supports_->positions.end()) return at->second;
  if (supports_.use_count() > 1) supports_ = std::make_shared<Supports>(*supports_);
  const auto position = static_cast<std::uint32_t>(supports_->all.size());
  supports_->all.push_back({state.supported_instances, state.hypervisor_version});
  supports_->positions.emplace(std::move(key), position);
  return position;
}

}  // namespace emplace::nova
