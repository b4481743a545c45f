#include <algorithm>

#include "service/core/base/shown_text.h"
#include "service/core/base/time_text.h"
#include "service/core/change/change.h"
#include "service/core/decide/resource_classes.h"
#include "service/rest/listing.h"
#include "service/rest/route.h"

namespace emplace::http {
namespace {

void write_observed(const ApiRoom& room, JsonWriter& writer, const Picture& picture, std::uint32_t host) {
  const auto write = [&](std::string_view name, Column<double> column) {
    const auto value = picture[column].get(host);
    if (!value) return;
    const std::int64_t at_us = picture[column].observed_at_us(host);
    writer.key(name).open().number("value", *value);
    writer.key("age_s");
    at_us > 0 ? writer.number(static_cast<double>(room.now_us() - at_us) / 1e6) : writer.null();
    writer.close();
  };
  writer.key("observed").open();
  if (host == kNoRow) return void(writer.close());
  write("cpu_util", hosts::cpu_util);
  write("memory_used_mib", hosts::memory_used_observed_mib);
  write("power_watts", hosts::power_watts);
  writer.close();
}

void write_amounts(JsonWriter& writer, std::string_view name, const Picture& picture, std::uint32_t host,
                   std::array<Column<double>, 3> columns) {
  const auto amount = [&](std::size_t i) { return host == kNoRow ? 0 : picture[columns[i]][host]; };
  writer.key(name).open().number("vcpus", amount(0)).number("memory_mib", amount(1));
  writer.number("disk_gib", amount(2)).close();
}

// What is not free: a vm may count otherwise than its amounts say (takes.h).
void write_used(JsonWriter& writer, const Picture& picture, std::uint32_t host) {
  const auto used = [&](Column<double> capacity, Column<double> free) {
    return host == kNoRow ? 0 : picture[capacity][host] - picture[free][host];
  };
  writer.key("used").open().number("vcpus", used(hosts::vcpus_capacity, hosts::vcpus_free));
  writer.number("memory_mib", used(hosts::memory_capacity_mib, hosts::memory_free_mib));
  writer.number("disk_gib", used(hosts::disk_capacity_gib, hosts::disk_free_gib)).close();
}

void write_cells(JsonWriter& writer, const Picture& picture, std::uint32_t host) {
  writer.key("numa").open_list();
  if (host == kNoRow) return void(writer.close_list());
  const std::uint32_t first = picture[hosts::first_cell].get(host).value_or(0);
  const std::uint32_t count =
      picture[hosts::first_cell].valid(host) ? picture[hosts::cell_count].get(host).value_or(0) : 0;
  for (std::uint32_t cell = first; cell < first + count; ++cell) {
    writer.open()
        .number("vcpus", picture[numa_cells::vcpus][cell])
        .number("memory_mib", picture[numa_cells::memory_mib][cell]);
    writer.number("vcpus_free", picture[numa_cells::vcpus_free][cell]);
    writer.number("memory_free_mib", picture[numa_cells::memory_free_mib][cell]).close();
  }
  writer.close_list();
}

void write_names(JsonWriter& writer, std::string_view key, const std::vector<std::string>& names) {
  writer.key(key).open_list();
  for (const std::string& name : names) writer.text(name);
  writer.close_list();
}

// A configured host that no connection has reached yet, so that the picture has no row of it.
HostRow unreachable(std::string_view name) { return {.name = std::string(name), .source = "libvirt"}; }

// Of Placement's resource classes that are not amounts of their own here.
void write_resources(JsonWriter& writer, const Picture& picture, std::uint32_t host) {
  const auto states = host == kNoRow ? std::vector<ResourceState>() : resource_states(picture, host);
  if (states.empty()) return;
  writer.key("resources").open();
  for (const ResourceState& one : states) {
    writer.key(one.name).open().number("capacity", one.capacity).number("used", one.used);
    writer.number("free", one.capacity - one.used).close();
  }
  writer.close();
}

// `host`: kNoRow for an unreachable one.
void write_host(const ApiRoom& room, JsonWriter& writer, const Picture& picture, std::string_view name,
                std::uint32_t host) {
  const HostRow row = host == kNoRow ? unreachable(name) : host_row(picture, host);
  writer.open().text("name", row.name).text("source", row.source);
  writer.text("state", host == kNoRow ? "unreachable" : to_string(row.state));
  writer.text_or_null("zone", row.zone).text_or_null("rack", row.rack);
  write_names(writer, "aggregates", row.aggregates);
  write_names(writer, "traits", row.traits);
  writer.number("vcpus", row.vcpus).number("memory_mib", row.memory_mib).number("disk_gib", row.disk_gib);
  writer.number("reserved_vcpus", row.vcpus_reserved).number("reserved_memory_mib", row.memory_reserved_mib);
  writer.number("reserved_disk_gib", row.disk_reserved_gib).number("cpu_allocation_ratio", row.cpu_allocation_ratio);
  writer.number("ram_allocation_ratio", row.ram_allocation_ratio);
  writer.number("disk_allocation_ratio", row.disk_allocation_ratio);
  write_amounts(writer, "capacity", picture, host,
                {hosts::vcpus_capacity, hosts::memory_capacity_mib, hosts::disk_capacity_gib});
  write_used(writer, picture, host);
  write_amounts(writer, "free", picture, host, {hosts::vcpus_free, hosts::memory_free_mib, hosts::disk_free_gib});
  write_resources(writer, picture, host);
  writer.number("vm_count", host == kNoRow ? 0 : picture[hosts::vm_count].get(host).value_or(0));
  write_cells(writer, picture, host);
  write_observed(room, writer, picture, host);
  writer.whole("generation", row.generation);
}

// What the hypervisor's door says of a host that it drives.
void write_hypervisor(const std::vector<HypervisorState>& states, JsonWriter& writer, std::string_view host) {
  writer.key("hypervisor");
  for (const HypervisorState& state : states) {
    if (state.host != host) continue;
    writer.open().flag("connected", state.connected).text_or_null("why", state.why).close();
    return;
  }
  writer.null();
}

std::vector<HypervisorState> states_of(const ApiRoom& room) {
  return room.parts.hypervisor_states ? room.parts.hypervisor_states() : std::vector<HypervisorState>();
}

void write_findings(const std::vector<Finding>& findings, JsonWriter& writer, std::string_view host) {
  writer.key("findings").open_list();
  for (const Finding& finding : findings) {
    if (finding.host != host) continue;
    writer.open()
        .text("name", finding.name)
        .text("text", finding.text)
        .text("since", time_text(finding.since_us))
        .close();
  }
  writer.close_list();
}

// What is known of hosts besides the picture, as of now.
struct Beside {
  std::vector<HypervisorState> states;
  std::vector<Finding> findings;

