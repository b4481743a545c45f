#include "service/novaconf/options.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "service/core/json/json.h"
#include "service/novaconf/python_numbers.h"

namespace emplace::novaconf {
namespace {

// Of variables within variables; Python ends such a circle by its own limit.
constexpr int kDeepest = 16;

const Option* find_option(std::string_view section, std::string_view name, Release release) {
  const auto all = known_options();
  const auto at = std::ranges::find_if(
      all, [&](const Option& o) { return o.section == section && o.name == name && o.is_in(release); });
  return at == all.end() ? nullptr : &*at;
}

bool has_options(std::string_view section) {
  return std::ranges::any_of(known_options(), [&](const Option& o) { return o.section == section; });
}

bool starts_name(char c) { return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool in_name(char c) { return starts_name(c) || c == '.' || (c >= '0' && c <= '9'); }

std::string_view name_at(std::string_view text) {
  if (text.empty() || !starts_name(text.front())) return {};
  return text.substr(0, static_cast<std::size_t>(std::ranges::find_if_not(text, in_name) - text.begin()));
}

Result<void> check_least(const Option& option, double number) {
  if (!option.least || !(number < *option.least)) return {};
  return fail(ErrorCode::kInvalid,
              fmt::format("wanted at least {}, found {}", json_number(*option.least), json_number(number)));
}

tl::unexpected<Error> wanted(std::string_view what, std::string_view found) {
  return fail(ErrorCode::kInvalid, fmt::format("wanted {}, found {}", what, json_text(shortened(found))));
}

template <typename Number>
Result<Value> number_of(const Option& option, std::string_view what, std::string_view text,
                        std::optional<Number> number) {
  if (stripped(text).empty() && !option.standard) return Value();
  if (!number) return wanted(what, text);
  if (const auto checked = check_least(option, static_cast<double>(*number)); !checked)
    return tl::unexpected(checked.error());
  return Value(*number);
}

Result<Value> text_of(const Option& option, std::string_view text) {
  if (option.choices.empty() || std::ranges::find(option.choices, text) != option.choices.end()) {
    return Value(std::string(text));
  }
  std::string known;
  for (const std::string_view choice : option.choices) known += (known.empty() ? "" : ", ") + std::string(choice);
  return wanted("one of " + known, text);
}

std::vector<std::string> list_of(std::string_view text) {
  std::string_view rest = stripped(text);
  while (rest.ends_with(',')) rest.remove_suffix(1);
  std::vector<std::string> all;
  while (!rest.empty()) {
    const std::size_t comma = std::min(rest.find(','), rest.size());
    all.emplace_back(stripped(rest.substr(0, comma)));
    rest.remove_prefix(std::min(comma + 1, rest.size()));
  }
  return all;
}

Result<Value> convert(const Option& option, std::string_view text) {
  switch (option.kind) {
    case Kind::kWhole:
      return number_of(option, "a whole number", text, python_int(text));
    case Kind::kNumber:
      return number_of(option, "a number", text, python_float(text));
    case Kind::kFlag: {
      const auto flag = oslo_flag(text);
      return flag ? Result<Value>(Value(*flag)) : wanted("true or false", text);
    }
    case Kind::kText:
      return text_of(option, text);
    case Kind::kList:
      return Value(list_of(text));
    case Kind::kTexts:
      return Value(std::vector{std::string(text)});
  }
  return Value();
}

// "$name" stands for what the files or Nova's defaults say of that option.
class Variables {
 public:
  Variables(const Ini& ini, Release release) : ini_(ini), release_(release) {}

  // kNotFound: Nova may know more. kInvalid: what was wanted and found.
  Result<std::string> substitute(std::string_view text, std::string_view section, int depth = 0) const {
    std::string all;
    for (std::size_t dollar = text.find('$'); dollar != std::string_view::npos; dollar = text.find('$')) {
      const bool escaped = dollar > 0 && text[dollar - 1] == '\\';
      all += text.substr(0, dollar - (escaped ? 1 : 0));
      text.remove_prefix(dollar + 1);
      const auto value = escaped ? Result<std::string>("$") : take(text, section, depth);
      if (!value) return value;
      all += *value;
    }
    return all.append(text);
  }

 private:
  // What stands after a '$'; `text` keeps what follows.
  Result<std::string> take(std::string_view& text, std::string_view section, int depth) const {
    const bool braced = text.starts_with('{');
    const std::string_view name = name_at(text.substr(braced ? 1 : 0));
    const bool closed = !braced || text.substr(1 + name.size()).starts_with('}');
    if (text.starts_with('$')) {
      text.remove_prefix(1);
      return "$";
    }
    if (name.empty() || !closed) return "$";
    text.remove_prefix(name.size() + (braced ? 2 : 0));
    return value_of(name, section, depth);
  }

  Result<std::string> value_of(std::string_view name, std::string_view section, int depth) const {
    if (depth == kDeepest) return fail(ErrorCode::kInvalid, "wanted variables that end, found a circle of them");
    const std::size_t dot = name.find('.');
    const std::string_view group = dot == std::string_view::npos ? section : name.substr(0, dot);
    const std::string_view option = dot == std::string_view::npos ? name : name.substr(dot + 1);
    for (const auto& [in, what] : {std::pair(group, option), std::pair(std::string_view("DEFAULT"), name)}) {
      const Option* const known = find_option(in, what, release_);
      if (known && known->kind != Kind::kText && known->kind != Kind::kWhole) break;
      const auto* const given = !known && in != "DEFAULT" && has_options(in) ? nullptr : ini_.find(in, what);
      if (!given && !known) continue;
      auto text =
          given ? substitute(given->back(), in, depth + 1) : std::string(known->standard ? known->standard : "");
      return known && text ? as_read(*known, *text) : text;
    }
    return fail(ErrorCode::kNotFound,
                fmt::format("wanted a text, found ${}, which can't be resolved without Nova", name));
  }

  // "007" is 7 to whom it is told.
  static Result<std::string> as_read(const Option& option, const std::string& text) {
    const auto value = convert(option, text);
    if (!value) return fail(value.error().code, option.label() + ": " + value.error().message);
    const auto* const whole = std::get_if<std::int64_t>(&*value);
    return whole ? std::to_string(*whole) : text;
  }

  const Ini& ini_;
  const Release release_;
};

Result<Value> read_option(const Ini& ini, const Option& option, Release release) {
  const auto* const given = ini.find(option.section, option.name);
  if (!given) return standard_value(option);
  const Variables variables(ini, release);
  if (option.kind != Kind::kTexts) {
    const auto text = variables.substitute(given->back(), option.section);
    return text ? convert(option, *text) : tl::unexpected(text.error());
  }
  std::vector<std::string> all;
  for (const std::string& one : *given) {
    auto text = variables.substitute(one, option.section);
    if (!text) return tl::unexpected(text.error());
    all.push_back(*std::move(text));
  }
  return Value(std::move(all));
}

Finding fault_of(const Option& option, const Error& error) {
  const bool novas = error.code != ErrorCode::kNotFound;
  return {novas ? Finding::Level::kError : Finding::Level::kWarning, option.label(),
          fmt::format("{}; {}Nova's default {} is taken", error.message, novas ? "nova-scheduler fails on it, " : "",
                      to_text(standard_value(option)))};
}

void add_meaning(const Option& option, Options& options) {
  const bool lost = option.reader == Reader::kNobody;
  if (!lost && option.reader != Reader::kNova) return;
  const Value& value = options.value(option.section, option.name);
  if (value == standard_value(option)) return;
  options.findings.push_back({lost ? Finding::Level::kWarning : Finding::Level::kNote, option.label(),
                              fmt::format("{}: {}", to_text(value), option.meaning)});
}

// Options that Nova does not read either.
void add_unknown(const Ini& ini, Release release, Options& options) {
  for (const std::string_view section : {"scheduler", "filter_scheduler", "metrics", "emplace"}) {
    for (const auto& [name, unused] : ini.section(section)) {
      if (find_option(section, name, release)) continue;
      const Release other = release == Release::kZed ? Release::kMaster : Release::kZed;
      const std::string why = find_option(section, name, other)
                                  ? fmt::format("only the release {} has it", to_string(other))
                                  : std::string("neither Nova nor Emplace has such an option");
      options.findings.push_back(
          {Finding::Level::kNote, fmt::format("[{}] {}", section, shortened(name)), why + "; it is not read"});
    }
  }
  for (const auto& [name, unused] : ini.section("DEFAULT")) {
    const bool moved = name.starts_with("scheduler_") || find_option("filter_scheduler", name, release);
    if (!moved) continue;
    options.findings.push_back(
        {Finding::Level::kNote, "[DEFAULT] " + shortened(name), "a name of old that Nova no longer reads"});
  }
}

// A service that reports every `report_interval` seconds must not count as down between two reports.
void follow_reports(std::int64_t report_interval, Value& service_down_time, Options& options) {
  const std::int64_t given = std::get<std::int64_t>(service_down_time);
  if (given > report_interval) return;
  constexpr double kMost = 1e15;  // far beyond what Emplace takes
  const auto raised = static_cast<std::int64_t>(std::clamp(2.5 * static_cast<double>(report_interval), -kMost, kMost));
  service_down_time = raised;
  options.findings.push_back(
      {Finding::Level::kNote, "[DEFAULT] service_down_time",
       fmt::format("{} is not above report_interval {}: Nova takes 2.5 times that, {}, and so does Emplace", given,
                   report_interval, raised)});
}

// A file that was not meant, or was not there yet when it was mounted, is read without an error.
void add_silence(const Ini& ini, Release release, Options& options) {
  const bool heard = std::ranges::any_of(known_options(), [&](const Option& option) {
    return option.is_in(release) && ini.find(option.section, option.name) != nullptr;
  });
  if (heard) return;
  options.findings.push_back(
      {Finding::Level::kNote, "nova.conf",
       ini.empty() ? "says nothing: Nova's defaults hold" : "says nothing that Emplace reads: Nova's defaults hold"});
}

}  // namespace

std::string_view to_string(Release release) { return release == Release::kZed ? "zed" : "master"; }

std::optional<Release> parse_release(std::string_view text) {
  if (text == "zed") return Release::kZed;
  if (text == "master") return Release::kMaster;
  return std::nullopt;
}

std::string_view to_string(Finding::Level level) {
  return level == Finding::Level::kNote ? "note" : level == Finding::Level::kWarning ? "warning" : "error";
}

std::string to_text(const Value& value) {
  if (const auto* const whole = std::get_if<std::int64_t>(&value)) return std::to_string(*whole);
  if (const auto* const number = std::get_if<double>(&value)) return fmt::format("{}", *number);
  if (const auto* const flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
  if (const auto* const text = std::get_if<std::string>(&value)) return json_text(shortened(*text));
  const auto* const texts = std::get_if<std::vector<std::string>>(&value);
  if (!texts) return "nothing";
  std::string all;
  for (const std::string& text : *texts) all += (all.empty() ? "" : ", ") + text;
  return json_text(shortened(all));
}

Value standard_value(const Option& option) {
  if (!option.standard) return {};
  auto value = convert(option, option.standard);
  if (!value) std::abort();  // a defect of the table, which a test reads as a whole
  return *std::move(value);
}

const Value& Options::value(std::string_view section, std::string_view name) const {
  return values_.at({section, name});
}
std::int64_t Options::whole(std::string_view section, std::string_view name) const {
  return std::get<std::int64_t>(value(section, name));
}
double Options::number(std::string_view section, std::string_view name) const {
  return std::get<double>(value(section, name));
}
bool Options::flag(std::string_view section, std::string_view name) const {
  return std::get<bool>(value(section, name));
}
const std::string& Options::text(std::string_view section, std::string_view name) const {
  static const std::string kNone;
  const auto* const text = std::get_if<std::string>(&value(section, name));
  return text ? *text : kNone;
}
const std::vector<std::string>& Options::texts(std::string_view section, std::string_view name) const {
  return std::get<std::vector<std::string>>(value(section, name));
}

Options understand(const Ini& ini, Release release) {
  Options options;
  options.release = release;
  for (const Option& option : known_options()) {
    if (!option.is_in(release)) continue;
    auto value = read_option(ini, option, release);
    if (!value) options.findings.push_back(fault_of(option, value.error()));
    options.values_[{option.section, option.name}] = value ? *std::move(value) : standard_value(option);
    add_meaning(option, options);
  }
  follow_reports(options.whole("DEFAULT", "report_interval"), options.values_[{"DEFAULT", "service_down_time"}],
                 options);
  add_unknown(ini, release, options);
  add_silence(ini, release, options);
  return options;
}

}  // namespace emplace::novaconf
