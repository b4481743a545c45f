#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "service/core/json/json.h"
#include "service/novaconf/import.h"
#include "service/novaconf/python_numbers.h"

namespace emplace::novaconf {
namespace {

using Texts = std::vector<std::string>;

Ini ini_of(std::string_view text) {
  Ini ini;
  const auto added = ini.add(text, "nova.conf");
  EXPECT_TRUE(added) << added.error().message;
  return ini;
}

std::string ini_fault(std::string_view text) {
  Ini ini;
  const auto added = ini.add(text, "nova.conf");
  return added ? "" : added.error().message;
}

Options options_of(std::string_view text, Release release = Release::kZed) { return understand(ini_of(text), release); }

Import import_of(std::string_view text, Release release = Release::kZed) {
  return import_options(options_of(text, release));
}

Texts lines(const std::vector<Finding>& findings) {
  Texts all;
  for (const Finding& finding : findings)
    all.push_back(std::string(to_string(finding.level)) + ' ' + finding.about + ": " + finding.text);
  return all;
}

// ---- the dialect

TEST(Ini, JoinsContinuedLinesAndKeepsAllTexts) {
  const Ini ini = ini_of("[A]\nx = 1,\n  2,\n\t3\ny: 'a = b'\n# x = 9\n; x = 9\nx=4\n");

  EXPECT_EQ(*ini.find("a", "x"), (Texts{"1,\n2,\n3", "4"}));
  EXPECT_EQ(*ini.find("a", "y"), (Texts{"a = b"}));
  EXPECT_EQ(ini.find("A", "x"), nullptr);
  EXPECT_EQ(ini.find("a", "z"), nullptr);
}

TEST(Ini, TakesOnePairOfQuotesOff) {
  const Ini ini = ini_of("[DEFAULT]\na = \"'x'\"\nb = 'x\"\nc = \"\nd = ''\n");

  EXPECT_EQ(*ini.find("DEFAULT", "a"), (Texts{"'x'"}));
  EXPECT_EQ(*ini.find("DEFAULT", "b"), (Texts{"'x\""}));
  EXPECT_EQ(*ini.find("DEFAULT", "c"), (Texts{""}));
  EXPECT_EQ(*ini.find("DEFAULT", "d"), (Texts{""}));
}

TEST(Ini, EndsLinesAsAnySystemDoesAndKnowsWideBlanks) {
  const Ini ini = ini_of("[DEFAULT]\r\na = 1\r\n\rb = 2\xc2\xa0\r  3\n");

  EXPECT_EQ(*ini.find("DEFAULT", "a"), (Texts{"1"}));
  EXPECT_EQ(*ini.find("DEFAULT", "b"), (Texts{"2\n3"}));
}

TEST(Ini, SaysWhereAFileIsBroken) {
  EXPECT_EQ(ini_fault("[a]\nx = 1\nnothing\n"), "nova.conf:3: wanted ':' or '=' after the name of an option");
  EXPECT_EQ(ini_fault("[a]\n= 1\n"), "nova.conf:2: wanted the name of an option, found none");
  EXPECT_EQ(ini_fault("[a]\n\n  1\n"), "nova.conf:3: wanted an option, found a line that goes on none");
  EXPECT_EQ(ini_fault("[a\n"), "nova.conf:1: wanted ']' at the end of a section's name");
  EXPECT_EQ(ini_fault("[]\n"), "nova.conf:1: wanted the name of a section, found none");
  EXPECT_EQ(ini_fault("x = 1\n"), "nova.conf:1: wanted a [section] before the first option");
  EXPECT_EQ(ini_fault("[a]\nx = \xff\n"), "nova.conf: wanted UTF-8, found other bytes");
}

TEST(Ini, TakesNothingOfABrokenFile) {
  Ini ini = ini_of("[a]\nx = 1\n");

  EXPECT_FALSE(ini.add("[a]\nx = 2\nbroken\n", "second.conf"));
  EXPECT_EQ(*ini.find("a", "x"), (Texts{"1"}));
}

TEST(PythonNumbers, AreReadAsPythonDoes) {
  EXPECT_EQ(python_int(" +1_000 "), 1000);
  EXPECT_EQ(python_int("-007"), -7);
  for (const char* text : {"", "1.0", "1__0", "_1", "1_", "0x1", "+-1", "9223372036854775808"})
    EXPECT_FALSE(python_int(text)) << text;
  EXPECT_EQ(python_float("\t.5"), 0.5);
  EXPECT_EQ(python_float("5."), 5.0);
  EXPECT_EQ(python_float("+1E-3"), 0.001);
  EXPECT_EQ(python_float("-Infinity"), -std::numeric_limits<double>::infinity());
  for (const char* text : {"", "1e", "e5", "--1", "0x1p3", "nan(1)", "infin"}) EXPECT_FALSE(python_float(text)) << text;
}

// ---- Nova's options

TEST(NovaOptions, HaveDefaultsThatTheirOwnTypesTake) {
  std::set<std::string> labels;
  for (const Option& option : known_options()) {
    const bool none = std::holds_alternative<std::monostate>(standard_value(option));
    EXPECT_EQ(none, option.standard == nullptr) << option.label();
    EXPECT_TRUE(labels.insert(option.label()).second) << option.label();
    const bool told = option.reader == Reader::kNova || option.reader == Reader::kNobody;
    EXPECT_EQ(told, !option.meaning.empty()) << option.label();
  }
}

TEST(NovaOptions, AreThoseOfTheLastFile) {
  Ini ini = ini_of("[filter_scheduler]\nmax_io_ops_per_host = 3\nmax_io_ops_per_host = 4\navailable_filters = a\n");
  ASSERT_TRUE(ini.add("[FILTER_SCHEDULER]\nmax_instances_per_host = 9\navailable_filters = b\n", "second.conf"));

  const Options options = understand(ini, Release::kZed);

  EXPECT_EQ(options.whole("filter_scheduler", "max_io_ops_per_host"), 4);
  EXPECT_EQ(options.whole("filter_scheduler", "max_instances_per_host"), 9);
  EXPECT_EQ(options.texts("filter_scheduler", "available_filters"), (Texts{"a", "b"}));
  EXPECT_EQ(options.whole("DEFAULT", "service_down_time"), 60);
  EXPECT_TRUE(options.findings.empty());
}

TEST(NovaOptions, ResolveVariables) {
  const auto zone = [](const std::string& text) {
    const Options options = options_of(
        "[DEFAULT]\nhome = x${more}\nmore = y\nservice_down_time = 0077\ndefault_availability_zone = " + text +
        "\n[filter_scheduler]\nmax_io_ops_per_host = 5\n");
    return options.text("DEFAULT", "default_availability_zone") + (options.findings.empty() ? "" : "!");
  };

  EXPECT_EQ(zone("$home-z"), "xy-z");
  EXPECT_EQ(zone("${home}z"), "xyz");
  EXPECT_EQ(zone("$$home \\$home $ ${home"), "$home $home $ ${home");
  EXPECT_EQ(zone("$filter_scheduler.max_io_ops_per_host/$service_down_time"), "5/77");
  EXPECT_EQ(zone("$nowhere"), "nova!");
  EXPECT_EQ(zone("$default_availability_zone"), "nova!");
}

TEST(NovaOptions, FallBackToTheDefaultWithWhatNovaRefuses) {
  const Options options = options_of(
      "[filter_scheduler]\nmax_io_ops_per_host = many\npci_weight_multiplier = "
      "-1\nimage_properties_default_architecture = z80\n"
      "[metrics]\nrequired = maybe\n");

  EXPECT_EQ(options.whole("filter_scheduler", "max_io_ops_per_host"), 8);
  EXPECT_EQ(options.number("filter_scheduler", "pci_weight_multiplier"), 1);
  EXPECT_EQ(options.findings.size(), 4u);
  EXPECT_EQ(lines(options.findings)[0],
            "error [filter_scheduler] max_io_ops_per_host: wanted a whole number, found \"many\"; nova-scheduler fails "
            "on it, "
            "Nova's default 8 is taken");
}

TEST(NovaOptions, NameWhatEmplaceDoesNotDo) {
  const Texts said = lines(options_of("[filter_scheduler]\nhost_subset_size = 3\nram_weight_multipler = 1\n"
                                      "num_instances_weight_multiplier = 1\n[scheduler]\nmax_attempts = 5\n"
                                      "[DEFAULT]\nscheduler_default_filters = RamFilter\n")
                               .findings);

  ASSERT_EQ(said.size(), 5u);
  EXPECT_TRUE(said[0].starts_with("note [scheduler] max_attempts: 5: ")) << said[0];
  EXPECT_TRUE(said[1].starts_with("warning [filter_scheduler] host_subset_size: 3: ")) << said[1];
  EXPECT_EQ(said[2],
            "note [filter_scheduler] num_instances_weight_multiplier: only the release master has it; it is not read");
  EXPECT_EQ(
      said[3],
      "note [filter_scheduler] ram_weight_multipler: neither Nova nor Emplace has such an option; it is not read");
  EXPECT_EQ(said[4], "note [DEFAULT] scheduler_default_filters: a name of old that Nova no longer reads");
}

TEST(NovaOptions, RaiseServiceDownTimeAboveTheReports) {
  const auto seconds = [](const std::string& text) {
    return options_of("[DEFAULT]\n" + text).whole("DEFAULT", "service_down_time");
  };
  EXPECT_EQ(seconds("report_interval = 120\n"), 300);
  EXPECT_EQ(seconds("report_interval = 60\n"), 150) << "equal is not above";
  EXPECT_EQ(seconds("report_interval = 59\n"), 60);
  EXPECT_EQ(seconds("report_interval = 61\nservice_down_time = 62\n"), 62);
  EXPECT_EQ(seconds("report_interval = 13\nservice_down_time = 1\n"), 32) << "int(32.5)";
  EXPECT_EQ(seconds("service_down_time = 5\n"), 25) << "of the default, 10";
  EXPECT_EQ(seconds("service_down_time = -5\n"), 25);
  EXPECT_EQ(seconds("service_down_time = -5\nreport_interval = -5\n"), -12);
  EXPECT_EQ(seconds("report_interval = 9223372036854775807\n"), 1'000'000'000'000'000);
  EXPECT_EQ(
      lines(options_of("[DEFAULT]\nservice_down_time = 5\n").findings),
      Texts{"note [DEFAULT] service_down_time: 5 is not above report_interval 10: Nova takes 2.5 times that, 25, and "
            "so does Emplace"});
}

TEST(NovaOptions, SayThatAFileSaysNothing) {
  const std::string all = "note nova.conf: says nothing: Nova's defaults hold";
  const std::string ours = "note nova.conf: says nothing that Emplace reads: Nova's defaults hold";
  for (const char* text : {"", "\n", "# [DEFAULT]\n", "[DEFAULT]\n[metrics]\n"})
    EXPECT_EQ(lines(options_of(text).findings), Texts{all}) << text;
  EXPECT_EQ(lines(options_of("[database]\nconnection = x\n").findings), Texts{ours});
  EXPECT_TRUE(options_of("[metrics]\nrequired = true\n").findings.empty()) << "also where it says Nova's default";
}

// ---- what becomes of them

TEST(Import, HasOnlyWhatDiffersFromNovasDefaults) {
  EXPECT_EQ(import_of("").configuration, R"({"release":"zed"})");
  EXPECT_EQ(
      import_of("[filter_scheduler]\nmax_io_ops_per_host = 8\nisolated_hosts = a, b,\nram_weight_multiplier = -0.5\n"
                "[metrics]\nrequired = no\n")
          .configuration,
      R"({"release":"zed","filter_scheduler":{"ram_weight_multiplier":-0.5,"isolated_hosts":["a","b"]},)"
      R"("metrics":{"required":false}})");
}

const std::string kBlind =
    " [filter_scheduler]: Nova's APIs do not tell what these need, so they judge no host that "
    "[openstack] reads, and answers say so in `degraded`, unless `nova_database` of [openstack] "
    "or PUT /v1/hosts/NAME/nova-state tells: ";

TEST(Import, NamesTheRulesThatLackDataOfHostsReadFromNovasApis) {
  const Import import = import_of(
      "[filter_scheduler]\nenabled_filters = ComputeFilter, NUMATopologyFilter\n"
      "weight_classes = nova.scheduler.weights.pci.PCIWeigher\n");

  EXPECT_EQ(lines(import.findings),
            Texts{"warning" + kBlind + "NUMATopologyFilter (numa_topology), PCIWeigher (pci_stats)"});
  const Texts defaults = lines(import_of("[metrics]\nrequired = true\n").findings);
  ASSERT_EQ(defaults.size(), 1u);
  EXPECT_TRUE(defaults[0].starts_with(
      "warning" + kBlind + "ComputeCapabilitiesFilter (stats), ImagePropertiesFilter (supported_instances), "))
      << defaults[0];
  EXPECT_TRUE(import_of("[filter_scheduler]\nenabled_filters = ComputeFilter\n"
                        "weight_classes = nova.scheduler.weights.ram.RAMWeigher\n")
                  .findings.empty());
}

TEST(Import, KnowsWhatOurOwnPackageHas) {
  const auto found = [](const std::string& text) { return lines(import_of("[filter_scheduler]\n" + text).findings); };
  const std::string ours =
      "available_filters = nova.scheduler.filters.all_filters\nweight_classes = nova.scheduler.weights.ram.RAMWeigher";
  const std::string no_filter =
      "error [filter_scheduler] enabled_filters: EmplaceFilter: wanted emplace_nova.EmplaceFilter in a line of its own of "
      "available_filters: nova-scheduler does not start; left out";
  EXPECT_EQ(found("enabled_filters = ComputeFilter, EmplaceFilter\n" + ours + "\n"), Texts{no_filter});
  EXPECT_EQ(found("enabled_filters = ComputeFilter, EmplaceFilter\navailable_filters = emplace_nova.EmplaceFiltr\n" +
                  ours + "\n"),
            Texts{no_filter});
  EXPECT_EQ(
      found("enabled_filters = ComputeFilter\n" + ours + ", emplace_nova.EmplaceWeiger\n"),
      Texts{
          "error [filter_scheduler] weight_classes: emplace_nova.EmplaceWeiger: emplace_nova has only EmplaceWeigher: "
          "nova-scheduler does not start; left out"});
  EXPECT_TRUE(found("enabled_filters = ComputeFilter, EmplaceFilter\navailable_filters = emplace_nova.EmplaceFilter\n" +
                    ours + ", emplace_nova.EmplaceWeigher\n")
                  .empty());
}

TEST(Import, LeavesOutFiltersThatAreNotNovas) {
  const Import import = import_of(
      "[filter_scheduler]\nenabled_filters = ComputeFilter, AcmeFilter, JsonFilter, RamFilter, EmplaceFilter\n"
      "available_filters = nova.scheduler.filters.all_filters\navailable_filters = acme.AcmeFilter\n"
      "available_filters = acme.JsonFilter\navailable_filters = emplace_nova.EmplaceFilter\n");

  EXPECT_EQ(import.filters, Texts{"ComputeFilter"});
  EXPECT_TRUE(import.asks);
  EXPECT_EQ(lines(import.findings), (Texts{"warning [filter_scheduler] enabled_filters: AcmeFilter: acme.AcmeFilter is "
                                           "none of Nova's own filters: left out",
                                           "warning [filter_scheduler] enabled_filters: JsonFilter: acme.JsonFilter is "
                                           "none of Nova's own filters: left out",
                                           "warning [filter_scheduler] enabled_filters: RamFilter: none of Nova's own "
                                           "filters (release zed): left out; a Nova without it does not start",
                                           "note" + kBlind +
                                               "BuildFailureWeigher (failed_builds), CrossCellWeigher "
                                               "(cell_uuid), MetricsWeigher (metrics), PCIWeigher (pci_stats)"}));
}

// {what was said of filters and weighers, as levels and names}
Texts levels(const Import& import) {
  Texts all;
  for (const Finding& finding : import.findings) {
    if (!finding.about.starts_with("[filter_scheduler] ")) continue;
    all.push_back(std::string(to_string(finding.level)) + ' ' + finding.about.substr(finding.about.rfind(' ') + 1));
  }
  return all;
}

TEST(Import, WarnsOfWhatAForkOfNovaHas) {
  const std::string fork =
      "[filter_scheduler]\nenabled_filters = ComputeFilter, VmwareFilter\nweight_classes = "
      "nova.scheduler.weights.ram.RAMWeigher, nova.scheduler.weights.bcpc_x.BcpcWeigher\n";
  const Texts warned = {"warning VmwareFilter", "warning nova.scheduler.weights.bcpc_x.BcpcWeigher"};

  EXPECT_EQ(levels(import_of(fork)), warned);
  EXPECT_EQ(levels(import_of(fork, Release::kMaster)), warned);
  EXPECT_EQ(levels(import_of(fork + "available_filters = acme.filters.all_of_them\n")),
            (Texts{"warning ComputeFilter", warned[0], warned[1]}));
  EXPECT_EQ(import_of(fork).filters, Texts{"ComputeFilter"});
  EXPECT_EQ(import_of(fork).weighers.size(), 1u);
}

TEST(Import, SaysWhenNovaSchedulerDoesNotStart) {
  const std::string one =
      "[filter_scheduler]\navailable_filters = nova.scheduler.filters.json_filter.JsonFilter\n"
      "enabled_filters = JsonFilter, ";
  EXPECT_EQ(levels(import_of(one + "ComputeFilter\n")), Texts{"error ComputeFilter"});
  EXPECT_EQ(levels(import_of(one + "VmwareFilter\n")), Texts{"error VmwareFilter"});
}

TEST(Import, GivesWeighersTheirMultipliers) {
  const Import import = import_of(
      "[filter_scheduler]\nweight_classes = nova.scheduler.weights.ram.RAMWeigher, "
      "nova.scheduler.weights.compute.BuildFailureWeigher,"
      "emplace_nova.EmplaceWeigher, acme.Weigher, nova.scheduler.weights.ram.RAMWeigher\n"
      "build_failure_weight_multiplier = 7\nram_weight_multiplier = 1e13\n");

  ASSERT_EQ(import.weighers.size(), 2u);
  EXPECT_EQ(import.weighers[0].id, "RAMWeigher");
  EXPECT_EQ(import.weighers[0].multiplier, 1) << "what emplaced.toml can't have is Nova's default";
  EXPECT_EQ(import.weighers[1].multiplier, -7);
  EXPECT_TRUE(import.weighs);
  EXPECT_EQ(import.findings.size(), 4u);
}

TEST(Import, HasTheWeighersOfTheRelease) {
  EXPECT_EQ(import_of("").weighers.size(), 10u);
  EXPECT_EQ(import_of("", Release::kMaster).weighers.size(), 13u);
}

TEST(Import, SaysThatNobodyLooksAtZones) {
  const std::string conf = "[scheduler]\nquery_placement_for_availability_zone = false\n";

  const auto says_so = [](const Import& import) {
    return std::ranges::count_if(lines(import.findings),
                                 [](const std::string& line) { return line.ends_with("nobody looks at zones"); });
  };
  EXPECT_EQ(says_so(import_of(conf)), 1);
  EXPECT_EQ(says_so(import_of(conf + "[filter_scheduler]\nenabled_filters = AvailabilityZoneFilter\n")), 0);
}

TEST(Import, QuotesTextsForToml) {
  const std::string toml = to_toml(import_of("[filter_scheduler]\nisolated_hosts = a\"b\\c\x7f\x01\n"));

  EXPECT_NE(toml.find(R"(isolated_hosts = ["a\"b\\c\u007f\u0001"])"), std::string::npos) << toml;
}

TEST(Import, GivesWayToWhatIsGiven) {
  EXPECT_EQ(*overlaid(R"({"release":"zed","metrics":{"required":false,"weight_multiplier":2}})",
                      R"({"release":"master","metrics":{"weight_multiplier":3},"compute":{}})"),
            R"({"release":"master","metrics":{"required":false,"weight_multiplier":3},"compute":{}})");
  EXPECT_FALSE(overlaid("{}", "{"));
}

TEST(Comparing, NamesWhatRunsOtherwise) {
  const Import import =
      import_of("[filter_scheduler]\nmax_io_ops_per_host = 9\nram_weight_multiplier = 2\ncpu_weight_multiplier = 3\n");
  const std::vector<ImportedWeigher> profile = {{"RAMWeigher", 1}, {"BuildFailureWeigher", -1000000}};

  const auto found = compare(import, R"({"release":"zed","filter_scheduler":{"cpu_weight_multiplier":3.0}})", profile);

  EXPECT_EQ(lines(*found),
            (Texts{"warning [filter_scheduler] max_io_ops_per_host: nova.conf says 9, Emplace runs with 8",
                   "warning [filter_scheduler] ram_weight_multiplier: nova.conf says 2, Emplace runs with 1"}));
  EXPECT_TRUE(compare(import, import.configuration, {})->empty());
}

}  // namespace
}  // namespace emplace::novaconf
