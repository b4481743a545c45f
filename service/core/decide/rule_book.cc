#include "service/core/decide/rule_book.h"

#include <fmt/format.h>
#include <xxhash.h>

namespace emplace {
namespace {

std::string_view text_of(OnError on_error) {
  switch (on_error) {
    case OnError::kDrop:
      return "drop";
    case OnError::kLastGood:
      return "last_good";
    case OnError::kFail:
      return "fail";
  }
  return "";
}

std::optional<OnError> parse_on_error(std::string_view word) {
  for (const OnError one : {OnError::kDrop, OnError::kLastGood, OnError::kFail}) {
    if (word == text_of(one)) return one;
  }
  return std::nullopt;
}

void read_objective(JsonValue item, const std::string& path, Profile& profile, JsonErrors& errors) {
  JsonFields fields(item, path, errors);
  ObjectiveChoice choice;
  fields.require("id");
  fields.name("id", choice.id);
  fields.number("weight", choice.weight, {0, 1e9});
  fields.number("resolution", choice.resolution, {1e-12, 1e12});
  fields.choice("on_error", choice.on_error, "drop, last_good, fail", &parse_on_error);
  fields.whole("max_age_s", choice.max_age_s, {0, 1e9});
  fields.refuse_unknown();
  profile.objectives.push_back(std::move(choice));
}

void read_weigher(JsonValue item, const std::string& path, Profile& profile, JsonErrors& errors) {
  JsonFields fields(item, path, errors);
  WeigherChoice choice;
  fields.require("id");
  fields.name("id", choice.id);
  fields.number("multiplier", choice.multiplier, {-1e12, 1e12});
  fields.refuse_unknown();
  profile.weighers.push_back(std::move(choice));
}

void write_objectives(JsonWriter& writer, const Profile& profile) {
  writer.key("objectives").open_list();
  for (const ObjectiveChoice& one : profile.objectives) {
    writer.open().text("id", one.id);
    if (one.weight) writer.number("weight", *one.weight);
    if (one.resolution) writer.number("resolution", *one.resolution);
    writer.text("on_error", text_of(one.on_error)).whole("max_age_s", one.max_age_s).close();
  }
  writer.close_list();
}

void write_weighers(JsonWriter& writer, const Profile& profile) {
  writer.key("weighers").open_list();
  for (const WeigherChoice& one : profile.weighers) {
    writer.open().text("id", one.id).key("multiplier");
    one.multiplier ? writer.number(*one.multiplier) : writer.null();
    writer.close();
  }
  writer.close_list();
}

std::string identity(const RuleTraits& traits) {
  return traits.id + '\n' + traits.plugin + '\n' + traits.version + '\n';
}

constexpr std::string_view kDefault = "default";

template <typename Book>
tl::unexpected<Error> no_profile(std::string_view what, const Book& book, std::string_view name) {
  std::string names;
  for (const auto& [known, rules] : book) names += (names.empty() ? "" : ", ") + known;
  return fail(ErrorCode::kInvalid, std::string(what) + ": wanted one of " + names + ", found " + json_text(name));
}

}  // namespace

// The default profile names only what the catalogue has.
RuleBook::RuleBook(Catalogue catalogue) : catalogue_(std::move(catalogue)) {
  if (auto book = make_book(catalogue_, {}, {}, {})) book_ = *std::move(book);
}

Result<RuleBook::Book> RuleBook::make_book(const Catalogue& catalogue, const std::vector<Profile>& configured,
                                           const std::vector<Profile>& changed, const Defaults& defaults) {
  Book book;
  Profile built_in = default_profile(catalogue);
  built_in.front_limit = defaults.front_limit;
  if (auto rules = resolve(built_in, catalogue)) {
    book.emplace(kDefault, std::make_shared<const Rules>(*std::move(rules)));
  }
  std::map<std::string, const Profile*> profiles;
  for (const auto* const list : {&configured, &changed})
    for (const Profile& profile : *list) profiles.insert_or_assign(profile.name, &profile);
  for (const auto& [name, profile] : profiles) {
    auto rules = resolve(*profile, catalogue);
    if (!rules) return tl::unexpected(rules.error());
    book.insert_or_assign(name, std::make_shared<const Rules>(*std::move(rules)));
  }
  if (!book.contains(defaults.profile)) return no_profile("[decision] profile", book, defaults.profile);
  return book;
}

Result<std::shared_ptr<const Rules>> RuleBook::resolve_once(const Profile& profile) const {
  const std::lock_guard lock(mutex_);
  auto rules = resolve(profile, catalogue_);
  if (!rules) return tl::unexpected(rules.error());
  return std::make_shared<const Rules>(*std::move(rules));
}

Result<std::shared_ptr<const Rules>> RuleBook::find(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  const auto found = book_.find(name == kDefault ? std::string_view(defaults_.profile) : name);
  return found != book_.end() ? found->second
                              : Result<std::shared_ptr<const Rules>>(no_profile("profile", book_, name));
}

Result<void> RuleBook::put(const Profile& profile) {
  const std::lock_guard lock(mutex_);
  auto rules = resolve(profile, catalogue_);
  if (!rules) return tl::unexpected(rules.error());
  book_.insert_or_assign(profile.name, std::make_shared<const Rules>(*std::move(rules)));
  return {};
}

Result<void> RuleBook::forget(std::string_view name) {
  const std::lock_guard lock(mutex_);
  const auto book = make_book(catalogue_, configured_, {}, defaults_);
  if (!book) return tl::unexpected(book.error());
  const auto known = book_.find(name);
  if (known == book_.end()) return {};
  if (const auto own = book->find(name); own != book->end()) {
    known->second = own->second;
  } else {
    book_.erase(known);
  }
  return {};
}

Result<void> RuleBook::replace(std::vector<Profile> configured, const std::vector<Profile>& changed) {
  const std::lock_guard lock(mutex_);
  auto book = make_book(catalogue_, configured, changed, defaults_);
  if (!book) return tl::unexpected(book.error());
  configured_ = std::move(configured);
  book_ = *std::move(book);
  return {};
}

Result<void> RuleBook::replace(Catalogue catalogue, std::vector<Profile> configured,
                               const std::vector<Profile>& changed, Defaults defaults) {
  auto book = make_book(catalogue, configured, changed, defaults);
  if (!book) return tl::unexpected(book.error());
  // The old rules go after the lock: with the last of them goes a plugin that is not used any more.
  const std::lock_guard lock(mutex_);
  std::swap(catalogue_, catalogue);
  defaults_ = std::move(defaults);
  configured_ = std::move(configured);
  std::swap(book_, *book);
  return {};
}

std::vector<std::shared_ptr<const Rules>> RuleBook::all() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<const Rules>> all;
  for (const auto& [name, rules] : book_) all.push_back(rules);
  return all;
}

