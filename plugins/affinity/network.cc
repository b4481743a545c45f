#include "network.h"

namespace emplace::affinity {

void Network::evaluate(const plugin::Call& call, plugin::Costs& costs) const {
  const auto peers = call.request("request_peers");
  const auto vms = peers.column<std::uint32_t>("vm");
  const auto hosts = peers.column<std::uint32_t>("host");
  const auto traffic = peers.column<double>("bytes_per_s");
  const auto self = call.request().column<std::uint32_t>("vm").get(0);
  std::vector<Pull> pulls;
  for (std::uint32_t row = 0; row < peers.rows(); ++row) {
    if (self && vms.get(row) == self) continue;
    if (const auto host = hosts.get(row)) pulls.push_back({traffic[row], {*host}});
  }
  price(distances_, pulls, call, costs);
}

void Data::evaluate(const plugin::Call& call, plugin::Costs& costs) const {
  const auto read = call.request("request_data_sources");
  const auto sources = read.column<std::uint32_t>("source");
  const auto traffic = read.column<double>("bytes_per_s");
  const auto copies = call.request("request_source_hosts");
  const auto copied = copies.column<std::uint32_t>("source");
  const auto hosts = copies.column<std::uint32_t>("host");
  std::vector<Pull> pulls;
  for (std::uint32_t row = 0; row < read.rows(); ++row) {
    Pull pull{traffic[row], {}};
    for (std::uint32_t copy = 0; copy < copies.rows(); ++copy) {
      if (copied[copy] == sources[row]) pull.places.push_back(hosts[copy]);
    }
    if (!pull.places.empty()) pulls.push_back(std::move(pull));
  }
  price(distances_, pulls, call, costs);
}

}  // namespace emplace::affinity
