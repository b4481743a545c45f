#include "service/http/cors.h"

#include <algorithm>

#include "service/http/problem.h"

namespace emplace::http {
namespace {

constexpr char kMethods[] = "GET, HEAD, POST, PUT, PATCH, DELETE";
constexpr char kRequestHeaders[] =
    "Authorization, Content-Type, Idempotency-Key, If-Match, Last-Event-ID, OpenStack-API-Version, traceparent, "
    "X-Auth-Token, X-Openstack-Request-Id";
constexpr char kAnswerHeaders[] =
    "ETag, Idempotency-Replayed, Location, OpenStack-API-Version, Retry-After, X-Emplace-Degraded, "
    "X-Openstack-Request-Id";
constexpr char kMaxAge_s[] = "600";

}  // namespace

bool Cors::allows(const std::string& origin) const {
  return std::any_of(origins_.begin(), origins_.end(),
                     [&](const std::string& known) { return known == "*" || known == origin; });
}

void Cors::allow(const std::string& origin, Response& response) const {
  const bool any = origins_.front() == "*";
  if (!any) response.headers.emplace_back("Vary", "Origin");
  if (allows(origin)) response.headers.emplace_back("Access-Control-Allow-Origin", any ? "*" : origin);
}

std::optional<Response> Cors::preflight(const Request& request) const {
  const std::string* origin = request.header("origin");
  if (origins_.empty() || request.method != "OPTIONS" || !origin || !request.header("access-control-request-method"))
    return std::nullopt;
  Response response{.status = 204};
  if (!allows(*origin)) {
    response = problem(403, "emplace.cors.origin",
                       "Origin: wanted one of [service] cors_origins, found " + json_quoted(*origin), request.id,
                       wants_openstack_shape(request));
  }
  allow(*origin, response);
  if (response.status != 204) return response;
  response.headers.emplace_back("Access-Control-Allow-Methods", kMethods);
  response.headers.emplace_back("Access-Control-Allow-Headers", kRequestHeaders);
  response.headers.emplace_back("Access-Control-Max-Age", kMaxAge_s);
  return response;
}

Reply Cors::dressed(const Request& request, Reply reply) const {
  const std::string* origin = request.header("origin");
  if (origins_.empty() || !origin) return reply;
  return reply.through([this, origin = *origin](Response& response) {
    allow(origin, response);
    response.headers.emplace_back("Access-Control-Expose-Headers", kAnswerHeaders);
  });
}

}  // namespace emplace::http
