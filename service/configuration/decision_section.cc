#include <string>
#include <utility>

#include "service/configuration/sections.h"

namespace emplace {
namespace {

void read_plugin(Section& section, PluginEntry& plugin) {
  section.needed("path", plugin.path);
  section.one_of("isolation", plugin.isolation, {"worker", "in-process"});
  section.one_of("confinement", plugin.confinement, {"available", "required"});
  section.whole("deadline_ms", plugin.deadline_ms, 1, 60'000);
  section.json("config", plugin.config);
}

void read_on_error(Section& section, OnError& on_error) {
  std::string text = "drop";
  section.one_of("on_error", text, {"drop", "last_good", "fail"});
  on_error = text == "fail" ? OnError::kFail : text == "last_good" ? OnError::kLastGood : OnError::kDrop;
}

void read_profile(Section& section, Profile& profile) {
  section.own_name("name", profile.name);
  if (const toml::node* const node = section.find("method")) {
    const auto method = parse_rank_method(node->value<std::string>().value_or(""));
    if (method) {
      profile.method = *method;
    } else {
      section.wrong("method", *node, "chebyshev, lexicographic, weighted_sum, knee, topsis or nova");
    }
  }
  section.texts("filters", profile.filters);
  section.number("front_limit", profile.front_limit, 0, 1);
  section.tables("objectives", [&](Section& entry) {
    ObjectiveChoice choice;
    entry.needed("id", choice.id);
    entry.number("weight", choice.weight, 0, 1e9);
    entry.number("resolution", choice.resolution, 1e-12, 1e12);
    read_on_error(entry, choice.on_error);
    entry.whole("max_age_s", choice.max_age_s, 0, 1'000'000'000);
    profile.objectives.push_back(std::move(choice));
  });
  section.tables("weighers", [&](Section& entry) {
    WeigherChoice choice;
    entry.needed("id", choice.id);
    entry.number("multiplier", choice.multiplier, -1e12, 1e12);
    profile.weighers.push_back(std::move(choice));
  });
}

}  // namespace

void read_decision(Section& root, Config& config) {
  root.table("decision", [&](Section& s) {
    s.text("profile", config.profile);
    s.whole("history_mib", config.history_mib, 0, 1'000'000);
    s.number("front_limit", config.front_limit, 0, 1);
  });
  config.plugins_given = root.find("plugin") != nullptr;
  root.tables("plugin", [&](Section& s) { read_plugin(s, config.plugins.emplace_back()); });
  root.tables("profile", [&](Section& s) {
    config.profiles.emplace_back().front_limit = config.front_limit;
    read_profile(s, config.profiles.back());
  });
}

}  // namespace emplace
