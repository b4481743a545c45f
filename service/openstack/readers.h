// NovaReader and PlacementReader: whole tables over the network, page by page, as values (cloud.h). A table is whole,
// but for rows that can't be read and have a note each, or an Error: a page that fails fails its table.
//
// Threads: any; they wait, at most until the deadline.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "service/openstack/cloud.h"
#include "service/openstack/keystone.h"

namespace emplace::openstack {

class NovaReader {
 public:
  explicit NovaReader(Keystone& keystone, std::size_t page = 1000) : keystone_(keystone), page_(page) {}

  // Whether this Nova speaks the microversion that all below are asked in.
  Result<void> check(Deadline deadline);

  Result<Told<std::vector<Hypervisor>>> hypervisors(Deadline deadline);
  Result<Told<std::map<std::string, ComputeService>>> services(Deadline deadline);  // by host
  Result<Told<std::vector<NovaAggregate>>> aggregates(Deadline deadline);
  Result<Told<std::vector<ServerGroup>>> groups(Deadline deadline);
  // Of all projects. `since_us` 0: all that are not deleted; else those that changed since then, deleted ones among
  // them.
  Result<Told<std::vector<Server>>> servers(std::int64_t since_us, Deadline deadline);
  Result<Told<std::vector<Server>>> servers_on(const std::string& host, Deadline deadline);

 private:
  Result<Told<std::vector<Server>>> servers_where(const std::string& what, Deadline deadline);
  Result<std::string> get(const std::string& path, Deadline deadline);

  Keystone& keystone_;
  const std::size_t page_;
};

class PlacementReader {
 public:
  explicit PlacementReader(Keystone& keystone) : keystone_(keystone) {}

  Result<void> check(Deadline deadline);

  // All providers, those of devices below their hosts' too. Of those in `known` with the same generation nothing more is asked: any change of inventories,
  // allocations, traits or aggregates raises it.
  Result<Told<std::map<Uuid, Provider>>> providers(const std::map<Uuid, Provider>& known, Deadline deadline);

 private:
  Result<void> fill(std::vector<Provider>& some, Deadline deadline);

  Keystone& keystone_;
};

}  // namespace emplace::openstack
