// A plugin's manifest, with the schema of its configuration.
#include "service/plugins/manifest.h"

#include "service/plugins/configuration.h"
#include "tests/fuzz/targets.h"

namespace emplace::fuzz {

void manifest(std::string_view input) {
  const auto parsed = parse_manifest(input, "fuzz.json");
  if (!parsed) return require_clear(parsed.error());
  parsed->columns();
  if (const auto checked = check_schema(*parsed); !checked) require_clear(checked.error());
}

}  // namespace emplace::fuzz
