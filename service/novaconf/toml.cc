#include <fmt/format.h>

#include "service/core/json/json.h"
#include "service/novaconf/import.h"

namespace emplace::novaconf {
namespace {

// A JSON text is a TOML text, but for DEL.
std::string toml_text(std::string_view text) {
  std::string quoted = json_text(text);
  for (std::size_t at = quoted.find('\x7f'); at != std::string::npos; at = quoted.find('\x7f', at)) {
    quoted.replace(at, 1, "\\u007f");
  }
  return quoted;
}

// Always with a fraction or an exponent: a TOML number without is a whole one, of at most 64 bits.
std::string toml_number(double number) {
  const std::string text = json_number(number);
  return text.find_first_of(".eE") == std::string::npos ? text + ".0" : text;
}

std::string toml_texts(const std::vector<std::string>& texts) {
  std::string all;
  for (const std::string& text : texts) all += (all.empty() ? "" : ", ") + toml_text(text);
  return '[' + all + ']';
}

std::string toml_value(JsonValue value) {
  switch (value.kind()) {
    case JsonValue::Kind::kNumber:
      return value.number_text();
    case JsonValue::Kind::kText:
      return toml_text(value.text());
    case JsonValue::Kind::kArray: {
      std::vector<std::string> texts;
      for (std::size_t i = 0; i < value.size(); ++i) texts.emplace_back(value.item(i).text());
      return toml_texts(texts);
    }
    default:
      return to_json(value);
  }
}

// Of the configuration as import_options() writes it: a release, and sections of numbers, texts, flags and lists of
// texts.
std::string plugin_configuration(JsonValue configuration) {
  std::string plain, sections;
  for (std::size_t i = 0; i < configuration.size(); ++i) {
    const JsonValue value = configuration.member(i);
    if (!value.is_object()) {
      plain += fmt::format("{} = {}\n", configuration.key(i), toml_value(value));
      continue;
    }
    sections += fmt::format("[plugin.config.{}]\n", configuration.key(i));
    for (std::size_t k = 0; k < value.size(); ++k)
      sections += fmt::format("{} = {}\n", value.key(k), toml_value(value.member(k)));
  }
  return "[plugin.config]\n" + plain + sections;
}

std::string profile(const Import& import) {
  std::string text = fmt::format("[[profile]]\nname = \"nova\"\nmethod = \"nova\"\nfilters = {}\nweighers = [\n",
                                 toml_texts(import.filters));
  for (const ImportedWeigher& weigher : import.weighers) {
    text += fmt::format("  {{ id = {}, multiplier = {} }},\n", toml_text(weigher.id), toml_number(weigher.multiplier));
  }
  return text + "]\n";
}

}  // namespace

std::string to_toml(const Import& import) {
  const auto configuration = JsonDocument::parse(import.configuration, "configuration");
  return fmt::format("[nova]\nrelease = \"{}\"\n\n", to_string(import.release)) +
         "# Where one plugin is named, those that are not are left out: libemplace_affinity.so too.\n"
         "[[plugin]]\npath = \"libemplace_nova.so\"\n" +
         plugin_configuration(configuration->root()) +
         "\n# Room, traits and, in Nova without AvailabilityZoneFilter, zones are placement's to check. Where Emplace "
         "is asked\n"
         "# without Nova, put \"capacity\", \"state\", \"zone\" and \"traits\" before these filters.\n" +
         profile(import);
}

Result<std::string> overlaid(std::string_view configuration, std::string_view given) {
  const auto below = JsonDocument::parse(configuration, "configuration");
  if (!below) return tl::unexpected(below.error());
  const auto above = JsonDocument::parse(given, "configuration");
  if (!above) return tl::unexpected(above.error());
  const JsonValue base = below->root(), top = above->root();
  JsonWriter writer;
  writer.open();
  for (std::size_t i = 0; i < base.size(); ++i) {
    const auto instead = top.find(base.key(i));
    writer.key(base.key(i));
    if (!instead || !instead->is_object() || !base.member(i).is_object()) {
      writer.value(instead.value_or(base.member(i)));
      continue;
    }
    writer.open();
    for (std::size_t k = 0; k < base.member(i).size(); ++k) {
      const std::string_view name = base.member(i).key(k);
      if (!instead->find(name)) writer.key(name).value(base.member(i).member(k));
    }
    for (std::size_t k = 0; k < instead->size(); ++k) writer.key(instead->key(k)).value(instead->member(k));
    writer.close();
  }
  for (std::size_t i = 0; i < top.size(); ++i) {
    if (!base.find(top.key(i))) writer.key(top.key(i)).value(top.member(i));
  }
  return writer.close().take();
}

}  // namespace emplace::novaconf
