#include "tests/fuzz/doors.h"

#include <atomic>

namespace emplace::fuzz {

Ambient still_ambient() {
  static std::atomic<std::uint64_t> made = 0;
  return {[] { return std::int64_t{1'790'000'000'000'000}; }, [] { return std::int64_t{0}; },
          [] {
            Uuid id;
            const std::uint64_t number = ++made;
            std::memcpy(id.bytes.data() + 8, &number, sizeof number);
            return id;
          }};
}

Result<ClaimsTaken> DeafStore::take(std::vector<ClaimOrder> orders,
                                    std::function<ClaimRecords(std::span<const Claim>)> records, Deadline) {
  ClaimsTaken taken;
  for (const ClaimOrder& order : orders) {
    taken.claims.push_back({order.id, order.vm.id, order.vm.name, "", "", order.host, {}, "held", 0, 1});
  }
  if (records) records(taken.claims);
  taken.event_seq = 1;
  return taken;
}

}  // namespace emplace::fuzz
