#include "service/http/router.h"

#include <algorithm>
#include <optional>
#include <stdexcept>

#include "service/http/problem.h"

namespace emplace::http {
namespace {

struct Segment {
  enum class Kind { kLiteral, kParameterWithVerb, kParameter };
  Kind kind = Kind::kLiteral;
  std::string text;  // the literal or the parameter's name
  std::string verb;  // with its colon
};

Segment parsed_segment(std::string_view text) {
  const std::size_t close = text.find('}');
  if (!text.starts_with('{') || close == std::string_view::npos)
    return {Segment::Kind::kLiteral, std::string(text), ""};
  const std::string_view verb = text.substr(close + 1);
  if (!verb.empty() && verb.front() != ':') throw std::logic_error("route: wanted {name} or {name}:verb");
  return {verb.empty() ? Segment::Kind::kParameter : Segment::Kind::kParameterWithVerb,
          std::string(text.substr(1, close - 1)), std::string(verb)};
}

std::vector<Segment> parsed_pattern(std::string_view pattern) {
  if (!pattern.starts_with('/')) throw std::logic_error("route: a pattern starts with '/'");
  std::vector<Segment> segments;
  pattern.remove_prefix(1);
  while (!pattern.empty()) {
    const std::size_t end = std::min(pattern.find('/'), pattern.size());
    segments.push_back(parsed_segment(pattern.substr(0, end)));
    pattern.remove_prefix(std::min(end + 1, pattern.size()));
  }
  return segments;
}

// What the segment's parameter takes from `text` (empty for a literal), or nothing if it doesn't fit.
std::optional<std::string_view> taken(const Segment& segment, std::string_view text) {
  if (segment.kind == Segment::Kind::kLiteral) {
    return segment.text == text ? std::optional(std::string_view()) : std::nullopt;
  }
  if (text.size() <= segment.verb.size() || !text.ends_with(segment.verb)) return std::nullopt;
  return text.substr(0, text.size() - segment.verb.size());
}

bool is_more_specific(const std::vector<Segment>& a, const std::vector<Segment>& b) {
  return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end(),
                                      [](const Segment& x, const Segment& y) { return x.kind < y.kind; });
}

}  // namespace

struct Router::Pattern {
  std::string text;
  std::vector<Segment> segments;
  std::vector<std::unique_ptr<Route>> routes;

  const Route* route(std::string_view method) const {
    const std::string_view wanted = method == "HEAD" ? "GET" : method;
    for (const auto& one : routes) {
      if (one->method == wanted) return one.get();
    }
    return nullptr;
  }

  bool fits(const std::vector<std::string>& path) const {
    if (path.size() != segments.size()) return false;
    for (std::size_t i = 0; i < path.size(); ++i) {
      if (!taken(segments[i], path[i])) return false;
    }
    return true;
  }

  Pairs parameters(const std::vector<std::string>& path) const {
    Pairs parameters;
    for (std::size_t i = 0; i < path.size(); ++i) {
      if (segments[i].kind != Segment::Kind::kLiteral)
        parameters.emplace_back(segments[i].text, *taken(segments[i], path[i]));
    }
    return parameters;
  }

  std::string allow() const {
    std::string methods;
    for (const auto& one : routes) {
      methods += (methods.empty() ? "" : ", ") + one->method + (one->method == "GET" ? ", HEAD" : "");
    }
    return methods;
  }
};

std::string_view Call::parameter(std::string_view name) const {
  for (const auto& [key, value] : parameters) {
    if (key == name) return value;
  }
  return {};
}

Router::Router() = default;
Router::~Router() = default;
Router::Router(Router&&) noexcept = default;
Router& Router::operator=(Router&&) noexcept = default;

void Router::add(std::string method, std::string pattern, RouteHandler handler) {
  auto same = std::find_if(patterns_.begin(), patterns_.end(), [&](const auto& p) { return p->text == pattern; });
  if (same == patterns_.end()) {
    auto made = std::make_unique<Pattern>(Pattern{pattern, parsed_pattern(pattern), {}});
    const auto place = std::upper_bound(patterns_.begin(), patterns_.end(), made, [](const auto& a, const auto& b) {
      return is_more_specific(a->segments, b->segments);
    });
    same = patterns_.insert(place, std::move(made));
  }
  if ((*same)->route(method)) throw std::logic_error("route: " + method + " " + pattern + " is there twice");
  (*same)->routes.push_back(std::make_unique<Route>(Route{std::move(method), std::move(pattern), std::move(handler)}));
}

Match Router::find(std::string_view method, const std::vector<std::string>& segments) const {
  for (const auto& pattern : patterns_) {
    if (!pattern->fits(segments)) continue;
    return {pattern->route(method), pattern->parameters(segments), pattern->allow()};
  }
  return {};
}

void Router::dispatch(const std::shared_ptr<const Request>& request, Reply reply) const {
  Match match = find(request->method, request->segments);
  if (match.route) {
    match.route->handler({request, std::move(match.parameters), match.route->pattern}, std::move(reply));
    return;
  }
  const bool found = !match.allow.empty();
  Response response = problem(
      found ? 405 : 404, found ? "emplace.http.method_not_allowed" : "emplace.not_found",
      found ? "wanted one of " + match.allow + ", found " + request->method : "no such resource: " + request->path,
      request->id, wants_openstack_shape(*request));
  if (found) response.headers.emplace_back("Allow", match.allow);
  reply.send(std::move(response));
}

std::vector<const Route*> Router::routes() const {
  std::vector<const Route*> all;
  for (const auto& pattern : patterns_) {
    for (const auto& route : pattern->routes) all.push_back(route.get());
  }
  return all;
}

}  // namespace emplace::http
