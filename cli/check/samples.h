// Samples: the questions that most tests ask: a few random clusters, and a few requests for each.
#pragma once

#include <cstdint>
#include <string>

#include "cli/check/cluster.h"
#include "cli/check/question.h"
#include "cli/check/requests.h"

namespace emplace::check {

inline constexpr std::uint32_t kHosts = 48, kVms = 120;

struct Sample {
  std::vector<Change> cluster;
  std::shared_ptr<const Picture> picture;
  std::vector<std::string> requests;
};

inline Sample random_sample_of(Random& random, std::uint32_t hosts = kHosts, std::uint32_t vms = kVms,
                               std::size_t requests = 6) {
  Sample sample{random_cluster(random, hosts, vms), nullptr, random_requests(random, vms, requests)};
  sample.picture = picture_of(sample.cluster);
  return sample;
}

}  // namespace emplace::check
