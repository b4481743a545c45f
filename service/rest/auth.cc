#include "service/rest/auth.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <fstream>
#include <functional>
#include <sstream>
#include <vector>

#include "service/core/base/shown_text.h"
#include "service/core/json/json.h"

namespace emplace::http {
namespace {

constexpr std::array<std::string_view, 5> kRoles = {"anyone", "reader", "planner", "operator", "admin"};

std::string hex(const unsigned char* bytes, std::size_t count) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (std::size_t i = 0; i < count; ++i) {
    text.push_back(kDigits[bytes[i] >> 4]);
    text.push_back(kDigits[bytes[i] & 15]);
  }
  return text;
}

bool is_hash(std::string_view text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

tl::unexpected<Error> bad_line(const std::string& path, int line, const std::string& wanted, const std::string& found) {
  return fail(ErrorCode::kInvalid,
              path + ": line " + std::to_string(line) + ": wanted " + wanted + ", found \"" + found + "\"");
}

using Words = std::vector<std::string>;

tl::unexpected<Error> unreadable(const std::string& path) {
  return fail(ErrorCode::kUnavailable, path + ": wanted a file that can be read: " + std::strerror(errno));
}

// Calls `use` with the words of each line that has any, up to a '#'; an error it returns ends the reading.
Result<void> for_each_line(const std::string& path, const std::function<Result<void>(int, const Words&)>& use) {
  std::ifstream file(path);
  if (!file) return unreadable(path);
  std::string text;
  for (int line = 1; std::getline(file, text); ++line) {
    std::istringstream words_of(text.substr(0, text.find('#')));
    Words words;
    for (std::string word; words_of >> word;) words.push_back(word);
    if (words.empty()) continue;
    if (auto used = use(line, words); !used) return used;
  }
  if (file.bad()) return unreadable(path);  // a directory, say
  return {};
}

std::string joined(const Words& words) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

// What the client shows, or nothing.
std::string_view token_of(const Request& request) {
  static constexpr std::string_view kBearer = "bearer ";
  const std::string* authorization = request.header("authorization");
  if (!authorization) {
    const std::string* token = request.header("x-auth-token");
    return token ? std::string_view(*token) : std::string_view();
  }
  std::string_view value = *authorization;
  if (value.size() <= kBearer.size()) return {};
  const bool is_bearer = std::equal(kBearer.begin(), kBearer.end(), value.begin(), [](char wanted, char found) {
    return wanted == (found >= 'A' && found <= 'Z' ? found - 'A' + 'a' : found);
  });
  if (!is_bearer) return {};
  value.remove_prefix(kBearer.size());
  return value.substr(std::min(value.find_first_not_of(' '), value.size()));
}

class File {
 public:
  explicit File(int fd) : fd_(fd) {}
  ~File() {
    if (fd_ >= 0) ::close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int fd() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  const int fd_;
};

// The hash of the token in an existing file; nothing if there is none.
Result<std::optional<std::string>> existing_token(const std::string& path) {
  const File file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file && errno == ENOENT) return std::nullopt;
  if (!file) return fail(ErrorCode::kUnavailable, path + ": " + std::strerror(errno));
  struct stat status = {};
  if (::fstat(file.fd(), &status) != 0 || (status.st_mode & 077) != 0) {
    return fail(ErrorCode::kInvalid, path + ": wanted mode 0600, found one that others may read");
  }
  std::array<char, 128> text = {};
  const ssize_t count = ::read(file.fd(), text.data(), text.size());
  std::string_view token(text.data(), count > 0 ? static_cast<std::size_t>(count) : 0);
  while (!token.empty() && (token.back() == '\n' || token.back() == '\r')) token.remove_suffix(1);
  if (!is_hash(token)) return fail(ErrorCode::kInvalid, path + ": wanted 64 hex digits, found something else");
  return sha256_hex(token);
}

// Writes a new token under another name, then links it in: whoever comes second finds the first one's.
Result<void> make_token(const std::string& path) {
  std::array<unsigned char, 32> bytes = {};
  if (::RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1) {
    return fail(ErrorCode::kUnavailable, "no random bytes for " + path);
  }
  const std::string line = hex(bytes.data(), bytes.size()) + "\n";
  std::string temporary = path + ".XXXXXX";
  const File file(::mkostemp(temporary.data(), O_CLOEXEC));  // mode 0600
  if (!file) return fail(ErrorCode::kUnavailable, path + ": " + std::strerror(errno));
  const bool written =
      ::write(file.fd(), line.data(), line.size()) == static_cast<ssize_t>(line.size()) && ::fsync(file.fd()) == 0;
  const bool linked = written && (::link(temporary.c_str(), path.c_str()) == 0 || errno == EEXIST);
  const int error = errno;
  ::unlink(temporary.c_str());
  if (!linked) return fail(ErrorCode::kUnavailable, path + ": " + std::strerror(error));
  return {};
}

}  // namespace

std::string_view name_of(Role role) { return kRoles[static_cast<std::size_t>(role)]; }

std::optional<Role> role_named(std::string_view name) {
  const auto found = std::find(kRoles.begin(), kRoles.end(), name);
  if (found == kRoles.end()) return std::nullopt;
  return static_cast<Role>(found - kRoles.begin());
}

std::string sha256_hex(std::string_view text) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest = {};
  ::SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  return hex(digest.data(), digest.size());
}

