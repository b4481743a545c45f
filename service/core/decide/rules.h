// Filter, Objective, Weigher: the three kinds of rule a decision is made of, built in or from a plugin alike. One call
// does all candidates; there is never a call per host.
//   filter:    may it? keeps or refuses a host, with a reason
//   objective: at what cost? a number per host, lower is better, with a unit and a resolution
//   weigher:   Nova's: how good is it? higher wins, normalised over the hosts at hand; for profiles of method "nova"
// A rule that can't answer returns an Error; what then happens is the caller's business and is always in the answer.
//
// Threads: rules are used by many decisions at once; all methods are const and safe to call concurrently.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "service/core/base/numbers.h"
#include "service/core/base/result.h"
#include "service/core/decide/query.h"

namespace emplace {

// A set of host rows.
class Candidates {
 public:
  explicit Candidates(std::uint32_t rows = 0) : rows_(rows), words_((rows + 63) / 64) {}
  std::uint32_t rows() const { return rows_; }
  bool has(std::uint32_t row) const { return (words_[row >> 6] >> (row & 63)) & 1u; }
  void insert(std::uint32_t row) { words()[row >> 6] |= std::uint64_t{1} << (row & 63); }
  void erase(std::uint32_t row) { words()[row >> 6] &= ~(std::uint64_t{1} << (row & 63)); }
  std::span<std::uint64_t> words() {
    listed_.reset();
    return words_;
  }
  std::span<const std::uint64_t> words() const { return words_; }
  std::size_t count() const;
  std::vector<std::uint32_t> to_rows() const;  // rising
  // The same, kept until the set changes: most filters are asked about the set of the one before.
  std::shared_ptr<const std::vector<std::uint32_t>> list_rows();

