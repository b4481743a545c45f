// Random clusters as the service could hold them: hosts with zones, racks, traits, aggregates, cells and Nova's state,
// vms with page samples, groups, traffic and data; some of what may be unknown is. They are told as changes and made
// into real pictures, so that a plugin sees just what it sees in the service. All amounts are multiples of 1/256, so
// that sums of them have the same bits in any order.
//
// The same seed gives the same cluster.
#pragma once

#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "service/core/change/change.h"

namespace emplace::check {

using Random = std::mt19937_64;

inline constexpr std::int64_t kNowUs = 1'795'250'230'000'000;  // 2026-11-21T08:37:10Z, the time of all questions

inline constexpr std::uint32_t kGroups = 4;  // server groups of a cluster: "g0", "g1", ..., one of each policy

inline std::uint64_t below(Random& random, std::uint64_t end) { return random() % end; }
inline bool one_in(Random& random, std::uint64_t n) { return below(random, n) == 0; }

// The vms of a cluster are numbered from 0.
Uuid vm_id(std::uint64_t n);
std::string vm_name(std::uint64_t n);

// One stream of numbers per test, so that a test alone does what it does among the others.
Random random_for(std::uint64_t seed, std::string_view test);

std::vector<Change> random_cluster(Random& random, std::uint32_t hosts, std::uint32_t vms);
// One change such as telemetry, an operator or a claim makes, in a cluster of that size.
Change random_change(Random& random, std::uint32_t hosts, std::uint32_t vms, std::uint64_t step);
// The same cluster with its rows elsewhere.
std::vector<Change> shuffled(std::vector<Change> cluster, Random& random);

// Memory for as many pictures_of() as are there at once, before a process gives up the right to get any.
void prepare_memory();
std::shared_ptr<const Picture> picture_of(const std::vector<Change>& cluster);
std::shared_ptr<const Picture> with_changes(std::shared_ptr<const Picture> base, const std::vector<Change>& changes);

}  // namespace emplace::check
