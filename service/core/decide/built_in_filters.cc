#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cctype>
#include <cmath>

#include "service/core/base/clones.h"
#include "service/core/decide/built_in_rules.h"
#include "service/core/decide/cells.h"
#include "service/core/decide/resource_classes.h"

namespace emplace {
namespace {

// ---- 64 rows a word

// Bit i: values[i] >= wanted, for one word of rows.
EMPLACE_CLONES std::uint64_t at_least(const double* values, double wanted) {
  std::uint64_t word = 0;
  for (unsigned i = 0; i < 64; ++i) word |= values[i] >= wanted ? std::uint64_t{1} << i : 0;
  return word;
}

EMPLACE_CLONES std::uint64_t equal_to(const std::uint32_t* values, std::uint32_t wanted) {
  std::uint64_t word = 0;
  for (unsigned i = 0; i < 64; ++i) word |= values[i] == wanted ? std::uint64_t{1} << i : 0;
  return word;
}

std::uint64_t valid_word(const Chunk& chunk, std::uint32_t word) {
  return chunk.validity ? reinterpret_cast<const std::uint64_t*>(chunk.validity.get())[word] : ~std::uint64_t{0};
}

void refuse(std::uint32_t row, std::uint8_t reason, Candidates& kept, std::span<std::uint8_t> reasons) {
  kept.erase(row);
  reasons[row] = reason;
}

// Keeps the rows whose value is valid and passes `test`, which makes a word from the values of 64 rows. Chunks hold
// memory for all their rows, so the last word may read past the table's end.
template <typename T, typename Test>
void keep_where(const Picture& picture, Column<T> column, std::uint8_t reason, Candidates& kept,
                std::span<std::uint8_t> reasons, Test test) {
  const auto view = picture[column];
  constexpr std::uint32_t kChunkWords = kChunkRows / 64;
  for (std::uint32_t w = 0; w < kept.words().size(); ++w) {
    const std::uint64_t before = kept.words()[w];
    if (before == 0) continue;
    const std::uint32_t chunk = w / kChunkWords, word = w % kChunkWords;
    const std::uint64_t pass = test(view.values(chunk) + word * 64) & valid_word(view.chunk(chunk), word);
    for (std::uint64_t refused = before & ~pass; refused != 0; refused &= refused - 1) {
      reasons[w * 64 + static_cast<std::uint32_t>(std::countr_zero(refused))] = reason;
    }
    kept.words()[w] = before & pass;
  }
}

// Keeps the rows for which `test` holds, for tests that look at more than one value.
template <typename Test>
void keep_rows(std::uint8_t reason, Candidates& kept, std::span<std::uint8_t> reasons, Test test) {
  for (std::uint32_t w = 0; w < kept.words().size(); ++w) {
    for (std::uint64_t word = kept.words()[w]; word != 0; word &= word - 1) {
      const std::uint32_t row = w * 64 + static_cast<std::uint32_t>(std::countr_zero(word));
      if (!test(row)) refuse(row, reason, kept, reasons);
    }
  }
}

// ---- values for people

RuleValue text_or_none(std::string_view text) { return text.empty() ? RuleValue() : RuleValue(std::string(text)); }

RuleValue number_or_none(const std::optional<double>& number) { return number ? RuleValue(*number) : RuleValue(); }

std::string host_name(const Query& query, std::uint32_t host) { return std::string(query.picture[hosts::name][host]); }

std::string code_text(const Query& query, Column<std::uint32_t> column, std::uint32_t host) {
  return std::string(query.picture.text(query.picture[column].get(host).value_or(kNoRow)));
}

// ---- the filters

class BuiltInFilter : public Filter {
 public:
  explicit BuiltInFilter(RuleTraits traits) : traits_(std::move(traits)) {}
  const RuleTraits& traits() const override { return traits_; }

