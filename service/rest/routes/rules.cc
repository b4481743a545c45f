#include "service/core/answer/explanation.h"
#include "service/core/base/shown_text.h"
#include "service/rest/names.h"
#include "service/rest/route.h"

namespace emplace::http {
namespace {

// ---- plugins and profiles

Result<Response> list_plugins(const ApiRoom& room, const Exchange&) {
  JsonWriter writer;
  writer.open().key("plugins").open_list();
  for (const PluginState& plugin : room.parts.plugins ? room.parts.plugins() : std::vector<PluginState>()) {
    writer.open().text("id", plugin.id).text_or_null("version", plugin.version).text("isolation", plugin.isolation);
    writer.text("state", plugin.state);
    write_texts(writer, "rules", plugin.rules);
    writer.whole("calls", static_cast<std::int64_t>(plugin.calls)).number("last_us", plugin.last_us);
    writer.number("mean_us", plugin.mean_us).whole("errors", static_cast<std::int64_t>(plugin.errors));
    writer.whole("misses", static_cast<std::int64_t>(plugin.misses));
    writer.whole("restarts", static_cast<std::int64_t>(plugin.restarts));
    writer.text_or_null("last_error", plugin.last_error);
    write_texts(writer, "confinement", plugin.confinement);
    writer.text_or_null("why", plugin.why).key("configuration").raw(plugin.configuration).close();
  }
  writer.close_list().key("next").null().close();
  return json_response(writer.take());
}

Result<Response> list_profiles(const ApiRoom& room, const Exchange&) {
  JsonWriter writer;
  writer.open().key("profiles").open_list();
  for (const auto& rules : room.parts.rule_book.all()) writer.raw(profile_json(rules->profile));
  writer.close_list().key("next").null().close();
  return json_response(writer.take());
}

Response profile_response(const Rules& rules) {
  Response response = json_response(profile_json(rules.profile));
  response.headers.emplace_back("ETag", '"' + digest(rules) + '"');
  return response;
}

Result<Response> show_profile(const ApiRoom& room, const Exchange& exchange) {
  const auto rules = room.parts.rule_book.find(exchange.parameter("name"));
  if (!rules) return fail(ErrorCode::kNotFound, "no profile " + json_text(exchange.parameter("name")));
  return profile_response(**rules);
}

Result<void> check_profile_match(const ApiRoom& room, const Exchange& exchange) {
  const std::string* header = exchange.request->header("if-match");
  if (!header || *header == "*") return {};
  const auto rules = room.parts.rule_book.find(exchange.parameter("name"));
  const std::string current = rules ? '"' + digest(**rules) + '"' : "none";
  if (*header == current) return {};
  return fail(ErrorCode::kConflict, "If-Match: wanted " + current + ", found " + *header,
              "emplace.generation.conflict");
}

Result<Response> put_profile(const ApiRoom& room, const Exchange& exchange) {
  const auto profile = parse_profile(exchange.request->body, exchange.parameter("name"));
  if (!profile) return tl::unexpected(profile.error());
  if (const auto named = check_path_name(profile->name); !named) return tl::unexpected(named.error());
  const auto rules = room.parts.rule_book.resolve_once(*profile);
  if (!rules) return tl::unexpected(rules.error());
  if (const auto matched = check_profile_match(room, exchange); !matched) return tl::unexpected(matched.error());
  const auto stored = room.parts.store.put_profile(profile->name, profile_json(*profile), room.deadline());
  if (!stored) return tl::unexpected(stored.error());
  if (const auto put = room.parts.rule_book.put(*profile); !put) return tl::unexpected(put.error());
  room.log("info", "event=profile request=" + exchange.request->id + " profile=" + log_text(profile->name) +
                       " digest=" + digest(**rules) + " by=" + log_text(exchange.identity.name));
  return profile_response(**rules);
}

// Forgets what was put; a profile of the configuration, or the built-in default, is then as it was there.
Result<Response> remove_profile(const ApiRoom& room, const Exchange& exchange) {
  const std::string name(exchange.parameter("name"));
  if (!room.parts.rule_book.find(name)) return fail(ErrorCode::kNotFound, "no profile " + json_text(name));
  if (const auto matched = check_profile_match(room, exchange); !matched) return tl::unexpected(matched.error());
  const auto stored = room.parts.store.put_profile(name, "", room.deadline());
  if (!stored && stored.error().code == ErrorCode::kNotFound) {
    return fail(ErrorCode::kConflict,
                "profile " + json_text(name) + ": wanted one that was stored over REST, found one of the configuration",
                "emplace.profile.configured");
  }
  if (!stored) return tl::unexpected(stored.error());
  if (const auto forgotten = room.parts.rule_book.forget(name); !forgotten) return tl::unexpected(forgotten.error());
  room.log("info", "event=profile_removed request=" + exchange.request->id + " profile=" + json_text(name) +
                       " by=" + exchange.identity.name);
  return no_content();
}

}  // namespace

void add_rule_routes(ApiRoutes& routes) {
  routes.push_back({"GET", "/v1/plugins", Role::kReader, {}, Where::kWorker, list_plugins});
  routes.push_back({"GET", "/v1/profiles", Role::kReader, {}, Where::kWorker, list_profiles});
  routes.push_back({"GET", "/v1/profiles/{name}", Role::kReader, {}, Where::kWorker, show_profile});
  routes.push_back({"PUT", "/v1/profiles/{name}", Role::kAdmin, {}, Where::kLine, put_profile});
  routes.push_back({"DELETE", "/v1/profiles/{name}", Role::kAdmin, {}, Where::kLine, remove_profile});
}

}  // namespace emplace::http