 private:
  std::uint32_t rows_;
  std::vector<std::uint64_t> words_;
  std::shared_ptr<const std::vector<std::uint32_t>> listed_;  // null: not listed since it changed
};

enum class CostClass : std::uint8_t { kCheap, kMedium, kExpensive };

using RuleValue = std::variant<std::monostate, double, std::string>;

// Why a host was refused, as data.
struct Refusal {
  std::string code;  // "capacity.memory"
  RuleValue wanted = {};
  RuleValue found = {};
  std::string unit = {};
};

struct RuleTraits {
  std::string id;           // "capacity", "affinity.memory", "ComputeFilter"
  std::string description;  // one sentence
  CostClass cost_class = CostClass::kCheap;
  std::vector<std::string> reads_parts = {};  // parts of a request it reads ("vm.zone"; a trailing '*' takes all below)
  std::string plugin = {};                    // empty: built in
  std::string version = {};
};

class Filter {
 public:
  virtual ~Filter() = default;
  virtual const RuleTraits& traits() const = 0;
  // For each host in `kept` that is refused: erases it there and writes a reason > 0 to reasons[row]. A host that could
  // not be judged, for want of data, stays and gets a reason, too; how many these are is returned.
  virtual Result<std::uint32_t> screen(const Query& query, Candidates& kept, std::span<std::uint8_t> reasons) const = 0;
  // Called only when somebody asks for the sentence behind a reason.
  virtual Refusal explain(const Query& query, std::uint32_t host, std::uint8_t reason) const = 0;
};

enum class Quality : std::uint8_t { kOk, kStale, kNoData };

struct Costs {
  std::vector<double> values;      // one per host asked for; undefined where there is no data
  std::vector<Quality> quality;    // as long as values
  std::string stale_because = {};  // where the values stand in for others: what a person has to know
};

class Objective {
 public:
  virtual ~Objective() = default;
  virtual const RuleTraits& traits() const = 0;
  virtual std::string_view unit() const = 0;
  virtual double default_resolution() const = 0;
  virtual double default_weight() const = 0;
  // The marginal cost of having this vm on each of `hosts` (rows, rising). All kNoData: no data for the request.
  virtual Result<Costs> evaluate(const Query& query, std::span<const std::uint32_t> hosts) const = 0;
};

struct Weights {
  std::vector<double> raw;                           // one per host asked for, or one for all; NaN: no data
  std::vector<double> multipliers;                   // one per host, NaN: the profile's; or empty: that for all
  std::optional<double> minimum = {}, maximum = {};  // the weigher's own bounds for normalising
  std::optional<Extremes> range = {};                // of raw, where it is known; then raw is finite
};

class Weigher {
 public:
  virtual ~Weigher() = default;
  virtual const RuleTraits& traits() const = 0;
  virtual double default_multiplier() const = 0;
  virtual Result<Weights> weigh(const Query& query, std::span<const std::uint32_t> hosts) const = 0;
};

// What a vm takes of its host beyond vCPUs, memory, disk and cells: dedicated cores, pages, PCI devices.
struct Taking {
  std::string takes = {};  // as VmRow has it (takes.h)
  std::string spec = {};   // JSON: what of the RequestSpec is otherwise for the next vm of the request; or empty
};

// A plugin that knows of such things. It counts what vms, claims and reservations took by their rows in the picture.
class Consumer {
 public:
  virtual ~Consumer() = default;
  virtual const RuleTraits& traits() const = 0;
  // What the query's vm takes of a host. Where it does not fit, it takes nothing: filters refuse.
  virtual Result<Taking> take(const Query& query, std::uint32_t host) const = 0;
};

// ---- a profile, and the rules it names

enum class RankMethod { kChebyshev, kKnee, kLexicographic, kWeightedSum, kTopsis, kNova };
enum class OnError { kDrop, kLastGood, kFail };

struct ObjectiveChoice {
  std::string id;
  std::optional<double> weight = {};  // none: the objective's default, also below
  std::optional<double> resolution = {};
  OnError on_error = OnError::kDrop;
  std::int64_t max_age_s = 300;
};
struct WeigherChoice {
  std::string id;
  std::optional<double> multiplier = {};
};
struct Profile {
  std::string name;
  RankMethod method = RankMethod::kChebyshev;
  std::vector<std::string> filters;
  std::vector<ObjectiveChoice> objectives;  // at most six
  std::vector<WeigherChoice> weighers;      // method nova
  double front_limit = 0.25;                // more of the candidates on the front: front_too_wide
};

// A profile with its names resolved; immutable, shared by the decisions that use it.
struct Rules {
  Profile profile;
  std::vector<std::shared_ptr<const Filter>> filters;           // cheap ones first, otherwise in the profile's order
  std::vector<std::shared_ptr<const Objective>> objectives;     // as profile.objectives
  std::vector<std::shared_ptr<const Weigher>> weighers;         // as profile.weighers
  std::vector<std::shared_ptr<const Consumer>> consumers = {};  // of the plugins that these rules are of
};

// Everything that profiles may name.
struct Catalogue {
  std::vector<std::shared_ptr<const Filter>> filters;
  std::vector<std::shared_ptr<const Objective>> objectives;
  std::vector<std::shared_ptr<const Weigher>> weighers;
  std::vector<std::shared_ptr<const Consumer>> consumers = {};
};
// capacity, state, zone, traits, group, spread; resource.load, resource.stranding, group.fit.
Catalogue built_in_rules();
// Of the default profile's rules (the above, and affinity.memory, affinity.network, affinity.data) those that the
// catalogue has.
Profile default_profile(const Catalogue& catalogue);
// Fills in default weights, resolutions and multipliers. kInvalid naming the profile's key for an unknown rule or one
// named twice, more than six objectives, a number out of range, objectives or weighers that the method would not read.
Result<Rules> resolve(const Profile& profile, const Catalogue& catalogue);

// What the query's vm takes of a host by its resource classes and by all consumers of these rules. An Error of one of
// them is that of all: what is not counted would be given to others too.
Result<Taking> take(const Rules& rules, const Query& query, std::uint32_t host);

std::string_view to_string(RankMethod method);
std::optional<RankMethod> parse_rank_method(std::string_view text);

}  // namespace emplace
