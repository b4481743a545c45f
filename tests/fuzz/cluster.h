// A small cluster that the targets decide and check names on, made once: two racks of two hosts with cells, a group, an
// aggregate, vms with traffic between them.
#pragma once

#include <memory>
#include <span>

#include "service/core/change/change.h"

namespace emplace::fuzz {

std::shared_ptr<const Picture> cluster();

// An empty picture with these changes; vms without an id get one, as the store gives them.
std::shared_ptr<const Picture> picture_of(std::span<const Change> changes);

}  // namespace emplace::fuzz