 private:
  const RuleTraits traits_;
};

class CapacityFilter final : public BuiltInFilter {
 public:
  CapacityFilter()
      : BuiltInFilter(
            {"capacity",
             "The host has room for the vm's vCPUs, memory, disk and other resource classes, and for its NUMA "
             "nodes.",
             CostClass::kCheap,
             {"vm.vcpus", "vm.memory_mib", "vm.disk_gib", "vm.numa_nodes",
              "request_spec.flavor.extra_specs.resources*"}}) {}

  Result<std::uint32_t> screen(const Query& query, Candidates& kept, std::span<std::uint8_t> reasons) const override {
    std::uint32_t unjudged = 0;
    if (query.vm.allocation_candidates) keep_candidates(query, kept, reasons);
    if (query.vm.resources.empty()) {
      keep_free(query, hosts::vcpus_free, query.vm.vcpus, kVcpus, kept, reasons);
      keep_free(query, hosts::memory_free_mib, query.vm.memory_mib, kMemory, kept, reasons);
      keep_free(query, hosts::disk_free_gib, query.vm.disk_gib, kDisk, kept, reasons);
    } else {
      unjudged = keep_resources(query, kept, reasons);
      keep_dedicated(query, kept, reasons);
    }
    if (query.vm.numa_nodes > 0) keep_cells(query, kept, reasons);
    return unjudged;
  }

  Refusal explain(const Query& query, std::uint32_t host, std::uint8_t reason) const override {
    const Picture& picture = query.picture;
    switch (reason) {
      case kVcpus:
        return {"capacity.vcpus", wanted(query, host, "VCPU", query.vm.vcpus),
                number_or_none(picture[hosts::vcpus_free].get(host)), "vcpus"};
      case kMemory:
        return {"capacity.memory", wanted(query, host, "MEMORY_MB", query.vm.memory_mib),
                number_or_none(picture[hosts::memory_free_mib].get(host)), "MiB"};
      case kDisk:
        return {"capacity.disk", wanted(query, host, "DISK_GB", query.vm.disk_gib),
                number_or_none(picture[hosts::disk_free_gib].get(host)), "GiB"};
      case kNuma:
        return {"capacity.numa", static_cast<double>(query.vm.numa_nodes), fitting_cells(query, host),
                "cells with room"};
      case kNoCandidate:
        return {"capacity.allocation_candidates", "an allocation candidate of Placement's", "none"};
      case kNoDedicated:
        return {"capacity.pcpu", query.vm.resources.at("PCPU"), 0.0, "PCPU"};
      default:
        return explain_class(query, host, reason == kUnknown);
    }
  }

 private:
  enum Reason : std::uint8_t { kVcpus = 1, kMemory, kDisk, kNuma, kResource, kNoDedicated, kNoCandidate, kUnknown };

  // Placement has judged the hosts that it knows.
  static void keep_candidates(const Query& query, Candidates& kept, std::span<std::uint8_t> reasons) {
    const std::vector<Uuid>& candidates = *query.vm.allocation_candidates;
    for (const std::uint32_t row : kept.to_rows()) {
      const auto provider = query.picture[hosts::provider].get(row);
      if (provider && !std::ranges::binary_search(candidates, *provider)) refuse(row, kNoCandidate, kept, reasons);
    }
  }

  // Who wants nothing of a resource fits even where it is overcommitted.
  static void keep_free(const Query& query, Column<double> free, double wanted, Reason reason, Candidates& kept,
                        std::span<std::uint8_t> reasons) {
    if (wanted <= 0) return;
    keep_where(query.picture, free, reason, kept, reasons,
               [&](const double* values) { return at_least(values, wanted); });
  }

  static double wanted(const Query& query, std::uint32_t host, std::string_view name, double otherwise) {
    if (query.vm.resources.empty()) return otherwise;
    const auto needs = resource_needs(query, host);
    const auto need = std::ranges::find(needs, name, &ResourceNeed::name);
    return need == needs.end() ? 0 : need->wanted;
  }

  static bool is_lacking(const ResourceNeed& need) { return need.free && *need.free < need.wanted; }

