#include "python_set.h"

#include <algorithm>

namespace emplace::nova {
namespace {

constexpr std::size_t kLeastPlaces = 8;
constexpr std::size_t kNearPlaces = 9;  // that are tried after the first, where the table has so many
constexpr unsigned kShift = 5;
constexpr std::int32_t kEmpty = -1;

std::size_t places_for_more_than(std::size_t members) {
  std::size_t places = kLeastPlaces;
  while (places <= members) places *= 2;
  return places;
}

class Table {
 public:
  explicit Table(std::size_t places) : places_(places, kEmpty) {}

  std::size_t places() const { return places_.size(); }

  void put(Cpu cpu) {
    const std::size_t at = place_of(cpu);
    used_ += places_[at] == kEmpty;
    places_[at] = cpu;
  }

  void add(Cpu cpu) {
    put(cpu);
    if (used_ * 5 >= (places_.size() - 1) * 3) *this = holding(order(), places_for_more_than(used_ * 4));
  }

  std::vector<Cpu> order() const {
    std::vector<Cpu> members;
    for (const std::int32_t cpu : places_) {
      if (cpu != kEmpty) members.push_back(static_cast<Cpu>(cpu));
    }
    return members;
  }

  static Table holding(std::span<const Cpu> members, std::size_t places) {
    Table table(places);
    for (const Cpu cpu : members) table.put(cpu);
    return table;
  }

 private:
  // Where the number is, or has to go.
  std::size_t place_of(Cpu cpu) const {
    const std::size_t mask = places_.size() - 1;
    std::size_t first = cpu & mask, rest = cpu;
    while (true) {
      const std::size_t last = first + kNearPlaces <= mask ? first + kNearPlaces : first;
      for (std::size_t at = first; at <= last; ++at) {
        if (places_[at] == kEmpty || places_[at] == cpu) return at;
      }
      rest >>= kShift;
      first = (first * 5 + 1 + rest) & mask;
    }
  }

  std::vector<std::int32_t> places_;
  std::size_t used_ = 0;
};

Table table_of_added(std::span<const Cpu> members) {
  Table table(kLeastPlaces);
  for (const Cpu cpu : members) table.add(cpu);
  return table;
}

bool contains(std::span<const Cpu> set, Cpu cpu) { return std::ranges::find(set, cpu) != set.end(); }

}  // namespace

std::vector<Cpu> set_of_added(std::span<const Cpu> members) { return table_of_added(members).order(); }

// A set that is made of a set gets a table of more than twice as many places as there are members. Where the other has
// as many, it is copied as it is.
std::vector<Cpu> set_of_assigned(std::span<const Cpu> order) {
  const Table checked = table_of_added(order);
  std::vector<Cpu> members = checked.order();
  const bool keeps = members.size() * 5 < (kLeastPlaces - 1) * 3;
  const std::size_t places = keeps ? kLeastPlaces : places_for_more_than(members.size() * 2);
  return places == checked.places() ? members : Table::holding(members, places).order();
}

// Of a set that is much larger than what is taken from it, Python takes that from a copy.
std::vector<Cpu> set_difference(std::span<const Cpu> set, const CpuSet& other) {
  std::vector<Cpu> left;
  std::ranges::copy_if(set, std::back_inserter(left), [&](Cpu cpu) { return !other.contains(cpu); });
  return set.size() / 4 > other.size() ? left : set_of_added(left);
}

// Python goes through the smaller one; through the second where they are equal.
std::vector<Cpu> set_intersection(std::span<const Cpu> set, std::span<const Cpu> other) {
  if (other.size() > set.size()) std::swap(set, other);
  std::vector<Cpu> both;
  std::ranges::copy_if(other, std::back_inserter(both), [&](Cpu cpu) { return contains(set, cpu); });
  return set_of_added(both);
}

}  // namespace emplace::nova
