// Reservations: the door to what was answered to schedulers that take hosts themselves (service/observe).
//
// Threads: any.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "service/core/base/uuid.h"
#include "service/core/change/change.h"
#include "service/core/picture/picture.h"
#include "service/core/request/request.h"

namespace emplace {

struct Reservation {
  VmRequest vm;  // with its id, by which it is known
  std::string host;
  std::string takes = {};  // of it (takes.h)
};

// In-flight reservations: a host that was named to Nova counts as taken until the vm is seen there or the time is up,
// so that schedulers that ask at once do not all get the same host. They are claims that nobody waits for: every
// replica hears of them soon, a crash may lose them, and no lack of room refuses one. Their claim has the vm's own id.
class Reservations {
 public:
  using Decide = std::function<std::vector<Reservation>(const std::shared_ptr<const Picture>&)>;

  virtual ~Reservations() = default;
  // Calls `decide` with the latest picture as it is without the earlier reservations of `vms`, and reserves what it
  // returns instead of them, before anybody else decides here. A vm that is on its host already, or has no id, reserves
  // nothing.
  virtual void reserve(std::span<const Uuid> vms, std::uint32_t ttl_s, const Decide& decide) = 0;
};

// A reservation as every replica's picture shows it: the row's claim is its vm's id.
struct ReservedVm {
  VmRow row;
  std::int64_t expires_at_us = 0;
};

}  // namespace emplace
