// Lists: which rows of a list are wanted, and a page of them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "service/core/base/uuid.h"

namespace emplace {

enum class ListOrder { kId, kName, kMadeAt };

// Where a page of a list begins: after the row that has this id and, where the list is ordered by it, this name or
// time.
struct ListMarker {
  Uuid id = {};
  std::string name = {};
  std::int64_t made_at_us = 0;
};

// Which rows of a list, in which order, from where. What is empty does not narrow it.
struct ListQuestion {
  std::string host = {}, group = {}, project = {}, state = {}, name_prefix = {};
  std::optional<Uuid> vm = {};
  ListOrder order = ListOrder::kId;
  bool descending = false;
  std::optional<ListMarker> after = {};
  std::size_t limit = 100;
};

// Rows as they were together when event `event_seq` was the newest.
template <typename Row>
struct Listed {
  std::vector<Row> rows = {};
  std::int64_t event_seq = 0;
};

}  // namespace emplace
