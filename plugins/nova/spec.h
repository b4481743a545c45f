// Spec: what Nova's filters read from a request. From the RequestSpec primitive when the request came with one, else
// from the request's own fields. Specs keeps the last one it read: a decision asks eight rules about the same text.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "emplace/view.hpp"
#include "numa_request.h"
#include "pci_pools.h"
#include "value.h"

namespace emplace::nova {

struct Group {
  std::string policy;
  std::vector<std::string> policies;
  std::vector<plugin::Uuid> members;
  std::vector<std::string> hosts;
  std::int64_t max_server_per_host = 1;
};

struct Spec {
  bool from_nova = false;
  bool rebuild = false;                                          // the hint _nova_check_type is ['rebuild']
  std::vector<std::pair<std::string, std::string>> extra_specs;  // of the flavor
  std::vector<std::pair<std::string, std::string>> image_properties;
  std::optional<Group> group;  // from_nova only
  std::optional<plugin::Uuid> instance;
  NumaRequest numa;
  std::vector<PciRequest> pci_requests;

  const std::string* image_property(std::string_view name) const;
};

std::optional<plugin::Uuid> parse_uuid(std::string_view text);

class Specs {
 public:
  // Throws plugin::Error for a primitive that cannot be read.
  std::shared_ptr<const Spec> of(const plugin::Call& call) const;

 private:
  mutable std::mutex mutex_;
  mutable std::string text_;                  // guarded by mutex_
  mutable std::shared_ptr<const Spec> last_;  // of text_
};

}  // namespace emplace::nova
