// The first line is the schema of a manifest, the rest a configuration. What is accepted is complete: completing it
// again changes nothing.
#include "service/plugins/configuration.h"

#include "tests/fuzz/targets.h"

namespace emplace::fuzz {

void plugin_configuration(std::string_view input) {
  Manifest manifest;
  manifest.id = "fuzz";
  manifest.file = "fuzz.json";
  manifest.configuration_schema = first_line(input);
  if (const auto checked = check_schema(manifest); !checked) return require_clear(checked.error());
  const auto complete = complete_configuration(manifest, input);
  if (!complete) return require_clear(complete.error());
  const auto again = complete_configuration(manifest, *complete);
  require(again.has_value(), "a complete configuration is one: " + (again ? "" : again.error().message) + *complete);
  require(*again == *complete, "completing twice changes nothing:\n" + *complete + "\n" + *again);
  ConfigurationTable table(*complete);
  const auto filled = table.fill();
  require(filled.has_value(), "a complete configuration fills the table: " + (filled ? "" : filled.error().message));
}

}  // namespace emplace::fuzz
