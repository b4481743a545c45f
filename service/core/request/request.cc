#include "service/core/request/request.h"

namespace emplace {

VmRequest instance_of(const PlacementRequest& request, std::uint32_t i) {
  VmRequest vm = request.vm;
  if (request.options.count <= 1) return vm;
  if (!vm.name.empty()) vm.name += '-' + std::to_string(i + 1);
  if (i > 0) vm.id = {};  // an id names one vm
  return vm;
}

}  // namespace emplace
