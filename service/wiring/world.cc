#include "service/wiring/world.h"

#include <fmt/format.h>

#include <chrono>
#include <cstring>
#include <random>

#include "service/core/base/shown_text.h"
#include "service/wiring/log.h"

namespace emplace {
namespace {

std::int64_t monotonic_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

void log_start(const Claim& claim, const Result<void>& started) {
  log_line(
      started ? "info" : "warn",
      fmt::format("event=start vm={} name={} host={} claim={} error={}", to_string(claim.vm), log_text(claim.vm_name),
                  log_text(claim.host), to_string(claim.id), started ? "-" : log_text(started.error().message)));
}

}  // namespace

std::int64_t wall_clock_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

Uuid random_uuid() {
  thread_local std::random_device device;
  Uuid id;
  for (std::size_t i = 0; i < id.bytes.size(); i += 4) {
    const std::uint32_t word = device();
    std::memcpy(id.bytes.data() + i, &word, sizeof word);
  }
  id.bytes[6] = static_cast<std::uint8_t>((id.bytes[6] & 0x0f) | 0x40);
  id.bytes[8] = static_cast<std::uint8_t>((id.bytes[8] & 0x3f) | 0x80);
  return id;
}

Deadline start_deadline() { return std::chrono::steady_clock::now() + std::chrono::minutes(1); }
Deadline reload_deadline() { return std::chrono::steady_clock::now() + std::chrono::seconds(5); }

Ambient ambient() { return {wall_clock_us, monotonic_us, random_uuid, log_start}; }

}  // namespace emplace
