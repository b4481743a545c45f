#include <fmt/format.h>

#include <algorithm>

#include "service/core/json/json.h"
#include "service/novaconf/import.h"

namespace emplace::novaconf {
namespace {

std::optional<JsonValue> find(JsonValue configuration, const Option& option) {
  const auto section = configuration.find(option.section);
  return section && section->is_object() ? section->find(option.name) : std::nullopt;
}

// Of either side: what is configured, else Nova's default. A configuration holds JSON's types, and a default is whole
// or a fraction as Nova declares it, so numbers are compared as what they are.
std::string shown(std::optional<JsonValue> value, const Option& option) {
  if (!value) {
    const Value standard = standard_value(option);
    const auto* const number = std::get_if<double>(&standard);
    return number ? json_number(*number) : to_text(standard);
  }
  if (value->is_number()) return json_number(value->number());
  if (value->is_text()) return to_text(std::string(value->text()));
  if (!value->is_array()) return to_json(*value);
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < value->size(); ++i) {
    texts.emplace_back(value->item(i).is_text() ? value->item(i).text() : std::string_view());
  }
  return to_text(texts);
}

const MultiplierOption* multiplier_of(const Option& option) {
  const auto all = multiplier_options();
  const auto at = std::ranges::find_if(
      all, [&](const MultiplierOption& one) { return one.section == option.section && one.name == option.name; });
  return at == all.end() ? nullptr : &*at;
}

// Nothing: no weigher of the profile asks for it.
std::optional<std::string> profiles_own(const MultiplierOption& option, std::span<const ImportedWeigher> weighers) {
  const auto at = std::ranges::find(weighers, option.weigher, &ImportedWeigher::id);
  if (at == weighers.end()) return std::nullopt;
  return json_number(option.negated ? -at->multiplier : at->multiplier);
}

}  // namespace

Result<std::vector<Finding>> compare(const Import& import, std::string_view running,
                                     std::span<const ImportedWeigher> weighers) {
  const auto nova = JsonDocument::parse(import.configuration, "configuration");
  if (!nova) return tl::unexpected(nova.error());
  const auto emplace = JsonDocument::parse(running, "configuration");
  if (!emplace) return tl::unexpected(emplace.error());
  std::vector<Finding> findings;
  for (const Option& option : known_options()) {
    if (option.reader != Reader::kPlugin || !option.is_in(import.release)) continue;
    const auto configured = find(emplace->root(), option);
    std::optional<std::string> ours = shown(configured, option);
    if (const auto* const multiplier = multiplier_of(option); multiplier && !configured) {
      ours = profiles_own(*multiplier, weighers);
    }
    const std::string theirs = shown(find(nova->root(), option), option);
    if (!ours || *ours == theirs) continue;
    findings.push_back({Finding::Level::kWarning, option.label(),
                        fmt::format("nova.conf says {}, Emplace runs with {}", theirs, *ours)});
  }
  return findings;
}

}  // namespace emplace::novaconf