  static Reason reason_of(const ResourceNeed& need) {
    if (need.name == "VCPU") return kVcpus;
    if (need.name == "MEMORY_MB") return kMemory;
    return need.name == "DISK_GB" ? kDisk : kResource;
  }

  // How many it could not judge: nobody knows what they have of a class.
  static std::uint32_t keep_resources(const Query& query, Candidates& kept, std::span<std::uint8_t> reasons) {
    std::uint32_t unjudged = 0;
    for (const std::uint32_t row : kept.to_rows()) {
      const auto needs = resource_needs(query, row);
      const auto lacking = std::ranges::find_if(needs, is_lacking);
      const bool is_known = std::ranges::all_of(needs, [](const ResourceNeed& need) { return need.free.has_value(); });
      if (lacking != needs.end()) {
        refuse(row, reason_of(*lacking), kept, reasons);
      } else if (!is_known && !is_sent_by_nova(query.picture, row)) {
        reasons[row] = kUnknown;
        ++unjudged;
      }
    }
    return unjudged;
  }

  // As Nova, which takes dedicated cores of VCPU only while no host has room in its PCPU.
  static void keep_dedicated(const Query& query, Candidates& kept, std::span<std::uint8_t> reasons) {
    if (!query.vm.resources.contains("PCPU")) return;
    const std::vector<std::uint32_t> rows = kept.to_rows();
    const auto dedicates = [&](std::uint32_t row) { return has_resource(query.picture, row, "PCPU"); };
    if (std::ranges::none_of(rows, dedicates)) return;
    for (const std::uint32_t row : rows) {
      if (!is_sent_by_nova(query.picture, row) && !dedicates(row)) refuse(row, kNoDedicated, kept, reasons);
    }
  }

  static Refusal explain_class(const Query& query, std::uint32_t host, bool is_unknown) {
    for (const ResourceNeed& need : resource_needs(query, host)) {
      const bool is_it = is_unknown ? !need.free : is_lacking(need) && reason_of(need) == kResource;
      if (!is_it) continue;
      std::string code = "capacity." + need.name;
      std::ranges::transform(code, code.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
      return {std::move(code), need.wanted, number_or_none(need.free), need.name};
    }
    return {"capacity.resources"};
  }

  static void keep_cells(const Query& query, Candidates& kept, std::span<std::uint8_t> reasons) {
    FreeCells free(query.picture);
    keep_rows(kNuma, kept, reasons, [&](std::uint32_t row) {
      return choose_cell_mask(free.of(row), query.vm.vcpus, query.vm.memory_mib, query.vm.numa_nodes).has_value();
    });
  }

  static double fitting_cells(const Query& query, std::uint32_t host) {
    const double nodes = query.vm.numa_nodes;
    FreeCells free(query.picture);
    const auto cells = free.of(host);
    return static_cast<double>(std::count_if(cells.begin(), cells.end(), [&](const CellFree& cell) {
      return cell.vcpus >= query.vm.vcpus / nodes && cell.memory_mib >= query.vm.memory_mib / nodes;
    }));
  }
};

class StateFilter final : public BuiltInFilter {
 public:
  StateFilter() : BuiltInFilter({"state", "The host is enabled, up and not in maintenance.", CostClass::kCheap}) {}

  Result<std::uint32_t> screen(const Query& query, Candidates& kept, std::span<std::uint8_t> reasons) const override {
    const auto enabled = static_cast<std::uint32_t>(HostState::kEnabled);
    keep_where(query.picture, hosts::state, kNotEnabled, kept, reasons,
               [&](const std::uint32_t* values) { return equal_to(values, enabled); });
    return {};
  }

  Refusal explain(const Query& query, std::uint32_t host, std::uint8_t) const override {
    const auto state = query.picture[hosts::state].get(host);
    const std::string found(state ? to_string(static_cast<HostState>(*state)) : "unknown");
    return {"state." + found, std::string(to_string(HostState::kEnabled)), found};
  }

