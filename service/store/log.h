// Log: where the store's own threads say what they coped with. Doors don't own a logger; the shell gives them this.
#pragma once

#include <functional>
#include <string_view>

namespace emplace {

enum class LogLevel { kInfo, kWarn, kError };

// One key=value line. Called from threads of the store; must not call the store.
using Log = std::function<void(LogLevel, std::string_view line)>;

}  // namespace emplace
