#include "service/core/takes.h"

#include "service/core/json.h"

namespace emplace {
namespace {

bool is_take(JsonValue item) {
  if (!item.is_array() || item.size() != 3) return false;
  const auto is_amount = [](JsonValue value) { return value.is_number() && value.number() >= 0; };
  return item.item(0).is_text() && !item.item(0).text().empty() && is_amount(item.item(1)) && is_amount(item.item(2));
}

}  // namespace

Result<std::vector<Taken>> read_takes(std::string_view json) {
  std::vector<Taken> takes;
  if (json.empty()) return takes;
  const auto document = JsonDocument::parse(json, "takes");
  if (!document) return tl::unexpected(document.error());
  const JsonValue list = document->root();
  if (!list.is_array()) return fail(ErrorCode::kInvalid, "takes: wanted a list, found " + list.found());
  for (std::size_t i = 0; i < list.size(); ++i) {
    const JsonValue item = list.item(i);
    if (!is_take(item)) {
      return fail(ErrorCode::kInvalid,
                  "takes[" + std::to_string(i) + "]: wanted a name and two numbers from 0 (an amount, a limit), found " + item.found());
    }
    takes.push_back({std::string(item.item(0).text()), item.item(1).number(), item.item(2).number()});
  }
  return takes;
}

}  // namespace emplace
