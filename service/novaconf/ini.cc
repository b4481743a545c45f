#include "service/novaconf/ini.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "service/core/json/json.h"

namespace emplace::novaconf {
namespace {

constexpr std::string_view kWideBlanks[] = {
    "\xc2\x85",     "\xc2\xa0",     "\xe1\x9a\x80", "\xe2\x80\x80", "\xe2\x80\x81", "\xe2\x80\x82", "\xe2\x80\x83",
    "\xe2\x80\x84", "\xe2\x80\x85", "\xe2\x80\x86", "\xe2\x80\x87", "\xe2\x80\x88", "\xe2\x80\x89", "\xe2\x80\x8a",
    "\xe2\x80\xa8", "\xe2\x80\xa9", "\xe2\x80\xaf", "\xe2\x81\x9f", "\xe3\x80\x80"};

bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r') || (c >= '\x1c' && c <= '\x1f'); }

std::size_t blank_at_start(std::string_view text) {
  if (text.empty()) return 0;
  if (is_blank(text.front())) return 1;
  const auto wide = std::ranges::find_if(kWideBlanks, [&](std::string_view blank) { return text.starts_with(blank); });
  return wide == std::end(kWideBlanks) ? 0 : wide->size();
}

std::size_t blank_at_end(std::string_view text) {
  if (text.empty()) return 0;
  if (is_blank(text.back())) return 1;
  const auto wide = std::ranges::find_if(kWideBlanks, [&](std::string_view blank) { return text.ends_with(blank); });
  return wide == std::end(kWideBlanks) ? 0 : wide->size();
}

std::string_view without_start(std::string_view text) {
  while (const std::size_t blank = blank_at_start(text)) text.remove_prefix(blank);
  return text;
}

std::string_view without_end(std::string_view text) {
  while (const std::size_t blank = blank_at_end(text)) text.remove_suffix(blank);
  return text;
}

// Up to the next end of a line, of whichever system; `text` keeps what follows.
std::string_view take_line(std::string_view& text) {
  const std::size_t end = std::min(text.find_first_of("\r\n"), text.size());
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end);
  if (text.starts_with("\r\n")) text.remove_prefix(1);
  if (!text.empty()) text.remove_prefix(1);
  return line;
}

std::string normalized(std::string_view section) {
  std::string name(section);
  if (name == "DEFAULT") return name;
  for (char& c : name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return name;
}

std::string_view unquoted(std::string_view value) {
  if (value.empty() || value.front() != value.back() || (value.front() != '"' && value.front() != '\'')) return value;
  return value.size() < 2 ? std::string_view() : value.substr(1, value.size() - 2);
}

// One file, line by line.
class IniReader {
 public:
  explicit IniReader(std::map<std::string, Ini::Section, std::less<>>& sections) : sections_(sections) {}

  // Nothing, or what is wrong with the line.
  std::optional<std::string> read(std::string_view line) {
    const std::string_view text = without_end(line);
    if (text.empty()) return finish();
    if (text.front() == ' ' || text.front() == '\t') return go_on(text);
    if (const auto wrong = finish()) return wrong;
    if (text.front() == '[') return start_section(text);
    if (text.front() == '#' || text.front() == ';') return std::nullopt;
    return assign(text);
  }

  // The option that was begun is whole.
  std::optional<std::string> finish() {
    if (name_.empty()) return std::nullopt;
    if (!section_) return "wanted a [section] before the first option";
    (*section_)[name_].push_back(std::move(value_));
    name_.clear();
    return std::nullopt;
  }

 private:
  std::optional<std::string> go_on(std::string_view text) {
    if (name_.empty()) return "wanted an option, found a line that goes on none";
    value_ += '\n';
    value_ += without_start(text);
    return std::nullopt;
  }

  std::optional<std::string> start_section(std::string_view text) {
    if (!text.ends_with(']')) return "wanted ']' at the end of a section's name";
    if (text.size() <= 2) return "wanted the name of a section, found none";
    section_ = &sections_[normalized(text.substr(1, text.size() - 2))];
    return std::nullopt;
  }

  std::optional<std::string> assign(std::string_view text) {
    const std::size_t sign = text.find_first_of(":=");
    if (sign == std::string_view::npos) return "wanted ':' or '=' after the name of an option";
    name_ = stripped(text.substr(0, sign));
    value_ = unquoted(stripped(text.substr(sign + 1)));
    if (name_.empty()) return "wanted the name of an option, found none";
    return std::nullopt;
  }

  std::map<std::string, Ini::Section, std::less<>>& sections_;
  Ini::Section* section_ = nullptr;
  std::string name_, value_;
};

}  // namespace

std::string_view stripped(std::string_view text) { return without_start(without_end(text)); }

Result<void> Ini::add(std::string_view text, const std::string& file) {
  // Our JSON reader knows what UTF-8 is, and refuses what isn't.
  if (!JsonDocument::parse(json_text(text), file)) {
    return fail(ErrorCode::kInvalid, fmt::format("{}: wanted UTF-8, found other bytes", file));
  }
  auto sections = sections_;
  IniReader reader(sections);
  std::size_t line = 0;
  std::optional<std::string> wrong;
  while (!text.empty() && !wrong) {
    ++line;
    wrong = reader.read(take_line(text));
  }
  if (!wrong) wrong = reader.finish();
  if (wrong) return fail(ErrorCode::kInvalid, fmt::format("{}:{}: {}", file, line, *wrong));
  sections_ = std::move(sections);
  return {};
}

bool Ini::empty() const {
  return std::ranges::all_of(sections_, [](const auto& section) { return section.second.empty(); });
}

const std::vector<std::string>* Ini::find(std::string_view section, std::string_view name) const {
  const Section& options = this->section(section);
  const auto at = options.find(name);
  return at == options.end() ? nullptr : &at->second;
}

const Ini::Section& Ini::section(std::string_view name) const {
  static const Section kNone;
  const auto at = sections_.find(name);
  return at == sections_.end() ? kNone : at->second;
}

}  // namespace emplace::novaconf
