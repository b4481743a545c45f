// affinity.network and affinity.data against their definition, host by host and edge by edge.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "tests/plugin/asking.h"

namespace emplace {
namespace {

using asking::Asked;
using asking::Loaded;
using asking::request;
using testing_rows::picture_of;

HostRow placed(const std::string& name, const std::string& rack, const std::string& zone) {
  HostRow row = asking::host(name);
  row.rack = rack, row.zone = zone;
  return row;
}

double hops(const Picture& picture, std::uint32_t a, std::uint32_t b) {
  const auto same = [&](Column<std::uint32_t> column) {
    return picture[column].valid(a) && picture[column].get(a) == picture[column].get(b);
  };
  return a == b ? 0 : same(hosts::rack) ? 1 : same(hosts::zone) ? 2 : 3;
}

const Loaded& network() {
  static const Loaded loaded("affinity", "{}", asking::settings(EMPLACE_BUILT_PLUGINS));
  return loaded;
}

std::vector<Change> topology() {
  return {placed("a1", "ra", "z1"), placed("a2", "ra", "z1"),  placed("b1", "rb", "z1"),
          placed("c1", "rc", "z2"), placed("nowhere", "", ""), placed("elsewhere", "", "")};
}

std::vector<Change> operator+(std::vector<Change> a, const std::vector<Change>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

TEST(AffinityNetwork, CountsHopsToAPeer) {
  const auto picture =
      picture_of(topology() + std::vector<Change>{asking::vm(1, "a1"), TrafficRow{"new", "vm-1", 5e6, 1}});

  const auto costs = Asked(picture, request()).evaluate(network().objective("affinity.network"));

  EXPECT_EQ(costs.value().values, (std::vector<double>{0, 5, 10, 15, 15, 15}));
}

TEST(AffinityNetwork, HasNoDataWithoutAPlacedPeer) {
  const auto unplaced = picture_of(topology() + std::vector<Change>{TrafficRow{"new", "later", 5e6, 1}});
  for (const auto& picture : {picture_of(topology()), unplaced}) {
    const auto costs = Asked(picture, request()).evaluate(network().objective("affinity.network")).value();
    EXPECT_EQ(costs.quality, std::vector<Quality>(6, Quality::kNoData));
  }
}

TEST(AffinityNetwork, TakesDistancesFromTheConfiguration) {
  const Loaded other("affinity", R"({"distance_same_host":1,"distance_far":100})",
                     asking::settings(EMPLACE_BUILT_PLUGINS));
  const auto picture =
      picture_of(topology() + std::vector<Change>{asking::vm(1, "a1"), TrafficRow{"new", "vm-1", 1e6, 1}});

  EXPECT_EQ(Asked(picture, request()).evaluate(other.objective("affinity.network")).value().values,
            (std::vector<double>{1, 1, 2, 100, 100, 100}));
}

TEST(AffinityData, GoesToTheNearestCopy) {
  const auto picture = picture_of(topology() + std::vector<Change>{SourceHostsRow{"ds", {"b1", "c1"}},
                                                                   DataSourceRow{"new", "ds", 2e6, 1},
                                                                   DataSourceRow{"new", "lost", 9e6, 1}});

  const auto costs = Asked(picture, request()).evaluate(network().objective("affinity.data"));

  EXPECT_EQ(costs.value().values, (std::vector<double>{4, 4, 0, 0, 6, 6}));
}

TEST(AffinityData, HasNoDataWithoutAKnownCopy) {
  const auto picture = picture_of(topology() + std::vector<Change>{DataSourceRow{"new", "lost", 9e6, 1}});

  const auto costs = Asked(picture, request()).evaluate(network().objective("affinity.data"));

  EXPECT_EQ(costs.value().quality, std::vector<Quality>(6, Quality::kNoData));
}

std::shared_ptr<const Picture> random_cluster(std::mt19937_64& random) {
  std::vector<Change> changes;
  const auto name = [&](const char* kind, std::uint64_t among) { return kind + std::to_string(random() % among); };
  for (int i = 0; i < 12; ++i) {
    const std::string zone = random() % 5 ? name("z", 2) : "";
    changes.emplace_back(placed("h" + std::to_string(i), random() % 5 ? name("r", 4) : "", zone));
  }
  for (std::uint64_t i = 0; i < 10; ++i) changes.emplace_back(asking::vm(i, random() % 4 ? name("h", 12) : ""));
  for (int i = 0; i < 8; ++i) {
    changes.emplace_back(TrafficRow{"new", name("vm-", 10), static_cast<double>(random() % 1000000), 1});
    changes.emplace_back(DataSourceRow{"new", name("ds", 5), static_cast<double>(random() % 1000000), 1});
  }
  for (int i = 0; i < 4; ++i)
    changes.emplace_back(SourceHostsRow{"ds" + std::to_string(i), {name("h", 4), name("h", 12)}});
  return picture_of(changes);
}

struct Edge {
  double bytes_per_s;
  std::vector<std::uint32_t> places;
};

void expect_definition(const Asked& asked, const char* objective, const std::vector<Edge>& edges) {
  const auto costs = asked.evaluate(network().objective(objective)).value();
  const auto rows = asked.hosts();
  for (std::size_t i = 0; i < rows.size(); ++i) {
    double wanted = 0;
    for (const Edge& edge : edges) {
      double nearest = 3;
      for (const std::uint32_t place : edge.places) nearest = std::min(nearest, hops(*asked.picture, rows[i], place));
      wanted += edge.bytes_per_s / 1e6 * nearest;
    }
    ASSERT_EQ(costs.quality[i], edges.empty() ? Quality::kNoData : Quality::kOk);
    if (!edges.empty()) {
      ASSERT_EQ(costs.values[i], wanted) << objective << ", host " << rows[i];
    }
  }
}

TEST(Affinity, MatchesTheDefinitionOnRandomClusters) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    std::mt19937_64 random(seed);
    const Asked asked(random_cluster(random), request());
    std::vector<Edge> peers, sources;
    for (const Peer& peer : asked.query->peers) {
      if (peer.host != kNoRow) peers.push_back({peer.bytes_per_s, {peer.host}});
    }
    for (const DataSource& source : asked.query->data_sources) {
      Edge edge{source.bytes_per_s, {}};
      const Picture& picture = *asked.picture;
      for (std::uint32_t row = 0; row < picture.rows(Table::kSourceHosts); ++row) {
        const bool copy =
            picture[source_hosts::alive].get(row) == 1 && picture[source_hosts::source].get(row) == source.source;
        if (copy && picture[source_hosts::host].valid(row)) edge.places.push_back(picture[source_hosts::host][row]);
      }
      if (!edge.places.empty()) sources.push_back(edge);
    }
    expect_definition(asked, "affinity.network", peers);
    expect_definition(asked, "affinity.data", sources);
  }
}

}  // namespace
}  // namespace emplace