namespace {

// The NAME of "project:NAME"; empty for any other word. What has a slash would own the groups of another project.
std::string project_of(std::string_view word) {
  static constexpr std::string_view kProject = "project:";
  if (!word.starts_with(kProject)) return {};
  word.remove_prefix(kProject.size());
  return is_name(word) && word.find('/') == std::string_view::npos ? std::string(word) : "";
}

}  // namespace

Result<Tokens> Tokens::load(const std::string& path) {
  Tokens tokens;
  auto loaded = for_each_line(path, [&](int line, const Words& words) -> Result<void> {
    if (words.size() != 3) return bad_line(path, line, "SHA256 ROLE NAME", std::to_string(words.size()) + " words");
    if (!is_hash(words[0]))
      return bad_line(path, line, "64 lower-case hex digits",
                      "a word of " + std::to_string(words[0].size()) + " characters");
    const std::string project = project_of(words[1]);
    const auto role = project.empty() ? role_named(words[1]) : Role::kPlanner;
    if (!role || *role == Role::kAnyone)
      return bad_line(path, line, "reader, planner, operator, admin or project:NAME (without a slash)", words[1]);
    if (tokens.by_hash_.contains(words[0])) return bad_line(path, line, "each token once", words[2]);
    tokens.add({words[0], *role, words[2], project});
    return {};
  });
  if (!loaded) return tl::unexpected(loaded.error());
  return tokens;
}

void Tokens::add(Identity identity) {
  std::string hash = identity.token_hash;
  by_hash_.insert_or_assign(std::move(hash), std::move(identity));
}

const Identity* Tokens::find(std::string_view token) const {
  if (token.empty()) return nullptr;
  const auto found = by_hash_.find(sha256_hex(token));
  return found == by_hash_.end() ? nullptr : &found->second;
}

void Policy::set(std::string method, std::string pattern, Role least) {
  rows_.insert_or_assign({std::move(method), std::move(pattern)}, least);
}

Result<void> Policy::override_from(const std::string& path) {
  auto rows = rows_;  // a file that is half good changes nothing
  auto roles = roles_;
  auto seen_by = seen_by_;
  auto loaded = for_each_line(path, [&](int line, const Words& words) -> Result<void> {
    if (words.size() != 3) return bad_line(path, line, "METHOD /pattern role", joined(words));
    const auto role = role_named(words[2]);
    if (words[0] == "ROLE" && role && *role != Role::kAnyone) {
      roles[words[1]] = *role;
      return {};
    }
    const auto seen = words[0] == "SEE" ? seen_by.find(words[1]) : seen_by.end();
    if (words[0] == "SEE" && seen == seen_by.end())
      return bad_line(path, line, "vm.parameters or vm.template", words[1]);
    if (seen != seen_by.end() && role && *role != Role::kAnyone) {
      seen->second = *role;
      return {};
    }
    if (words[0] == "ROLE" || words[0] == "SEE") {
      return bad_line(path, line, "reader, planner, operator or admin", words[2]);
    }
    if (!role) return bad_line(path, line, "anyone, reader, planner, operator or admin", words[2]);
    const auto row = rows.find({words[0], words[1]});
    if (row == rows.end()) return bad_line(path, line, "a method and pattern of the API", words[0] + " " + words[1]);
    row->second = *role;
    return {};
  });
  if (!loaded) return loaded;
  rows_ = std::move(rows);
  roles_ = std::move(roles);
  seen_by_ = std::move(seen_by);
  return {};
}

Role Policy::role_of(const std::vector<std::string>& keystone_roles) const {
  Role highest = Role::kAnyone;
  for (const std::string& name : keystone_roles) {
    const auto found = roles_.find(name);
    if (found != roles_.end()) highest = std::max(highest, found->second);
  }
  return highest;
}

std::string Policy::known_roles() const {
  std::string all;
  for (const auto& [name, role] : roles_) {
    all += (all.empty() ? "" : ", ") + name;
    if (name != name_of(role)) all.append(" (as ").append(name_of(role)).append(")");
  }
  return all;
}

Role Policy::least_to_see(std::string_view part) const {
  const auto row = seen_by_.find(part);
  return row == seen_by_.end() ? Role::kAdmin : row->second;
}

Role Policy::least(std::string_view method, std::string_view pattern) const {
  const auto row = rows_.find({std::string(method == "HEAD" ? "GET" : method), std::string(pattern)});
  return row == rows_.end() ? Role::kAdmin : row->second;
}

RateLimit::RateLimit(double per_second, std::size_t most_addresses)
    : per_second_(per_second), capacity_(std::max(1.0, per_second)), most_addresses_(most_addresses) {}

Result<void> RateLimit::take(const std::string& token_hash, Time now) {
  if (per_second_ <= 0) return {};
  const std::lock_guard lock(mutex_);
  return take_from(tokens_, token_hash, now);
}

