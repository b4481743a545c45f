#include "service/novaconf/options.h"

namespace emplace::novaconf {
namespace {

// nova/virt/arch.py
constexpr std::string_view kArchitectures[] = {
    "alpha",    "armv6", "armv7l",  "armv7b",    "aarch64",  "cris",       "i686",         "ia64",     "lm32",
    "m68k",     "mips",  "mipsel",  "mips64",    "mips64el", "microblaze", "microblazeel", "openrisc", "parisc",
    "parisc64", "ppc",   "ppcle",   "ppc64",     "ppc64le",  "ppcemb",     "s390",         "s390x",    "sh4",
    "sh4eb",    "sparc", "sparc64", "unicore32", "x86_64",   "xtensa",     "xtensaeb"};
constexpr std::string_view kGroupDrivers[] = {"db", "mc"};
constexpr std::string_view kModes[] = {"shadow", "advise", "enforce"};

constexpr std::string_view kRetries =
    "how often Nova tries again, and how many alternates it keeps: Emplace's are the request's own";
constexpr std::string_view kPlacement =
    "Nova asks placement for this before its filters run; Emplace does not, where it is asked without Nova";

constexpr Option both(std::string_view section, std::string_view name, Kind kind, const char* standard,
                      Reader reader = Reader::kPlugin, std::string_view meaning = {}, std::optional<double> least = {},
                      std::span<const std::string_view> choices = {}) {
  return {section, name, kind, standard, least, choices, true, true, reader, meaning};
}
constexpr Option zed(Option option) {
  option.in_master = false;
  return option;
}
constexpr Option master(Option option) {
  option.in_zed = false;
  return option;
}
constexpr Option multiplier(std::string_view name, const char* standard, std::optional<double> least = {}) {
  return both("filter_scheduler", name, Kind::kNumber, standard, Reader::kPlugin, {}, least);
}
constexpr Option prefilter(std::string_view name, const char* standard) {
  return both("scheduler", name, Kind::kFlag, standard, Reader::kNobody, kPlacement);
}

constexpr std::string_view kFilterSection = "filter_scheduler";
constexpr Option kOptions[] = {
    both("DEFAULT", "service_down_time", Kind::kWhole, "60"),
    both("DEFAULT", "report_interval", Kind::kWhole, "10", Reader::kNova,
         "how often Nova's services report; Emplace hears of it by service_down_time alone"),
    both("DEFAULT", "default_availability_zone", Kind::kText, "nova"),
    both("DEFAULT", "servicegroup_driver", Kind::kText, "db", Reader::kNobody,
         "Emplace knows of heartbeats only what Nova's API tells", {}, kGroupDrivers),
    both("compute", "packing_host_numa_cells_allocation_strategy", Kind::kFlag, "false"),

    both("scheduler", "max_attempts", Kind::kWhole, "3", Reader::kNova, kRetries, 1),
    both("scheduler", "discover_hosts_in_cells_interval", Kind::kWhole, "-1", Reader::kNova,
         "Nova goes on looking for new hosts by itself", -1),
    both("scheduler", "max_placement_results", Kind::kWhole, "1000", Reader::kNova,
         "how many hosts Nova has from placement: Emplace sees all of its own, or those that Nova sends", 1),
    both("scheduler", "workers", Kind::kWhole, nullptr, Reader::kNova, "processes of nova-scheduler", 0),
    prefilter("query_placement_for_routed_network_aggregates", "false"),
    prefilter("limit_tenants_to_placement_aggregate", "false"),
    prefilter("placement_aggregate_required_for_tenants", "false"),
    zed(both("scheduler", "query_placement_for_availability_zone", Kind::kFlag, "true", Reader::kNobody,
             "zones are a matter of AvailabilityZoneFilter alone, as in Nova")),
    prefilter("query_placement_for_image_type_support", "false"),
    prefilter("enable_isolated_aggregate_filtering", "false"),
    prefilter("image_metadata_prefilter", "false"),

    both(kFilterSection, "host_subset_size", Kind::kWhole, "1", Reader::kNobody,
         "Nova takes one of the best by chance; Emplace always names the best, and Nova still chooses where it asks",
         1),
    both(kFilterSection, "max_io_ops_per_host", Kind::kWhole, "8", Reader::kPlugin, {}, 0),
    both(kFilterSection, "max_instances_per_host", Kind::kWhole, "50", Reader::kPlugin, {}, 1),
    both(kFilterSection, "track_instance_changes", Kind::kFlag, "true", Reader::kNobody,
         "Emplace always decides on the vms of its picture"),
    both(kFilterSection, "available_filters", Kind::kTexts, "nova.scheduler.filters.all_filters", Reader::kProfile),
    both(kFilterSection, "enabled_filters", Kind::kList,
         "ComputeFilter,ComputeCapabilitiesFilter,ImagePropertiesFilter,ServerGroupAntiAffinityFilter,"
         "ServerGroupAffinityFilter",
         Reader::kProfile),
    both(kFilterSection, "weight_classes", Kind::kList, "nova.scheduler.weights.all_weighers", Reader::kProfile),
    multiplier("ram_weight_multiplier", "1.0"),
    multiplier("cpu_weight_multiplier", "1.0"),
    multiplier("disk_weight_multiplier", "1.0"),
    multiplier("io_ops_weight_multiplier", "-1.0"),
    multiplier("pci_weight_multiplier", "1.0", 0),
    multiplier("soft_affinity_weight_multiplier", "1.0", 0),
    multiplier("soft_anti_affinity_weight_multiplier", "1.0", 0),
    multiplier("build_failure_weight_multiplier", "1000000.0"),
    multiplier("cross_cell_move_weight_multiplier", "1000000.0"),
    master(multiplier("hypervisor_version_weight_multiplier", "1.0")),
    master(multiplier("num_instances_weight_multiplier", "0.0")),
    master(multiplier("image_props_weight_multiplier", "0.0")),
    master(both(kFilterSection, "image_props_weight_setting", Kind::kList, "")),
    master(both(kFilterSection, "pci_in_placement", Kind::kFlag, "false", Reader::kNobody,
                "Emplace's PciPassthroughFilter looks at the host's devices alone, as with false")),
    both(kFilterSection, "shuffle_best_same_weighed_hosts", Kind::kFlag, "false", Reader::kNobody,
         "Nova shuffles hosts of the same weight; Emplace's order of them is always the same"),
    both(kFilterSection, "image_properties_default_architecture", Kind::kText, nullptr, Reader::kPlugin, {}, {},
         kArchitectures),
    both(kFilterSection, "isolated_images", Kind::kList, ""),
    both(kFilterSection, "isolated_hosts", Kind::kList, ""),
    both(kFilterSection, "restrict_isolated_hosts_to_isolated_images", Kind::kFlag, "true"),
    both(kFilterSection, "aggregate_image_properties_isolation_namespace", Kind::kText, nullptr),
    both(kFilterSection, "aggregate_image_properties_isolation_separator", Kind::kText, "."),

    both("metrics", "weight_multiplier", Kind::kNumber, "1.0"),
    both("metrics", "weight_setting", Kind::kList, ""),
    both("metrics", "required", Kind::kFlag, "true"),
    both("metrics", "weight_of_unavailable", Kind::kNumber, "-10000.0"),

    both("emplace", "url", Kind::kText, "http://127.0.0.1:8790", Reader::kClient),
    both("emplace", "token_file", Kind::kText, "", Reader::kClient),
    both("emplace", "ca_file", Kind::kText, "", Reader::kClient),
    both("emplace", "mode", Kind::kText, "shadow", Reader::kClient, {}, {}, kModes),
    both("emplace", "profile", Kind::kText, "default", Reader::kClient),
    both("emplace", "timeout", Kind::kNumber, "2.0", Reader::kClient, {}, 0.01),
    both("emplace", "breaker", Kind::kNumber, "30.0", Reader::kClient, {}, 0),
    both("emplace", "weight_multiplier", Kind::kNumber, "1.0", Reader::kClient),
    both("emplace", "refuse_unknown_hosts", Kind::kFlag, "false", Reader::kClient),
    both("emplace", "shortlist", Kind::kWhole, "0", Reader::kClient, {}, 0),
};

}  // namespace

std::span<const Option> known_options() { return kOptions; }

}  // namespace emplace::novaconf
