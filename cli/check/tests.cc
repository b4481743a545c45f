#include "cli/check/tests.h"

namespace emplace::check {

std::span<const Test> all_tests() {
  static const std::vector<Test> kTests{
      {"manifest", "manifest, schema and configuration are valid", {}, test_manifest, Test::Code::kNone},
      {"symbols",
       "only emplace_plugin_entry is exported, nothing is undefined",
       {"manifest"},
       test_symbols,
       Test::Code::kLoaded},
      {"load", "it loads, and is what its manifest says", {"manifest", "symbols"}, test_load},
      {"truth", "each rule answers from the columns that the manifest names for it", {"load"}, test_truth},
      {"results", "one finite result or \"no data\" per host, a reason per refusal", {"truth"}, test_results},
      {"lifecycle", "created and destroyed 1,000 times without a leak", {"results"}, test_lifecycle},
      {"repeat",
       "the same question gets the same bits, in another process too",
       {"results"},
       test_repeat,
       Test::Code::kCreated,
       true},
      {"order", "nothing depends on the rows that hosts and vms lie in", {"repeat"}, test_order},
      {"subset", "a host's result does not depend on the other candidates", {"repeat"}, test_subset},
      {"removal", "removing an unrelated host changes no other host's verdict", {"order"}, test_removal},
      {"state", "nothing is carried from one request to the next", {"repeat"}, test_state},
      {"sizes", "0, 1, 2 and 20,000 hosts", {"results"}, test_sizes},
      {"invalid_values", "values that were never measured", {"results"}, test_invalid_values},
      {"extreme_values", "huge, tiny and negative values, negative zero, odd texts", {"results"}, test_extreme_values},
      {"configurations", "random configurations from its schema", {"results"}, test_configurations},
      {"deadline", "a deadline that is past changes no answer", {"repeat"}, test_deadline},
      {"speed", "a call's median time is within the budget", {"results"}, test_speed},
      {"observer", "following changes comes to the same as reading from scratch", {"state"}, test_observer},
      {"explain", "each refusal is explained with a code of the filter's name", {"results"}, test_explain},
      {"threads",
       "what is called reentrant can be called by two threads",
       {"repeat"},
       test_threads,
       Test::Code::kCreated,
       false,
       true},
  };
  return kTests;
}

}  // namespace emplace::check
