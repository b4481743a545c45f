#include "service/openstack/endpoints.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

#include "service/core/base/shown_text.h"
#include "service/core/json/json.h"
#include "service/openstack/reading.h"

namespace emplace::openstack {
namespace {

constexpr std::string_view kVersion = "v2.1";

struct SplitUrl {
  std::string origin;                 // "http://host:1"
  std::vector<std::string> segments;  // of the path; none is empty

  std::string whole() const {
    return segments.empty() ? origin : fmt::format("{}/{}", origin, fmt::join(segments, "/"));
  }
  bool ends_with(std::string_view segment) const { return !segments.empty() && segments.back() == segment; }
};

// A relative one has no origin. What follows '?' or '#' is no part of an endpoint.
SplitUrl split(std::string_view url) {
  url = url.substr(0, url.find_first_of("?#"));
  const std::size_t scheme = url.find("://");
  const std::size_t host = scheme == std::string_view::npos ? 0 : scheme + 3;
  const std::size_t path = host == 0 ? 0 : std::min(url.find('/', host), url.size());
  SplitUrl parts{std::string(url.substr(0, path)), {}};
  for (std::size_t at = path; at < url.size();) {
    const std::size_t end = std::min(url.find('/', at), url.size());
    if (end > at) parts.segments.emplace_back(url.substr(at, end - at));
    at = end + 1;
  }
  return parts;
}

// As Keystone makes them, or as a template that nobody filled.
bool is_project(std::string_view segment, const std::string& project_id) {
  if (segment == project_id || segment.find("(project_id)s") != std::string_view::npos ||
      segment.find("(tenant_id)s") != std::string_view::npos) {
    return !segment.empty();
  }
  const auto digits =
      std::count_if(segment.begin(), segment.end(), [](unsigned char c) { return std::isxdigit(c) != 0; });
  return digits == 32 &&
         std::all_of(segment.begin(), segment.end(), [](unsigned char c) { return std::isxdigit(c) != 0 || c == '-'; });
}

void replace_all(std::string& text, const std::string& from, const std::string& to) {
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
}

struct ListedVersion {
  std::string id, status, link;
};

ListedVersion read_listed_version(JsonValue item, const std::string& path, JsonErrors& errors) {
  JsonFields fields(item, path, errors);
  ListedVersion version{text_of(fields, "id"), text_of(fields, "status"), {}};
  fields.each("links", [&](JsonValue one, const std::string& at) {
    JsonFields link(one, at, errors);
    const bool self = text_of(link, "rel") == "self";
    if (std::string href = text_of(link, "href"); self && !href.empty()) version.link = std::move(href);
  });
  return version;
}

struct VersionList {
  std::vector<ListedVersion> all;
  bool is_one = false;  // the answer of a version, not of a root
};

Result<VersionList> read_version_list(std::string_view answer) {
  VersionList versions;
  const auto read = read_answer(answer, kNovaAnswer, [&](JsonFields& fields, JsonErrors& errors) {
    versions.is_one = fields.has("version");
    if (versions.is_one) versions.all.push_back(read_listed_version(*fields.value("version"), "version", errors));
    if (versions.is_one) return;
    fields.require("versions");
    fields.each("versions", [&](JsonValue item, const std::string& path) {
      versions.all.push_back(read_listed_version(item, path, errors));
    });
  });
  return read.map([&] { return std::move(versions); });
}

std::string names_of(const std::vector<ListedVersion>& versions) {
  std::vector<std::string> names;
  for (const ListedVersion& one : versions) names.push_back(shown_text(one.id));
  return names.empty() ? "none" : shortened(fmt::format("{}", fmt::join(names, ", ")));
}

// The root's host, and the link's path where it is below the root's.
std::string on_host_of(const std::string& root, const std::string& link) {
  SplitUrl at = split(root);
  const SplitUrl to = split(link);
  const bool below = to.segments.size() > at.segments.size() &&
                     std::equal(at.segments.begin(), at.segments.end(), to.segments.begin());
  if (below && to.ends_with(kVersion)) {
    at.segments = to.segments;
  } else {
    at.segments.emplace_back(kVersion);
  }
  return at.whole();
}

}  // namespace

std::string tokens_url(const std::string& auth_url) {
  SplitUrl url = split(auth_url);
  const auto drop = [&](std::string_view segment) {
    const bool there = url.ends_with(segment);
    if (there) url.segments.pop_back();
    return there;
  };
  if (drop("tokens")) drop("auth");
  while (drop("v3")) {
  }
  return url.whole() + "/v3/auth/tokens";
}

Result<std::string> with_project(std::string_view service, std::string url, const std::string& project_id) {
  for (const char* name : {"%(project_id)s", "%(tenant_id)s", "$(project_id)s", "$(tenant_id)s"}) {
    if (!project_id.empty()) replace_all(url, name, project_id);
  }
  const std::size_t at = std::min(url.find("%("), url.find("$("));
  const bool is_web = url.starts_with("http://") || url.starts_with("https://");
  if (is_web && (at == std::string::npos || is_project(url.substr(at), project_id))) return url;
  return fail(
      ErrorCode::kUnavailable,
      fmt::format("service catalogue: wanted a URL of {} with http:// or https://, and in it only %(project_id)s "
                  "to be filled in, found {}",
                  service, json_text(shortened(shown_text(url)))));
}

// VersionList are dropped with whatever project they are of, and put back once. Nova's older v2 lies next to its v2.1,
// and has no microversions.
ComputeEndpoint compute_endpoint(const std::string& url, const std::string& project_id) {
  constexpr std::array<std::string_view, 3> kVersions = {kVersion, "v2", "v2.0"};
  SplitUrl parts = split(url);
  bool versioned = false;
  for (auto& all = parts.segments; !all.empty(); all.pop_back()) {
    const bool is_version = std::find(kVersions.begin(), kVersions.end(), all.back()) != kVersions.end();
    if (!is_version && !is_project(all.back(), project_id)) break;
    versioned = versioned || all.back() == kVersion;
  }
  if (versioned) parts.segments.emplace_back(kVersion);
  return {parts.whole(), versioned};
}

Result<std::string> current_version(const std::string& root, std::string_view answer) {
  const auto versions = read_version_list(answer);
  if (!versions) {
    return fail(ErrorCode::kUnavailable,
                fmt::format("the compute endpoint {} has no version: {}", root, versions.error().message));
  }
  const auto& all = versions->all;
  const auto found = std::find_if(all.begin(), all.end(), [](const ListedVersion& one) { return one.id == kVersion; });
  if (found == all.end()) {
    return fail(ErrorCode::kUnavailable, fmt::format("the compute endpoint {} has no version {}: GET {}/ lists {}",
                                                     root, kVersion, root, names_of(all)));
  }
  return versions->is_one ? root : on_host_of(root, found->link);
}

}  // namespace emplace::openstack
