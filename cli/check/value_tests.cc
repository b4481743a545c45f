#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cfloat>
#include <climits>

#include "cli/check/instance.h"
#include "cli/check/samples.h"
#include "cli/check/tests.h"
#include "service/core/request/request_json.h"

namespace emplace::check {
namespace {

constexpr double kNumbers[] = {0, -0.0, -1, DBL_TRUE_MIN, DBL_MIN, 9007199254740992.0, DBL_MAX, -DBL_MAX};
constexpr std::int64_t kWholes[] = {0, -1, 1, INT64_MIN, INT64_MAX};
constexpr std::uint32_t kSmalls[] = {0, 1, UINT32_MAX};

std::vector<std::string> texts() {
  return {
      "", "{}", "[]", "null", "{", "\"", "\xF0\x9F\x92\xBE \\ \n", std::string(20000, 'x'), std::string(20000, '[')};
}

// Rows and codes lead somewhere: an end of an edge, the cells of a host. There is no such thing as an extreme one.
bool leads_somewhere(const ColumnSchema& schema) {
  return schema.unit == "row" || schema.unit == "code" || schema.name == "cell_count" || schema.name == "alive";
}

// Columns of the picture that the plugin sees, also by way of a request's tables.
std::vector<int> columns_seen(const Subject& subject) {
  std::vector<int> seen;
  for (const auto& table : subject.layout.picture())
    seen.insert(seen.end(), table.columns.begin(), table.columns.end());
  if (subject.reads_table("request_peers")) seen.push_back(traffic::bytes_per_s.index);
  if (subject.reads_table("request_data_sources")) seen.push_back(data_sources::bytes_per_s.index);
  const std::pair<const char*, int> own[] = {{"request.pages", vms::pages.index},
                                             {"request.zero_pages", vms::zero_pages.index},
                                             {"request.distinct_pages", vms::distinct_pages.index},
                                             {"request.sample_rate", vms::sample_rate.index},
                                             {"request.page_samples", vms::page_samples.index}};
  for (const auto& [name, index] : own) {
    if (subject.reads(name)) seen.push_back(index);
  }
  std::ranges::sort(seen);
  seen.erase(std::ranges::unique(seen).begin(), seen.end());
  return seen;
}

const ColumnSchema& schema_of(int column) { return column_schemas()[static_cast<std::size_t>(column)]; }

std::string name_of(int column) {
  return fmt::format("{}.{}", table_name(schema_of(column).table), schema_of(column).name);
}

std::size_t variants_of(Type type) {
  if (type == Type::kF64) return std::size(kNumbers);
  if (type == Type::kI64) return std::size(kWholes);
  if (type == Type::kU32 || type == Type::kU8) return std::size(kSmalls);
  if (type == Type::kUtf8) return texts().size();
  return type == Type::kListU32 || type == Type::kSpanU64 ? 1 : 0;
}

void set_variant(PictureBuilder& builder, int column, std::uint32_t row, std::size_t variant) {
  const auto index = static_cast<std::uint16_t>(column);
  const Type type = schema_of(column).type;
  if (type == Type::kF64) builder.set(Column<double>{index}, row, kNumbers[variant], kNowUs);
  if (type == Type::kI64) builder.set(Column<std::int64_t>{index}, row, kWholes[variant]);
  if (type == Type::kU32) builder.set(Column<std::uint32_t>{index}, row, kSmalls[variant]);
  if (type == Type::kUtf8) builder.set(Column<Utf8>{index}, row, texts()[variant]);
  if (type == Type::kListU32) builder.set(Column<ListU32>{index}, row, std::span<const std::uint32_t>());
  if (type == Type::kSpanU64) builder.set(Column<SpanU64>{index}, row, std::span<const std::uint64_t>(), kNowUs);
}

std::string variant_text(Type type, std::size_t variant) {
  if (type == Type::kF64) return fmt::format("{}", kNumbers[variant]);
  if (type == Type::kI64) return fmt::format("{}", kWholes[variant]);
  if (type == Type::kU32) return fmt::format("{}", kSmalls[variant]);
  if (type != Type::kUtf8) return "empty";
  const std::string text = texts()[variant];
  return text.size() < 20 ? '"' + text + '"' : fmt::format("{} bytes of '{}'", text.size(), text.front());
}

// `edit(builder, row)` on every row of the column's table that is alive, or on every second.
template <typename Edit>
std::shared_ptr<const Picture> edited(const Sample& sample, int column, std::uint32_t step, Edit&& edit) {
  PictureBuilder builder(sample.picture);
  const Table table = schema_of(column).table;
  for (std::uint32_t row = 0; row < builder.rows(table); row += step) {
    if (builder.is_alive(table, row)) edit(builder, row);
  }
  return builder.finish({"check", 2, 0}, kNowUs);
}

// A weigher may refuse the call: before ABI 1.2 it had no way to say "no data".
void judge(const Rule& rule, const Answer& answer, std::size_t hosts, const std::string& what, Findings& findings) {
  if (rule.kind == Kind::kWeigher && !answer.ok && !answer.error.starts_with("threw")) return;
  if (const auto fault = fault_in(rule, answer, hosts))
    findings.fault(fmt::format("{}, {}: {}", rule.id, what, *fault));
}

void ask_about(const Setting& setting, const Sample& sample, const std::shared_ptr<const Picture>& picture,
               const std::string& what, Findings& findings) {
  const auto instance = Instance::make(setting);
  for (const std::string& body : sample.requests) {
    const Question question(picture, body);
    for (const Rule& rule : setting.subject->rules) {
      if (findings.full()) return;
      judge(rule, instance->ask(rule, question), question.hosts().size(), what, findings);
    }
  }
}

void ask_extreme_request(const Setting& setting, const Sample& sample, const std::string& body, double number,
                         Findings& findings) {
  PlacementRequest request = parse_placement(body).value();
  request.vm.vcpus = request.vm.memory_mib = request.vm.disk_gib = number;
  request.vm.project = request.vm.image = request.vm.flavor = std::string(255, 'x');
  const Question question(sample.picture, request);
  for (const Rule& rule : setting.subject->rules) {
    judge(rule, Instance::make(setting)->ask(rule, question), question.hosts().size(),
          fmt::format("a vm with {} of everything", number), findings);
  }
}

template <typename Use>
void for_sizes(const Setting& setting, Use&& use) {
  Random random = random_for(setting.seed, "sizes");
  for (const std::uint32_t hosts : {0u, 1u, 2u, 20000u}) use(random_sample_of(random, hosts, hosts + 4, 3));
}

}  // namespace

Findings test_sizes(const Setting& setting) {
  Findings findings;
  for_sizes(setting, [&](const Sample& sample) {
    const auto instance = Instance::make(setting);
    for (const std::string& body : sample.requests) {
      const Question question(sample.picture, body);
      for (const Rule& rule : setting.subject->rules) {
        const std::size_t hosts = question.hosts().size();
        const auto all = fault_in(rule, instance->ask(rule, question), hosts);
        if (all) findings.fault(fmt::format("{}, {} hosts: {}", rule.id, hosts, *all));
        const auto none = fault_in(rule, instance->ask(rule, question, {}), 0);
        if (none) findings.fault(fmt::format("{}, none of {} hosts: {}", rule.id, hosts, *none));
      }
    }
  });
  return findings;
}

Findings test_invalid_values(const Setting& setting) {
  Findings findings;
  Random random = random_for(setting.seed, "invalid_values");
  const Sample sample = random_sample_of(random, 16, 40, 4);
  for (const int column : columns_seen(*setting.subject)) {
    const ColumnSchema& schema = schema_of(column);
    const bool edge =
        schema.table == Table::kTraffic || schema.table == Table::kDataSources || schema.table == Table::kSourceHosts;
    if (schema.name == "alive" || (edge && leads_somewhere(schema))) continue;
    for (const std::uint32_t step : {1u, 2u}) {
      const auto picture = edited(sample, column, step, [&](PictureBuilder& builder, std::uint32_t row) {
        builder.clear(Column<double>{static_cast<std::uint16_t>(column)}, row);
      });
      ask_about(setting, sample, picture, fmt::format("{} {}", step == 1 ? "no" : "only every second", name_of(column)),
                findings);
    }
  }
  return findings;
}

Findings test_extreme_values(const Setting& setting) {
  Findings findings;
  Random random = random_for(setting.seed, "extreme_values");
  const Sample sample = random_sample_of(random, 16, 40, 3);
  for (const int column : columns_seen(*setting.subject)) {
    if (leads_somewhere(schema_of(column))) continue;
    for (std::size_t variant = 0; variant < variants_of(schema_of(column).type); ++variant) {
      const auto picture = edited(sample, column, 1, [&](PictureBuilder& builder, std::uint32_t row) {
        set_variant(builder, column, row, variant);
      });
      ask_about(setting, sample, picture,
                fmt::format("{} = {}", name_of(column), variant_text(schema_of(column).type, variant)), findings);
    }
  }
  for (const std::string& body : sample.requests) {
    for (const double number : kNumbers) ask_extreme_request(setting, sample, body, number, findings);
  }
  return findings;
}

}  // namespace emplace::check
