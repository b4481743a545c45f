// Cluster: a picture for a test, told as changes, and queries on it.
//
//   Cluster cluster({host("a"), host("b")});
//   const Query query = cluster.query(vm(4, 8192));
//
// A query refers to the cluster, to its request and to its picture: the cluster must outlive it, and only the last
// query that was asked for is valid.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "service/core/change/change.h"
#include "service/core/decide/query.h"

namespace emplace {

inline HostRow host(std::string name, double vcpus = 16, double memory_mib = 65536, double disk_gib = 1000) {
  HostRow row;
  row.name = std::move(name);
  row.vcpus = vcpus;
  row.memory_mib = memory_mib;
  row.disk_gib = disk_gib;
  return row;
}

inline HostRow host_with_cells(std::string name, std::vector<CellRow> cells) {
  double vcpus = 0, memory_mib = 0;
  for (const CellRow& cell : cells) {
    vcpus += cell.vcpus;
    memory_mib += cell.memory_mib;
  }
  HostRow row = host(std::move(name), vcpus, memory_mib, 0);
  row.cells = std::move(cells);
  return row;
}

inline VmRequest vm(double vcpus, double memory_mib, double disk_gib = 0) {
  VmRequest request;
  request.vcpus = vcpus;
  request.memory_mib = memory_mib;
  request.disk_gib = disk_gib;
  return request;
}

inline Uuid uuid_of(std::uint8_t number) {
  Uuid id;
  id.bytes[15] = number;
  return id;
}

// A vm of no size that is on a host as a member of a group.
inline VmRow member(std::uint8_t number, std::string on_host, std::string group) {
  VmRow row;
  row.id = uuid_of(number);
  row.name = "vm-" + std::to_string(number);
  row.host = std::move(on_host);
  row.state = VmState::kRunning;
  row.group = std::move(group);
  return row;
}

class Cluster {
 public:
  explicit Cluster(const std::vector<Change>& changes = {}) {
    constexpr std::uint64_t kArenaBytes = std::uint64_t{1} << 30;
    PictureBuilder builder(std::make_shared<Picture>(*Arena::create(kArenaBytes)));
    for (const Change& change : changes) apply(builder, change);
    picture_ = builder.finish({"test", 1, 0}, 0);
  }

  const Picture& picture() const { return *picture_; }
  std::uint32_t row(std::string_view name) const { return picture_->find_host(name); }
  std::string name(std::uint32_t row) const { return std::string(picture()[hosts::name][row]); }

  Query query(VmRequest request) {
    request_.vm = std::move(request);
    auto query = bind(request_, request_.vm, *picture_, 0);
    EXPECT_TRUE(query) << query.error().message;
    return *query;
  }

 private:
  std::shared_ptr<const Picture> picture_;
  PlacementRequest request_;
};

}  // namespace emplace
