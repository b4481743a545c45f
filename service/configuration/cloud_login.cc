#include "service/configuration/cloud.h"

#include <string>

#include "service/core/json/json.h"

namespace emplace {
namespace {

void take_auth_url(Cloud& cloud, OpenstackEntry& to) {
  to.auth_url = cloud.filled("auth.auth_url", cloud.login({"auth_url"}));
  if (!is_web(to.auth_url)) {
    cloud.wrong("auth.auth_url", "http:// or https:// and no user or password in it", "something else or none");
  }
  std::string path = to.auth_url;
  while (path.ends_with('/')) path.pop_back();
  if (path.ends_with("/v2.0")) cloud.wrong("auth.auth_url", "Keystone's v3", "its v2.0");
}

// Who, by id or by name within a domain. openstacksdk fills in a domain that is said only once.
void take_user(Cloud& cloud, OpenstackEntry& to) {
  to.username = cloud.login({"username", "user_name"});
  to.user_id = cloud.login({"user_id"});
  to.user_domain_id = cloud.login({"user_domain_id"});
  to.user_domain = cloud.login({"user_domain_name"});
}

void take_project(Cloud& cloud, OpenstackEntry& to) {
  to.project = cloud.login({"project_name", "tenant_name"});
  to.project_id = cloud.login({"project_id", "tenant_id"});
  to.project_domain_id = cloud.login({"project_domain_id"});
  to.project_domain = cloud.login({"project_domain_name"});
}

void fill_domain(const std::string& from_id, const std::string& from_name, std::string& id, std::string& name) {
  if (!id.empty() || !name.empty()) return;
  id = from_id;
  name = from_name;
}

void take_domains(Cloud& cloud, OpenstackEntry& to) {
  const std::string id = cloud.login({"domain_id"}), name = cloud.login({"domain_name"});
  const bool in_project = !to.project.empty() || !to.project_id.empty();
  if (in_project) {
    fill_domain(id, name, to.user_domain_id, to.user_domain);
    fill_domain(id, name, to.project_domain_id, to.project_domain);
  } else {
    to.scope_domain_id = id;
    to.scope_domain = name;
  }
  const std::string default_id = cloud.login({"default_domain_id"}),
                    default_name = cloud.login({"default_domain_name"});
  for (auto* pair : {&to.user_domain_id, &to.project_domain_id}) {
    std::string& its_name = pair == &to.user_domain_id ? to.user_domain : to.project_domain;
    fill_domain(default_id, default_name, *pair, its_name);
    if (pair->empty() && its_name.empty()) its_name = "Default";
  }
}

// What the token is to be for: exactly one thing.
void take_scope(Cloud& cloud, OpenstackEntry& to) {
  take_project(cloud, to);
  take_domains(cloud, to);
  to.trust_id = cloud.login({"trust_id"});
  const std::string system = cloud.login({"system_scope"});
  if (!system.empty() && system != "all") cloud.wrong("auth.system_scope", "\"all\"", json_text(shortened(system)));
  to.system_scope = !system.empty();
  std::vector<std::string> scopes;
  if (!to.project.empty() || !to.project_id.empty()) scopes.emplace_back("a project");
  if (!to.scope_domain.empty() || !to.scope_domain_id.empty()) scopes.emplace_back("a domain");
  if (!to.trust_id.empty()) scopes.emplace_back("trust_id");
  if (to.system_scope) scopes.emplace_back("system_scope");
  if (scopes.empty()) cloud.wrong("auth.project_name", "a value", "none");
  if (scopes.size() > 1) {
    cloud.wrong("auth", "one of a project, a domain, trust_id and system_scope",
                fmt::format("{}", fmt::join(scopes, ", ")));
  }
}

void want_user(Cloud& cloud, const OpenstackEntry& to) {
  if (to.username.empty() && to.user_id.empty()) cloud.wrong("auth.username", "a value", "none");
}

void take_application_credential(Cloud& cloud, OpenstackEntry& to) {
  to.application_credential_id = cloud.login({"application_credential_id"});
  to.application_credential_secret = cloud.login({"application_credential_secret"});
  if (to.application_credential_id.empty()) {
    to.application_credential_name = cloud.login({"application_credential_name"});
    if (to.application_credential_name.empty()) cloud.wrong("auth.application_credential_id", "a value", "none");
    take_user(cloud, to);
    take_domains(cloud, to);
    want_user(cloud, to);
  }
  if (to.application_credential_secret.empty()) cloud.wrong("auth.application_credential_secret", "a value", "none");
  for (const char* key : {"project_name", "project_id", "tenant_name", "tenant_id", "trust_id", "system_scope"}) {
    if (cloud.login({key}).empty()) continue;
    cloud.warn(std::string("auth.") + key, "is not read: an application credential has its own project");
  }
}

void take_password(Cloud& cloud, OpenstackEntry& to) {
  take_user(cloud, to);
  to.password = cloud.login({"password"});
  want_user(cloud, to);
  if (to.password.empty()) cloud.wrong("auth.password", "a value", "none");
  take_scope(cloud, to);
}

}  // namespace

void take_login(Cloud& cloud, OpenstackEntry& to) {
  if (const YamlTree* const auth = cloud.find("auth"); auth && !auth->is_map())
    cloud.wrong("auth", "a map", shown(*auth));
  take_auth_url(cloud, to);
  std::string type = cloud.text({"auth_type", "auth_plugin"});
  const bool has_credential = !cloud.login({"application_credential_id", "application_credential_name"}).empty();
  if (type.empty()) type = has_credential ? "v3applicationcredential" : "password";
  if (type == "v3applicationcredential") {
    take_application_credential(cloud, to);
  } else if (type == "password" || type == "v3password") {
    take_password(cloud, to);
    if (has_credential) cloud.warn("auth_type", "is " + type + ": the application credential is not read");
  } else {
    cloud.wrong("auth_type", "password or v3applicationcredential", json_text(shortened(type)));
  }
}

}  // namespace emplace
