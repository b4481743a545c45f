// MessageWriter and MessageReader: values one after the other in a stretch of memory that two processes share.
// Everything starts at a multiple of 8 bytes, arrays at one of 64, so that the reader can use them where they lie.
// Neither goes beyond its stretch: a writer without room stops and says so, a reader of what is not there gets zeros
// and says so.
//
// Threads: one at a time. What a reader hands out is valid while the memory is, and as trustworthy as its writer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace emplace {

class MessageWriter {
 public:
  explicit MessageWriter(std::span<std::byte> room) : room_(room) {}

  void number(std::uint64_t value) {
    if (void* const to = take(sizeof value, 8)) std::memcpy(to, &value, sizeof value);
  }
  void whole(std::int64_t value) { number(static_cast<std::uint64_t>(value)); }
  // Ends with NUL, which is not counted.
  void text(std::string_view text) {
    number(text.size());
    if (auto* const to = static_cast<char*>(take(text.size() + 1, 8))) {
      if (!text.empty()) std::memcpy(to, text.data(), text.size());
      to[text.size()] = 0;
    }
  }
  // `from` may be null: then there are no bytes, and the reader gets null.
  void array(const void* from, std::size_t bytes) {
    number(from ? bytes : kNull);
    if (!from) return;
    void* const to = take(bytes, kArrayAlignment);
    if (to && bytes > 0) std::memcpy(to, from, bytes);
  }

  // Everything found room.
  bool fits() const { return fits_; }
  std::size_t used() const { return used_; }

  static constexpr std::size_t kArrayAlignment = 64;
  static constexpr std::uint64_t kNull = UINT64_MAX;

 private:
  void* take(std::size_t bytes, std::size_t alignment) {
    const std::size_t start = (used_ + alignment - 1) / alignment * alignment;
    fits_ = fits_ && start <= room_.size() && bytes <= room_.size() - start;
    if (!fits_) return nullptr;
    used_ = start + bytes;
    return room_.data() + start;
  }

  const std::span<std::byte> room_;
  std::size_t used_ = 0;
  bool fits_ = true;
};

class MessageReader {
 public:
  explicit MessageReader(std::span<const std::byte> room) : room_(room) {}

  std::uint64_t number() {
    std::uint64_t value = 0;
    if (const void* const from = take(sizeof value, 8)) std::memcpy(&value, from, sizeof value);
    return value;
  }
  std::uint32_t small() { return static_cast<std::uint32_t>(number()); }
  std::int64_t whole() { return static_cast<std::int64_t>(number()); }
  // Ends with NUL.
  std::string_view text() {
    const std::size_t size = number();
    const auto* const from = size < SIZE_MAX ? static_cast<const char*>(take(size + 1, 8)) : nullptr;
    return from && from[size] == 0 ? std::string_view(from, size) : std::string_view("");
  }
  std::span<const std::byte> array() {
    const std::uint64_t bytes = number();
    if (bytes == MessageWriter::kNull) return {};
    const auto* const from = static_cast<const std::byte*>(take(bytes, MessageWriter::kArrayAlignment));
    return from ? std::span(from, bytes) : std::span<const std::byte>();
  }

  bool complete() const { return complete_; }
  std::size_t used() const { return used_; }

 private:
  const void* take(std::size_t bytes, std::size_t alignment) {
    const std::size_t start = (used_ + alignment - 1) / alignment * alignment;
    complete_ = complete_ && start <= room_.size() && bytes <= room_.size() - start;
    if (!complete_) return nullptr;
    used_ = start + bytes;
    return room_.data() + start;
  }

  const std::span<const std::byte> room_;
  std::size_t used_ = 0;
  bool complete_ = true;
};

}  // namespace emplace
