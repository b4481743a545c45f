#include "service/core/change/takes.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "service/core/json/json.h"

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
      return fail(ErrorCode::kInvalid, "takes[" + std::to_string(i) +
                                           "]: wanted a name and two numbers from 0 (an amount, a limit), found " +
                                           item.found());
    }
    takes.push_back({std::string(item.item(0).text()), item.item(1).number(), item.item(2).number()});
  }
  return takes;
}

std::string write_takes(const std::vector<Taken>& takes) {
  if (takes.empty()) return {};
  JsonWriter writer;
  writer.open_list();
  for (const Taken& take : takes) {
    writer.open_list().text(take.name).number(take.amount).number(take.limit).close_list();
  }
  return writer.close_list().take();
}

ResourceAmounts resources_in(std::string_view takes) {
  ResourceAmounts amounts;
  if (takes.find(kResourceTake) == std::string_view::npos) return amounts;
  for (const Taken& take : read_takes(takes).value_or(std::vector<Taken>())) {
    if (is_resource(take)) amounts[take.name.substr(kResourceTake.size())] += take.amount;
  }
  return amounts;
}

std::string with_resources_of(std::string_view takes, std::string_view resources) {
  auto merged = read_takes(takes).value_or(std::vector<Taken>());
  std::erase_if(merged, is_resource);
  for (Taken& take : read_takes(resources).value_or(std::vector<Taken>())) {
    if (is_resource(take)) merged.push_back(std::move(take));
  }
  return write_takes(merged);
}

Counted counted(const Counted& amounts, std::string_view takes) {
  const ResourceAmounts resources = resources_in(takes);
  const auto amount = [&](std::string_view name, double otherwise) {
    const auto found = resources.find(name);
    return found == resources.end() ? otherwise : found->second;
  };
  return {amount("VCPU", amounts.vcpus), amount("MEMORY_MB", amounts.memory_mib), amount("DISK_GB", amounts.disk_gib)};
}

std::string to_text(const ResourceAmounts& amounts) {
  std::string text;
  for (const auto& [name, amount] : amounts) {
    if (amount == 0) continue;
    std::array<char, 32> number;
    const auto end = std::to_chars(number.data(), number.data() + number.size(), amount).ptr;
    if (!text.empty()) text += ';';
    text.append(name).append(" ").append(number.data(), static_cast<std::size_t>(end - number.data()));
  }
  return text;
}

ResourceAmounts resource_amounts(std::string_view text) {
  ResourceAmounts amounts;
  while (!text.empty()) {
    const std::string_view one = text.substr(0, text.find(';'));
    text.remove_prefix(std::min(text.size(), one.size() + 1));
    const std::size_t blank = one.find(' ');
    if (blank == std::string_view::npos) continue;
    std::from_chars(one.data() + blank + 1, one.data() + one.size(), amounts[std::string(one.substr(0, blank))]);
  }
  return amounts;
}

}  // namespace emplace
