#include "service/plugins/landlock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>

namespace emplace {
namespace {

// The same numbers on all processors.
constexpr long kCreateRuleset = 444, kAddRule = 445, kRestrictSelf = 446;
constexpr std::uint32_t kAskVersion = 1;
constexpr int kPathBeneath = 1;

constexpr std::uint64_t kReadFile = 1 << 2, kReadDirectory = 1 << 3;
// All that one may do with files, by the version of the interface that brought it.
constexpr std::array<std::uint64_t, 6> kFileRights = {0, 0x1fff, 0x3fff, 0x7fff, 0x7fff, 0xffff};
constexpr std::uint64_t kNetworkRights = 3;  // since 4
constexpr std::uint64_t kScopes = 3;         // since 6

struct Ruleset {
  std::uint64_t files, network, scopes;
};
struct [[gnu::packed]] Rule {
  std::uint64_t rights;
  std::int32_t parent_fd;
};

long version() { return syscall(kCreateRuleset, nullptr, 0, kAskVersion); }

tl::unexpected<Error> not_given(const char* what) {
  return fail(ErrorCode::kUnavailable, fmt::format("{}: {}", what, std::strerror(errno)));
}

Result<void> allow_reading(int ruleset, const std::filesystem::path& path) {
  const int fd = open(path.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return {};
  struct stat found {};
  fstat(fd, &found);
  const Rule rule{S_ISDIR(found.st_mode) ? kReadFile | kReadDirectory : kReadFile, fd};
  const bool added = S_ISLNK(found.st_mode) || syscall(kAddRule, ruleset, kPathBeneath, &rule, 0) == 0;
  const auto result = added ? Result<void>() : not_given("landlock_add_rule");
  close(fd);
  return result;
}

Result<void> restrict_to(int ruleset, std::span<const std::filesystem::path> paths) {
  for (const auto& path : paths) {
    if (const auto allowed = allow_reading(ruleset, path); !allowed) return allowed;
  }
  return syscall(kRestrictSelf, ruleset, 0) == 0 ? Result<void>() : not_given("landlock_restrict_self");
}

}  // namespace

bool has_landlock() { return version() > 0; }

Result<void> read_only_below(std::span<const std::filesystem::path> paths) {
  const long known = version();
  if (known <= 0) return not_given("landlock_create_ruleset");
  const auto rights = kFileRights[std::min<std::size_t>(static_cast<std::size_t>(known), kFileRights.size() - 1)];
  const Ruleset asked{rights, known >= 4 ? kNetworkRights : 0, known >= 6 ? kScopes : 0};
  // A kernel of before takes what it knows of it, as the rest is 0.
  const auto ruleset = static_cast<int>(syscall(kCreateRuleset, &asked, sizeof asked, 0));
  if (ruleset < 0) return not_given("landlock_create_ruleset");
  const auto restricted = restrict_to(ruleset, paths);
  close(ruleset);
  return restricted;
}

}  // namespace emplace