  explicit Beside(const ApiRoom& room)
      : states(states_of(room)), findings(room.parts.findings ? room.parts.findings() : std::vector<Finding>()) {}
  void write(JsonWriter& writer, std::string_view host) const {
    write_hypervisor(states, writer, host);
    write_findings(findings, writer, host);
  }
  bool is_unreachable(const Picture& picture, std::string_view host) const {
    return picture.find_host(host) == kNoRow && std::any_of(states.begin(), states.end(), [&](const auto& state) {
             return state.host == host && !state.connected;
           });
  }
};

struct HostLine {
  std::string name;
  std::uint32_t row = kNoRow;  // kNoRow: unreachable
};
struct HostPage {
  std::vector<HostLine> lines;
  bool more = false;
};

// Configured hosts that no picture has yet, as far as the question asks for them.
std::vector<HostLine> unreachable_hosts(const Picture& picture, const Beside& beside, const ListQuestion& question) {
  std::vector<HostLine> lines;
  if (!question.state.empty() && question.state != "unreachable") return lines;
  for (const HypervisorState& state : beside.states) {
    const bool here = !question.after ||
                      (question.descending ? state.host < question.after->name : question.after->name < state.host);
    if (here && state.host.starts_with(question.name_prefix) && beside.is_unreachable(picture, state.host))
      lines.push_back({state.host});
  }
  return lines;
}

Result<HostPage> host_page(const Picture& picture, const Beside& beside, const ListQuestion& question) {
  HostPage page{unreachable_hosts(picture, beside, question)};
  if (question.state != "unreachable") {
    const auto state = state_of(question, "enabled, disabled, maintenance, down or unreachable", &parse_host_state);
    if (!state) return tl::unexpected(state.error());
    const auto name = [&](std::uint32_t row) { return picture[hosts::name][row]; };
    const auto kept = [&](std::uint32_t row) {
      return is_alive(picture, hosts::alive, row) && name(row).starts_with(question.name_prefix) &&
             (!*state || picture[hosts::state].get(row) == static_cast<std::uint32_t>(**state));
    };
    const RowPage rows = page_of_rows(picture.rows(Table::kHosts), question, kept,
                                      [&](std::uint32_t row) { return RowPlace{name(row)}; });
    page.more = rows.more;
    for (const std::uint32_t row : rows.rows) page.lines.push_back({std::string(name(row)), row});
  }
  std::sort(page.lines.begin(), page.lines.end(), [&](const HostLine& a, const HostLine& b) {
    return question.descending ? b.name < a.name : a.name < b.name;
  });
  page.more |= page.lines.size() > question.limit;
  if (page.lines.size() > question.limit) page.lines.resize(question.limit);
  return page;
}

Result<Response> list_hosts(const ApiRoom& room, const Exchange& exchange) {
  const auto picture = room.parts.pictures.latest();
  const auto question = list_question(room, exchange, *picture, ListKey::kName);
  if (!question) return tl::unexpected(question.error());
  const Beside beside(room);
  const auto page = host_page(*picture, beside, *question);
  if (!page) return tl::unexpected(page.error());
  JsonWriter writer;
  writer.open().key("hosts").open_list();
  for (const HostLine& host : page->lines) {
    write_host(room, writer, *picture, host.name, host.row);
    beside.write(writer, host.name);
    writer.close();
  }
  ListEnd end{picture->version().event_seq, question->limit, std::nullopt};
  if (page->more) end.marker = page->lines.back().name;
  return end_list(room, exchange, writer, end);
}

Result<Response> show_host_named(const ApiRoom& room, std::string_view name) {
  const auto picture = room.parts.pictures.latest();
  const std::uint32_t row = picture->find_host(name);
  const Beside beside(room);
  if (row == kNoRow && !beside.is_unreachable(*picture, name))
    return fail(ErrorCode::kNotFound, "no host " + json_text(name));
  JsonWriter writer;
  write_host(room, writer, *picture, name, row);
  beside.write(writer, name);
  write_staleness(room, writer);
  writer.close();
  Response response = json_response(writer.take());
  if (row != kNoRow) response.headers.emplace_back("ETag", etag((*picture)[hosts::generation].get(row).value_or(0)));
  return response;
}

Result<Response> show_host(const ApiRoom& room, const Exchange& exchange) {
  return show_host_named(room, exchange.parameter("name"));
}

Result<Response> patch_host(const ApiRoom& room, const Exchange& exchange) {
  const auto document = JsonDocument::parse(exchange.request->body);
  if (!document) return tl::unexpected(document.error());
  JsonErrors errors;
  JsonFields fields(document->root(), "", errors);
  HostState state = HostState::kEnabled;
  fields.require("state");
  fields.choice(
      "state", state, "enabled, disabled, maintenance", +[](std::string_view word) -> std::optional<HostState> {
        const auto read = parse_host_state(word);
        return read == HostState::kDown ? std::nullopt : read;  // down is seen, not asked for
      });
  fields.refuse_unknown();
  if (!errors.none()) return errors.failure();
  const auto generation = if_match(*exchange.request);
  if (!generation) return tl::unexpected(generation.error());
  const std::string name(exchange.parameter("name"));
  const auto written = room.parts.store.set_host_state(name, state, *generation, room.deadline());
  if (!written) return tl::unexpected(written.error());
  room.settle(written->event_seq);
  room.log("info", "event=host_state request=" + exchange.request->id + " host=" + log_text(name) +
                       " state=" + std::string(to_string(state)) + " by=" + log_text(exchange.identity.name));
  return show_host_named(room, name);
}

// What nobody can read of a host, from who sees it: all of it, in the place of what was pushed before.
Result<Response> put_nova_state(const ApiRoom& room, const Exchange& exchange) {
  const auto generation = if_match(*exchange.request);
  if (!generation) return tl::unexpected(generation.error());
  const std::string name(exchange.parameter("name"));
  const auto written = room.parts.store.push_nova_state(name, exchange.request->body, *generation, room.deadline());
  if (!written) return tl::unexpected(written.error());
  room.settle(written->event_seq);
  room.log("info", "event=nova_state request=" + exchange.request->id + " host=" + log_text(name) +
                       " by=" + log_text(exchange.identity.name));
  return show_host_named(room, name);
}

Result<Response> remove_host(const ApiRoom& room, const Exchange& exchange) {
  const std::string name(exchange.parameter("name"));
  const auto picture = room.parts.pictures.latest();
  const std::uint32_t row = picture->find_host(name);
  if (row == kNoRow) return fail(ErrorCode::kNotFound, "no host " + json_text(name));
  if (host_row(*picture, row).source != "static") {
    return fail(ErrorCode::kConflict,
                "host " + json_text(name) + ": wanted a static host, found one of the configuration",
                "emplace.host.not_static");
  }
  const auto generation = if_match(*exchange.request);
  if (!generation) return tl::unexpected(generation.error());
  const auto written = room.parts.store.write({HostRemoved{name}}, *generation, std::nullopt, room.deadline());
  if (!written) return tl::unexpected(written.error());
  room.settle(written->event_seq);
  return no_content();
}

}  // namespace

void add_host_routes(ApiRoutes& routes) {
  routes.push_back({"GET", "/v1/hosts", Role::kReader, list_query({"state"}), Where::kWorker, list_hosts});
  routes.push_back({"GET", "/v1/hosts/{name}", Role::kReader, {}, Where::kWorker, show_host});
  routes.push_back({"PATCH", "/v1/hosts/{name}", Role::kOperator, {}, Where::kLine, patch_host});
  routes.push_back({"PUT", "/v1/hosts/{name}/nova-state", Role::kOperator, {}, Where::kLine, put_nova_state});
  routes.push_back({"DELETE", "/v1/hosts/{name}", Role::kAdmin, {}, Where::kLine, remove_host});
}

}  // namespace emplace::http
