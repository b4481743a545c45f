#include "service/configuration/config.h"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <filesystem>
#include <optional>
#include <system_error>

#include "service/configuration/nova_section.h"
#include "service/configuration/sections.h"

namespace emplace {
namespace {

void read_root(Section& root, Config& config) {
  read_service(root, config);
  read_decision(root, config);
  read_libvirt(root, config);
  config.nova_given = root.find("nova") != nullptr;
  root.table("nova", [&](Section& s) {
    s.one_of("release", config.nova_release, {"zed", "master"});
    s.text("config", config.nova_config);
  });
  read_openstack(root, config);
}

Result<void> check_unique(const Config& config) {
  for (std::size_t i = 0; i < config.hosts.size(); ++i) {
    for (std::size_t k = 0; k < i; ++k) {
      if (config.hosts[i].name != config.hosts[k].name) continue;
      return fail(ErrorCode::kInvalid, fmt::format("{}: host[{}].name: wanted a name of its own, found \"{}\" again",
                                                   config.file, i, config.hosts[i].name));
    }
  }
  return {};
}

}  // namespace

Result<Config> read_config(const std::string& file) {
  Config config;
  config.file = file;
  // Which toml++ would read as an empty file.
  if (std::error_code ignored; std::filesystem::is_directory(file, ignored)) {
    return fail(ErrorCode::kInvalid, file + ": wanted a file, found a directory");
  }
  toml::table table;
  try {
    table = toml::parse_file(file);
  } catch (const toml::parse_error& error) {
    return fail(ErrorCode::kInvalid, fmt::format("{}:{}: {}", file, error.source().begin.line, error.description()));
  }
  std::optional<Error> error;
  Section root(file, "", table, error);
  read_root(root, config);
  root.finish();
  if (error) return tl::unexpected(*error);
  if (const auto unique = check_unique(config); !unique) return tl::unexpected(unique.error());
  if (const auto taken = take_nova(config); !taken) return tl::unexpected(taken.error());
  return config;
}

}  // namespace emplace
