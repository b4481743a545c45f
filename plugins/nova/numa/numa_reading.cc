#include "numa/numa_reading.h"

namespace emplace::nova {

const Value* Reading::find(std::string_view key) const {
  const Value* value = data_.find(key);
  return value && !value->is_none() ? value : nullptr;
}

std::int64_t Reading::whole(std::string_view key, std::int64_t least, std::int64_t most) const {
  const auto found = whole_or_none(key, least, most);
  if (!found) refuse(key, "a whole number", nullptr);
  return *found;
}

std::optional<std::int64_t> Reading::whole_or_none(std::string_view key, std::int64_t least, std::int64_t most) const {
  const Value* value = find(key);
  if (!value) return std::nullopt;
  const auto whole = value->whole();
  if (!whole || *whole < least || *whole > most) {
    refuse(key, "a whole number from " + std::to_string(least) + " to " + std::to_string(most), value);
  }
  return whole;
}

std::string Reading::text(std::string_view key) const {
  const Value* value = find(key);
  return value ? value->str() : std::string();
}

const Value::List& Reading::list(std::string_view key) const {
  static const Value::List kNone;
  const Value* value = find(key);
  if (!value) return kNone;
  if (!value->list()) refuse(key, "a list", value);
  return *value->list();
}

Reading Reading::item(std::string_view key, std::size_t index) const {
  return {list(key)[index], path_of(key) + '[' + std::to_string(index) + ']'};
}

void Reading::refuse(std::string_view key, const std::string& wanted, const Value* found) const {
  throw plugin::Error(path_of(key) + ": wanted " + wanted + ", found " +
                      (found ? found->repr().substr(0, 60) : "none"));
}

}  // namespace emplace::nova
