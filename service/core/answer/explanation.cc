#include "service/core/answer/explanation.h"

#define XXH_INLINE_ALL  // hashes of a few bytes each, of every host
#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <set>

#include "service/core/base/time_text.h"
#include "service/core/decide/rule_book.h"

namespace emplace {
namespace {

// One instance with what it was decided on.
struct View {
  const Placement& placement;
  const Instance& instance;
  const Picture& picture;

  const Decision& decision() const { return *instance.decision; }
  std::string_view host_name(std::uint32_t row) const { return picture[hosts::name][row]; }
};

View view_of(const Placement& placement, std::size_t i) {
  return {placement, placement.instances[i], *placement.instances[i].picture};
}

std::string_view text_of(Quality quality) {
  switch (quality) {
    case Quality::kOk:
      return "ok";
    case Quality::kStale:
      return "stale";
    case Quality::kNoData:
      return "no_data";
  }
  return "";
}

void write_value(JsonWriter& writer, const RuleValue& value) {
  if (const auto* number = std::get_if<double>(&value)) {
    writer.number(*number);
  } else if (const auto* text = std::get_if<std::string>(&value)) {
    writer.text(*text);
  } else {
    writer.null();
  }
}

void write_costs(JsonWriter& writer, const CostTable& costs, std::size_t index) {
  writer.key("costs").open();
  for (const CostColumn& column : costs.columns) {
    writer.key(column.id).open().key("value");
    column.quality[index] == Quality::kNoData ? writer.null() : writer.number(column.values[index]);
    writer.text("unit", column.unit).text("quality", text_of(column.quality[index])).close();
  }
  writer.close();
}

void write_weights(JsonWriter& writer, const Ranking& ranking, std::size_t index) {
  if (index < ranking.totals.size()) writer.number("weight", ranking.totals[index]);
  if (!ranking.weights.empty()) write_weighers(writer, ranking, index);
}

void write_ranking(JsonWriter& writer, const View& view) {
  const Decision& decision = view.decision();
  const std::size_t wanted = std::size_t{1} + view.placement.request->options.alternates;
  writer.key("ranking").open_list();
  for (std::size_t i = 0; i < std::min(wanted, decision.ranking.order.size()); ++i) {
    const Ranked& ranked = decision.ranking.order[i];
    writer.open().text("host", view.host_name(decision.costs.hosts[ranked.index])).flag("front", ranked.front);
    write_costs(writer, decision.costs, ranked.index);
    write_weights(writer, decision.ranking, ranked.index);
    writer.close();
  }
  writer.close_list();
}

void write_refused(JsonWriter& writer, const View& view) {
  const Screened& screened = view.decision().screened;
  std::int64_t total = 0;
  for (const std::uint32_t count : screened.counts) total += count;
  writer.key("refused").open().whole("count", total).key("by_filter").open();
  for (std::size_t i = 0; i < screened.counts.size(); ++i) {
    if (screened.counts[i] > 0) writer.whole(view.placement.rules->filters[i]->traits().id, screened.counts[i]);
  }
  writer.close().close();
}

// Rows of refused hosts by name: nothing in an answer depends on row numbers.
std::vector<std::uint32_t> refused_by_name(const View& view) {
  const auto& refused_by = view.decision().screened.refused_by;
  std::vector<std::uint32_t> rows;
  for (std::uint32_t row = 0; row < refused_by.size(); ++row) {
    if (refused_by[row] > 0) rows.push_back(row);
  }
  std::sort(rows.begin(), rows.end(), [&](auto a, auto b) { return view.host_name(a) < view.host_name(b); });
  return rows;
}

void write_hosts(JsonWriter& writer, const View& view) {
  const Screened& screened = view.decision().screened;
  const auto query = bind(*view.placement.request, view.instance.vm, view.picture, view.placement.now_us);
  writer.key("hosts").open_list();
  if (query) {
    for (const std::uint32_t row : refused_by_name(view)) {
      const Filter& filter = *view.placement.rules->filters[screened.refused_by[row] - 1u];
      Refusal refusal = refusal_of(filter, *query, row, screened.reasons[row]);
      if (view.placement.request->discreet) refusal = {.code = std::move(refusal.code)};
      write_refusal(writer, {"name", "refused_by"}, view.host_name(row), filter.traits().id, refusal);
    }
  }
  writer.close_list();
}

void write_passed(JsonWriter& writer, const View& view) {
  const Decision& decision = view.decision();
  std::vector<std::size_t> order(decision.costs.hosts.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  const auto name = [&](std::size_t i) { return view.host_name(decision.costs.hosts[i]); };
  std::sort(order.begin(), order.end(), [&](auto a, auto b) { return name(a) < name(b); });
  writer.key("passed").open_list();
  for (const std::size_t i : order) {
    const bool front = std::binary_search(decision.front.begin(), decision.front.end(), static_cast<std::uint32_t>(i));
    writer.open().text("name", name(i)).flag("front", front);
    write_costs(writer, decision.costs, i);
    write_weights(writer, decision.ranking, i);
    writer.close();
  }
  writer.close_list();
}

// All of one instance but its claim. `besides`: what the picture goes without, whatever is decided on it.
void write_instance(JsonWriter& writer, const View& view, ExplainLevel level, const std::vector<Degraded>& besides) {
  const Decision& decision = view.decision();
  write_ranking(writer, view);
  if (level != ExplainLevel::kNone) {
    write_refused(writer, view);
    write_texts(writer, "no_data", decision.costs.without_data);
    writer.whole("front_size", static_cast<std::int64_t>(decision.front.size()));
  }
  if (level == ExplainLevel::kFull) {
    write_hosts(writer, view);
    write_passed(writer, view);
  }
  std::vector<Degraded> degraded = degraded_of(decision);
  degraded.insert(degraded.end(), besides.begin(), besides.end());
  write_degraded(writer, degraded);
  writer.flag("front_too_wide", decision.front_too_wide);
  writer.whole("candidates", static_cast<std::int64_t>(decision.costs.hosts.size()));
}

void write_claim_or_null(JsonWriter& writer, const Instance& instance) {
  writer.key("claim");
  instance.claim ? write_claim(writer, *instance.claim) : void(writer.null());
}

void write_picture(JsonWriter& writer, const Placement& placement) {
  writer.key("picture").open().text("replica", placement.version.replica);
  writer.whole("version", static_cast<std::int64_t>(placement.version.version));
  writer.whole("event_seq", placement.version.event_seq).close();
}

// "placements": one entry per instance, each with its vm. `also` adds what an answer or a document has besides.
template <typename Also>
void write_instances(JsonWriter& writer, const Placement& placement, ExplainLevel level,
                     const std::vector<Degraded>& besides, Also also) {
  if (placement.instances.size() == 1) {
    write_instance(writer, view_of(placement, 0), level, besides);
    return also(placement.instances[0], 0);
  }
  writer.key("placements").open_list();
  for (std::size_t i = 0; i < placement.instances.size(); ++i) {
    const VmRequest& vm = placement.instances[i].vm;
    writer.open().key("vm");
    vm.id.is_zero() ? writer.null() : writer.text(to_string(vm.id));
    writer.text_or_null("name", vm.name);
    write_instance(writer, view_of(placement, i), level, besides);
    also(placement.instances[i], i);
    writer.close();
  }
  writer.close_list();
}

std::uint64_t hash_of(std::string_view text, std::uint64_t seed) {
  return XXH3_64bits_withSeed(text.data(), text.size(), seed);
}

// Sums of hashes, so that the order of rows makes no difference.
std::uint64_t sum_of_refusals(const View& view) {
  const Screened& screened = view.decision().screened;
  const auto names = view.picture[hosts::name];
  std::uint64_t sum = 0;
  for (std::uint32_t row = 0; row < screened.refused_by.size(); ++row) {
    if (screened.refused_by[row] == 0) continue;
    sum += hash_of(names[row], std::uint64_t{screened.refused_by[row]} << 8 | screened.reasons[row]);
  }
  return sum;
}

std::uint64_t sum_of_costs(const View& view) {
  const CostTable& costs = view.decision().costs;
  const Ranking& ranking = view.decision().ranking;
  const auto names = view.picture[hosts::name];
  std::uint64_t sum = 0;
  std::vector<double> known;
  for (std::size_t i = 0; i < costs.hosts.size(); ++i) {
    known.clear();
    std::uint64_t qualities = 0;
    for (const CostColumn& column : costs.columns) {
      const Quality quality = column.quality[i];
      known.push_back(quality == Quality::kNoData ? 0.0 : column.values[i]);
      qualities = qualities * 4 + static_cast<std::uint64_t>(quality);
    }
    if (i < ranking.totals.size()) known.push_back(ranking.totals[i]);
    const std::uint64_t host = hash_of(names[costs.hosts[i]], qualities);
    sum += XXH3_64bits_withSeed(known.data(), known.size() * sizeof(double), host);
  }
  return sum;
}

}  // namespace

void write_claim(JsonWriter& writer, const Claim& claim) {
  writer.open().text("id", to_string(claim.id)).text("vm", to_string(claim.vm)).text_or_null("vm_name", claim.vm_name);
  writer.text_or_null("project", claim.project)
      .text_or_null("group", claim.group)
      .text("host", claim.host)
      .key("cells")
      .open_list();
  for (const std::uint32_t cell : claim.cells) writer.whole(cell);
  writer.close_list().text("state", claim.state).text("expires_at", time_text(claim.expires_at_us));
  writer.whole("generation", claim.generation);
  writer.text("taken_at", time_text(claim.taken_at_us));
  if (claim.existing) writer.flag("existing", true);
  writer.close();
}

void write_refusal(JsonWriter& writer, const RefusalKeys& keys, std::string_view host, std::string_view filter,
                   const Refusal& refusal) {
  writer.open().text(keys.host, host).text(keys.filter, filter).text("code", refusal.code);
  write_value(writer.key("wanted"), refusal.wanted);
  write_value(writer.key("found"), refusal.found);
  writer.text_or_null("unit", refusal.unit).close();
}

Refusal refusal_of(const Filter& filter, const Query& query, std::uint32_t host, std::uint8_t reason) {
  return reason == 0 ? Refusal{.code = filter.traits().id + ".failed"} : filter.explain(query, host, reason);
}

void write_degraded(JsonWriter& writer, std::span<const Degraded> degraded) {
  writer.key("degraded").open_list();
  for (const Degraded& one : degraded) writer.open().text("plugin", one.plugin).text("why", one.why).close();
  writer.close_list();
}

std::string words_of(const RuleValue& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  const auto* number = std::get_if<double>(&value);
  return number ? fmt::format("{}", *number) : "nothing";
}

Degraded degraded_of(const Unjudged& unjudged) {
  return {unjudged.filter,
          fmt::format("{} of {} hosts were not judged, for want of data: wanted {}, found {}", unjudged.hosts,
                      unjudged.of, words_of(unjudged.first.wanted), words_of(unjudged.first.found))};
}

std::vector<Degraded> degraded_of(const Decision& decision) {
  std::vector<Degraded> all;
  for (const Unjudged& one : decision.screened.unjudged) all.push_back(degraded_of(one));
  for (const auto* list : {&decision.screened.degraded, &decision.costs.degraded, &decision.ranking.degraded}) {
    all.insert(all.end(), list->begin(), list->end());
  }
  return all;
}

std::vector<Degraded> unread_cloud(const PlacementRequest& request) {
  std::vector<Degraded> all;
  for (const std::string& why : {request.unread_cloud, request.placement_note}) {
    if (!why.empty()) all.push_back({"openstack", why});
  }
  return all;
}

void write_texts(JsonWriter& writer, std::string_view key, std::span<const std::string> texts) {
  writer.key(key).open_list();
  for (const std::string& text : texts) writer.text(text);
  writer.close_list();
}

void write_weighers(JsonWriter& writer, const Ranking& ranking, std::size_t index) {
  writer.key("weighers").open();
  for (const WeighedColumn& column : ranking.weights) {
    writer.key(column.id).open();
    writer.number("raw", column.weight(index)).number("normalized", column.normalised(index));
    writer.number("multiplier", column.multipliers.empty() ? column.multiplier : column.multipliers[index]).close();
  }
  writer.close();
}

std::string answer_json(const Placement& placement, const Staleness& staleness) {
  return answer_json(placement, placement.request->options.explain, staleness);
}

std::string answer_json(const Placement& placement, ExplainLevel level, const Staleness& staleness) {
  JsonWriter writer;
  writer.open().key("decision_id");
  placement.decision_id.is_zero() ? writer.null() : writer.text(to_string(placement.decision_id));
  write_picture(writer, placement);
  writer.flag("stale", staleness.stale);
  if (staleness.stale) writer.number("age_s", staleness.age_s);
  writer.whole("took_us", placement.took_us).text("profile", placement.rules->profile.name);
  write_instances(writer, placement, level, unread_cloud(*placement.request),
                  [&](const Instance& instance, std::size_t) { write_claim_or_null(writer, instance); });
  write_texts(writer, "not_considered", placement.not_considered);
  writer.close();
  return writer.take();
}

std::string decision_document(const Placement& placement) {
  JsonWriter writer;
  writer.open();
  write_picture(writer, placement);
  writer.text("profile", placement.rules->profile.name);
  write_instances(writer, placement, ExplainLevel::kSummary, {}, [&](const Instance&, std::size_t i) {
    const View view = view_of(placement, i);
    writer.text("refusals_sum", fmt::format("{:016x}", sum_of_refusals(view)));
    writer.text("costs_sum", fmt::format("{:016x}", sum_of_costs(view)));
  });
  write_texts(writer, "not_considered", placement.not_considered);
  writer.close();
  return writer.take();
}

std::string replay_request(const Placement& placement) {
  JsonWriter writer;
  writer.open().key("request").raw(placement.request->document).key("vms").open_list();
  for (const Instance& instance : placement.instances) writer.text(to_string(instance.vm.id));
  writer.close_list().key("profile").raw(profile_json(placement.rules->profile));
  writer.text("digest", digest(*placement.rules)).whole("now_us", placement.now_us).key("chosen").open_list();
  for (const Instance& instance : placement.instances) {
    if (instance.claim) writer.text(instance.claim->host);
  }
  writer.close_list().close();
  return writer.take();
}

// ---- differences

namespace {

constexpr std::size_t kMostLines = 100;

class Comparison {
 public:
  void compare(std::optional<JsonValue> stored, std::optional<JsonValue> replayed, const std::string& path) {
    if (stored && replayed && stored->kind() == replayed->kind()) {
      if (stored->is_object()) return compare_members(*stored, *replayed, path);
      if (stored->is_array()) return compare_items(*stored, *replayed, path);
      if (to_json(*stored) == to_json(*replayed)) return;
    }
    add(path, stored, replayed);
  }

