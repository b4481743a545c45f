#include "service/openstack/keystone.h"

#include <fmt/format.h>

#include <algorithm>

#include "service/core/base/shown_text.h"
#include "service/core/json/json.h"
#include "service/openstack/endpoints.h"
#include "service/openstack/refusal.h"

namespace emplace::openstack {
namespace {

// A token that ends while its request is under way is of no use: it is renewed a tenth of its life before, at least a
// minute and at most five.
bool is_fresh(const Token& token, std::int64_t now_us) {
  constexpr std::int64_t kMinute = 60'000'000;
  const std::int64_t life = token.expires_at_us - token.issued_at_us;
  const std::int64_t margin = std::min(std::clamp(life / 10, kMinute, 5 * kMinute), life / 2);
  return now_us < token.expires_at_us - margin;
}

std::string lacks(std::string_view rules) {
  return fmt::format("the user of [openstack] lacks the right to this: an admin has it{}{}",
                     rules.empty() ? "" : ", or whom the policy gives ", rules);
}

Error status_error(const std::string& what, const WebReply& reply, std::string_view rules) {
  const std::string message = fmt::format("{}: answered {}", what, reply.status);
  const std::string elsewhere = reply.header("location");
  switch (reply.status) {
    case 403:
      return {ErrorCode::kForbidden, message + ": " + lacks(rules)};
    case 404:
      return {ErrorCode::kNotFound, message};
    case 401:
      return {ErrorCode::kUnavailable, message + ": it refuses a token that Keystone has just given"};
    default:
      if (reply.status / 100 != 3 || elsewhere.empty()) return {ErrorCode::kUnavailable, message};
      return {ErrorCode::kUnavailable,
              fmt::format("{}: it leads to {}, which is not followed: name that as the endpoint", message,
                          shortened(shown_text(elsewhere)))};
  }
}

std::string after_colon(const std::string& sentence) { return sentence.empty() ? sentence : ": " + sentence; }

using Secrets = std::vector<std::string>;

Result<std::string> body_of(const Result<WebReply>& reply, const std::string& what, std::string_view rules,
                            const Secrets& secrets) {
  if (!reply) return tl::unexpected(reply.error());
  if (reply->status == 200 || reply->status == 300) return reply->body;
  Error error = status_error(what, *reply, rules);
  error.message += after_colon(sentence_of(reply->body, secrets));
  return tl::unexpected(std::move(error));
}

bool is_refused(const Result<WebReply>& reply) { return reply && reply->status == 401; }

}  // namespace

Keystone::Keystone(Web& web, KeystoneOptions options, std::function<std::int64_t()> now_us, Log log)
    : web_(web),
      options_(std::move(options)),
      tokens_url_(tokens_url(options_.auth_url)),
      now_us_(std::move(now_us)),
      log_(std::move(log)) {}

Result<Token> Keystone::log_in(Deadline deadline) {
  const auto reply = web_.fetch({"POST", tokens_url_, {}, login_body(options_.credentials)}, deadline);
  if (!reply) return tl::unexpected(reply.error());
  const Credentials& ours = options_.credentials;
  const std::string told = after_colon(sentence_of(reply->body, {ours.password, ours.application_credential_secret}));
  if (reply->status == 201 || reply->status == 200) return read_token(reply->body, reply->header("x-subject-token"));
  const std::string who = name_of(options_.credentials);
  if (reply->status == 401) {
    return fail(ErrorCode::kUnauthorized,
                fmt::format("Keystone at {} refused {}: wrong name, password or secret, or no role in the project (see "
                            "[openstack]){}",
                            options_.auth_url, who, told));
  }
  return fail(ErrorCode::kUnavailable, fmt::format("Keystone at {} answered {} to the login of {}{}", options_.auth_url,
                                                   reply->status, who, told));
}

Result<std::shared_ptr<const Token>> Keystone::token(Deadline deadline) {
  const std::lock_guard lock(mutex_);
  if (token_ && is_fresh(*token_, now_us_())) return token_;
  const std::int64_t wait_us = next_login_us_ - now_us_();
  if (wait_us > 0 && last_error_) {
    Error error = *last_error_;
    error.retry_after_s = static_cast<int>(wait_us / 1'000'000 + 1);
    return tl::unexpected(error);
  }
  auto fresh = log_in(deadline);
  if (!fresh) {
    const auto delay = options_.backoff.after(++failures_, random_fraction());
    next_login_us_ = now_us_() + std::chrono::microseconds(delay).count();
    last_error_ = fresh.error();
    log_("error",
         fmt::format("event=openstack_login error={} failures={} next_try_s={:.1f}", log_text(fresh.error().message),
                     failures_, std::chrono::duration<double>(delay).count()));
    return tl::unexpected(fresh.error());
  }
  failures_ = 0;
  last_error_.reset();
  token_ = std::make_shared<const Token>(std::move(*fresh));
  log_("info", fmt::format("event=openstack_login who={} lasts_s={}", log_text(name_of(options_.credentials)),
                           (token_->expires_at_us - now_us_()) / 1'000'000));
  return token_;
}

void Keystone::forget(const Token& token) {
  const std::lock_guard lock(mutex_);
  if (token_ && token_->id == token.id) token_.reset();
}

EndpointChoice Keystone::choice_of(const std::string& service) const {
  const auto found = options_.services.find(service);
  EndpointChoice choice = found == options_.services.end() ? EndpointChoice() : found->second;
  if (choice.type.empty()) choice.type = service;
  if (choice.interface.empty()) choice.interface = options_.interface;
  if (choice.region.empty()) choice.region = options_.region;
  return choice;
}

// Asked once for each root; an answer that is no list of versions, again with the next call.
Result<std::string> Keystone::discover(const std::string& root, const Token& token, Deadline deadline) {
  {
    const std::lock_guard lock(discovery_mutex_);
    if (const auto known = versions_.find(root); known != versions_.end()) return known->second;
  }
  const WebRequest request{"GET", root + '/', {{"X-Auth-Token", token.id}}};
  const auto body = body_of(web_.fetch(request, deadline), "GET " + request.url, "", {token.id});
  if (!body && body.error().code != ErrorCode::kNotFound) return body;
  auto url = current_version(root, body ? *body : "{\"versions\":[]}");
  if (!url) return url;
  const std::lock_guard lock(discovery_mutex_);
  return versions_.emplace(root, *std::move(url)).first->second;
}

Result<std::string> Keystone::endpoint_of(const std::string& service, const Token& token, Deadline deadline) {
  const auto filled = find_endpoint(token.catalogue, choice_of(service)).and_then([&](std::string url) {
    return with_project(service, std::move(url), token.project);
  });
  if (!filled || service != "compute") return filled;
  const ComputeEndpoint endpoint = compute_endpoint(*filled, token.project);
  return endpoint.versioned ? endpoint.url : discover(endpoint.url, token, deadline);
}

Result<WebRequest> Keystone::request_of(const ServiceCall& call, const Token& token, Deadline deadline) {
  const auto endpoint = endpoint_of(call.service, token, deadline);
  if (!endpoint) return tl::unexpected(endpoint.error());
  WebRequest request{call.method, *endpoint + call.path, {{"X-Auth-Token", token.id}}, call.body};
  request.once = !call.body.empty();
  if (!call.version.empty()) request.headers.emplace_back("OpenStack-API-Version", call.service + ' ' + call.version);
  return request;
}

// With a token that may have been revoked: a refusal costs one more login.
Result<WebReply> Keystone::fetch(const std::function<Result<WebRequest>(const Token&)>& make, Deadline deadline) {
  for (int attempt = 0;; ++attempt) {
    const auto mine = token(deadline);
    if (!mine) return tl::unexpected(mine.error());
    const auto request = make(**mine);
    if (!request) return tl::unexpected(request.error());
    auto reply = web_.fetch(*request, deadline);
    if (!is_refused(reply) || attempt > 0) return reply;
    forget(**mine);
  }
}

Result<WebReply> Keystone::ask(const ServiceCall& call, Deadline deadline) {
  return fetch([&](const Token& token) { return request_of(call, token, deadline); }, deadline);
}

Result<std::string> Keystone::get(const ServiceCall& call, Deadline deadline) {
  auto reply = get_reply(call, deadline);
  if (reply) return std::move(reply->body);
  Error error = reply.error();
  if (error.code == ErrorCode::kInvalid) error.code = ErrorCode::kUnavailable;
  return tl::unexpected(std::move(error));
}

Result<WebReply> Keystone::get_reply(const ServiceCall& call, Deadline deadline) {
  std::string what, secret;
  auto reply = fetch(
      [&](const Token& token) {
        auto request = request_of(call, token, deadline);
        if (request) what = "GET " + request->url;
        secret = token.id;
        return request;
      },
      deadline);
  const auto body = body_of(reply, what, rules_of(call.service, "GET", call.path), {secret});
  if (body) return reply;
  Error error = body.error();
  if (reply && reply->status == 400) error.code = ErrorCode::kInvalid;
  return tl::unexpected(error);
}

std::vector<Result<std::string>> Keystone::get_all(const std::vector<ServiceCall>& calls, Deadline deadline) {
  std::vector<Result<std::string>> bodies;
  const auto mine = token(deadline);
  std::vector<WebRequest> requests;
  for (const ServiceCall& call : calls) {
    auto request = mine ? request_of(call, **mine, deadline) : Result<WebRequest>(tl::unexpected(mine.error()));
    if (!request) return {calls.size(), tl::unexpected(request.error())};
    requests.push_back(*std::move(request));
  }
  const auto replies = web_.fetch_all(requests, deadline);
  for (std::size_t i = 0; i < replies.size(); ++i) {
    if (is_refused(replies[i])) {
      forget(**mine);
      bodies.push_back(get(calls[i], deadline));
    } else {
      bodies.push_back(body_of(replies[i], "GET " + requests[i].url, rules_of(calls[i].service, "GET", calls[i].path),
                               {(*mine)->id}));
    }
  }
  return bodies;
}

Result<Caller> Keystone::owner_of(const std::string& subject, Deadline deadline) {
  std::string own;
  const auto reply = fetch(
      [&](const Token& token) {
        own = token.id;
        return Result<WebRequest>(
            WebRequest{"GET", tokens_url_ + "?nocatalog", {{"X-Auth-Token", token.id}, {"X-Subject-Token", subject}}});
      },
      deadline);
  if (!reply) return tl::unexpected(reply.error());
  if (reply->status == 404)
    return fail(ErrorCode::kUnauthorized, "Keystone knows no such token, or it has expired or was revoked");
  const auto body = body_of(reply, "GET " + tokens_url_, rules_of("identity", "GET", "/auth/tokens"), {own, subject});
  return body ? read_caller(*body) : tl::unexpected(body.error());
}

}  // namespace emplace::openstack
