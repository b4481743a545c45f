#include <fmt/format.h>

#include "cli/nova.h"
#include "service/novaconf/import.h"
#include "service/process/streams.h"

namespace emplace::cli {

void import_nova_conf(const ImportConfOptions& options) {
  novaconf::Ini ini;
  for (const std::string& file : options.files) {
    if (const auto added = ini.add(read_file(file), file); !added) throw Failure(kBadInput, added.error().message);
  }
  const novaconf::Release release = novaconf::parse_release(options.release).value_or(novaconf::Release::kZed);
  const novaconf::Import import = import_options(understand(ini, release));
  fmt::print("{}", to_toml(import));
  flush_or_throw();
  for (const novaconf::Finding& finding : import.findings) {
    fmt::print(stderr, "{}: {}: {}\n", to_string(finding.level), printable(finding.about), printable(finding.text));
  }
}

}  // namespace emplace::cli
