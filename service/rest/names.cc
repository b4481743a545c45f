#include "service/rest/names.h"

#include <algorithm>
#include <array>
#include <string>

#include "service/core/base/shown_text.h"
#include "service/core/json/json.h"

namespace emplace::http {
namespace {

constexpr std::array<std::string_view, 12> kPointers = {"host",  "hosts",  "only_hosts", "ignore_hosts",
                                                        "vm",    "id",     "a",          "b",
                                                        "image", "flavor", "rules",      "hypervisor_hostname"};
constexpr std::array<std::string_view, 6> kTextsOfOthers = {"parameters",   "template",    "metadata",
                                                            "request_spec", "host_states", "spec"};

template <std::size_t N>
bool is_one_of(std::string_view key, const std::array<std::string_view, N>& keys) {
  return std::find(keys.begin(), keys.end(), key) != keys.end();
}

std::string wanted(const std::string& path, std::string_view name) {
  return path + ": wanted a name without control or invisible characters, found " + log_text(shortened(name));
}

// The first name of `value` that hides something, as an error's message; empty when there is none.
std::string fault_in(JsonValue value, const std::string& path, bool points) {
  if (value.is_text()) return !points && has_hidden(value.text()) ? wanted(path, value.text()) : "";
  std::string fault;
  if (value.is_array()) {
    for (std::size_t i = 0; i < value.size() && fault.empty(); ++i) {
      fault = fault_in(value.item(i), path + '[' + std::to_string(i) + ']', points);
    }
  } else if (value.is_object()) {
    for (std::size_t i = 0; i < value.size() && fault.empty(); ++i) {
      const std::string_view key = value.key(i);
      if (is_one_of(key, kTextsOfOthers)) continue;
      fault = fault_in(value.member(i), path.empty() ? std::string(key) : path + '.' + std::string(key),
                       is_one_of(key, kPointers));
    }
  }
  return fault;
}

bool may_hide(std::string_view body) {
  return body.find("\\u") != std::string_view::npos ||
         std::any_of(body.begin(), body.end(), [](char c) { return static_cast<unsigned char>(c) >= 0x80; });
}

}  // namespace

Result<void> check_names(std::string_view body) {
  if (!may_hide(body)) return {};
  const auto document = JsonDocument::parse(body);
  if (!document) return {};
  const std::string fault = fault_in(document->root(), "", false);
  if (fault.empty()) return {};
  return fail(ErrorCode::kInvalid, fault);
}

Result<void> check_path_name(std::string_view name) {
  if (!is_name(name)) {
    return fail(ErrorCode::kInvalid, "name: wanted " + std::string(kNameWanted) + ", found " +
                                         std::to_string(characters_of(name)) + " characters");
  }
  if (has_hidden(name)) return fail(ErrorCode::kInvalid, wanted("name", name));
  return {};
}

}  // namespace emplace::http
