#include "cli/usage.h"

#include <algorithm>
#include <map>

namespace emplace::cli {
namespace {

constexpr std::size_t kMostMistakes = 2;

// The optimal string alignment distance: insertions, deletions, substitutions and swaps of neighbours.
std::size_t mistakes(const std::string& a, const std::string& b) {
  std::vector<std::vector<std::size_t>> cost(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) {
    for (std::size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        cost[i][j] = i + j;
        continue;
      }
      const bool same = a[i - 1] == b[j - 1];
      cost[i][j] = std::min({cost[i - 1][j] + 1, cost[i][j - 1] + 1, cost[i - 1][j - 1] + (same ? 0 : 1)});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
    }
  }
  return cost[a.size()][b.size()];
}

const std::map<std::string, const char*>& examples() {
  static const std::map<std::string, const char*> kExamples = {
      {"",
       "emplace status\n"
       "emplace place --vcpus 2 --memory 4GiB --disk 20 --dry-run\n"
       "emplace explain web-1\n"
       "emplace help vms migrate"},
      {"status", "emplace --url http://scheduler:8790 --token-file reader.token status"},
      {"doctor",
       "emplace --data /var/lib/emplace doctor\nemplace --json doctor | jq '.checks[] | select(.level != \"ok\")'"},
      {"place",
       "emplace place --vcpus 2 --memory 4GiB --disk 20 --dry-run --explain full\n"
       "emplace place --name web-1 --vcpus 2 --memory 4GiB --group web --claim\n"
       "emplace place --name web-1 --vcpus 2 --memory 4GiB --disk 20 --start --wait --parameter network=default\n"
       "emplace place --request placement.json"},
      {"explain", "emplace explain web-1\nemplace explain a0019c1e\nemplace --json explain web-1 | jq -r .why"},
      {"decisions", "emplace decisions\nemplace decisions --vm web-1\nemplace decisions --project shop --sort time"},
      {"replay", "emplace replay a0019c1e-e6ae-4349-9641-22aa6a8cd0e8"},
      {"hosts",
       "emplace hosts\nemplace hosts --state enabled --sort -name\nemplace hosts h3\nemplace hosts set h3 maintenance"},
      {"hosts set", "emplace hosts set h3 maintenance\nemplace hosts set h3 enabled"},
      {"hosts remove", "emplace hosts remove old-1"},
      {"hosts drain", "emplace hosts drain h3 --wait\nemplace hosts drain h3 --wait --at-once 4 --timeout 7200"},
      {"vms", "emplace vms\nemplace vms --host h3 --state running\nemplace vms web-1\nemplace vms --verify"},
      {"vms migrate",
       "emplace vms migrate web-1 --to h2 --wait\nemplace vms migrate web-1 --option post_copy=true --option "
       "max_downtime_ms=50"},
      {"vms delete", "emplace vms delete web-1"},
      {"claims", "emplace claims\nemplace claims confirm 0b6e2c1a-6f0e-4c86-9a52-0e3d4c5b6a79"},
      {"claims confirm", "emplace claims confirm 0b6e2c1a-6f0e-4c86-9a52-0e3d4c5b6a79"},
      {"claims release",
       "emplace claims release 0b6e2c1a-6f0e-4c86-9a52-0e3d4c5b6a79\nemplace claims release --all-of web-1\n"
       "emplace claims release --older-than 2h"},
      {"plugins", "emplace plugins"},
      {"plugin", "emplace plugin list\nemplace plugin new heat"},
      {"plugin list", "emplace plugin list\nemplace plugin list heat/build"},
      {"plugin columns", "emplace plugin columns | grep ^hosts"},
      {"plugin new", "emplace plugin new heat --directory ~/heat"},
      {"plugin check",
       "emplace plugin check heat/build/libemplace_heat.so --seed 7 --junit report.xml\n"
       "emplace plugin check heat.json --config '{\"limit\": 3}' --only repeat"},
      {"groups", "emplace groups\nemplace groups put web anti-affinity"},
      {"groups put", "emplace groups put web anti-affinity --max-per-host 2\nemplace groups put db affinity"},
      {"groups delete", "emplace groups delete web"},
      {"tokens", "emplace tokens new planner portal --file /etc/emplace/tokens"},
      {"tokens new",
       "emplace tokens new planner portal --file /etc/emplace/tokens > portal.token\nemplace tokens new project:shop "
       "shop"},
      {"profiles", "emplace profiles\nemplace profiles show default\nemplace profiles put packing packing.json"},
      {"profiles show", "emplace profiles show default > mine.json"},
      {"profiles put", "emplace profiles put packing packing.json"},
      {"profiles delete", "emplace profiles delete packing"},
      {"import",
       "emplace import inventory.json\nemplace --url http://a:8790 export | emplace --url http://b:8790 import -"},
      {"export", "emplace export inventory.json\nemplace export | jq '.hosts[].name'"},
      {"config", "emplace config import /etc/nova/nova.conf >> emplaced.toml"},
      {"config import",
       "emplace config import /etc/nova/nova.conf >> emplaced.toml && emplaced --config emplaced.toml --check-config"},
      {"nova", "emplace nova doctor"},
      {"nova doctor", "emplace nova doctor --conf /etc/nova/nova.conf --conf /etc/nova/nova-scheduler.conf"},
      {"events", "emplace events | tail\nemplace events --follow\nemplace --json events --after 4711 | jq -r .at"},
      {"simulate",
       "emplace simulate trace.csv --hosts inventory.json\n"
       "emplace simulate VM_data_C1.csv --hosts PM_res.csv --format huawei --policy in-process --policy best-fit"},
      {"completion",
       "source <(emplace completion bash)\nemplace completion fish > ~/.config/fish/completions/emplace.fish"},
      {"help", "emplace help\nemplace help vms migrate"},
  };
  return kExamples;
}

}  // namespace

std::string examples_of(const std::string& command) {
  const auto found = examples().find(command);
  if (found == examples().end()) return {};
  std::string text = "Examples:\n  ";
  for (const char* at = found->second; *at != '\0'; ++at) {
    text += *at;
    if (*at == '\n') text += "  ";
  }
  if (command == "place" || command == "explain") text += "\nObjectives and their units: docs/objectives.md";
  return text;
}

std::string closest(const std::string& word, const std::vector<std::string>& candidates) {
  std::string best;
  std::size_t least = kMostMistakes + 1;
  std::vector<std::string> begun;
  for (const std::string& candidate : candidates) {
    const std::size_t wrong = mistakes(word, candidate);
    if (wrong < least && 2 * wrong < candidate.size()) {
      best = candidate;
      least = wrong;
    }
    if (!word.empty() && candidate.starts_with(word)) begun.push_back(candidate);
  }
  if (!best.empty()) return best;
  return begun.size() == 1 ? begun.front() : std::string();
}

}  // namespace emplace::cli
