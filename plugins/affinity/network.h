// affinity.network and affinity.data: what draws a vm to its peers and to its data (distance.h).
#pragma once

#include "distance.h"

namespace emplace::affinity {

// Pulls: each peer that is placed. A peer that is not placed yet is left out; with none placed there is no data.
class Network : public plugin::Objective {
 public:
  explicit Network(const Distances& distances) : distances_(distances) {}
  void evaluate(const plugin::Call& call, plugin::Costs& costs) const override;

 private:
  const Distances distances_;
};

// Pulls: each data source that has a copy somewhere. A source without a known copy is left out.
class Data : public plugin::Objective {
 public:
  explicit Data(const Distances& distances) : distances_(distances) {}
  void evaluate(const plugin::Call& call, plugin::Costs& costs) const override;

 private:
  const Distances distances_;
};

}  // namespace emplace::affinity
