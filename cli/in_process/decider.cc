#include "cli/in_process/decider.h"

#include "service/core/act/scheduler.h"
#include "service/core/change/inventory_json.h"
#include "service/core/decide/decision.h"
#include "service/core/decide/rule_book.h"
#include "service/core/request/request_json.h"

namespace emplace {
namespace {

constexpr std::int64_t kNow_us = 1;  // nothing in a trace has an age

Result<Rules> rules_of(std::string_view profile) {
  const Catalogue catalogue = built_in_rules();
  if (profile.empty()) return resolve(default_profile(catalogue), catalogue);
  const auto parsed = parse_profile(profile);
  if (!parsed) return tl::unexpected(parsed.error());
  return resolve(*parsed, catalogue);
}

}  // namespace

Result<Decider> Decider::make(std::string_view inventory, std::string_view profile) {
  auto rules = rules_of(profile);
  if (!rules) return tl::unexpected(rules.error());
  const auto changes = parse_inventory(inventory, kNow_us);
  if (!changes) return tl::unexpected(changes.error());
  const auto arena = Arena::create();
  if (!arena) return tl::unexpected(arena.error());
  PictureBuilder builder(std::make_shared<const Picture>(*arena));
  for (const Change& change : *changes) apply(builder, change);
  return Decider(builder.finish({"simulated", 1, 0}, kNow_us), *std::move(rules));
}

Result<std::optional<Decider::Place>> Decider::place(std::string_view placement) {
  auto request = parse_placement(placement);
  if (!request) return tl::unexpected(request.error());
  VmRequest& vm = request->vm;
  // Rising, so that a trace gives the same each time.
  if (vm.id.is_zero()) {
    ++placed_;
    for (std::size_t i = 0; i < 8; ++i) vm.id.bytes[15 - i] = static_cast<std::uint8_t>(placed_ >> (8 * i));
  }
  const auto query = bind(*request, vm, *picture_, kNow_us);
  if (!query) return tl::unexpected(query.error());
  const Decision decision = decide(rules_, *query, 1);
  if (decision.ranking.order.empty()) return std::optional<Place>();
  const std::uint32_t host = decision.costs.hosts[decision.ranking.order.front().index];
  auto taking = take(rules_, *query, host);
  if (!taking) return tl::unexpected(taking.error());
  VmRow row = placed_row(*picture_, vm, std::string((*picture_)[hosts::name][host]), std::move(taking->takes));
  Place place{row.host, row.cells};
  vms_[vm.name] = vm.id;
  publish(std::move(row));
  return std::optional(std::move(place));
}

void Decider::remove(const std::string& name) {
  const auto found = vms_.find(name);
  if (found == vms_.end()) return;
  publish(VmRemoved{found->second, {}});
  vms_.erase(found);
}

void Decider::publish(const Change& change) {
  PictureBuilder builder(picture_);
  apply(builder, change);
  picture_ = builder.finish(picture_->version(), kNow_us);
}

}  // namespace emplace
