// A slow model of apply(): the rows as plain structs in maps. Everything that depends on them is worked out from
// scratch.
#pragma once

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "service/core/change/change.h"

namespace emplace::testing_rows {

struct ChangeModel {
  std::map<std::string, HostRow> hosts;
  std::map<std::string, GroupRow> groups;
  std::map<std::string, AggregateRow> aggregates;
  std::map<std::pair<Uuid, Uuid>, VmRow> vms;                         // by id and claim
  std::map<std::pair<std::string, std::string>, TrafficRow> traffic;  // by both names, sorted
  std::map<std::pair<std::string, std::string>, DataSourceRow> data_sources;
  std::map<std::string, std::set<std::string>> source_hosts;
  std::map<std::string, PageSampleRow> samples;

  void take(HostRow row) {
    if (!row.cpu_util && !row.memory_used_observed_mib && !row.power_watts) row.observed_at_us = 0;
    for (const auto& name : row.aggregates) aggregates.try_emplace(name, AggregateRow{name});
    hosts[row.name] = row;
  }
  void take(VmRow row) {
    if (!hosts.contains(row.host)) row.host.clear();
    if (!groups.contains(row.group)) row.group.clear();
    std::sort(row.cells.begin(), row.cells.end());
    vms[{row.id, row.claim.value_or(Uuid{})}] = row;
  }
  void take(const GroupRow& row) { groups[row.name] = row; }
  void take(const AggregateRow& row) { aggregates[row.name] = row; }
  void take(TrafficRow row) {
    if (row.b < row.a) std::swap(row.a, row.b);
    traffic.erase({row.a, row.b});
    if (row.bytes_per_s > 0) traffic[{row.a, row.b}] = row;
  }
  void take(const DataSourceRow& row) {
    data_sources.erase({row.vm, row.source});
    if (row.bytes_per_s > 0) data_sources[{row.vm, row.source}] = row;
  }
  void take(const SourceHostsRow& row) {
    auto& names = source_hosts[row.source];
    names.clear();
    for (const auto& name : row.hosts) {
      if (hosts.contains(name)) names.insert(name);
    }
  }
  void take(const PageSampleRow& row) { samples[row.vm] = row; }
  void take(const HostRemoved& removed) {
    hosts.erase(removed.name);
    for (auto& [key, vm] : vms) {
      if (vm.host == removed.name) vm.host.clear();
    }
    for (auto& [source, names] : source_hosts) names.erase(removed.name);
  }
  void take(const VmRemoved& removed) { vms.erase({removed.id, removed.claim.value_or(Uuid{})}); }
  void take(const GroupRemoved& removed) {
    groups.erase(removed.name);
    for (auto& [key, vm] : vms) {
      if (vm.group == removed.name) vm.group.clear();
    }
  }
  void take(const AggregateRemoved& removed) {
    aggregates.erase(removed.name);
    for (auto& [name, host] : hosts) std::erase(host.aggregates, removed.name);
  }
  void take_change(const Change& change) {
    std::visit([&](const auto& row) { take(row); }, change);
  }

  // All rows as JSON, sorted.
  std::vector<std::string> rows() const {
    std::vector<std::string> all;
    const auto add = [&](const auto& table) {
      for (const auto& [key, row] : table) all.push_back(to_json(row));
    };
    add(hosts), add(groups), add(aggregates), add(vms), add(traffic), add(data_sources), add(samples);
    for (const auto& [source, names] : source_hosts) {
      if (!names.empty()) all.push_back(to_json(SourceHostsRow{source, {names.begin(), names.end()}}));
    }
    std::sort(all.begin(), all.end());
    return all;
  }

  // Of the vms with that name, the least id, expected ones last; nothing: a row that was made up holds the name.
  std::optional<Uuid> holder(const std::string& name) const {
    std::set<std::pair<bool, Uuid>> named;
    for (const auto& [key, vm] : vms) {
      if (!vm.claim && vm.name == name) named.emplace(vm.state == VmState::kExpected, vm.id);
    }
    return named.empty() ? std::nullopt : std::optional(named.begin()->second);
  }

  // Names of which something is known.
  std::set<std::string> known_names() const {
    std::set<std::string> names;
    for (const auto& [key, row] : traffic) names.insert({row.a, row.b});
    for (const auto& [key, row] : data_sources) names.insert(row.vm);
    for (const auto& [key, row] : samples) names.insert(row.vm);
    return names;
  }
};

// The rows of a picture, written in the model's way.
inline std::vector<std::string> rows_of(const Picture& picture) {
  std::vector<std::string> all;
  for (Change& change : changes_of(picture)) {
    if (auto* edge = std::get_if<TrafficRow>(&change); edge != nullptr && edge->b < edge->a)
      std::swap(edge->a, edge->b);
    all.push_back(to_json(change));
  }
  std::sort(all.begin(), all.end());
  return all;
}

}  // namespace emplace::testing_rows
