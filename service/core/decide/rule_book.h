// RuleBook: the profiles of the service with their rules resolved, by name. Profiles come from the configuration and
// from the store (changed over REST); putting one replaces the one of its name for the decisions that start afterwards,
// while those under way keep the Rules they have.
//
// Threads: any; every method takes a short lock.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "service/core/decide/rules.h"
#include "service/core/json/json.h"

namespace emplace {

class RuleBook {
 public:
  struct Defaults {
    std::string profile = "default";  // what "default" stands for, and with it every request that names none
    double front_limit = 0.25;        // of the built-in profile
  };

  // Knows the default profile from the start. `catalogue`: all that profiles may name.
  explicit RuleBook(Catalogue catalogue);

  // kInvalid naming the profile and those there are.
  Result<std::shared_ptr<const Rules>> find(std::string_view name) const;
  // kInvalid as resolve() (rules.h) says; then nothing changed.
  Result<void> put(const Profile& profile);
  // Undoes put(): the profile is as the configuration has it, gone when that has none of the name.
  Result<void> forget(std::string_view name);
  // All of them or none: what a reload of the configuration does. `changed` comes on top of `configured`; a profile
  // that is in neither is gone, except default.
  Result<void> replace(std::vector<Profile> configured, const std::vector<Profile>& changed);
  // Likewise, with other rules to name: what a reload of plugins does. kInvalid, too, when there is no profile that
  // "default" is to stand for.
  Result<void> replace(Catalogue catalogue, std::vector<Profile> configured, const std::vector<Profile>& changed,
                       Defaults defaults);
  Result<void> replace(Catalogue catalogue, std::vector<Profile> configured, const std::vector<Profile>& changed) {
    return replace(std::move(catalogue), std::move(configured), changed, Defaults());
  }
  // A profile that has no name here: a replay's, a /v1/filter call's.
  Result<std::shared_ptr<const Rules>> resolve_once(const Profile& profile) const;

  std::vector<std::shared_ptr<const Rules>> all() const;  // by name

 private:
  using Book = std::map<std::string, std::shared_ptr<const Rules>, std::less<>>;
  static Result<Book> make_book(const Catalogue& catalogue, const std::vector<Profile>& configured,
                                const std::vector<Profile>& changed, const Defaults& defaults);
  mutable std::mutex mutex_;  // guards all that follows
  Catalogue catalogue_;
  std::vector<Profile> configured_;
  Defaults defaults_;
  Book book_;
};

// A profile as JSON: {"name","method","filters":[],"objectives":[{"id","weight","resolution","on_error","max_age_s"}],
// "weighers":[{"id","multiplier"}],"front_limit"}, and back, strictly; `name` may be absent when `expected_name` is
// given and must be it otherwise.
std::string profile_json(const Profile& profile);
Result<Profile> parse_profile(std::string_view json, std::string_view expected_name = {});
Result<Profile> parse_profile(JsonValue value, std::string_view path, std::string_view expected_name = {});

// 16 hex digits over the profile and the version of every rule in it: equal digests promise equal decisions.
std::string digest(const Rules& rules);

}  // namespace emplace
