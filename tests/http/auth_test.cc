#include "service/rest/auth.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <thread>
#include <vector>

namespace emplace::http {
namespace {

class Folder {
 public:
  Folder() {
    std::string path = (std::filesystem::temp_directory_path() / "emplace-auth-XXXXXX").string();
    path_ = ::mkdtemp(path.data());
  }
  ~Folder() { std::filesystem::remove_all(path_); }

  std::string file(const std::string& name, const std::string& text) const {
    std::ofstream(path_ / name) << text;
    return path(name);
  }
  std::string path(const std::string& name) const { return (path_ / name).string(); }
  std::ptrdiff_t count() const { return std::distance(std::filesystem::directory_iterator(path_), {}); }

 private:
  std::filesystem::path path_;
};

Request with_header(const std::string& name, const std::string& value) {
  Request request;
  request.method = "GET";
  request.headers = {{name, value}};
  return request;
}

TEST(Tokens, AreReadAndFoundByTheirHash) {
  const Folder folder;
  const auto tokens =
      Tokens::load(folder.file("tokens", "# who\n" + sha256_hex("t1") + " planner alice # comment\n\n"));

  ASSERT_TRUE(tokens);
  ASSERT_NE(tokens->find("t1"), nullptr);
  EXPECT_EQ(tokens->find("t1")->name, "alice");
  EXPECT_EQ(tokens->find("t1")->role, Role::kPlanner);
  EXPECT_EQ(tokens->find("t2"), nullptr);
  EXPECT_EQ(tokens->find(""), nullptr);
  EXPECT_EQ(tokens->find(sha256_hex("t1")), nullptr);
}

TEST(Tokens, MayBeAProjects) {
  const Folder folder;
  const auto tokens = Tokens::load(folder.file("tokens", sha256_hex("t1") + " project:red portal\n"));

  ASSERT_TRUE(tokens);
  EXPECT_EQ(tokens->find("t1")->role, Role::kPlanner);
  EXPECT_EQ(tokens->find("t1")->project, "red");
  for (const char* const bad : {"project:", "project:a/b", "Project:red", "project"})
    EXPECT_FALSE(Tokens::load(folder.file("tokens", sha256_hex("t1") + ' ' + bad + " portal\n"))) << bad;
}

TEST(Tokens, NameTheBadLine) {
  const Folder folder;
  const std::string hash = sha256_hex("t1");
  for (const std::string& bad :
       {std::string("abc reader a"), hash + " king a", hash + " anyone a", hash + " reader", hash + " reader a b"}) {
    const auto tokens = Tokens::load(folder.file("tokens", "# 1\n" + bad + "\n"));
    ASSERT_FALSE(tokens) << bad;
    EXPECT_EQ(tokens.error().code, ErrorCode::kInvalid);
    EXPECT_NE(tokens.error().message.find("tokens: line 2: wanted "), std::string::npos) << tokens.error().message;
    EXPECT_EQ(tokens.error().message.find(hash), std::string::npos);
  }
  EXPECT_FALSE(Tokens::load(folder.file("tokens", hash + " reader a\n" + hash + " admin b\n")));
  EXPECT_EQ(Tokens::load(folder.path("nowhere")).error().code, ErrorCode::kUnavailable);
}

TEST(Policy, DeniesByDefault) {
  Policy policy;
  policy.set("GET", "/v1/hosts", Role::kReader);

  EXPECT_EQ(policy.least("GET", "/v1/hosts"), Role::kReader);
  EXPECT_EQ(policy.least("HEAD", "/v1/hosts"), Role::kReader);
  EXPECT_EQ(policy.least("POST", "/v1/hosts"), Role::kAdmin);
  EXPECT_EQ(policy.least("GET", "/v1/secret"), Role::kAdmin);
}

TEST(Policy, IsOverriddenByAFile) {
  const Folder folder;
  Policy policy;
  policy.set("GET", "/v1/hosts", Role::kReader);

  EXPECT_TRUE(policy.override_from(folder.file("policy", "GET /v1/hosts operator\n")));
  EXPECT_EQ(policy.least("GET", "/v1/hosts"), Role::kOperator);
  for (const char* bad : {"GET /v1/hosts reader\nGET /v1/host reader\n", "GET /v1/hosts king\n", "GET /v1/hosts\n"}) {
    EXPECT_FALSE(policy.override_from(folder.file("policy", bad)));
    EXPECT_EQ(policy.least("GET", "/v1/hosts"), Role::kOperator);
  }
}

TEST(Policy, SaysWhoSeesWhatMayBeSecret) {
  const Folder folder;
  Policy policy;
  EXPECT_EQ(policy.least_to_see("vm.parameters"), Role::kPlanner);
  EXPECT_EQ(policy.least_to_see("vm.template"), Role::kPlanner);

  EXPECT_TRUE(policy.override_from(folder.file("policy", "SEE vm.parameters reader\nSEE vm.template admin\n")));
  EXPECT_EQ(policy.least_to_see("vm.parameters"), Role::kReader);
  EXPECT_EQ(policy.least_to_see("vm.template"), Role::kAdmin);
  for (const char* bad : {"SEE vm.name reader\n", "SEE vm.parameters anyone\n", "SEE vm.parameters king\n"}) {
    EXPECT_FALSE(policy.override_from(folder.file("policy", bad))) << bad;
    EXPECT_EQ(policy.least_to_see("vm.parameters"), Role::kReader);
  }
}

TEST(Policy, KnowsTheRolesThatItsFileNames) {
  const Folder folder;
  Policy policy;
  EXPECT_EQ(policy.role_of({"member", "admin"}), Role::kAdmin);
  EXPECT_EQ(policy.role_of({"member", "reader"}), Role::kAnyone);

  EXPECT_TRUE(
      policy.override_from(folder.file("policy", "ROLE member reader\nROLE scheduler planner\nROLE admin operator\n")));
  EXPECT_EQ(policy.role_of({"member", "scheduler"}), Role::kPlanner);
  EXPECT_EQ(policy.role_of({"admin"}), Role::kOperator);
  for (const char* bad : {"ROLE member king\n", "ROLE member anyone\n", "ROLE member\n"}) {
    EXPECT_FALSE(policy.override_from(folder.file("policy", bad)));
    EXPECT_EQ(policy.role_of({"member"}), Role::kReader);
  }
}

TEST(RateLimit, LetsASecondsWorthThrough) {
  RateLimit limit(2);
  const RateLimit::Time start{};

  EXPECT_TRUE(limit.take("a", start));
  EXPECT_TRUE(limit.take("a", start));
  const auto refused = limit.take("a", start);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kTooMany);
  EXPECT_EQ(refused.error().retry_after_s, 1);
  EXPECT_TRUE(limit.take("b", start));
  EXPECT_TRUE(limit.take("a", start + std::chrono::milliseconds(500)));
  EXPECT_FALSE(limit.take("a", start + std::chrono::milliseconds(500)));
}

TEST(RateLimit, IsOffAtZero) {
  RateLimit limit(0);
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(limit.take("a", {}));
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(limit.take_for_address("10.0.0.1:1", {}));
}

TEST(RateLimit, HoldsForAnAddressWhateverItsPort) {
  RateLimit limit(1);

  EXPECT_TRUE(limit.take_for_address("10.0.0.1:1000", {}));
  EXPECT_EQ(limit.take_for_address("10.0.0.1:1001", {}).error().code, ErrorCode::kTooMany);
  EXPECT_TRUE(limit.take_for_address("10.0.0.2:1000", {}));
  EXPECT_TRUE(limit.take("10.0.0.1", {})) << "a token is no address";
  EXPECT_TRUE(limit.take_for_address("unix", {}));
  EXPECT_FALSE(limit.take_for_address("unix", {}));
}

TEST(RateLimit, TakesANetworkOfIpv6ForOneAddress) {
  EXPECT_EQ(rate_key("10.0.0.1:80"), "10.0.0.1");
  EXPECT_EQ(rate_key("[2001:db8::1]:80"), rate_key("[2001:db8:0:0:ffff::2]:81"));
  EXPECT_NE(rate_key("[2001:db8::1]:80"), rate_key("[2001:db8:0:1::1]:80"));
  EXPECT_EQ(rate_key("[::ffff:10.0.0.1]:80"), "::ffff:10.0.0.1");
  EXPECT_EQ(rate_key("unix"), "unix");
  EXPECT_EQ(rate_key(""), "");
}

TEST(RateLimit, IsBoundedInItsAddresses) {
  RateLimit limit(1, 2);
  const RateLimit::Time start = std::chrono::steady_clock::now();
  EXPECT_TRUE(limit.take_for_address("10.0.0.1:1", start));
  EXPECT_TRUE(limit.take_for_address("10.0.0.2:1", start));

  EXPECT_TRUE(limit.take_for_address("10.0.0.3:1", start));
  EXPECT_FALSE(limit.take_for_address("10.0.0.4:1", start)) << "those beyond share one";
  EXPECT_FALSE(limit.take_for_address("10.0.0.1:1", start));

  const auto later = start + std::chrono::seconds(2);
  EXPECT_TRUE(limit.take_for_address("10.0.0.4:1", later));
  EXPECT_TRUE(limit.take_for_address("10.0.0.3:1", later)) << "full buckets were forgotten";
}

TEST(Authorize, WantsATokenWithTheRole) {
  Tokens tokens;
  tokens.add({sha256_hex("r"), Role::kReader, "r"});
  tokens.add({sha256_hex("a"), Role::kAdmin, "a"});
  Policy policy;
  policy.set("GET", "/hosts", Role::kReader);
  policy.set("GET", "/plans", Role::kPlanner);
  policy.set("GET", "/healthz", Role::kAnyone);
  RateLimit rate(0);
  const auto code = [&](const Request& request, const char* pattern) {
    const auto identity = authorize(request, pattern, tokens, policy, rate, {});
    return identity ? "ok " + identity->name : std::to_string(static_cast<int>(identity.error().code));
  };
  const std::string unauthorized = std::to_string(static_cast<int>(ErrorCode::kUnauthorized));
  const std::string forbidden = std::to_string(static_cast<int>(ErrorCode::kForbidden));

  EXPECT_EQ(code(with_header("x-auth-token", "r"), "/hosts"), "ok r");
  EXPECT_EQ(code(with_header("authorization", "Bearer r"), "/hosts"), "ok r");
  EXPECT_EQ(code(with_header("authorization", "bearer  a"), "/plans"), "ok a");
  EXPECT_EQ(code(with_header("authorization", "Basic r"), "/hosts"), unauthorized);
  EXPECT_EQ(code(with_header("authorization", "Bearer "), "/hosts"), unauthorized);
  EXPECT_EQ(code(with_header("x-auth-token", "x"), "/hosts"), unauthorized);
  EXPECT_EQ(code({}, "/hosts"), unauthorized);
  EXPECT_EQ(code(with_header("x-auth-token", "r"), "/plans"), forbidden);
  EXPECT_EQ(code(with_header("x-auth-token", "r"), "/unknown"), forbidden);
  EXPECT_EQ(code(with_header("x-auth-token", "a"), "/unknown"), "ok a");
  EXPECT_EQ(code(with_header("x", "y"), "/healthz"), "ok ");
}

TEST(ForeignToken, IsAnXAuthTokenThatIsNoneOfOurs) {
  Tokens tokens;
  tokens.add({sha256_hex("ours"), Role::kReader, "r"});
  Policy policy;
  policy.set("GET", "/hosts", Role::kReader);
  policy.set("GET", "/healthz", Role::kAnyone);
  const auto token = [&](const Request& request, const char* pattern) {
    return foreign_token(request, pattern, tokens, policy).value_or("none");
  };

  EXPECT_EQ(token(with_header("x-auth-token", "theirs"), "/hosts"), "theirs");
  EXPECT_EQ(token(with_header("x-auth-token", "ours"), "/hosts"), "none");
  EXPECT_EQ(token(with_header("x-auth-token", "theirs"), "/healthz"), "none");
  EXPECT_EQ(token(with_header("authorization", "Bearer theirs"), "/hosts"), "none");
  EXPECT_EQ(token({}, "/hosts"), "none");
}

TEST(Authorize, TakesACallerByTheRolesThatThePolicyKnows) {
  Policy policy;
  policy.set("GET", "/hosts", Role::kReader);
  RateLimit rate(1);
  const Request request = with_header("x-auth-token", "theirs");
  const Caller admin{"alice", "p1", {"admin"}, 0}, member{"bob", "p1", {"member"}, 0};

  const auto identity = authorize(admin, request, "/hosts", policy, rate, {});
  ASSERT_TRUE(identity);
  EXPECT_EQ(identity->name, "alice@p1");
  EXPECT_EQ(identity->role, Role::kAdmin);
  EXPECT_EQ(authorize(admin, request, "/hosts", policy, rate, {}).error().code, ErrorCode::kTooMany);
  const auto refused = authorize(member, request, "/hosts", policy, rate, {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kForbidden);
  EXPECT_EQ(
      refused.error().message,
      "wanted the role reader, found none that the policy knows: Keystone's roles in the token are member, the policy "
      "knows admin; a ROLE line of policy_file makes another one known");
}

TEST(Authorize, NamesTheRolesOfKeystoneThatItLooksFor) {
  const Folder folder;
  Policy policy;
  policy.set("GET", "/hosts", Role::kAdmin);
  const std::string file = folder.path("policy");
  std::ofstream(file) << "ROLE member reader\nROLE reader reader\n";
  ASSERT_TRUE(policy.override_from(file));
  RateLimit rate(0);
  const auto refusal = [&](std::vector<std::string> roles) {
    return authorize(Caller{"bob", "p1", std::move(roles), 0}, with_header("x-auth-token", "t"), "/hosts", policy, rate,
                     {})
        .error()
        .message;
  };

  EXPECT_EQ(refusal({"reader", "a\nb"}),
            "wanted the role admin, found reader: Keystone's roles in the token are reader, a\\nb, the policy knows "
            "admin, member (as reader), reader; a ROLE line of policy_file makes another one known");
  EXPECT_NE(refusal({}).find("Keystone's roles in the token are none, "), std::string::npos) << refusal({});
  EXPECT_LT(refusal({std::string(5000, 'r')}).size(), 500u);
}

TEST(AdminToken, IsMadeOncePrivately) {
  const Folder folder;
  const std::string path = folder.path("admin.token");

  std::vector<std::string> hashes(8);
  std::vector<std::thread> threads;
  for (auto& hash : hashes) threads.emplace_back([&] { hash = create_admin_token(path).value_or(""); });
  for (auto& thread : threads) thread.join();

  std::string token;
  std::ifstream(path) >> token;
  EXPECT_EQ(token.size(), 64U);
  for (const auto& hash : hashes) EXPECT_EQ(hash, sha256_hex(token));
  struct stat status = {};
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
  EXPECT_EQ(folder.count(), 1);
}

TEST(AdminToken, RefusesAFileThatIsNotOne) {
  const Folder folder;
  const std::string path = folder.file("admin.token", "hello\n");

  EXPECT_EQ(create_admin_token(path).error().code, ErrorCode::kInvalid);
  ASSERT_EQ(::chmod(path.c_str(), 0600), 0);
  EXPECT_EQ(create_admin_token(path).error().code, ErrorCode::kInvalid);
  EXPECT_EQ(create_admin_token(folder.path("no/such")).error().code, ErrorCode::kUnavailable);
}

TEST(Authorize, LimitsThoseWithoutAToken) {
  Tokens tokens;
  tokens.add({sha256_hex("r"), Role::kReader, "r"});
  Policy policy;
  policy.set("GET", "/healthz", Role::kAnyone);
  policy.set("GET", "/hosts", Role::kReader);
  RateLimit rate(1);
  Request request = with_header("x-auth-token", "wrong");
  request.method = "GET";
  request.client = "10.0.0.1:1";
  const auto code = [&](const char* pattern) {
    const auto identity = authorize(request, pattern, tokens, policy, rate, {});
    return identity ? ErrorCode::kNotFound : identity.error().code;
  };

  EXPECT_EQ(code("/healthz"), ErrorCode::kNotFound);
  EXPECT_EQ(code("/healthz"), ErrorCode::kTooMany);
  EXPECT_EQ(code("/hosts"), ErrorCode::kTooMany) << "nor may it try tokens";
  request.client = "10.0.0.2:1";
  EXPECT_EQ(code("/hosts"), ErrorCode::kUnauthorized);
  EXPECT_EQ(code("/hosts"), ErrorCode::kTooMany);
  request.headers = {{"x-auth-token", "r"}};
  EXPECT_EQ(code("/hosts"), ErrorCode::kNotFound);
}

}  // namespace
}  // namespace emplace::http
