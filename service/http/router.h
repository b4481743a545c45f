// A Router finds the route of a request among patterns such as "/v1/hosts/{name}" and "/v1/decisions/{id}:replay".
//
// A pattern's segments are literals or one parameter each: "{name}" takes any segment but an empty one, "{name}:verb"
// takes what stands before ":verb". Of the patterns that fit a path the most specific one decides (left to right:
// literal, then parameter with a verb, then parameter); if it hasn't the method, the answer is 405 with Allow, even if
// a vaguer pattern had it: DELETE /v1/hosts/h1:drain must not delete a host called "h1:drain". HEAD is served by GET's
// route.
//
// Threads: filled at start-up, then const and shared. Complexity: one comparison per pattern of the same length; no
// recursion and no regular expressions (std::regex falls to "GET /////...").
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "service/http/message.h"
#include "service/http/reply.h"

namespace emplace::http {

// What a route's handler gets: the request and what the pattern took from its path.
struct Call {
  std::shared_ptr<const Request> request;
  Pairs parameters;          // by the names in the pattern, decoded
  std::string_view pattern;  // lives as long as the router

  // A parameter of the pattern; empty if the pattern has none of that name.
  std::string_view parameter(std::string_view name) const;
};

using RouteHandler = std::function<void(const Call&, Reply)>;

struct Route {
  std::string method;
  std::string pattern;
  RouteHandler handler;
};

struct Match {
  const Route* route = nullptr;  // null: not found, or a wrong method if `allow` isn't empty
  Pairs parameters;
  std::string allow;  // "GET, HEAD, PATCH": the methods of the pattern that fits
};

class Router {
 public:
  Router();
  ~Router();
  Router(Router&&) noexcept;
  Router& operator=(Router&&) noexcept;

  // Precondition: `pattern` starts with '/' and the pair (method, pattern) is new. Throws std::logic_error otherwise,
  // at start-up, where it is a defect of the table.
  void add(std::string method, std::string pattern, RouteHandler handler);

  Match find(std::string_view method, const std::vector<std::string>& segments) const;

  // Finds the route and calls it; answers 404 and 405 itself.
  void dispatch(const std::shared_ptr<const Request>& request, Reply reply) const;

  // Every route, for the API's own documents and for tests of the policy.
  std::vector<const Route*> routes() const;

 private:
  struct Pattern;
  std::vector<std::unique_ptr<Pattern>> patterns_;  // the most specific first
};

}  // namespace emplace::http
