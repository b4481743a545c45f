#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <map>
#include <set>

#include "cli/check/instance.h"
#include "cli/check/samples.h"
#include "cli/check/tests.h"

namespace emplace::check {
namespace {

constexpr int kComparedClusters = 3;

using ByName = std::map<std::string, Cell>;

ByName by_name(const Question& question, std::span<const std::uint32_t> hosts, const Answer& answer) {
  ByName cells;
  for (std::size_t i = 0; i < answer.cells.size(); ++i) cells[question.name(hosts[i])] = answer.cells[i];
  return cells;
}

// An answer from an instance that was never asked before.
ByName ask_fresh(const Setting& setting, const Rule& rule, const Question& question,
                 std::span<const std::uint32_t> hosts) {
  return by_name(question, hosts, Instance::make(setting)->ask(rule, question, hosts));
}
ByName ask_fresh(const Setting& setting, const Rule& rule, const Question& question) {
  return ask_fresh(setting, rule, question, question.hosts());
}

// The first host of both that differs, as a sentence.
std::optional<std::string> difference(const Rule& rule, const ByName& one, const ByName& other, const char* when) {
  for (const auto& [name, cell] : one) {
    const auto at = other.find(name);
    if (at == other.end() || at->second == cell) continue;
    return fmt::format("{}: {} was {}, and {} {}", rule.id, name, to_text(rule, cell), to_text(rule, at->second), when);
  }
  return std::nullopt;
}

void compare(const Rule& rule, const ByName& one, const ByName& other, const char* when, Findings& findings) {
  if (const auto found = difference(rule, one, other, when)) findings.fault(*found);
}

template <typename Use>
void compare_samples(const Setting& setting, const char* test, Use&& use) {
  Random random = random_for(setting.seed, test);
  for (int i = 0; i < kComparedClusters; ++i) use(random_sample_of(random), random);
}

// Hosts that nothing in the cluster refers to.
std::vector<std::string> unrelated_hosts(const std::vector<Change>& cluster) {
  std::set<std::string> hosts;
  for (const Change& change : cluster) {
    if (const auto* host = std::get_if<HostRow>(&change)) hosts.insert(host->name);
  }
  for (const Change& change : cluster) {
    if (const auto* vm = std::get_if<VmRow>(&change)) hosts.erase(vm->host);
    if (const auto* copies = std::get_if<SourceHostsRow>(&change)) {
      for (const std::string& host : copies->hosts) hosts.erase(host);
    }
  }
  return {hosts.begin(), hosts.end()};
}

// What may upset a plugin that keeps something: other requests, no hosts, another picture, a reason it never gave.
void disturb(Instance& instance, const Setting& setting, const Sample& sample, const Picture& elsewhere) {
  const auto other = std::make_shared<const Picture>(elsewhere);
  for (const std::string& body : sample.requests) {
    const Question here(sample.picture, body), there(other, body);
    for (const Rule& rule : setting.subject->rules) {
      instance.ask(rule, here);
      instance.ask(rule, here, {});
      instance.ask(rule, there);
      if (rule.kind == Kind::kFilter) instance.explain(rule, here, here.hosts().front(), 255);
    }
  }
}

}  // namespace

Findings test_repeat(const Setting& setting) {
  Findings findings;
  std::vector<std::uint64_t> all;
  compare_samples(setting, "repeat", [&](const Sample& sample, Random&) {
    for (const std::string& body : sample.requests) {
      const Question question(sample.picture, body);
      for (const Rule& rule : setting.subject->rules) {
        const auto instance = Instance::make(setting);
        const Answer first = instance->ask(rule, question), second = instance->ask(rule, question);
        compare(rule, by_name(question, question.hosts(), first), by_name(question, question.hosts(), second),
                "when asked again", findings);
        for (const Cell& cell : first.cells) all.insert(all.end(), {cell.value, cell.second});
      }
    }
  });
  findings.digest(XXH3_64bits(all.data(), all.size() * sizeof all[0]));
  return findings;
}

Findings test_order(const Setting& setting) {
  Findings findings;
  compare_samples(setting, "order", [&](const Sample& sample, Random& random) {
    const auto moved = picture_of(shuffled(sample.cluster, random));
    for (const std::string& body : sample.requests) {
      const Question before(sample.picture, body), after(moved, body);
      for (const Rule& rule : setting.subject->rules) {
        compare(rule, ask_fresh(setting, rule, before), ask_fresh(setting, rule, after), "in another row", findings);
      }
    }
  });
  return findings;
}

Findings test_subset(const Setting& setting) {
  Findings findings;
  compare_samples(setting, "subset", [&](const Sample& sample, Random& random) {
    for (const std::string& body : sample.requests) {
      const Question question(sample.picture, body);
      std::vector<std::uint32_t> some;
      for (const std::uint32_t host : question.hosts()) {
        if (random() % 2) some.push_back(host);
      }
      const std::vector<std::uint32_t> one{question.hosts()[random() % question.hosts().size()]};
      for (const Rule& rule : setting.subject->rules) {
        const ByName all = ask_fresh(setting, rule, question);
        compare(rule, all, ask_fresh(setting, rule, question, some), "among fewer candidates", findings);
        compare(rule, all, ask_fresh(setting, rule, question, one), "as the only candidate", findings);
      }
    }
  });
  return findings;
}

Findings test_removal(const Setting& setting) {
  Findings findings;
  std::set<std::string> not_separable;
  Random random = random_for(setting.seed, "removal");
  for (int i = 0; i < kComparedClusters; ++i) {
    const Sample sample = random_sample_of(random, kHosts, kHosts / 2);
    const auto unrelated = unrelated_hosts(sample.cluster);
    if (unrelated.empty()) continue;
    const auto fewer = with_changes(sample.picture, {HostRemoved{unrelated[random() % unrelated.size()]}});
    for (const std::string& body : sample.requests) {
      const Question before(sample.picture, body), after(fewer, body);
      for (const Rule& rule : setting.subject->rules) {
        const auto found = difference(rule, ask_fresh(setting, rule, before), ask_fresh(setting, rule, after),
                                      "once an unrelated host was gone");
        if (!found) continue;
        // What a host costs may be measured against all others; what it is allowed may not.
        rule.kind == Kind::kFilter ? findings.fault(*found) : void(not_separable.insert(rule.id));
      }
    }
  }
  for (const std::string& rule : not_separable) findings.note(rule + " depends on hosts that are unrelated");
  return findings;
}

Findings test_state(const Setting& setting) {
  Findings findings;
  compare_samples(setting, "state", [&](const Sample& sample, Random& random) {
    const auto elsewhere = picture_of(random_cluster(random, 5, 9));
    for (const Rule& rule : setting.subject->rules) {
      const Question question(sample.picture, sample.requests.front());
      const auto instance = Instance::make(setting);
      const Answer before = instance->ask(rule, question);
      disturb(*instance, setting, sample, *elsewhere);
      const Answer after = instance->ask(rule, question);
      compare(rule, by_name(question, question.hosts(), before), by_name(question, question.hosts(), after),
              "after other requests", findings);
      if (before.ok != after.ok) findings.fault(fmt::format("{}: {} after other requests", rule.id, after.error));
    }
  });
  return findings;
}

Findings test_observer(const Setting& setting) {
  Findings findings;
  if (!setting.subject->manifest.has_observer) {
    findings.skip("it has no observer");
    return findings;
  }
  compare_samples(setting, "observer", [&](const Sample& sample, Random& random) {
    const auto following = Instance::make(setting);
    std::vector<std::shared_ptr<const Picture>> pictures{sample.picture};
    for (std::uint64_t step = 1; step <= 12 && !findings.full(); ++step) {
      // Each fourth is a what-if: it follows an older picture, and none follows it.
      const auto base = step % 4 == 0 ? pictures[random() % pictures.size()] : pictures.back();
      std::vector<Change> changes;
      for (std::uint64_t i = 1 + random() % 4; i-- > 0;) {
        changes.push_back(random_change(random, kHosts, kVms, step));
      }
      const auto next = with_changes(base, changes);
      if (step % 4 != 0) pictures.push_back(next);
      const std::string& body = sample.requests[step % sample.requests.size()];
      const Question question(next, body);
      for (const Rule& rule : setting.subject->rules) {
        compare(rule, ask_fresh(setting, rule, question),
                by_name(question, question.hosts(), following->ask(rule, question)), "when changes were followed",
                findings);
      }
    }
  });
  return findings;
}

}  // namespace emplace::check
