// The documents of Keystone's v3 API as values: what is sent to log in, and what a token says. Pure; errors name the
// field and never contain a secret.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "service/core/base/result.h"
#include "service/core/doors/cloud.h"

namespace emplace::openstack {

// A user's password, or an application credential where application_credential_id or its name is set; by name it is one
// of the user's.
struct Credentials {
  std::string username = {}, password = {}, user_domain = "Default";
  std::string project = {}, project_domain = "Default";
  std::string application_credential_id = {}, application_credential_secret = {};
  std::string user_id = {}, project_id = {}, user_domain_id = {}, project_domain_id = {};  // in place of names
  std::string application_credential_name = {};
  // What the token is for, in place of a project: at most one of them.
  std::string domain = {}, domain_id = {}, trust_id = {};
  bool system = false;
};

struct CatalogueEntry {
  std::string type, interface, region, url, name;
};

// Which entry of the catalogue is meant; or the URL itself, in place of all of them.
struct EndpointChoice {
  std::string type = {}, interface = {}, region = {};  // region empty: the only one
  std::string name = {};                               // of the service; empty: any
  std::string url = {};
};

struct Token {
  std::string id;  // a secret
  std::int64_t issued_at_us = 0, expires_at_us = 0;
  std::vector<CatalogueEntry> catalogue = {};
  std::string project = {};  // its id; empty: the token is for none
};

// Body of POST /v3/auth/tokens.
std::string login_body(const Credentials& credentials);
// Who logs in, for messages: "user emplace" or "application credential 21dc...".
std::string name_of(const Credentials& credentials);

// `id`: from the header X-Subject-Token.
Result<Token> read_token(std::string_view body, std::string id);
Result<Caller> read_caller(std::string_view body);

// The URL of a service, without a slash at its end. kUnavailable, naming what the catalogue has of that type, or which
// types it has; and the regions where it is in several and none is chosen.
Result<std::string> find_endpoint(const std::vector<CatalogueEntry>& catalogue, const EndpointChoice& choice);

}  // namespace emplace::openstack
