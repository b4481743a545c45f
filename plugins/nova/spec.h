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
#include "numa/numa_request.h"
#include "pci/pci_pools.h"
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
  Value data;                                                    // the fields of the RequestSpec; None if not from_nova
  bool rebuild = false;                                          // the hint _nova_check_type is ['rebuild']
  std::vector<std::pair<std::string, std::string>> extra_specs;  // of the flavor
  std::vector<std::pair<std::string, std::string>> image_properties;
  std::optional<Group> group;  // from_nova only
  std::optional<plugin::Uuid> instance;
  std::optional<std::string> project;
  std::string availability_zone;     // empty: any
  std::string flavor;                // its name
  std::optional<std::string> image;  // its id
  NumaRequest numa;
  std::vector<PciRequest> pci_requests;

  const std::string* image_property(std::string_view name) const;
  // A scheduler hint with one value is that value, one with several their list; null when there is none.
  const Value* hint(std::string_view name) const;
};

std::optional<plugin::Uuid> parse_uuid(std::string_view text);
// Of a text that Nova would compare as a text: nothing unless it is written as Nova writes uuids.
std::optional<plugin::Uuid> exact_uuid(std::string_view text);

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
