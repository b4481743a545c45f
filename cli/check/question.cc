#include "cli/check/question.h"

#include <stdexcept>

#include "cli/check/cluster.h"
#include "service/core/request/request_json.h"

namespace emplace::check {
namespace {

// Requests and clusters are made by us: one that does not fit the other is a defect of ours.
template <typename T>
T need(Result<T> result) {
  if (!result) throw std::logic_error(result.error().message);
  return std::move(*result);
}

}  // namespace

Question::Question(std::shared_ptr<const Picture> picture, const std::string& body)
    : Question(std::move(picture), need(parse_placement(body))) {}

Question::Question(std::shared_ptr<const Picture> picture, PlacementRequest request)
    : picture_(std::move(picture)),
      request_(std::move(request)),
      query_(need(bind(request_, request_.vm, *picture_, kNowUs))) {
  const auto alive = (*picture_)[hosts::alive];
  for (std::uint32_t row = 0; row < picture_->rows(Table::kHosts); ++row) {
    if (alive.get(row) == std::uint8_t{1}) hosts_.push_back(row);
  }
}

}  // namespace emplace::check
