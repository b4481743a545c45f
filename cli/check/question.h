// Question: one request on one picture, bound as the service binds it, and the hosts it is asked about.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "service/core/decide/query.h"

namespace emplace::check {

class Question {
 public:
  // `body` is one of a placement; it must be valid for the picture.
  Question(std::shared_ptr<const Picture> picture, const std::string& body);
  Question(std::shared_ptr<const Picture> picture, PlacementRequest request);
  Question(const Question&) = delete;
  Question& operator=(const Question&) = delete;

  const Query& query() const { return query_; }
  const Picture& picture() const { return *picture_; }
  const std::vector<std::uint32_t>& hosts() const { return hosts_; }  // all that are alive, rising
  std::string name(std::uint32_t host) const { return std::string((*picture_)[hosts::name][host]); }

 private:
  const std::shared_ptr<const Picture> picture_;
  const PlacementRequest request_;
  const Query query_;
  std::vector<std::uint32_t> hosts_;
};

}  // namespace emplace::check
