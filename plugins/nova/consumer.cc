// What an instance takes of a host, as HostState.consume_from_request in nova/scheduler/host_manager.py does it: its
// NUMA cells are fitted once more, and its devices come from near the cells that they got. What vCPUs, memory, disk,
// the counts of instances and of operations become follows from the vm's row alone (HostStates).
//
// Where Nova fails on the way, it says so in its log and goes on with the next instance; what it had not counted until
// then is never counted. It counts cells first, then the devices of one request after the other, then operations.
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <algorithm>
#include <set>

#include "numa/numa_fit.h"
#include "rules.h"
#include "takes.h"

namespace emplace::nova {
namespace {

using Writer = rapidjson::Writer<rapidjson::StringBuffer>;

constexpr double kNoLimit = 9e15;  // a whole number that JSON and a double both hold
constexpr std::string_view kData = "nova_object.data";
constexpr NumaLimits kUnlimited{kNoLimit, kNoLimit};

void write_text(Writer& writer, std::string_view text) {
  writer.String(text.data(), static_cast<rapidjson::SizeType>(text.size()));
}

void write_value(Writer& writer, const Value& value) {
  if (const auto* text = value.text()) return write_text(writer, *text);
  if (const auto* list = value.list()) {
    writer.StartArray();
    for (const Value& item : *list) write_value(writer, item);
    writer.EndArray();
  } else if (const auto* dict = value.dict()) {
    writer.StartObject();
    for (const auto& [key, item] : *dict) write_text(writer, key), write_value(writer, item);
    writer.EndObject();
  } else if (const auto flag = value.flag()) {
    writer.Bool(*flag);
  } else if (const auto whole = value.whole()) {
    writer.Int64(*whole);
  } else if (const auto number = value.number()) {
    writer.Double(*number);
  } else {
    writer.Null();
  }
}

Value with(const Value& object, std::string_view key, Value value) {
  Value::Dict fields = object.dict() ? *object.dict() : Value::Dict();
  const auto at = std::ranges::find(fields, key, &Value::Dict::value_type::first);
  if (at == fields.end()) {
    fields.emplace_back(key, std::move(value));
  } else {
    at->second = std::move(value);
  }
  return Value(std::move(fields));
}

// A field of a versioned object's primitive.
Value with_field(const Value& object, std::string_view key, Value value) {
  const Value* data = object.find(kData);
  return data ? with(object, kData, with(*data, key, std::move(value))) : with(object, key, std::move(value));
}

// The topology that an instance asked for, as fitting it has left it: with ids of host cells and the chosen pages.
Value fitted_topology(const Value& asked, const std::vector<FittedCell>& fit) {
  Value::List cells = *asked.fields().find("cells")->list();
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const GuestCell& guest = fit[i].guest;
    cells[i] = with_field(cells[i], "id", Value(guest.id));
    if (guest.page_kib != 0) cells[i] = with_field(cells[i], "pagesize", Value(guest.page_kib));
  }
  return with_field(asked, "cells", Value(std::move(cells)));
}

class Taking {
 public:
  Taking(const Spec& spec, const HostState& host, const HostState& told) : spec_(spec), host_(host), told_(told) {}

  void fit(const NumaLimits& limits, bool pack) {
    const bool asks = !spec_.numa.cells.empty();
    if (asks && host_.numa && !host_.numa->cells.empty()) return fit_cells(limits, pack);
    for (const GuestCell& cell : spec_.numa.cells) cells_.push_back(cell.id);
  }

  std::string text() {
    rapidjson::StringBuffer buffer;
    Writer writer(buffer);
    writer.StartObject();
    writer.Key("takes");
    writer.StartArray();
    for (std::size_t i = 0; after_ && i < after_->cells.size(); ++i) write_cell(writer, i);
    if (!failed_) write_pools(writer);
    if (failed_) write_take(writer, std::string(kOperations), 0, kNoLimit);
    writer.EndArray();
    if (fitted_) write_spec(writer);
    writer.EndObject();
    return buffer.GetString();
  }

 private:
  // Nova knows limits only where NUMATopologyFilter has let the host pass; the others are tried without.
  void fit_cells(const NumaLimits& limits, bool pack) {
    static const std::vector<PciRequest> kNone;
    const PciPools* pools = host_.pci && host_.pci->fault.empty() ? &*host_.pci : nullptr;
    NumaFitting fitting(spec_.numa, pools ? spec_.pci_requests : kNone, pack);
    fitted_.emplace();
    for (const NumaLimits& tried : {limits, kUnlimited}) {
      if (fitting.fit(host_.numa->cells, pools, tried) != NumaObstacle::kNone) continue;
      limits_ = tried;
      fitted_ = fitting.fitted();
      cells_ = fitting.chosen();
      after_ = consume(*host_.numa, *fitted_);
      failed_ = !after_;
      return;
    }
  }

  void write_take(Writer& writer, const std::string& name, std::int64_t amount, double limit) const {
    writer.StartArray();
    write_text(writer, name);
    writer.Int64(amount);
    writer.Double(std::clamp(limit, 0.0, kNoLimit));
    writer.EndArray();
  }

