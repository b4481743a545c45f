// CloudView: how much of the cloud that [openstack] names is in the picture. What was never read is not known to be
// empty: until its hosts, inventories and vms were read once, whoever asks for one of its hosts gets no answer, rather
// than one among the hosts that happen to be known.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "service/core/base/result.h"
#include "service/core/picture/picture.h"

namespace emplace::http {

struct CloudView {
  std::int64_t read_at_us = 0;  // when all of it was last read that is in the store; 0: never
  bool older = false;           // that was before this replica began
  std::string missing = {};     // where it never was: which tables, and why
};

// The hosts that are asked about: those named, or any.
struct AskedHosts {
  const std::vector<std::string>* named = nullptr;  // null: any
  bool must_be_known = false;                       // one that is not known is an error
};

// Empty: all candidates are known. A text: others are candidates, too, and this is what an answer must say of the
// cloud's. kUnavailable "emplace.cloud.unread": no candidate is known that is not the cloud's.
Result<std::string> unread_cloud(const std::optional<CloudView>& cloud, const Picture& picture, AskedHosts asked);

}  // namespace emplace::http
