// The arithmetic of plugin_name by examples. What the service relies on is tested by `emplace plugin check`.
#include <cstdio>
#include <limits>

#include "plugin_name.h"

namespace {

int failures = 0;

void expect(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "not so: %s\n", what);
  ++failures;
}

}  // namespace

int main() {
  expect(free_after(4096, 1024) == 3072, "1 GiB of 4 leaves 3");
  expect(fill_percent(1024, 1024, 4096) == 50.0, "1 GiB beside 1 GiB fills half of 4");
  expect(!fill_percent(0, 0, 0), "a host without memory has no cost");
  expect(!fill_percent(std::numeric_limits<double>::max(), 1, 1), "a cost is finite or unknown");
  return failures == 0 ? 0 : 1;
}
