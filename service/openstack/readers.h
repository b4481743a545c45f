// NovaReader and PlacementReader: whole tables over the network, page by page, as values (cloud.h). A table is whole,
// but for rows that can't be read and have a note each, or an Error: a page that fails fails its table.
//
// A table may take as many calls as it needs: the time is limited for each call, not for the table. What a table that
// fails has got is kept by whoever asks, and its next reading goes on from there.
//
// Threads: any; they wait.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "service/openstack/cloud.h"
#include "service/openstack/keystone.h"

namespace emplace::openstack {

using Patience = std::chrono::milliseconds;  // with one call, and with a login that it needs

// How far a list was read.
struct Place {
  std::size_t listed = 0;
  std::string marker = {};
};

// Servers of all projects as far as they are read.
struct ServerPages {
  std::int64_t since_us =
      0;  // 0: all that are not deleted; else those that changed since then, deleted ones among them
  std::int64_t began_us = 0;
  std::int64_t cloud_at_us = 0;  // when the first page was asked for, by the cloud's clock; 0: it does not say
  Place place = {};
  std::vector<Server> rows = {};
  std::vector<std::string> notes = {};

  bool begun() const { return place.listed > 0; }
};

class NovaReader {
 public:
  explicit NovaReader(Keystone& keystone, std::size_t page = 1000) : keystone_(keystone), page_(page) {}

  // Whether this Nova speaks the microversion that all below are asked in.
  Result<void> check(Patience patience);

  Result<Told<std::vector<Hypervisor>>> hypervisors(Patience patience);
  Result<Told<std::map<std::string, ComputeService>>> services(Patience patience);  // by host
  Result<Told<std::vector<NovaAggregate>>> aggregates(Patience patience);
  Result<Told<std::vector<ServerGroup>>> groups(Patience patience);
  // Goes on where `pages` is. When a page's marker is gone (400), everything is asked for again.
  Result<void> servers(ServerPages& pages, Patience patience);
  Result<Told<std::vector<Server>>> servers_on(const std::string& host, Deadline deadline);

 private:
  Result<void> next_page(ServerPages& pages, bool& more, Patience patience);
  Result<std::string> get(const std::string& path, Deadline deadline);

  Keystone& keystone_;
  const std::size_t page_;
};

class PlacementReader {
 public:
  explicit PlacementReader(Keystone& keystone) : keystone_(keystone) {}

  Result<void> check(Patience patience);

  // All providers, those of devices below their hosts' too. Of those in `known` or `kept` with the same generation
  // nothing more is asked, unless they are among `again`: a change of inventories, traits or aggregates and an
  // allocation that is made raise it, one that is deleted does not. What was asked is in `kept`, whatever becomes of
  // the rest.
  Result<Told<std::map<Uuid, Provider>>> providers(const std::map<Uuid, Provider>& known, const std::set<Uuid>& again,
                                                   std::map<Uuid, Provider>& kept, Patience patience);

 private:
  Result<void> fill(std::vector<Provider> some, std::map<Uuid, Provider>& kept, Patience patience);

  Keystone& keystone_;
};

}  // namespace emplace::openstack
