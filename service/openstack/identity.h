// The documents of Keystone's v3 API as values: what is sent to log in, and what a token says. Pure; errors name the
// field and never contain a secret.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "service/core/doors.h"
#include "service/core/result.h"

namespace emplace::openstack {

// A user's password, or an application credential where application_credential_id is set.
struct Credentials {
  std::string username = {}, password = {}, user_domain = "Default";
  std::string project = {}, project_domain = "Default";
  std::string application_credential_id = {}, application_credential_secret = {};
  std::string user_id = {}, project_id = {}, user_domain_id = {}, project_domain_id = {};  // in place of names
};

struct CatalogueEntry {
  std::string type, interface, region, url;
};

struct Token {
  std::string id;  // a secret
  std::int64_t issued_at_us = 0, expires_at_us = 0;
  std::vector<CatalogueEntry> catalogue = {};
};

// Body of POST /v3/auth/tokens.
std::string login_body(const Credentials& credentials);
// Who logs in, for messages: "user emplace" or "application credential 21dc...".
std::string name_of(const Credentials& credentials);

// `id`: from the header X-Subject-Token.
Result<Token> read_token(std::string_view body, std::string id);
Result<Caller> read_caller(std::string_view body);

// The URL of a service, without a slash at its end. kUnavailable, naming what the catalogue has of that type.
Result<std::string> find_endpoint(const std::vector<CatalogueEntry>& catalogue, std::string_view type,
                                  std::string_view interface, std::string_view region);

}  // namespace emplace::openstack
