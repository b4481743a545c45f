// Drivers: the hypervisors of several kinds as one. Each act goes to the first of them that drives its host; a host
// that none drives is for the first one to refuse.
//
// Threads: as the drivers, which outlive it.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "service/core/base/deadline.h"
#include "service/core/base/result.h"
#include "service/core/doors/claims.h"
#include "service/core/doors/hypervisors.h"
#include "service/core/doors/sightings.h"

namespace emplace {

class Drivers : public Hypervisors {
 public:
  explicit Drivers(std::vector<Hypervisors*> all) : all_(std::move(all)) {}

  bool drives(const std::string& host) const override { return of(host).drives(host); }
  Result<void> check(const StartOrder& order) const override { return of(order.claim.host).check(order); }
  Result<void> check(const MoveOrder& order) const override { return of(order.from).check(order); }
  void start(StartOrder order, Done done) override {
    Hypervisors& driver = of(order.claim.host);
    driver.start(std::move(order), std::move(done));
  }
  void destroy(const std::string& host, const Uuid& vm, std::optional<Uuid> claim, Done done) override {
    of(host).destroy(host, vm, claim, std::move(done));
  }
  void shut_down(const std::string& host, const Uuid& vm, Done done) override {
    of(host).shut_down(host, vm, std::move(done));
  }
  // The source's driver; it refuses a destination that is none of its own.
  void move(MoveOrder order, std::function<void(const MoveProgress&)> progress, Done done) override {
    Hypervisors& driver = of(order.from);
    driver.move(std::move(order), std::move(progress), std::move(done));
  }
  Result<std::vector<DomainSeen>> domains(const std::string& host, Deadline deadline) override {
    return of(host).domains(host, deadline);
  }

 private:
  Hypervisors& of(const std::string& host) const {
    for (Hypervisors* const one : all_) {
      if (one->drives(host)) return *one;
    }
    return *all_.front();
  }

  const std::vector<Hypervisors*> all_;
};

}  // namespace emplace
