// NumaFit: whether the NUMA cells of an instance fit onto those of a host, onto which, and what they take there; with
// the answer that Nova (Zed, hardware.numa_fit_instance_to_host) gives.
//
// Nova tries the orders of host cells one after the other and writes what it finds into the instance's cells as it
// goes: a page size that was chosen on one host cell is demanded of the next, and what it remembers about pairs of
// cells is keyed by ids that change on the way. That decides some answers, so the trial here has the same state. Orders
// that can only end as one before did, are left out.
//
// Cost: the number of orders times guest cells at worst; one order for most hosts.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "numa/numa_request.h"
#include "numa/numa_topology.h"
#include "pci/pci_pools.h"

namespace emplace::nova {

// In the order in which they are checked.
enum class NumaObstacle : std::uint8_t {
  kNone,
  kPages,         // no pages of a wanted size, or too few free
  kMemory,        // larger than the cell
  kDedicated,     // more dedicated CPUs than the cell has
  kShared,        // more shared CPUs than the cell has
  kFreeCpus,      // too few free dedicated CPUs
  kFreeMemory,    // too little free memory, for an instance that may not overcommit
  kCores,         // no free cores with as many threads as the policy wants
  kSharedLimit,   // shared CPUs with the allocation ratio
  kMemoryLimit,   // memory with the allocation ratio
  kTogether,      // each cell fits onto some cell, but not all at once
  kFewCells,      // more cells than the host has
  kDevices,       // wherever the cells fit, PCI devices are too far
  kNetworks,      // wherever the cells fit, networks are too far
  kTooManyOrders  // given up
};

struct NumaLimits {
  double cpu_ratio = 1, ram_ratio = 1;
};

// Dedicated CPUs for a guest cell: one for each of its own, in order, and one more when the emulator has its own.
struct Pinning {
  std::vector<Cpu> cpus;
  std::optional<Cpu> reserved;
};

// A guest cell as it lies on a host cell.
struct FittedCell {
  GuestCell guest;  // with the host cell's id, and the size of pages that was chosen
  std::optional<Pinning> pinning;
};

// Changes the guest cell as Nova does, also when it does not fit. `reserve`: one CPU more, for the emulator.
NumaObstacle fit_cell(const NumaCell& host, GuestCell& guest, const NumaLimits& limits, bool reserve);
// Nothing when the free cores do not suffice.
std::optional<Pinning> pin(const NumaCell& host, const GuestCell& guest, bool reserve);
// The host with the instance on it. Nothing when the fit is not for this host: its CPUs are unknown or pinned already.
std::optional<NumaTopology> consume(const NumaTopology& host, const std::vector<FittedCell>& fit);

// Fits one instance onto host after host; that needs no memory but for the first.
class NumaFitting {
 public:
  // `pack`: Nova's packing_host_numa_cells_allocation_strategy. The requests must outlive it.
  NumaFitting(const NumaRequest& request, const std::vector<PciRequest>& devices, bool pack)
      : request_(&request), devices_(&devices), pack_(pack) {}

  // Null pools: Nova knows of none, and does not ask for any.
  NumaObstacle fit(std::span<const NumaCell> host, const PciPools* pools, const NumaLimits& limits);
  // After fit() said kNone: ids of host cells, one for each cell of the request.
  const std::vector<std::int64_t>& chosen() const { return chosen_ids_; }
  std::vector<FittedCell> fitted() const;

 private:
  // What Nova remembers of a pair of a host cell's id and a guest cell's current id.
  enum class Pair : std::uint8_t { kUnknown, kFits, kDoesNotFit };
  struct Trial {
    GuestCell cell;
    std::uint32_t slot = 0;  // of its id
    std::optional<std::size_t> pinned_on;
    bool reserved = false;
  };
  struct Keyed {
    std::int64_t devices, cpus, memory;
    std::uint32_t position;
    auto operator<=>(const Keyed&) const = default;
  };

  void start(std::span<const NumaCell> host);
  void order_cells(const PciPools* pools);
  std::size_t try_order(const NumaLimits& limits);
  bool try_pair(std::size_t at, const NumaLimits& limits);
  bool next_order(std::size_t from);
  NumaObstacle accept(const PciPools* pools);
  bool networks_are_near() const;
  void set_id(Trial& trial, std::size_t host_cell);
  std::uint32_t slot_of(std::int64_t id) const;

  const NumaRequest* request_;
  const std::vector<PciRequest>* devices_;
  const bool pack_;
  PciTaking taking_;

  std::span<const NumaCell> host_;
  std::vector<Trial> trials_;
  std::vector<std::uint32_t> host_slots_;  // by host cell: the first one with the same id
  std::vector<Pair> pairs_;                // by slot of the host's cell, slot of the guest's
  std::vector<Keyed> ordered_;             // host cells in the order of trying
  std::vector<std::uint32_t> order_;       // by guest cell: position in ordered_
  std::vector<std::int64_t> chosen_ids_;
  bool changed_ = false;  // a trial changed what Nova keeps
};

}  // namespace emplace::nova
