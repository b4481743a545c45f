// The order in which CPython iterates over a set of CPUs. Nova pins the first CPUs of such a set, so that whoever wants
// to pin the same ones has to know it.
//
// A set is a table of a power of two of places, and is iterated from the first place to the last. A number belongs at
// its lowest bits. Where that place is taken, the nine places after it are tried, if the table has so many, and then
// other places, which follow from the place and the number's higher bits. A table that is three fifths full is replaced
// by one of more than four times as many places as it has members, which are put there in the old order. So the order
// depends on how the set came about: two numbers that belong at the same place change their order each time that a set
// is made of a set. (Objects/setobject.c of CPython 3.11; tests/nova/numa_fit.py compares with the one that is there.)
#pragma once

#include <span>
#include <vector>

#include "numa/numa_topology.h"

namespace emplace::nova {

// Of a set to which the members were added one after the other. What is listed twice is added once.
std::vector<Cpu> set_of_added(std::span<const Cpu> members);
// Of the set that a versioned object keeps when one of this order is assigned to its field: it makes a set of the
// checked members, and a second one of that.
std::vector<Cpu> set_of_assigned(std::span<const Cpu> order);
// Of `set - other`.
std::vector<Cpu> set_difference(std::span<const Cpu> set, const CpuSet& other);
// Of `set & other`.
std::vector<Cpu> set_intersection(std::span<const Cpu> set, std::span<const Cpu> other);

}  // namespace emplace::nova
