// The body of POST /v1/placements (with Nova's RequestSpec and a what-if), and of POST /v1/claims; what is accepted is
// decided on a small cluster.
#include "service/core/act/scheduler.h"
#include "service/core/decide/rule_book.h"
#include "service/core/request/request_json.h"
#include "tests/fuzz/cluster.h"
#include "tests/fuzz/doors.h"
#include "tests/fuzz/targets.h"

namespace emplace::fuzz {
namespace {

void decide(PlacementRequest request) {
  static StillPictures pictures;
  static DeafStore store;
  static DeafHypervisors hypervisors;
  static const Scheduler kScheduler(pictures, store, hypervisors, still_ambient());
  static const RuleBook kBook(built_in_rules());
  const auto rules = kBook.find("default");
  require(rules.has_value(), "there is a default profile");
  request.options.count = std::min<std::uint32_t>(request.options.count, 4);  // a thousand is as fine, but slow
  const auto placement =
      kScheduler.decide_on(std::make_shared<PlacementRequest>(std::move(request)), *rules, cluster(), 0);
  if (!placement) require_clear(placement.error());
}

}  // namespace

void placement(std::string_view input) {
  if (const auto claim = parse_claim(input); !claim) require_clear(claim.error());
  auto request = parse_placement(input, cluster().get());
  if (!request) return require_clear(request.error());
  decide(*std::move(request));
}

}  // namespace emplace::fuzz
