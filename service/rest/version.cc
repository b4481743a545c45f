#include "service/rest/version.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>

#include "service/http/problem.h"

namespace emplace::http {
namespace {

constexpr std::string_view kService = "placement-advisor";

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

std::optional<int> number(std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  return whole && value >= 0 && text.front() != '-' ? std::optional(value) : std::nullopt;
}

std::optional<Microversion> parsed(std::string_view text) {
  if (text == "latest") return kMaximumVersion;
  const std::size_t dot = text.find('.');
  if (dot == std::string_view::npos) return std::nullopt;
  const auto major = number(text.substr(0, dot));
  const auto minor = number(text.substr(dot + 1));
  if (!major || !minor) return std::nullopt;
  return Microversion{*major, *minor};
}

// The version that one header asks of this service: "compute 2.90, placement-advisor 1.0" -> "1.0".
std::optional<std::string_view> asked(std::string_view header) {
  while (!header.empty()) {
    const std::size_t comma = std::min(header.find(','), header.size());
    const std::string_view entry = trimmed(header.substr(0, comma));
    header.remove_prefix(std::min(comma + 1, header.size()));
    if (!entry.starts_with(kService)) continue;
    const std::string_view rest = entry.substr(kService.size());
    if (rest.empty() || rest.front() == ' ') return trimmed(rest);
  }
  return std::nullopt;
}

std::string document(const std::string& base) {
  return R"({"id":"v1.0","status":"CURRENT","min_version":")" + to_string(kMinimumVersion) + R"(","max_version":")" +
         to_string(kMaximumVersion) + R"(","links":[{"rel":"self","href":)" + json_quoted(base + "/v1") + "}]}";
}

}  // namespace

std::string to_string(Microversion version) {
  return std::to_string(version.major) + "." + std::to_string(version.minor);
}

Result<std::variant<Microversion, Unacceptable>> negotiate(const Request& request) {
  using Outcome = std::variant<Microversion, Unacceptable>;
  const std::string* header = request.header("openstack-api-version");
  const auto text = header ? asked(*header) : std::nullopt;
  if (!text) return Outcome(kMinimumVersion);
  const auto version = parsed(*text);
  if (!version) {
    return fail(ErrorCode::kInvalid,
                "OpenStack-API-Version: wanted \"placement-advisor 1.N\", found \"" + *header + "\"",
                "emplace.version.malformed");
  }
  if (*version >= kMinimumVersion && *version <= kMaximumVersion) return Outcome(*version);
  return Outcome(Unacceptable{"OpenStack-API-Version: wanted " + to_string(kMinimumVersion) + " to " +
                              to_string(kMaximumVersion) + ", found " + to_string(*version)});
}

Response unacceptable(const Unacceptable& why, const Request& request) {
  return problem(406, "emplace.version.unacceptable", why.detail, request.id, wants_openstack_shape(request));
}

void stamp(Microversion version, Response& response) {
  response.headers.emplace_back("OpenStack-API-Version", std::string(kService) + " " + to_string(version));
  response.headers.emplace_back("Vary", "OpenStack-API-Version");
}

Response versions_document(const std::string& base) {
  return {.status = 300, .body = "{\"versions\":[" + document(base) + "]}"};
}

Response version_document(const std::string& base) { return {.body = "{\"version\":" + document(base) + "}"}; }

}  // namespace emplace::http
