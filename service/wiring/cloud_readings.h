// CloudReadings: when the cloud of [openstack] was last in the store as a whole, which the replica that reads it notes
// there and every other one looks up.
//
// Threads: any.
#pragma once

#include <atomic>
#include <cstdint>

#include "service/openstack/openstack.h"
#include "service/rest/cloud_view.h"
#include "service/store/postgres_store.h"

namespace emplace {

class CloudReadings {
 public:
  CloudReadings(PostgresStore& store, std::int64_t began_us) : store_(store), began_us_(began_us) {}

  // Asks the store; while it is away what was known stays.
  void look();
  // A report was written whose oldest table was read then; 0: not a whole one.
  void wrote(std::int64_t read_at_us);

  std::int64_t read_at_us() const { return read_at_us_; }  // 0: never
  bool is_older() const { return read_at_us_ <= began_us_; }

 private:
  PostgresStore& store_;
  const std::int64_t began_us_;
  std::atomic<std::int64_t> read_at_us_{0};
};

http::CloudView view_of(const CloudReadings& readings, const openstack::Openstack& cloud);

}  // namespace emplace