 private:
  static constexpr std::uint8_t kNotEnabled = 1;
};

class ZoneFilter final : public BuiltInFilter {
 public:
  ZoneFilter()
      : BuiltInFilter({"zone",
                       "The host is in the zone that was asked for.",
                       CostClass::kCheap,
                       {"vm.zone", "request_spec.availability_zone"}}) {}

  Result<std::uint32_t> screen(const Query& query, Candidates& kept, std::span<std::uint8_t> reasons) const override {
    if (query.vm.zone.empty()) return {};
    keep_where(query.picture, hosts::zone, kOther, kept, reasons,
               [&](const std::uint32_t* values) { return equal_to(values, query.zone_code); });
    return {};
  }

  Refusal explain(const Query& query, std::uint32_t host, std::uint8_t) const override {
    return {"zone.other", query.vm.zone, text_or_none(code_text(query, hosts::zone, host))};
  }

 private:
  static constexpr std::uint8_t kOther = 1;
};

class TraitsFilter final : public BuiltInFilter {
 public:
  TraitsFilter()
      : BuiltInFilter({"traits",
                       "The host has all wanted traits and none that is forbidden.",
                       CostClass::kMedium,
                       {"vm.traits", "vm.forbidden_traits", "request_spec.flavor.extra_specs.trait:*",
                        "request_spec.image.properties.traits_required"}}) {}

  Result<std::uint32_t> screen(const Query& query, Candidates& kept, std::span<std::uint8_t> reasons) const override {
    if (!query.trait_codes.empty()) {
      keep_rows(kMissing, kept, reasons, [&](std::uint32_t row) {
        return first_missing(query, row) == kNone || is_sent_by_nova(query.picture, row);
      });
    }
    if (!query.forbidden_codes.empty()) {
      keep_rows(kForbidden, kept, reasons, [&](std::uint32_t row) { return first_forbidden(query, row) == kNone; });
    }
    return {};
  }

  Refusal explain(const Query& query, std::uint32_t host, std::uint8_t reason) const override {
    if (reason == kMissing) {
      const std::size_t i = first_missing(query, host);
      return {"traits.missing", i == kNone ? RuleValue() : RuleValue(query.vm.traits[i])};
    }
    const std::size_t i = first_forbidden(query, host);
    if (i == kNone) return {"traits.forbidden"};
    return {"traits.forbidden", "without " + query.vm.forbidden_traits[i], query.vm.forbidden_traits[i]};
  }

 private:
  enum Reason : std::uint8_t { kMissing = 1, kForbidden };
  static constexpr std::size_t kNone = SIZE_MAX;

  static bool has_trait(const Query& query, std::uint32_t host, std::uint32_t code) {
    const auto traits = query.picture[hosts::traits].get(host);
    return traits && std::find(traits->begin(), traits->end(), code) != traits->end();
  }
  // Which of the wanted (forbidden) traits, by its place in the request.
  static std::size_t first_missing(const Query& query, std::uint32_t host) {
    for (std::size_t i = 0; i < query.trait_codes.size(); ++i) {
      if (!has_trait(query, host, query.trait_codes[i])) return i;
    }
    return kNone;
  }
  static std::size_t first_forbidden(const Query& query, std::uint32_t host) {
    for (std::size_t i = 0; i < query.forbidden_codes.size(); ++i) {
      if (has_trait(query, host, query.forbidden_codes[i])) return i;
    }
    return kNone;
  }
};

class GroupFilter final : public BuiltInFilter {
 public:
  GroupFilter()
      : BuiltInFilter({"group",
                       "The vm is together with its server group, or apart from it, as the group's policy says.",
                       CostClass::kMedium,
                       {"vm.group", "request_spec.instance_group"}}) {}

