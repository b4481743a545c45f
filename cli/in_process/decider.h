// Decider: the service's own straight line on a picture of its own, without a service: no claims, no database, no
// plugins, one vm after the other. For replaying a trace as fast as decisions can be made.
//
// Threads: one.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "service/core/decide/rules.h"
#include "service/core/picture/picture.h"

namespace emplace {

class Decider {
 public:
  struct Place {
    std::string host;
    std::vector<std::uint32_t> cells;
  };

  // `inventory` as the body of POST /v1/inventory:import; `profile` as that of PUT /v1/profiles/NAME, empty: the
  // default.
  static Result<Decider> make(std::string_view inventory, std::string_view profile);
  // `placement`: the body of POST /v1/placements. The vm is then there. Nothing: no host fits.
  Result<std::optional<Place>> place(std::string_view placement);
  // A vm that was placed leaves, by its name.
  void remove(const std::string& name);

 private:
  Decider(std::shared_ptr<const Picture> picture, Rules rules)
      : picture_(std::move(picture)), rules_(std::move(rules)) {}
  void publish(const Change& change);

  std::shared_ptr<const Picture> picture_;
  Rules rules_;
  std::map<std::string, Uuid> vms_;  // that are there
  std::uint64_t placed_ = 0;
};

}  // namespace emplace
