#include <dlfcn.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/check/elf.h"
#include "cli/check/tests.h"

namespace emplace::check {
namespace {

constexpr const char* kEntry = "emplace_plugin_entry";

// dlsym on a handle looks in the library and in what it needs, and nowhere else: not in this program, which may have
// what the service has not.
void find_undefined(const std::string& library, const DynamicSymbols& symbols, Findings& findings) {
  void* handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle) return findings.fault(fmt::format("cannot be loaded: {}", dlerror()));
  for (const std::string& name : symbols.wanted) {
    if (!dlsym(handle, name.c_str())) findings.fault(fmt::format("{} is in none of the libraries it needs", name));
  }
}

}  // namespace

Findings test_manifest(const Setting& setting) {
  Findings findings;
  const auto subject = Subject::read(setting.files, setting.configuration);
  if (!subject) {
    findings.fault(subject.error().message);
    return findings;
  }
  if (subject->manifest.library != setting.files.library) findings.fault("wanted its library beside it");
  findings.note(fmt::format("{} {}: {} rules, {} columns", subject->manifest.id, subject->manifest.version,
                            subject->rules.size(), subject->manifest.columns().size()));
  return findings;
}

Findings test_symbols(const Setting& setting) {
  Findings findings;
  const auto symbols = read_dynamic_symbols(setting.files.library);
  if (!symbols) {
    findings.fault(fmt::format("{}: {}", setting.files.library.string(), symbols.error().message));
    return findings;
  }
  bool entry = false;
  for (const std::string& name : symbols->exported) {
    entry = entry || name == kEntry;
    if (name != kEntry) findings.fault(fmt::format("exports {}: compile with -fvisibility=hidden", name));
  }
  if (!entry) findings.fault(fmt::format("wanted the symbol {}, found none", kEntry));
  findings.note(fmt::format("needs {}", fmt::join(symbols->needed, ", ")));
  setting.watch->enter("loading");
  find_undefined(setting.copy, *symbols, findings);
  setting.watch->leave();
  return findings;
}

}  // namespace emplace::check
