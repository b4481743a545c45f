// Query: a request bound to a picture. Names become rows and codes once, and everything that rules ask about the
// request's own relations (members of its group, its peers, its data) is looked up once, so that no rule's work grows
// with the number of vms. A what-if is bound like any picture.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "service/core/base/result.h"
#include "service/core/picture/picture.h"
#include "service/core/request/request.h"

namespace emplace {

struct HostCount {
  std::uint32_t host;   // row
  std::uint32_t count;  // members of the request's group on it, vms and held claims, without the vm itself
};
struct GroupRule {
  GroupPolicy policy;
  double max_per_host;  // of anti-affinity
};
struct Peer {
  std::uint32_t vm;    // row
  std::uint32_t host;  // row; kNoRow: not placed
  double bytes_per_s;
};
struct DataSource {
  std::uint32_t source;  // code
  double bytes_per_s;
};

struct Query {
  const PlacementRequest& request;
  const VmRequest& vm;
  const Picture& picture;
  std::int64_t now_us;

  std::uint32_t vm_row = kNoRow;     // the vm, or an expected vm of that name, when the picture knows it
  std::uint32_t group_row = kNoRow;  // kNoRow with `group`: only the request tells of it
  std::optional<GroupRule> group = {};
  bool group_unread = false;                    // the group is not known, and a cloud's groups could not be read
  std::vector<HostCount> members = {};          // by rising host row
  std::uint32_t zone_code = kNoRow;             // kNoRow with vm.zone set: no host has that zone
  std::vector<std::uint32_t> trait_codes = {};  // kNoRow: no host has that trait
  std::vector<std::uint32_t> forbidden_codes = {};
  std::vector<std::uint32_t> taken_domains = {};  // codes of racks (or zones) used by other domains of the spread group
  std::vector<std::uint32_t> taken_hosts = {};  // rows: hosts without a rack (or zone), domains of their own, likewise
  std::vector<Peer> peers = {};
  std::vector<DataSource> data_sources = {};
  std::optional<std::vector<std::uint32_t>> only_hosts = {};  // rows; set: only these may be considered
  std::vector<std::uint32_t> ignored_hosts = {};

  // The same in copies of this query and in no other as long as anybody holds it, so that what a rule prepares for a
  // query can be found again.
  std::shared_ptr<const void> identity = {};
};

// The name of the vm's group in this picture: of one that a RequestSpec tells, its id; empty where it has none.
std::string group_name(const VmRequest& vm, const Picture& picture);

// kInvalid, naming the field, for a host or group that the picture lacks; for a group only where all could be read.
Result<Query> bind(const PlacementRequest& request, const VmRequest& vm, const Picture& picture, std::int64_t now_us);

}  // namespace emplace
