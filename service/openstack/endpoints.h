// Endpoints: the URL below which a service answers, made of what the catalogue or an operator says of it: with or
// without a version, a version twice, a project's id at the end, slashes more than needed. Pure; errors are
// kUnavailable.
//
//   tokens_url("http://k:5000")                               http://k:5000/v3/auth/tokens
//   compute_endpoint("http://n:8774/v2.1/PROJECT/", "PROJECT")   http://n:8774/v2.1
//   compute_endpoint("http://n:8774", "")                        http://n:8774, not versioned: ask it, then
//   current_version("http://n:8774", its answer to GET /)        http://n:8774/v2.1
#pragma once

#include <string>
#include <string_view>

#include "service/core/base/result.h"

namespace emplace::openstack {

// Where Keystone gives and explains tokens.
std::string tokens_url(const std::string& auth_url);

// "%(project_id)s" and "%(tenant_id)s", also with "$", are the project's id.
Result<std::string> with_project(std::string_view service, std::string url, const std::string& project_id);

struct ComputeEndpoint {
  std::string url;
  bool versioned = false;  // ends in /v2.1
};
// Without the project's id, which Nova's 2.1 does not need.
ComputeEndpoint compute_endpoint(const std::string& url, const std::string& project_id);

// Of Nova's answer to GET `root`/: the URL of its version v2.1. Links may lead to where only Nova itself gets: of
// theirs only the path counts, and only where it is one below the root.
Result<std::string> current_version(const std::string& root, std::string_view answer);

}  // namespace emplace::openstack
