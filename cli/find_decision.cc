#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "cli/decisions.h"
#include "cli/lists.h"
#include "cli/vms.h"

namespace emplace::cli {
namespace {

constexpr std::size_t kShortestId = 4;
constexpr std::string_view kNoId = "00000000-0000-0000-0000-000000000000";

std::string lower_case(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

bool begins_an_id(const std::string& text) {
  if (text.size() < kShortestId || text.size() > kNoId.size()) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool dash = kNoId[i] == '-';
    if (dash ? text[i] != '-' : !std::isxdigit(static_cast<unsigned char>(text[i]))) return false;
  }
  return true;
}

// The id just before all that begin so: a list goes on after it.
std::string marker_before(const std::string& beginning) {
  std::string id = beginning + std::string(kNoId.substr(beginning.size()));
  for (std::size_t i = id.size(); i-- > 0;) {
    if (id[i] == '-') continue;
    if (id[i] != '0') {
      id[i] = id[i] == 'a' ? '9' : static_cast<char>(id[i] - 1);
      return id;
    }
    id[i] = 'f';
  }
  return {};
}

std::vector<Json> decisions_that_begin(Client& client, const std::string& beginning) {
  const std::string marker = marker_before(beginning);
  const Json page =
      client.ask({.target = "/v1/decisions?limit=2" + (marker.empty() ? std::string() : "&marker=" + marker)});
  std::vector<Json> found;
  for (const Json& decision : page.need("decisions").items()) {
    if (decision["id"].string().starts_with(beginning)) found.push_back(decision);
  }
  return found;
}

// The newest that fits, and how many more of the list do.
template <typename Fits>
FoundDecision newest(Client& client, const std::string& filter, Fits fits) {
  FoundDecision found;
  for (const Json& decision : list_all(client, "/v1/decisions?limit=1000&sort=-made_at&" + filter, "decisions")) {
    if (!fits(decision)) continue;
    if (!found.head.is_null()) ++found.others;
    if (found.head.is_null()) found.head = decision;
  }
  return found;
}

FoundDecision about_vm(Client& client, const std::string& id) {
  return newest(client, "vm=" + id, [](const Json&) { return true; });
}

FoundDecision by_vm_that_begins(Client& client, const std::string& beginning) {
  std::vector<std::string> ids;
  for (const Json& vm : list_all(client, list_target("vms", {}), "vms")) {
    if (vm["id"].string().starts_with(beginning)) ids.push_back(vm["id"].string());
  }
  if (ids.size() > 1) {
    throw Failure(kBadInput, fmt::format("{} vms have an id that begins with {}", ids.size(), beginning));
  }
  return ids.empty() ? FoundDecision() : about_vm(client, ids.front());
}

FoundDecision by_id(Client& client, const std::string& beginning) {
  const std::vector<Json> found = decisions_that_begin(client, beginning);
  if (found.size() > 1) {
    throw Failure(kBadInput, fmt::format("several decisions have an id that begins with {}: {}, {}, ...", beginning,
                                         found[0]["id"].text(), found[1]["id"].text()));
  }
  if (!found.empty()) return {found.front()};
  return is_uuid(beginning) ? about_vm(client, beginning) : by_vm_that_begins(client, beginning);
}

}  // namespace

FoundDecision find_decision(Client& client, const std::string& named) {
  FoundDecision found;
  if (!is_uuid(named)) {
    found = newest(client, "name_prefix=" + percent_encode(named),
                   [&](const Json& decision) { return decision["vm_name"].string() == named; });
  }
  const std::string id = lower_case(named);
  if (found.head.is_null() && begins_an_id(id)) found = by_id(client, id);
  if (!found.head.is_null()) return found;
  throw Failure(
      kNotFound,
      fmt::format("no decision is kept about '{}': wanted a vm's name, or the id of a decision or a vm, or its "
                  "first {} letters or more; 'emplace decisions' lists all",
                  printable(named), kShortestId));
}

}  // namespace emplace::cli