std::string profile_json(const Profile& profile) {
  JsonWriter writer;
  writer.open().text("name", profile.name).text("method", to_string(profile.method)).key("filters").open_list();
  for (const std::string& filter : profile.filters) writer.text(filter);
  writer.close_list();
  write_objectives(writer, profile);
  write_weighers(writer, profile);
  writer.number("front_limit", profile.front_limit).close();
  return writer.take();
}

Result<Profile> parse_profile(JsonValue value, std::string_view path, std::string_view expected_name) {
  JsonErrors errors;
  JsonFields fields(value, std::string(path), errors);
  Profile profile{.name = std::string(expected_name),
                  .method = RankMethod::kChebyshev,
                  .filters = {},
                  .objectives = {},
                  .weighers = {}};
  if (expected_name.empty()) fields.require("name");
  fields.require("filters");
  fields.name("name", profile.name);
  if (!expected_name.empty() && profile.name != expected_name) {
    fields.wanted("name", "\"" + std::string(expected_name) + "\" as in the path", *fields.value("name"));
  }
  fields.choice("method", profile.method, "chebyshev, knee, lexicographic, weighted_sum, topsis, nova",
                &parse_rank_method);
  fields.names("filters", profile.filters);
  fields.each("objectives",
              [&](JsonValue item, const std::string& item_path) { read_objective(item, item_path, profile, errors); });
  fields.each("weighers",
              [&](JsonValue item, const std::string& item_path) { read_weigher(item, item_path, profile, errors); });
  fields.number("front_limit", profile.front_limit, {0, 1});
  fields.refuse_unknown();
  if (!errors.none()) return errors.failure();
  return profile;
}

Result<Profile> parse_profile(std::string_view json, std::string_view expected_name) {
  const auto document = JsonDocument::parse(json);
  if (!document) return tl::unexpected(document.error());
  return parse_profile(document->root(), "", expected_name);
}

std::string digest(const Rules& rules) {
  std::string text = profile_json(rules.profile);
  for (const auto& filter : rules.filters) text += identity(filter->traits());
  for (const auto& objective : rules.objectives) text += identity(objective->traits());
  for (const auto& weigher : rules.weighers) text += identity(weigher->traits());
  return fmt::format("{:016x}", XXH64(text.data(), text.size(), 0));
}

}  // namespace emplace
