// IpNetwork: "10.0.0.0/24", read as Python's netaddr does, which Nova uses: the prefix may be a number, a netmask or a
// hostmask; without one the network is the address alone; of an IPv4 address the last numbers may be left out ("10/8").
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

namespace emplace::nova {

struct IpAddress {
  bool v6 = false;
  std::array<std::uint8_t, 16> bytes{};  // four of them for IPv4
};
std::optional<IpAddress> parse_ip_address(const std::string& text);

class IpNetwork {
 public:
  // Throws plugin::Error where Nova raises.
  explicit IpNetwork(const std::string& text);
  bool contains(const IpAddress& address) const;

 private:
  IpAddress address_;
  int prefix_ = 0;
};

}  // namespace emplace::nova
