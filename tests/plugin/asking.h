// What the tests of plugins share: plugins loaded as the service loads them, and requests bound to pictures.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "service/core/change/change.h"
#include "service/core/decide/query.h"
#include "service/plugins/plugins.h"
#include "tests/unit/cluster_rows.h"

namespace emplace::asking {

inline PluginSettings settings(const char* directory = EMPLACE_TEST_PLUGINS) {
  PluginSettings made;
  made.directory = directory;
  made.worker.program = EMPLACE_WORKER;
  made.worker.start_timeout_ms = 20000;
  return made;
}

inline Result<Plugins> load(const std::string& name, const std::string& config = "{}", PluginSettings with = settings(),
                            const std::string& isolation = "in-process", std::int64_t deadline_ms = 20) {
  const std::vector<PluginChoice> choices{{"libemplace_" + name + ".so", isolation, deadline_ms, config}};
  return Plugins::load(with, choices);
}

// A plugin that must load, and its rules.
struct Loaded {
  explicit Loaded(const std::string& name, const std::string& config = "{}", PluginSettings with = settings(),
                  const std::string& isolation = "in-process", std::int64_t deadline_ms = 20)
      : plugins(load(name, config, std::move(with), isolation, deadline_ms)) {
    if (!plugins) throw std::runtime_error(plugins.error().message);
    rules = plugins->add_to({});
  }
  template <typename Rule>
  static const Rule& find(const std::vector<std::shared_ptr<const Rule>>& rules, std::string_view id) {
    for (const auto& rule : rules) {
      if (rule->traits().id == id) return *rule;
    }
    throw std::runtime_error("no rule " + std::string(id));
  }
  const Filter& filter(std::string_view id) const { return find(rules.filters, id); }
  const Objective& objective(std::string_view id) const { return find(rules.objectives, id); }
  const Weigher& weigher(std::string_view id) const { return find(rules.weighers, id); }

  Result<Plugins> plugins;
  Catalogue rules;
};

// A request bound to a picture.
struct Asked {
  Asked(std::shared_ptr<const Picture> on, VmRequest vm, std::int64_t now_us = 0, std::string document = {})
      : picture(std::move(on)),
        request{std::move(vm), {}, {}, std::move(document)},
        query(bind(request, request.vm, *picture, now_us)) {
    if (!query) throw std::runtime_error(query.error().message);
  }
  Asked(const Asked&) = delete;
  Asked& operator=(const Asked&) = delete;

  std::vector<std::uint32_t> hosts() const {
    std::vector<std::uint32_t> rows;
    for (std::uint32_t row = 0; row < picture->rows(Table::kHosts); ++row) {
      if ((*picture)[hosts::alive].get(row) == std::uint8_t{1}) rows.push_back(row);
    }
    return rows;
  }
  Result<Costs> evaluate(const Objective& objective) const { return objective.evaluate(*query, hosts()); }

  const std::shared_ptr<const Picture> picture;
  const PlacementRequest request;
  const Result<Query> query;
};

struct Screened {
  Result<std::uint32_t> done;     // hosts kept without judging them
  std::vector<std::string> kept;  // names, by rising row
  std::vector<std::uint8_t> reasons;
};

inline Screened screen(const Filter& filter, const Asked& asked) {
  Candidates candidates(asked.picture->rows(Table::kHosts));
  for (const std::uint32_t row : asked.hosts()) candidates.insert(row);
  Screened result{{}, {}, std::vector<std::uint8_t>(candidates.rows())};
  result.done = filter.screen(*asked.query, candidates, result.reasons);
  for (const std::uint32_t row : candidates.to_rows()) result.kept.emplace_back((*asked.picture)[hosts::name][row]);
  return result;
}

inline HostRow host(const std::string& name, double memory_mib = 4096) {
  HostRow row;
  row.name = name;
  row.vcpus = 16;
  row.memory_mib = memory_mib;
  row.disk_gib = 100;
  return row;
}

inline std::shared_ptr<const Picture> three_hosts() {
  return testing_rows::picture_of({host("small", 100), host("middle", 1000), host("big", 10000)});
}

inline VmRow vm(std::uint64_t id, const std::string& host, double memory_mib = 64) {
  VmRow row;
  row.id = testing_rows::numbered(id);
  row.name = "vm-" + std::to_string(id);
  row.host = host;
  row.state = VmState::kRunning;
  row.vcpus = 1;
  row.memory_mib = memory_mib;
  row.disk_gib = 1;
  return row;
}

inline VmRequest request(const std::string& name = "new", double memory_mib = 64) {
  VmRequest made;
  made.name = name;
  made.vcpus = 1;
  made.memory_mib = memory_mib;
  made.disk_gib = 1;
  return made;
}

}  // namespace emplace::asking
