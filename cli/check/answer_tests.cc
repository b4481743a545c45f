#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <map>

#include "cli/check/instance.h"
#include "cli/check/samples.h"
#include "cli/check/tests.h"

namespace emplace::check {
namespace {

constexpr int kClusters = 4;

// How much of a rule the random questions reached: one that never refuses, or never has data, was hardly tested.
struct Share {
  std::size_t all = 0, part = 0;  // refused; with data

  void add(Kind kind, const Cell& cell) {
    ++all;
    part += kind == Kind::kFilter      ? cell.value == 0
            : kind == Kind::kObjective ? cell.second != EMPLACE_QUALITY_NO_DATA
                                       : !std::isnan(std::bit_cast<double>(cell.value));
  }
  std::string text(const Rule& rule) const {
    return fmt::format("{}: {} {:.0f} % of hosts", rule.id, rule.kind == Kind::kFilter ? "refused" : "had data for",
                       all == 0 ? 0 : 100.0 * static_cast<double>(part) / static_cast<double>(all));
  }
};

// Lower case, and begins with the filter's name, or with the plugin's where Nova chose the filter's.
bool is_code_of(const Manifest& manifest, const Rule& rule, const std::string& code) {
  const bool plain = std::ranges::all_of(code, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';
  });
  const auto begins_with = [&](const std::string& name) {
    return code.starts_with(name) && (code.size() == name.size() || code[name.size()] == '.');
  };
  return !code.empty() && plain && (begins_with(rule.id) || begins_with(manifest.id));
}

template <typename Use>
void for_samples(const Setting& setting, const char* test, Use&& use) {
  Random random = random_for(setting.seed, test);
  for (int i = 0; i < kClusters; ++i) {
    const Sample sample = random_sample_of(random);
    const auto instance = Instance::make(setting);
    for (const std::string& body : sample.requests) {
      const Question question(sample.picture, body);
      for (const Rule& rule : setting.subject->rules) use(*instance, rule, question);
    }
  }
}

// How many it refused.
std::size_t explain_all(const Setting& setting, Instance& instance, const Rule& rule, const Question& question,
                        Findings& findings) {
  std::size_t refused = 0;
  const Answer answer = instance.ask(rule, question);
  for (std::size_t i = 0; i < answer.cells.size() && !findings.full(); ++i) {
    if (answer.cells[i].value) continue;
    ++refused;
    const std::uint32_t host = question.hosts()[i];
    const auto said = instance.explain(rule, question, host, static_cast<std::uint8_t>(answer.cells[i].second));
    if (!said.error.empty()) {
      findings.fault(fmt::format("{}: explain of {}: {}", rule.id, question.name(host), said.error));
    } else if (!is_code_of(setting.subject->manifest, rule, said.code)) {
      findings.fault(fmt::format("{}: wanted a lower-case code that begins with \"{}.\", found \"{}\"", rule.id,
                                 rule.id, said.code));
    }
  }
  return refused;
}

}  // namespace

Findings test_truth(const Setting& setting) {
  Findings findings;
  // Each rule alone: what another rule names must not help it.
  for (const Rule& rule : setting.subject->rules) {
    const Subject narrow = setting.subject->narrowed(rule);
    Setting alone = setting;
    alone.subject = &narrow;
    for_samples(alone, "truth", [&](Instance& instance, const Rule&, const Question& question) {
      if (findings.full()) return;
      const Answer answer = instance.ask(rule, question);
      if (!answer.ok) findings.fault(fmt::format("{}: {}", rule.id, answer.error));
    });
  }
  return findings;
}

Findings test_results(const Setting& setting) {
  Findings findings;
  std::map<std::string, Share> shares;
  for_samples(setting, "results", [&](Instance& instance, const Rule& rule, const Question& question) {
    const Answer answer = instance.ask(rule, question);
    if (const auto fault = fault_in(rule, answer, question.hosts().size())) {
      findings.fault(fmt::format("{}: {}", rule.id, *fault));
    }
    for (const Cell& cell : answer.cells) shares[rule.id].add(rule.kind, cell);
  });
  for (const Rule& rule : setting.subject->rules) {
    const std::string share = shares[rule.id].text(rule);
    shares[rule.id].part == 0 ? findings.not_exercised(share) : findings.note(share);
  }
  return findings;
}

Findings test_explain(const Setting& setting) {
  Findings findings;
  std::map<std::string, std::size_t> refused;  // by filter
  for (const Rule& rule : setting.subject->rules) {
    if (rule.kind == Kind::kFilter) refused[rule.id] = 0;
  }
  if (refused.empty()) {
    findings.skip("it has no filters");
    return findings;
  }
  for_samples(setting, "explain", [&](Instance& instance, const Rule& rule, const Question& question) {
    if (rule.kind == Kind::kFilter) refused[rule.id] += explain_all(setting, instance, rule, question, findings);
  });
  for (const auto& [filter, count] : refused) {
    const std::string explained = fmt::format("{}: {} refusals explained", filter, count);
    count == 0 ? findings.not_exercised(explained) : findings.note(explained);
  }
  return findings;
}

Findings test_deadline(const Setting& setting) {
  constexpr std::int64_t kLongPast = 1;  // the machine's first microsecond
  Findings findings;
  for_samples(setting, "deadline", [&](Instance& instance, const Rule& rule, const Question& question) {
    const Answer calm = instance.ask(rule, question);
    const Answer hurried = instance.ask(rule, question, question.hosts(), kLongPast);
    // To give up with an error is allowed.
    if (hurried.ok && calm.ok && !(hurried == calm)) findings.fault(rule.id + ": answers differently in a hurry");
  });
  return findings;
}

}  // namespace emplace::check