Result<void> RateLimit::take_for_address(std::string_view client, Time now) {
  if (per_second_ <= 0) return {};
  static const std::string kAllOthers;
  const std::string key = rate_key(client);
  const std::lock_guard lock(mutex_);
  if (addresses_.size() >= most_addresses_) forget_full_ones(now);
  const bool has_room = addresses_.size() < most_addresses_ || addresses_.contains(key);
  return take_from(addresses_, has_room ? key : kAllOthers, now);
}

// Seldom enough to cost nothing: a bucket takes as long to be full again.
void RateLimit::forget_full_ones(Time now) {
  const std::chrono::duration<double> fill(capacity_ / per_second_);
  if (now - looked_ < fill) return;
  looked_ = now;
  std::erase_if(addresses_, [&](const auto& one) { return now - one.second.filled >= fill; });
}

Result<void> RateLimit::take_from(Buckets& buckets, const std::string& key, Time now) {
  Bucket& bucket = buckets.try_emplace(key, Bucket{capacity_, now}).first->second;
  const double elapsed_s = std::max(0.0, std::chrono::duration<double>(now - bucket.filled).count());
  bucket.left = std::min(capacity_, bucket.left + elapsed_s * per_second_);
  bucket.filled = std::max(bucket.filled, now);
  if (bucket.left < 1) {
    const auto wait_s = static_cast<int>(std::clamp(std::ceil((1 - bucket.left) / per_second_), 1.0, 3600.0));
    return fail(ErrorCode::kTooMany,
                "more requests per second than one token, or one address without a token, may make",
                "emplace.rate_limit", wait_s);
  }
  bucket.left -= 1;
  return {};
}

std::string rate_key(std::string_view client) {
  if (!client.starts_with('[')) return std::string(client.substr(0, client.rfind(':')));
  const std::string address(client.substr(1, client.rfind(']') - 1));
  in6_addr bytes = {};
  if (::inet_pton(AF_INET6, address.c_str(), &bytes) != 1 || IN6_IS_ADDR_V4MAPPED(&bytes)) return address;
  return hex(bytes.s6_addr, 8);
}

namespace {

Result<Identity> admit(Identity identity, Role least, RateLimit& rate, RateLimit::Time now) {
  if (auto taken = rate.take(identity.token_hash, now); !taken) return tl::unexpected(taken.error());
  if (identity.role >= least) return identity;
  return fail(ErrorCode::kForbidden, "wanted the role " + std::string(name_of(least)) + ", found " +
                                         (identity.role == Role::kAnyone ? "none that the policy knows"
                                                                         : std::string(name_of(identity.role))));
}

// Keystone's names may be any text.
std::string roles_told(const Caller& caller, const Policy& policy) {
  constexpr std::size_t kLongest = 200;
  std::string roles;
  for (const std::string& role : caller.roles) roles += (roles.empty() ? "" : ", ") + shown_text(role);
  return "Keystone's roles in the token are " + (roles.empty() ? "none" : shortened(roles, kLongest)) +
         ", the policy knows " + shortened(policy.known_roles(), kLongest) +
         "; a ROLE line of policy_file makes another one known";
}

}  // namespace

Result<Identity> authorize(const Request& request, std::string_view pattern, const Tokens& tokens, const Policy& policy,
                           RateLimit& rate, RateLimit::Time now) {
  const Role least = policy.least(request.method, pattern);
  const Identity* identity = tokens.find(token_of(request));
  if (!identity) {
    if (auto taken = rate.take_for_address(request.client, now); !taken) return tl::unexpected(taken.error());
    if (least == Role::kAnyone) return Identity{};
    return fail(ErrorCode::kUnauthorized, "wanted a known token in Authorization: Bearer or X-Auth-Token");
  }
  return admit(*identity, least, rate, now);
}

std::optional<std::string> foreign_token(const Request& request, std::string_view pattern, const Tokens& tokens,
                                         const Policy& policy) {
  if (policy.least(request.method, pattern) == Role::kAnyone || request.header("authorization")) return std::nullopt;
  const std::string* const token = request.header("x-auth-token");
  return token && !tokens.find(*token) ? std::optional(*token) : std::nullopt;
}

Result<Identity> authorize(const Caller& caller, const Request& request, std::string_view pattern, const Policy& policy,
                           RateLimit& rate, RateLimit::Time now) {
  const std::string who = caller.user + '@' + caller.project;
  Identity identity{sha256_hex("keystone:" + who), policy.role_of(caller.roles), who, {}, "user"};
  return admit(std::move(identity), policy.least(request.method, pattern), rate, now).map_error([&](Error error) {
    if (error.code == ErrorCode::kForbidden) error.message += ": " + roles_told(caller, policy);
    return error;
  });
}

Result<std::string> create_admin_token(const std::string& path) {
  auto token = existing_token(path);
  if (token && !*token) {
    if (auto made = make_token(path); !made) return tl::unexpected(made.error());
    token = existing_token(path);
  }
  if (!token) return tl::unexpected(token.error());
  if (!*token) return fail(ErrorCode::kUnavailable, path + ": vanished while it was made");
  return **token;
}

}  // namespace emplace::http
