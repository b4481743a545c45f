// Sightings (core/doors/sightings.h) as rows: what hypervisors report, compared under lock with what is stored, so that
// neither a report that is older than an order nor a picture that lags takes anything back. Only what a report is about
// is written.
#pragma once

#include <functional>
#include <pqxx/pqxx>

#include "service/core/base/result.h"
#include "service/core/change/change.h"
#include "service/core/doors/sightings.h"
#include "service/store/inventory.h"

namespace emplace {

Result<InventoryWritten> write_host_seen(pqxx::work& transaction, HostRow seen, const std::function<Uuid()>& new_uuid);
InventoryWritten write_host_lost(pqxx::work& transaction, const std::string& host);
InventoryWritten write_vms_seen(pqxx::work& transaction, const VmReport& report);

}  // namespace emplace
