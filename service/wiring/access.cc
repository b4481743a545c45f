#include "service/wiring/access.h"

#include <filesystem>
#include <utility>

#include "service/rest/api.h"

namespace emplace {

Result<http::Tokens> tokens_of(const Config& config) {
  http::Tokens tokens;
  if (!config.tokens_file.empty()) {
    auto loaded = http::Tokens::load(config.tokens_file);
    if (!loaded) return loaded;
    tokens = std::move(*loaded);
  }
  if (config.database_url.empty()) {
    auto hash = http::create_admin_token((std::filesystem::path(config.data) / "admin.token").string());
    if (!hash) return tl::unexpected(hash.error());
    tokens.add({std::move(*hash), http::Role::kAdmin, "admin"});
  }
  return tokens;
}

Result<http::Policy> policy_of(const Config& config) {
  http::Policy policy;
  http::Api::fill(policy);
  if (config.policy_file.empty()) return policy;
  return policy.override_from(config.policy_file).map([&] { return std::move(policy); });
}

}  // namespace emplace
