// Says what Placement is asked for each RequestSpec primitive that it reads, one in a line: the query of its allocation
// candidates, a blank, and the query with shared cores, or "-" where there is none.
#include <iostream>
#include <string>

#include "service/core/request/request_json.h"
#include "service/openstack/candidates.h"

namespace emplace::openstack {
namespace {

std::string answer(const std::string& spec) {
  const auto request = parse_placement(R"({"request_spec":)" + spec + "}");
  if (!request) return "error " + request.error().message;
  const auto shared = with_shared_cores(request->vm);
  return candidates_query(request_groups(request->vm)) + ' ' + (shared ? candidates_query(*shared) : "-");
}

}  // namespace
}  // namespace emplace::openstack

int main() {
  for (std::string line; std::getline(std::cin, line);) std::cout << emplace::openstack::answer(line) << '\n';
}
