#include "service/configuration/nova_section.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "service/core/json/json.h"
#include "service/novaconf/import.h"

namespace emplace {
namespace {

constexpr std::string_view kNovaPlugin = "libemplace_nova.so";
// A file may be any: a device would never end.
constexpr std::uintmax_t kMostBytes = 8 << 20;

Result<std::string> read_text(const std::string& path) {
  std::error_code error;
  const bool plain = std::filesystem::is_regular_file(path, error);
  std::ifstream file;
  if (plain) file.open(path, std::ios::binary);
  if (!plain || !file)
    return fail(ErrorCode::kInvalid, fmt::format("wanted a file to read, found {}", json_text(shortened(path))));
  if (std::filesystem::file_size(path, error) > kMostBytes || error) {
    return fail(ErrorCode::kInvalid,
                fmt::format("wanted at most {} bytes, found more in {}", kMostBytes, json_text(shortened(path))));
  }
  return std::string(std::istreambuf_iterator<char>(file), {});
}

// Of an option that the plugin reads; what is wrong with others is Nova's own business.
const novaconf::Finding* first_fault(const novaconf::Options& options) {
  for (const novaconf::Finding& finding : options.findings) {
    if (finding.level != novaconf::Finding::Level::kError) continue;
    for (const novaconf::Option& option : novaconf::known_options()) {
      if (option.reader == novaconf::Reader::kPlugin && option.label() == finding.about) return &finding;
    }
  }
  return nullptr;
}

Result<novaconf::Import> read_nova_conf(const std::string& path, novaconf::Release release) {
  const auto text = read_text(path);
  if (!text) return tl::unexpected(text.error());
  novaconf::Ini ini;
  if (const auto added = ini.add(*text, path); !added) return tl::unexpected(added.error());
  const novaconf::Options options = novaconf::understand(ini, release);
  if (const auto* const fault = first_fault(options)) {
    return fail(ErrorCode::kInvalid, fmt::format("{}: {}: {}", path, fault->about, fault->text));
  }
  return import_options(options);
}

// The plugin's own entry may name another release than [nova].
novaconf::Release release_of(const Config& config, const PluginEntry* entry) {
  const auto given = JsonDocument::parse(entry ? entry->config : "{}");
  const auto name = given ? given->root().find("release") : std::nullopt;
  const auto release = name && name->is_text() ? novaconf::parse_release(name->text()) : std::nullopt;
  return release.value_or(novaconf::parse_release(config.nova_release).value_or(novaconf::Release::kZed));
}

Result<void> complete(Config& config, PluginEntry* entry) {
  const novaconf::Release release = release_of(config, entry);
  config.nova_configuration = JsonWriter().open().text("release", to_string(release)).close().take();
  if (!config.nova_config.empty()) {
    auto import = read_nova_conf(config.nova_config, release);
    if (!import) return fail(import.error().code, "nova.config: " + import.error().message);
    config.nova_configuration = std::move(import->configuration);
    config.nova_findings = std::move(import->findings);
  }
  if (!entry) return {};
  auto whole = novaconf::overlaid(config.nova_configuration, entry->config);
  if (!whole) return fail(whole.error().code, entry->path + ": " + whole.error().message);
  entry->config = *std::move(whole);
  return {};
}

}  // namespace

bool is_nova_plugin(std::string_view path) { return std::filesystem::path(path).filename() == kNovaPlugin; }

Result<void> take_nova(Config& config) {
  if (!config.nova_given) return {};
  const auto at =
      std::ranges::find_if(config.plugins, [](const PluginEntry& entry) { return is_nova_plugin(entry.path); });
  PluginEntry* const entry = at == config.plugins.end() ? nullptr : &*at;
  const auto done =
      config.plugins_given && !entry
          ? fail(ErrorCode::kInvalid, fmt::format("nova: wanted a [[plugin]] {}, found none", kNovaPlugin))
          : complete(config, entry);
  if (!done) return fail(done.error().code, fmt::format("{}: {}", config.file, done.error().message));
  return {};
}

}  // namespace emplace
