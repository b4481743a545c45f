#include "ip_network.h"

#include <arpa/inet.h>

#include <algorithm>

#include "emplace/view.hpp"
#include "python_text.h"

namespace emplace::nova {
namespace {

int width(const IpAddress& address) { return address.v6 ? 128 : 32; }
bool bit(const IpAddress& address, int i) {
  return (address.bytes[static_cast<std::size_t>(i / 8)] >> (7 - i % 8)) & 1;
}

std::optional<IpAddress> strict(const std::string& text, bool v6) {
  IpAddress address{v6};
  return inet_pton(v6 ? AF_INET6 : AF_INET, text.c_str(), address.bytes.data()) == 1 ? std::optional(address)
                                                                                     : std::nullopt;
}

// "10.1" -> 10.1.0.0
std::optional<IpAddress> partial(const std::string& text) {
  IpAddress address;
  std::size_t start = 0;
  for (std::size_t i = 0; start <= text.size(); ++i) {
    const std::size_t dot = std::min(text.find('.', start), text.size());
    const auto number = python_int(text.substr(start, dot - start));
    if (i >= 4 || !number || *number < 0 || *number > 255) return std::nullopt;
    address.bytes[i] = static_cast<std::uint8_t>(*number);
    start = dot + 1;
  }
  return address;
}

// The number of leading bits that equal `first`, if all others differ.
std::optional<int> leading(const IpAddress& mask, bool first) {
  int i = 0;
  while (i < width(mask) && bit(mask, i) == first) ++i;
  for (int j = i; j < width(mask); ++j) {
    if (bit(mask, j) == first) return std::nullopt;
  }
  return i;
}

std::optional<int> parse_prefix(const std::string& text, bool v6) {
  const int most = v6 ? 128 : 32;
  if (const auto number = python_int(text)) {
    return *number >= 0 && *number <= most ? std::optional(static_cast<int>(*number)) : std::nullopt;
  }
  const auto mask = strict(text, v6);
  if (!mask) return std::nullopt;
  const auto netmask = leading(*mask, true);
  return netmask ? netmask : leading(*mask, false);
}

struct Read {
  IpAddress address;
  int prefix;
};

std::optional<Read> read(const std::string& text, bool v6) {
  const std::size_t slash = text.find('/');
  const std::string first = text.substr(0, slash);
  auto address = strict(first, v6);
  if (!address && !v6) address = partial(first);
  if (!address) return std::nullopt;
  const auto prefix =
      slash == std::string::npos ? std::optional(width(*address)) : parse_prefix(text.substr(slash + 1), v6);
  return prefix ? std::optional(Read{*address, *prefix}) : std::nullopt;
}

}  // namespace

std::optional<IpAddress> parse_ip_address(const std::string& text) {
  in_addr v4{};
  if (inet_aton(text.c_str(), &v4) == 0) return strict(text, true);
  IpAddress address;
  std::copy_n(reinterpret_cast<const std::uint8_t*>(&v4.s_addr), 4, address.bytes.begin());
  return address;
}

IpNetwork::IpNetwork(const std::string& text) {
  auto found = read(text, false);
  if (!found) found = read(text, true);
  if (!found) throw plugin::Error("wanted an IP network such as 10.0.0.0/24, found '" + text + "'");
  address_ = found->address, prefix_ = found->prefix;
}

bool IpNetwork::contains(const IpAddress& address) const {
  if (address.v6 != address_.v6) return false;
  for (int i = 0; i < prefix_; ++i) {
    if (bit(address, i) != bit(address_, i)) return false;
  }
  return true;
}

}  // namespace emplace::nova
