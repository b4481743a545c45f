// Roster: which host sees which domains, as of the last report of each. One host alone can't tell that a vm also runs
// elsewhere, or that it is the same libvirtd as another.
//
// Reports of two hosts are not of one moment: a vm that has just moved may be in both. So a vm counts as running twice
// only when both hosts were looked at again after it was first in both, and two hosts stop being one only after their
// lists differed twice.
//
// Threads: any.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "service/core/doors/sightings.h"
#include "service/core/picture/picture.h"

namespace emplace::observe {

class Roster {
 public:
  void connected(const std::string& host, const std::string& identity);
  void lost(const std::string& host);
  void looking(const std::string& host, std::shared_ptr<const Picture> picture);

  void list(const std::string& host, std::span<const DomainSeen> all);
  void see(const std::string& host, const DomainSeen& seen);
  void miss(const std::string& host, const Uuid& vm);

  // The picture from before the host was last looked at: what was on the host then must be in the list, or is gone.
  std::shared_ptr<const Picture> before(const std::string& host) const;
  bool runs(const Uuid& vm, const std::string& host) const;
  // Where else it is seen running for good; second names of a libvirtd do not count.
  std::vector<std::string> runs_also(const Uuid& vm, const std::string& host) const;
  // The host of the least name that is the same libvirtd; empty: this one has that name, or is alone.
  std::string same_as(const std::string& host) const;
  std::vector<std::string> named_again(const std::string& host) const;  // those that are the same as this one

 private:
  struct News {
    bool is_connected = false;
    std::string identity = {};
    std::uint64_t looks = 0;   // begun
    std::uint64_t listed = 0;  // the look that was last reported
    std::set<Uuid> all = {}, running = {};
    std::shared_ptr<const Picture> before = {};
    std::string same_as = {};
    int doubts = 0;
  };
  struct Twice {
    std::uint64_t looks_a = 0, looks_b = 0;
  };
  using Place = std::tuple<Uuid, std::string, std::string>;  // vm, and two hosts by name

  void note_twice(const std::string& host);
  void compare(const std::string& host);

  mutable std::mutex mutex_;  // guards all
  std::map<std::string, News> hosts_;
  std::map<Place, Twice> twice_;
};

}  // namespace emplace::observe
