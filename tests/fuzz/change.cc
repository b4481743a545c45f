// One event's payload: what is read is written so that it reads back the same.
#include "service/core/change/change.h"

#include "tests/fuzz/cluster.h"
#include "tests/fuzz/targets.h"

namespace emplace::fuzz {

void change(std::string_view input) {
  const auto read = change_from_json(input);
  if (!read) {  // bytes that are no UTF-8 may be cited: events are our own, PostgreSQL takes no others
    const std::string& why = read.error().message;
    return require(read.error().code == ErrorCode::kInvalid && !why.empty() && why.size() <= 500,
                   "a fault has a reason");
  }
  const std::string written = to_json(*read);
  const auto again = change_from_json(written);
  require(again.has_value(), "what was written can be read: " + (again ? "" : again.error().message) + "\n" + written);
  require(to_json(*again) == written, "a change reads back as it was written:\n" + written + "\n" + to_json(*again));
  PictureBuilder builder(cluster());
  emplace::apply(builder, *read);
  builder.finish({"fuzz", 2, 2}, 0);
}

}  // namespace emplace::fuzz
