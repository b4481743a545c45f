// probe: loads a plugin in a child process first. A static initialiser that throws, a truncated file, a create that
// crashes or never returns would take the service with it; here it ends the child, and one clear Error says what
// happened.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "service/core/result.h"
#include "service/plugins/manifest.h"

namespace emplace {

struct Prober {
  std::filesystem::path program;  // emplace-plugin-probe
  std::int64_t timeout_ms = 5000;
};

// The last line of a probe that went well; without it code 0 means that the plugin ended the process.
inline constexpr std::string_view kProbeDone = "emplace-plugin-probe: done";

// Loads, creates with the complete `configuration`, destroys. Waits for the child, at most the time-out. Starts one
// process.
Result<void> probe(const Prober& prober, const Manifest& manifest, const std::string& configuration);

// The probe that lies beside the program that is running.
std::filesystem::path default_probe_program();

}  // namespace emplace
