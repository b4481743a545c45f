// Options: what nova.conf says to nova-scheduler, as Nova understands it: each option of the sections that concern it
// with Nova's type, default and range, for Zed and for master.
//
//   const Options options = understand(ini, Release::kZed);
//   options.whole("filter_scheduler", "max_io_ops_per_host");   // 8 where no file says otherwise
//
// A text with which Nova itself fails is a finding of level kError, and its default is taken. "$name", "${name}" and
// "${section.name}" stand for another option's text, as in oslo.config, where a file has that option or it is one of
// these and no list, number with a fraction, or flag; anything else only Nova can resolve, which is a kWarning.
//
// Threads: values.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "service/novaconf/ini.h"

namespace emplace::novaconf {

enum class Release : std::uint8_t { kZed, kMaster };
std::string_view to_string(Release release);
std::optional<Release> parse_release(std::string_view text);

// What an operator should know of a nova.conf. kNote: nothing is lost. kWarning: Emplace decides otherwise than this
// Nova. kError: nova-scheduler fails on it.
struct Finding {
  enum class Level : std::uint8_t { kNote, kWarning, kError };
  Level level;
  std::string about;  // "[filter_scheduler] host_subset_size"
  std::string text;   // one sentence, never a secret
};
std::string_view to_string(Finding::Level level);

enum class Kind : std::uint8_t { kWhole, kNumber, kFlag, kText, kList, kTexts };

using Value = std::variant<std::monostate, std::int64_t, double, bool, std::string, std::vector<std::string>>;
std::string to_text(const Value& value);  // for a person

// Who reads an option.
enum class Reader : std::uint8_t {
  kPlugin,   // our plugin nova, by its configuration
  kProfile,  // a profile: which filters and weighers
  kClient,   // the filter and weigher that Nova loads
  kNova,     // Nova alone, and nothing is lost by it
  kNobody    // what it asks for, Emplace does not do
};

struct Option {
  std::string_view section, name;
  Kind kind;
  const char* standard;  // Nova's default, as nova.conf would have it; null: none
  std::optional<double> least;
  std::span<const std::string_view> choices;  // none: any
  bool in_zed, in_master;
  Reader reader;
  std::string_view meaning;  // kNova, kNobody: of a value other than the default

  bool is_in(Release release) const { return release == Release::kZed ? in_zed : in_master; }
  std::string label() const { return "[" + std::string(section) + "] " + std::string(name); }
};
std::span<const Option> known_options();

class Options {
 public:
  Release release = Release::kZed;
  std::vector<Finding> findings;

  // Of an option that this release has; anything else is a defect.
  const Value& value(std::string_view section, std::string_view name) const;
  std::int64_t whole(std::string_view section, std::string_view name) const;
  double number(std::string_view section, std::string_view name) const;
  bool flag(std::string_view section, std::string_view name) const;
  const std::string& text(std::string_view section, std::string_view name) const;  // none: empty
  const std::vector<std::string>& texts(std::string_view section, std::string_view name) const;

 private:
  friend Options understand(const Ini& ini, Release release);
  std::map<std::pair<std::string_view, std::string_view>, Value> values_;
};

Options understand(const Ini& ini, Release release);
Value standard_value(const Option& option);  // Nova's default

}  // namespace emplace::novaconf
