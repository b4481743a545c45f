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

// Nova does not tell hosts with 99 free devices and more apart: what is scarce is the last ones.
double weight_of_devices(const HostState* state) {
  constexpr std::int64_t kMostDevices = 100;
  if (is_unread(state, "pci_stats")) return std::numeric_limits<double>::quiet_NaN();
  const std::int64_t free = state && state->pci ? state->pci->free() : 0;
  return static_cast<double>(kMostDevices - std::min(free, kMostDevices - 1));
}

// Nova keeps the processor's description as a text, and its object as a dict.
std::optional<double> address_bits_of(const Value& attributes) {
  const Value* info = attributes.find("cpu_info");
  const auto parsed = info && info->text() ? parse_json(*info->text()) : std::nullopt;
  const Value* addresses = parsed ? parsed->find("maxphysaddr") : info ? info->find("maxphysaddr") : nullptr;
  const Value* bits = addresses ? addresses->find("bits") : nullptr;
  return bits ? bits->number() : std::nullopt;
}

double counted_of(const HostState* state, std::string_view attribute, std::int64_t HostState::*count) {
  if (is_unread(state, attribute)) return std::numeric_limits<double>::quiet_NaN();
  return state ? static_cast<double>(state->*count) : 0;
}

HostTopology topology_of(const HostState* state) {
  HostTopology topology;
  if (state && state->numa) topology.cells = state->numa->cells;
  if (state && state->pci) topology.pools = &*state->pci;
  return topology;
}

// Different for different kinds: each text is preceded by its length.
std::string key_of(const HostKind& kind) {
  std::string key = std::to_string(kind.hypervisor_version) + ';';
  if (kind.is_support_unread) key += "unread";
  if (kind.address_bits) key += Value(*kind.address_bits).repr();
  for (const auto& combination : kind.supported_instances) {
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

HostColumns::HostColumns() : kinds_(std::make_shared<Kinds>()) {}

HostColumns::Kinds::Kinds() : positions{{key_of({}), 0}} {}

HostBlock::HostBlock() {
  version.fill(HostState::kNone);
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
  block.version[i] = state ? state->version : HostState::kNone;
  block.kind[i] = state ? position_of(*state) : 0;
  block.least_disk_gb[i] = std::numeric_limits<double>::infinity();
  if (state) block.least_disk_gb[i] = state->least_disk_gb.value_or(block.least_disk_gb[i]);
  block.pci_weight[i] = weight_of_devices(state);
  block.io_ops[i] = counted_of(state, "num_io_ops", &HostState::io_ops);
  block.failed_builds[i] = counted_of(state, "failed_builds", &HostState::failed_builds);
  block.hypervisor_version[i] = state ? static_cast<double>(state->hypervisor_version) : 0;
  block.topology[i] = topology_of(state);
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
  distinct_kinds.assign(kind.begin(), kind.end());
  std::ranges::sort(distinct_kinds);
  distinct_kinds.erase(std::unique(distinct_kinds.begin(), distinct_kinds.end()), distinct_kinds.end());
  same_pci_weight = same_of(pci_weight);
  same_io_ops = same_of(io_ops);
  same_failed_builds = same_of(failed_builds);
  same_hypervisor_version = same_of(hypervisor_version);
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
  HostKind kind{state.supported_instances, state.hypervisor_version, address_bits_of(state.attributes),
                state.is_unread("supported_instances")};
  std::string key = key_of(kind);
  const auto at = kinds_->positions.find(key);
  if (at != kinds_->positions.end()) return at->second;
  if (kinds_.use_count() > 1) kinds_ = std::make_shared<Kinds>(*kinds_);
  const auto position = static_cast<std::uint32_t>(kinds_->all.size());
  kinds_->all.push_back(std::move(kind));
  kinds_->positions.emplace(std::move(key), position);
  return position;
}

}  // namespace emplace::nova
