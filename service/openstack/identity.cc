#include "service/openstack/identity.h"

#include "service/core/time_text.h"
#include "service/openstack/reading.h"

namespace emplace::openstack {
namespace {

// By id where there is one; a name counts within its domain.
void write_domain(JsonWriter& writer, std::string_view id, std::string_view name) {
  writer.key("domain").open().text(id.empty() ? "name" : "id", id.empty() ? name : id).close();
}

void write_user(JsonWriter& writer, const Credentials& from) {
  writer.key("user").open();
  const bool by_id = !from.user_id.empty();
  writer.text(by_id ? "id" : "name", by_id ? from.user_id : from.username).text("password", from.password);
  if (!by_id) write_domain(writer, from.user_domain_id, from.user_domain);
  writer.close();
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
  service.each("endpoints", [&](JsonValue one, const std::string& at) {
    JsonFields endpoint(one, at, errors);
    endpoint.text_or_null("interface", entry.interface);
    endpoint.text_or_null("region_id", entry.region);
    endpoint.text_or_null("url", entry.url);
    catalogue.push_back(entry);
  });
}

constexpr std::string_view kKeystone = "Keystone's answer";

}  // namespace

std::string login_body(const Credentials& credentials) {
  JsonWriter writer;
  writer.open().key("auth").open().key("identity").open().key("methods").open_list();
  if (!credentials.application_credential_id.empty()) {
    writer.text("application_credential").close_list();
    writer.key("application_credential").open();
    writer.text("id", credentials.application_credential_id);
    writer.text("secret", credentials.application_credential_secret).close();
    writer.close().close().close();  // its project is its own: no scope
    return writer.take();
  }
  writer.text("password").close_list().key("password").open();
  write_user(writer, credentials);
  writer.close().close();
  writer.key("scope").open();
  write_project(writer, credentials);
  writer.close().close().close();
  return writer.take();
}

std::string name_of(const Credentials& credentials) {
  return credentials.application_credential_id.empty()
             ? "user " + (credentials.username.empty() ? credentials.user_id : credentials.username)
             : "application credential " + credentials.application_credential_id;
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

Result<std::string> find_endpoint(const std::vector<CatalogueEntry>& catalogue, std::string_view type,
                                  std::string_view interface, std::string_view region) {
  std::string others;
  for (const CatalogueEntry& entry : catalogue) {
    if (entry.type != type) continue;
    if (entry.interface == interface && (region.empty() || entry.region == region)) {
      std::string url = entry.url;
      while (url.ends_with('/')) url.pop_back();
      return url;
    }
    others += (others.empty() ? "" : ", ") + entry.interface + " in " + entry.region;
  }
  return fail(ErrorCode::kUnavailable, "service catalogue: wanted " + std::string(type) + " with interface " +
                                           std::string(interface) +
                                           (region.empty() ? "" : " in region " + std::string(region)) + ", found " +
                                           (others.empty() ? "none of that type" : others));
}

}  // namespace emplace::openstack