  Result<std::uint32_t> screen(const Query& query, Candidates& kept, std::span<std::uint8_t> reasons) const override {
    if (query.group_unread) return keep_unjudged(kept, reasons);
    if (!query.group || query.members.empty()) return {};
    if (query.group->policy == GroupPolicy::kAffinity) {
      keep_rows(kAffinity, kept, reasons, [&](std::uint32_t row) { return members_on(query, row) > 0; });
    } else if (query.group->policy == GroupPolicy::kAntiAffinity) {
      const double most = query.group->max_per_host;
      for (const HostCount& member : query.members) {
        if (kept.has(member.host) && member.count >= most) refuse(member.host, kAntiAffinity, kept, reasons);
      }
    }
    return {};
  }

  Refusal explain(const Query& query, std::uint32_t host, std::uint8_t reason) const override {
    if (reason == kUnread) return {"group.unread", query.vm.group, std::string("server groups were not read")};
    if (reason == kAffinity) {
      return {"group.affinity", hosts_of_members(query), host_name(query, host)};
    }
    return {"group.anti_affinity", query.group->max_per_host - 1, static_cast<double>(members_on(query, host)),
            "members"};
  }

 private:
  enum Reason : std::uint8_t { kAffinity = 1, kAntiAffinity, kUnread };

  static std::uint32_t keep_unjudged(const Candidates& kept, std::span<std::uint8_t> reasons) {
    const std::vector<std::uint32_t> rows = kept.to_rows();
    for (const std::uint32_t row : rows) reasons[row] = kUnread;
    return static_cast<std::uint32_t>(rows.size());
  }
  static std::uint32_t members_on(const Query& query, std::uint32_t host) {
    const auto at = std::lower_bound(query.members.begin(), query.members.end(), host,
                                     [](const HostCount& member, std::uint32_t row) { return member.host < row; });
    return at != query.members.end() && at->host == host ? at->count : 0;
  }
  // By name, since the order of rows means nothing; members of one affinity group are on one host unless somebody moved
  // them.
  static std::string hosts_of_members(const Query& query) {
    std::vector<std::string> names;
    for (const HostCount& member : query.members) names.push_back(host_name(query, member.host));
    std::sort(names.begin(), names.end());
    return fmt::format("{}", fmt::join(names, ", "));
  }
};

class SpreadFilter final : public BuiltInFilter {
 public:
  SpreadFilter()
      : BuiltInFilter({"spread",
                       "The host's rack (or zone) has no vm of another fault domain of the vm's spread group.",
                       CostClass::kMedium,
                       {"vm.spread"}}) {}

  Result<std::uint32_t> screen(const Query& query, Candidates& kept, std::span<std::uint8_t> reasons) const override {
    for (const std::uint32_t host : query.taken_hosts) {
      if (kept.has(host)) refuse(host, kTaken, kept, reasons);
    }
    if (query.taken_domains.empty()) return {};
    const auto location = query.picture[location_column(query)];
    keep_rows(kTaken, kept, reasons, [&](std::uint32_t row) {
      const auto code = location.get(row);
      return !code || !std::binary_search(query.taken_domains.begin(), query.taken_domains.end(), *code);
    });
    return {};
  }

  Refusal explain(const Query& query, std::uint32_t host, std::uint8_t) const override {
    const std::string_view by = to_string(query.vm.spread.by);
    const std::string place = code_text(query, location_column(query), host);
    return {fmt::format("spread.{}", by), fmt::format("a {} without other domains of {}", by, query.vm.spread.group),
            place.empty() ? host_name(query, host) : place};
  }

 private:
  static constexpr std::uint8_t kTaken = 1;
  static Column<std::uint32_t> location_column(const Query& query) {
    return query.vm.spread.by == SpreadBy::kZone ? hosts::zone : hosts::rack;
  }
};

}  // namespace

std::vector<std::shared_ptr<const Filter>> built_in_filters() {
  return {std::make_shared<CapacityFilter>(), std::make_shared<StateFilter>(), std::make_shared<ZoneFilter>(),
          std::make_shared<TraitsFilter>(),   std::make_shared<GroupFilter>(), std::make_shared<SpreadFilter>()};
}

}  // namespace emplace
