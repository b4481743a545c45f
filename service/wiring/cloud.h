// CloudPart: the cloud of [openstack]. One replica at a time reads it; each may move its servers.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>

#include "service/configuration/config.h"
#include "service/observe/findings.h"
#include "service/observe/mirror.h"
#include "service/observe/observer.h"
#include "service/openstack/openstack.h"
#include "service/store/postgres_store.h"
#include "service/wiring/cloud_readings.h"

namespace emplace {

class CloudPart {
 public:
  // Null without [openstack]. The others outlive it.
  static Result<std::unique_ptr<CloudPart>> start(const Config& config, observe::Observer& observer,
                                                  PostgresStore& store, observe::Findings& findings);

  openstack::Openstack& openstack() { return *openstack_; }
  const openstack::Openstack& openstack() const { return *openstack_; }
  const CloudReadings& readings() const { return readings_; }

 private:
  CloudPart(const Config& config, observe::Observer& observer, PostgresStore& store);
  Result<std::unique_ptr<openstack::Openstack>> start_reading(const Config& config, observe::Observer& observer,
                                                              PostgresStore& store, observe::Findings& findings);

  bool lead(PostgresStore& store, std::uint32_t sync_s);
  Result<void> take(const CloudReport& report, observe::Findings& findings);

  observe::Mirror mirror_;
  CloudReadings readings_;
  std::mutex mutex_;
  Leader leader_;  // guarded by mutex_: as which the cloud is read
  std::unique_ptr<openstack::Openstack> openstack_;
};

}  // namespace emplace
