// One decision on a generated cluster, for instructions.py: everything but decide_once() is preparation.
//
// usage: straight_line default|nova HOSTS
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "bench/clusters.h"
#include "bench/nova_rules.h"
#include "service/core/decide/decision.h"

namespace emplace {

// The name is what instructions.py tells valgrind.
[[gnu::noinline]] std::size_t decide_once(const Rules& rules, const PlacementRequest& request, const Picture& picture) {
  const auto query = bind(request, request.vm, picture, kNovaNowUs);
  return query ? decide(rules, *query, 4).ranking.order.size() : 0;
}

namespace {

// The first decision shows the picture to the plugin and leaves the heap as one finds it in a service that has decided
// before.
std::size_t run(const Rules& rules, const PlacementRequest& request, const Picture& picture) {
  const auto query = bind(request, request.vm, picture, kNovaNowUs);
  if (!query) return 0;
  decide(rules, *query, 4);
  return decide_once(rules, request, picture);
}

std::size_t run(bool nova, std::int64_t hosts) {
  if (nova) return run(nova_rules(), nova_request(), nova_picture_of(hosts));
  const Catalogue catalogue = built_in_rules();
  return run(*resolve(default_profile(catalogue), catalogue), request_for(4, 8192, 40), picture_of(hosts));
}

}  // namespace
}  // namespace emplace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: straight_line default|nova HOSTS\n");
    return 2;
  }
  return emplace::run(std::string_view(argv[1]) == "nova", std::atoll(argv[2])) > 0 ? 0 : 1;
}
