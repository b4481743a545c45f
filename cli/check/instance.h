// Instance: the plugin's code in this process with one configuration, asked without the service's safeguards: what
// comes back is an Answer, whatever it is. A cell is what a rule said of one host, as bits, so that two answers can be
// compared whatever the kind of rule.
//
// Threads: ask() and explain() may be called by several threads when the manifest says so and the instance is not
// watched.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cli/check/question.h"
#include "cli/check/subject.h"
#include "service/plugins/library.h"
#include "service/plugins/observed.h"

namespace emplace::check {

struct Cell {
  std::uint64_t value = 0;   // filter: 1 keeps; objective: bits of the cost, 0 without data; weigher: bits of the value
  std::uint64_t second = 0;  // filter: the reason; objective: the quality; weigher: bits of the multiplier
  bool operator==(const Cell&) const = default;
};

struct Answer {
  bool ok = false;
  std::string error;             // where it is not: one sentence
  std::uint32_t count = 0;       // of hosts that it says it judged
  bool overran = false;          // wrote past the end of a result
  std::vector<Cell> cells = {};  // one per host asked about
  bool operator==(const Answer& other) const { return ok == other.ok && cells == other.cells; }
};

struct Explained {
  std::string error;  // empty: it did
  std::string code;
};

class Instance {
 public:
  static constexpr std::int64_t kNoHurry = 0;

  // `configuration` is complete.
  static Result<std::unique_ptr<Instance>> make(const Setting& setting, const std::string& configuration,
                                                bool watched = true);
  // With the subject's own configuration; a plugin that can't be made here ended the tests before.
  static std::unique_ptr<Instance> make(const Setting& setting);
  Instance(const Setting& setting, std::unique_ptr<PluginInstance> plugin, bool watched);
  ~Instance();

  Answer ask(const Rule& rule, const Question& question, std::span<const std::uint32_t> hosts,
             std::int64_t deadline_us = kNoHurry);
  Answer ask(const Rule& rule, const Question& question) { return ask(rule, question, question.hosts()); }
  // `rule` is a filter.
  Explained explain(const Rule& rule, const Question& question, std::uint32_t host, std::uint8_t reason);

 private:
  template <typename Use>
  void with_call(const Rule& rule, const Question& question, std::span<const std::uint32_t> hosts,
                 std::int64_t deadline_us, std::string& error, Use&& use);
  void fill(const Rule& rule, const emplace_call& call, Answer& answer);

  // The last to go: until then what is destroyed is watched.
  struct Leaving {
    Watch* watch;
    ~Leaving() {
      if (watch) watch->leave();
    }
  };
  const Subject& subject_;
  Watch* const watch_;  // null: not watched
  const Leaving leaving_;
  const std::unique_ptr<PluginInstance> plugin_;  // outlives pictures_
  ObservedPictures pictures_;
};

// What is wrong with an answer about `hosts` hosts by the rules of plugin.h; nothing: it is one that the service takes.
std::optional<std::string> fault_in(const Rule& rule, const Answer& answer, std::size_t hosts);
// A cell for a person: "kept", "refused with 3", "12.5", "no data".
std::string to_text(const Rule& rule, const Cell& cell);

}  // namespace emplace::check