  bool is_pinned_on(std::int64_t cell) const {
    return std::ranges::any_of(*fitted_,
                               [&](const FittedCell& one) { return one.guest.id == cell && one.guest.pins(); });
  }

  // Dedicated CPUs and memory beside them are never promised twice; all else as far as the ratios go.
  void write_cell(Writer& writer, std::size_t i) const {
    const NumaCell &before = host_.numa->cells[i], &after = after_->cells[i], &told = told_.numa->cells[i];
    const std::string name = "numa/" + std::to_string(before.id) + '/';
    const double memory_ratio = is_pinned_on(before.id) ? 1 : limits_.ram_ratio;
    const auto difference = [&](const char* what, std::int64_t amount, double limit) {
      if (amount != 0) write_take(writer, name + what, amount, limit);
    };
    difference("memory_mib", after.memory_used_mib - before.memory_used_mib,
               static_cast<double>(told.memory_mib) * memory_ratio - static_cast<double>(told.memory_used_mib));
    difference("cpus", after.cpu_usage - before.cpu_usage,
               told.shared_count * limits_.cpu_ratio - static_cast<double>(told.cpu_usage));
    for (const Cpu cpu : std::set<Cpu>(before.threads.begin(), before.threads.end())) {
      if (before.is_free(cpu) && !after.is_free(cpu)) write_take(writer, name + "cpu/" + std::to_string(cpu), 1, 1);
    }
    write_pages(writer, name, i);
  }

  void write_pages(Writer& writer, const std::string& name, std::size_t i) const {
    const NumaCell &before = host_.numa->cells[i], &after = after_->cells[i], &told = told_.numa->cells[i];
    const auto asks = [&](const FittedCell& one) { return one.guest.id == before.id && one.guest.page_kib != 0; };
    const bool limited = std::ranges::any_of(*fitted_, asks);
    for (std::size_t k = 0; k < before.pages.size(); ++k) {
      const NumaPages& pages = told.pages[k];
      const std::int64_t amount = after.pages[k].used - before.pages[k].used;
      const double limit = limited ? static_cast<double>(pages.total - pages.reserved - pages.used) : kNoLimit;
      if (amount != 0) write_take(writer, name + "pages/" + std::to_string(pages.size_kib), amount, limit);
    }
  }

  // A pool that was emptied is named even where nothing was in it: Nova drops it.
  void write_pools(Writer& writer) {
    if (spec_.pci_requests.empty() || !host_.pci || !told_.pci || !host_.pci->fault.empty()) return;
    const PciPlace place{cells_, host_.numa ? host_.numa->cells : std::span<const NumaCell>()};
    PciTaking taking;
    failed_ = !taking.supports(*host_.pci, spec_.pci_requests, place);
    const auto keys = keys_of(*told_.pci);
    for (std::size_t i = 0; i < host_.pci->pools.size(); ++i) {
      const std::uint32_t told = host_.pci->pools[i].place;
      const auto taken = taking.taken(*host_.pci, i);
      if (taken) write_take(writer, "pci/" + keys[told], *taken, static_cast<double>(told_.pci->pools[told].count));
    }
  }

  void write_spec(Writer& writer) const {
    writer.Key("spec");
    writer.StartObject();
    writer.Key("numa_topology");
    if (cells_.empty()) {
      writer.Null();  // it fits no more; Nova then forgets what was asked for
    } else {
      write_value(writer, fitted_topology(*spec_.data.find("numa_topology"), *fitted_));
    }
    writer.EndObject();
  }

  const Spec& spec_;
  const HostState &host_, &told_;
  NumaLimits limits_;
  std::optional<std::vector<FittedCell>> fitted_;  // nothing: no cells were asked for, or the host has none
  std::optional<NumaTopology> after_;
  std::vector<std::int64_t> cells_;  // ids of those that devices should be near
  bool failed_ = false;              // Nova counts nothing more
};

class HostConsumer : public plugin::Consumer {
 public:
  explicit HostConsumer(const Shared& shared) : shared_(shared) {}

  std::string take(const plugin::Call& call, std::uint32_t row) const override {
    const auto spec = shared_.specs->of(call);
    if (spec->numa.cells.empty() && spec->pci_requests.empty()) return {};
    const Snapshot& snapshot = shared_.hosts->of(call);
    const HostState* host = snapshot.hosts.find(row);
    const HostState* told = snapshot.told.find(row);
    if (!host || !told) return {};
    const auto ratio = [&](std::string_view column) {
      return call.picture().column<double>("hosts", column).get(row).value_or(1);
    };
    Taking taking(*spec, *host, *told);
    taking.fit({ratio("cpu_allocation_ratio"), ratio("ram_allocation_ratio")},
               shared_.settings->of(call)->packing_host_numa_cells_allocation_strategy);
    return taking.text();
  }

 private:
  const Shared shared_;
};

}  // namespace

void add_consumer(plugin::Plugin& plugin, const Shared& shared) {
  plugin.set_consumer(std::make_unique<HostConsumer>(shared));
}

}  // namespace emplace::nova