  std::vector<std::string> lines() && {
    if (count_ > kMostLines) lines_.push_back("and " + std::to_string(count_ - kMostLines) + " more");
    return std::move(lines_);
  }

 private:
  static std::string shown(std::optional<JsonValue> value) {
    if (!value) return "nothing";
    return value->is_text() ? std::string(value->text()) : value->found();
  }

  void add(const std::string& path, std::optional<JsonValue> stored, std::optional<JsonValue> replayed) {
    if (++count_ <= kMostLines) lines_.push_back(path + ": stored " + shown(stored) + ", now " + shown(replayed));
  }

  void compare_members(JsonValue stored, JsonValue replayed, const std::string& path) {
    const auto below = [&](std::string_view key) {
      return path.empty() ? std::string(key) : path + '.' + std::string(key);
    };
    for (std::size_t i = 0; i < stored.size(); ++i) {
      compare(stored.member(i), replayed.find(stored.key(i)), below(stored.key(i)));
    }
    for (std::size_t i = 0; i < replayed.size(); ++i) {
      if (!stored.find(replayed.key(i))) add(below(replayed.key(i)), std::nullopt, replayed.member(i));
    }
  }

  void compare_items(JsonValue stored, JsonValue replayed, const std::string& path) {
    for (std::size_t i = 0; i < std::max(stored.size(), replayed.size()); ++i) {
      compare(i < stored.size() ? std::optional(stored.item(i)) : std::nullopt,
              i < replayed.size() ? std::optional(replayed.item(i)) : std::nullopt,
              path + '[' + std::to_string(i) + ']');
    }
  }

  std::vector<std::string> lines_;
  std::size_t count_ = 0;
};

}  // namespace

std::vector<std::string> differences(std::string_view stored, std::string_view replayed) {
  if (stored == replayed) return {};
  const auto before = JsonDocument::parse(stored, "the stored decision");
  const auto after = JsonDocument::parse(replayed, "the replay");
  if (!before) return {before.error().message};
  if (!after) return {after.error().message};
  Comparison comparison;
  comparison.compare(before->root(), after->root(), "");
  auto lines = std::move(comparison).lines();
  if (lines.empty()) lines.push_back("the bytes differ, the values do not");
  return lines;
}

}  // namespace emplace
