// CrossCellWeigher: where a move may leave its cell, 1 for hosts of the preferred cell and -1 for all others; else 0.
#include <algorithm>

#include "weighing.h"

namespace emplace::nova {
namespace {

// The uuid of the preferred cell, where the request may leave it.
std::optional<std::string> preferred_cell(const Spec& spec) {
  const Value* destination = spec.data.find("requested_destination");
  if (!destination || destination->is_none()) return std::nullopt;
  const Value* allowed = destination->fields().find("allow_cross_cell_move");
  const Value* cell = destination->fields().find("cell");
  const Value* uuid = cell ? cell->fields().find("uuid") : nullptr;
  return allowed && allowed->truthy() && uuid ? std::optional(uuid->str()) : std::nullopt;
}

class CrossCellWeigher : public plugin::Weigher {
 public:
  explicit CrossCellWeigher(const Shared& shared) : shared_(shared) {}

  void weigh(const plugin::Call& call, plugin::Weights& weights) const override {
    write_multipliers(call, shared_, {"cross_cell_move_weight_multiplier"}, weights);
    const auto candidates = call.candidates();
    const auto preferred = preferred_cell(*shared_.specs->of(call));
    if (!preferred) return weights.set_all(0);
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      const HostState* state = shared_.hosts->of(call).hosts.find(candidates[i]);
      const Value* cell = state ? state->attributes.find("cell_uuid") : nullptr;
      if (!is_unread(state, "cell_uuid")) weights.set(i, cell && cell->str() == *preferred ? 1 : -1);
    }
  }

 private:
  const Shared shared_;
};

}  // namespace

void add_cross_cell_weigher(plugin::Plugin& plugin, const Shared& shared) {
  plugin.add("CrossCellWeigher", std::make_unique<CrossCellWeigher>(shared));
}

}  // namespace emplace::nova
