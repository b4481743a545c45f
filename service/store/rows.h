// Rows of shared state as Changes, as they are stored: for loading the whole state and for the events of what was
// changed.
#pragma once

#include <functional>
#include <optional>
#include <pqxx/pqxx>
#include <string>
#include <vector>

#include "service/core/change/change.h"

namespace emplace {

std::vector<HostRow> read_hosts(pqxx::work& transaction, const std::vector<std::string>& names);
std::vector<VmRow> read_vms(pqxx::work& transaction, const std::vector<Uuid>& ids);
std::vector<GroupRow> read_groups(pqxx::work& transaction);
std::vector<AggregateRow> read_aggregates(pqxx::work& transaction);

// What is stored of rows, by their keys: those that are not stored are missing.
std::vector<TrafficRow> read_traffic(pqxx::work& transaction, const std::vector<TrafficRow>& edges);
std::vector<DataSourceRow> read_data_sources(pqxx::work& transaction, const std::vector<DataSourceRow>& edges);
std::vector<SourceHostsRow> read_source_hosts(pqxx::work& transaction);
std::optional<PageSampleRow> read_sample(pqxx::work& transaction, const std::string& vm);

// Everything, in an order that apply() can take, in pieces of some thousand rows.
void read_all(pqxx::work& transaction, const std::function<void(std::vector<Change>)>& take);

}  // namespace emplace
