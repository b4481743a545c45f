// Findings: what is wrong with the hosts as they were last seen. Each is said in the log once when it begins and once
// when it is over, however often it is seen in between.
//
// Threads: any.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "service/core/doors/cloud.h"
#include "service/core/doors/finding.h"

namespace emplace::observe {

using Log = std::function<void(std::string_view level, std::string_view line)>;

class Findings {
 public:
  Findings(std::function<std::int64_t()> now_us, Log log) : now_us_(std::move(now_us)), log_(std::move(log)) {}

  // All findings of that name on that host, as they are now.
  void replace(const std::string& host, const std::string& name, const std::vector<std::string>& texts);
  std::vector<Finding> all() const;  // by host, then name

 private:
  using Key = std::tuple<std::string, std::string, std::string>;  // host, name, text

  const std::function<std::int64_t()> now_us_;
  const Log log_;
  mutable std::mutex mutex_;
  std::map<Key, std::int64_t> since_us_;  // guarded by mutex_
};

// Those that a cloud's report tells of its hosts, in the place of those of the report before.
void replace_findings(Findings& findings, const CloudReport& report);

}  // namespace emplace::observe
