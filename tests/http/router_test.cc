#include "service/http/router.h"

#include <gtest/gtest.h>

#include <stdexcept>

namespace emplace::http {
namespace {

Router router() {
  Router router;
  for (const auto& [method, pattern] : Pairs{{"GET", "/"},
                                             {"GET", "/v1/hosts"},
                                             {"GET", "/v1/hosts/{name}"},
                                             {"PATCH", "/v1/hosts/{name}"},
                                             {"POST", "/v1/hosts/{name}:drain"},
                                             {"GET", "/v1/hosts/all"},
                                             {"GET", "/v1/vms/{id}/footprint"},
                                             {"POST", "/v1/plans/{id}/steps/{n}:skip"},
                                             {"POST", "/v1/inventory:import"}}) {
    router.add(method, pattern, [](const Call& call, const Reply& reply) {
      reply.send({.body = std::string(call.pattern) + " " + std::string(call.parameter("name"))});
    });
  }
  return router;
}

std::string found(std::string_view method, const std::vector<std::string>& segments) {
  static const Router table = router();
  const Match match = table.find(method, segments);
  std::string text = match.route ? match.route->pattern : "none, allow " + match.allow;
  for (const auto& [name, value] : match.parameters) text += " " + name + "=" + value;
  return text;
}

TEST(Router, FindsTheMostSpecificPattern) {
  EXPECT_EQ(found("GET", {}), "/");
  EXPECT_EQ(found("GET", {"v1", "hosts"}), "/v1/hosts");
  EXPECT_EQ(found("GET", {"v1", "hosts", "h1"}), "/v1/hosts/{name} name=h1");
  EXPECT_EQ(found("GET", {"v1", "hosts", "all"}), "/v1/hosts/all");
  EXPECT_EQ(found("POST", {"v1", "hosts", "a:b:drain"}), "/v1/hosts/{name}:drain name=a:b");
  EXPECT_EQ(found("GET", {"v1", "vms", "a/b", "footprint"}), "/v1/vms/{id}/footprint id=a/b");
  EXPECT_EQ(found("POST", {"v1", "plans", "7", "steps", "3:skip"}), "/v1/plans/{id}/steps/{n}:skip id=7 n=3");
  EXPECT_EQ(found("POST", {"v1", "inventory:import"}), "/v1/inventory:import");
}

TEST(Router, ServesHeadFromGet) { EXPECT_EQ(found("HEAD", {"v1", "hosts"}), "/v1/hosts"); }

TEST(Router, NamesTheMethodsOfTheMostSpecificPattern) {
  EXPECT_EQ(found("DELETE", {"v1", "hosts", "h1"}), "none, allow GET, HEAD, PATCH name=h1");
  EXPECT_EQ(found("PATCH", {"v1", "hosts", "h1:drain"}), "none, allow POST name=h1");
}

TEST(Router, FindsNothingElse) {
  for (const std::vector<std::string>& path : std::vector<std::vector<std::string>>{
           {"v1"}, {"v1", "hosts", ""}, {"v1", "hosts", "h1", ""}, {"v2", "hosts"}, {"*"}, {""}, {"v1", "HOSTS"}}) {
    EXPECT_EQ(found("GET", path), "none, allow ");
  }
}

TEST(Router, RefusesATableWithMistakes) {
  Router table = router();
  EXPECT_THROW(table.add("GET", "/v1/hosts", {}), std::logic_error);
  EXPECT_THROW(table.add("GET", "v1", {}), std::logic_error);
  EXPECT_THROW(table.add("GET", "/{a}b", {}), std::logic_error);
}

TEST(Router, DispatchesAndAnswersTheRest) {
  const Router table = router();
  const auto answer = [&](const std::string& method, const std::vector<std::string>& segments) {
    auto request = std::make_shared<Request>();
    request->method = method;
    request->segments = segments;
    Response result;
    table.dispatch(request, Reply::to([&](Response response) { result = std::move(response); }));
    return result;
  };
  EXPECT_EQ(answer("GET", {"v1", "hosts", "h1"}).body, "/v1/hosts/{name} h1");
  EXPECT_EQ(answer("GET", {"nowhere"}).status, 404);
  const Response refused = answer("PUT", {"v1", "hosts"});
  EXPECT_EQ(refused.status, 405);
  EXPECT_EQ(refused.headers, (Pairs{{"Allow", "GET, HEAD"}}));
}

}  // namespace
}  // namespace emplace::http
