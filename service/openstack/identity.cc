#include "service/openstack/identity.h"

#include <fmt/format.h>

#include <algorithm>

#include "service/core/base/time_text.h"
#include "service/openstack/reading.h"

namespace emplace::openstack {
namespace {

// By id where there is one; a name counts within its domain.
void write_domain(JsonWriter& writer, std::string_view id, std::string_view name) {
  writer.key("domain").open().text(id.empty() ? "name" : "id", id.empty() ? name : id).close();
}

enum class Secret { kPassword, kNone };

void write_user(JsonWriter& writer, const Credentials& from, Secret secret) {
  writer.key("user").open();
  const bool by_id = !from.user_id.empty();
  writer.text(by_id ? "id" : "name", by_id ? from.user_id : from.username);
  if (secret == Secret::kPassword) writer.text("password", from.password);
  if (!by_id) write_domain(writer, from.user_domain_id, from.user_domain);
  writer.close();
}

void write_credential(JsonWriter& writer, const Credentials& from) {
  const bool by_id = !from.application_credential_id.empty();
  writer.key("application_credential").open();
  writer.text(by_id ? "id" : "name", by_id ? from.application_credential_id : from.application_credential_name);
  if (!by_id) write_user(writer, from, Secret::kNone);
  writer.text("secret", from.application_credential_secret).close();
}

void write_project(JsonWriter& writer, const Credentials& from) {
  writer.key("project").open();
  if (from.project_id.empty()) {
    writer.text("name", from.project);
    write_domain(writer, from.project_domain_id, from.project_domain);
  } else {
    writer.text("id", from.project_id);
  }
  writer.close();
}

void write_scope(JsonWriter& writer, const Credentials& from) {
  writer.key("scope").open();
  if (from.system) {
    writer.key("system").open().flag("all", true).close();
  } else if (!from.trust_id.empty()) {
    writer.key("OS-TRUST:trust").open().text("id", from.trust_id).close();
  } else if (!from.domain.empty() || !from.domain_id.empty()) {
    write_domain(writer, from.domain_id, from.domain);
  } else {
    write_project(writer, from);
  }
  writer.close();
}

bool has_credential(const Credentials& from) {
  return !from.application_credential_id.empty() || !from.application_credential_name.empty();
}

void read_time(JsonFields& fields, std::string_view field, std::int64_t& at_us) {
  std::string text;
  fields.require(field);
  fields.text(field, text);
  const auto time = parse_time(text);
  if (time) {
    at_us = *time;
  } else if (const auto value = fields.value(field)) {
    fields.wanted(field, "a time in UTC", *value);
  }
}

void read_service(JsonValue item, const std::string& path, std::vector<CatalogueEntry>& catalogue, JsonErrors& errors) {
  JsonFields service(item, path, errors);
  CatalogueEntry entry;
  service.text_or_null("type", entry.type);
  service.text_or_null("name", entry.name);
  service.each("endpoints", [&](JsonValue one, const std::string& at) {
    JsonFields endpoint(one, at, errors);
    endpoint.text_or_null("interface", entry.interface);
    endpoint.text_or_null("region_id", entry.region);
    endpoint.text_or_null("url", entry.url);
    catalogue.push_back(entry);
  });
}

constexpr std::string_view kKeystone = "Keystone's answer";

// ---- the catalogue

std::string without_slash(std::string url) {
  while (url.ends_with('/')) url.pop_back();
  return url;
}

void add_once(std::vector<std::string>& names, const std::string& name) {
  if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
}

bool is_meant(const CatalogueEntry& entry, const EndpointChoice& choice) {
  return entry.type == choice.type && entry.interface == choice.interface &&
         (choice.region.empty() || entry.region == choice.region) && (choice.name.empty() || entry.name == choice.name);
}

std::string types_of(const std::vector<CatalogueEntry>& catalogue) {
  std::vector<std::string> types;
  for (const CatalogueEntry& entry : catalogue) add_once(types, entry.type);
  if (types.empty()) return "an empty catalogue: the login is for no project, or for one without services";
  return fmt::format("none of that type, but {}", fmt::join(types, ", "));
}

std::string nothing_found(const std::vector<CatalogueEntry>& catalogue, const EndpointChoice& choice) {
  std::vector<std::string> others;
  for (const CatalogueEntry& entry : catalogue) {
    const std::string name = choice.name.empty() ? "" : " named " + entry.name;
    if (entry.type == choice.type) others.push_back(fmt::format("{} in {}{}", entry.interface, entry.region, name));
  }
  return fmt::format("service catalogue: wanted {} with interface {}{}{}, found {}", choice.type, choice.interface,
                     choice.region.empty() ? "" : " in region " + choice.region,
                     choice.name.empty() ? "" : " named " + choice.name,
                     others.empty() ? types_of(catalogue) : fmt::format("{}", fmt::join(others, ", ")));
}

}  // namespace

std::string login_body(const Credentials& credentials) {
  JsonWriter writer;
  writer.open().key("auth").open().key("identity").open().key("methods").open_list();
  if (has_credential(credentials)) {
    writer.text("application_credential").close_list();
    write_credential(writer, credentials);
    writer.close().close().close();  // its project is its own: no scope
    return writer.take();
  }
  writer.text("password").close_list().key("password").open();
  write_user(writer, credentials, Secret::kPassword);
  writer.close().close();
  write_scope(writer, credentials);
  writer.close().close();
  return writer.take();
}

std::string name_of(const Credentials& credentials) {
  if (!has_credential(credentials)) {
    return "user " + (credentials.username.empty() ? credentials.user_id : credentials.username);
  }
  return "application credential " + (credentials.application_credential_id.empty()
                                          ? credentials.application_credential_name
                                          : credentials.application_credential_id);
}

Result<Token> read_token(std::string_view body, std::string id) {
  if (id.empty())
    return fail(ErrorCode::kUnavailable, "Keystone's answer: wanted the header X-Subject-Token, found none");
  Token token{std::move(id)};
  auto read = read_answer(body, kKeystone, [&](JsonFields& answer, JsonErrors& errors) {
    answer.require("token");
    JsonFields fields(answer.value("token"), "token", errors);
    read_time(fields, "issued_at", token.issued_at_us);
    read_time(fields, "expires_at", token.expires_at_us);
    if (fields.has("project")) {
      JsonFields project(fields.value("project"), "token.project", errors);
      project.text_or_null("id", token.project);
    }
    fields.each("catalog",
                [&](JsonValue item, const std::string& path) { read_service(item, path, token.catalogue, errors); });
  });
  return read.map([&] { return std::move(token); });
}

Result<Caller> read_caller(std::string_view body) {
  Caller caller;
  auto read = read_answer(body, kKeystone, [&](JsonFields& answer, JsonErrors& errors) {
    answer.require("token");
    JsonFields fields(answer.value("token"), "token", errors);
    read_time(fields, "expires_at", caller.expires_at_us);
    fields.require("user");
    JsonFields user(fields.value("user"), "token.user", errors);
    user.require("name");
    user.text("name", caller.user);
    if (fields.has("project")) {
      JsonFields project(fields.value("project"), "token.project", errors);
      project.text_or_null("id", caller.project);
    }
    fields.each("roles", [&](JsonValue item, const std::string& path) {
      JsonFields role(item, path, errors);
      role.require("name");
      role.text("name", caller.roles.emplace_back());
    });
  });
  return read.map([&] { return std::move(caller); });
}

Result<std::string> find_endpoint(const std::vector<CatalogueEntry>& catalogue, const EndpointChoice& choice) {
  if (!choice.url.empty()) return without_slash(choice.url);
  const CatalogueEntry* found = nullptr;
  std::vector<std::string> regions;
  for (const CatalogueEntry& entry : catalogue) {
    if (!is_meant(entry, choice)) continue;
    if (!found) found = &entry;
    add_once(regions, entry.region);
  }
  if (!found) return fail(ErrorCode::kUnavailable, nothing_found(catalogue, choice));
  if (regions.size() > 1) {
    return fail(ErrorCode::kUnavailable,
                fmt::format("service catalogue: {} is in the regions {}: name one, as region of [openstack] or "
                            "region_name of clouds.yaml",
                            choice.type, fmt::join(regions, ", ")));
  }
  return without_slash(found->url);
}

}  // namespace emplace::openstack
