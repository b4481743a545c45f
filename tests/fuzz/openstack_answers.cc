// What Keystone, Nova and Placement answer. The first byte chooses which answer the rest is.
#include <algorithm>
#include <array>
#include <map>
#include <optional>

#include "service/core/base/utf8.h"
#include "service/core/json/json.h"
#include "service/openstack/candidates.h"
#include "service/openstack/compute_nodes.h"
#include "service/openstack/identity.h"
#include "service/openstack/migration_json.h"
#include "service/openstack/nova_json.h"
#include "service/openstack/placement_json.h"
#include "service/openstack/rows.h"
#include "tests/fuzz/targets.h"

namespace emplace::fuzz {
namespace {

void require_told(const std::string& message) {
  require(!message.empty(), "an error says why");
  require(message.size() <= 2000, "a message is short, found: " + message);
  require(is_utf8(message), "a message is UTF-8");
}

// Half an answer of another service is its fault, and never becomes rows.
template <typename T>
const T* read_of(const Result<T>& read) {
  if (read) return &*read;
  require(read.error().code == ErrorCode::kUnavailable,
          "another's fault is kUnavailable, found: " + read.error().message);
  require_told(read.error().message);
  return nullptr;
}

// What becomes of them in the picture reads back.
void require_rows(openstack::Cloud cloud) {
  cloud.services.read_at_us = cloud.providers.read_at_us = cloud.aggregates.read_at_us = cloud.groups.read_at_us = 1;
  cloud.hypervisors.read_at_us = cloud.servers.read_at_us = 1;
  const openstack::CloudRows rows = rows_of(cloud);
  for (const HostRow& host : *rows.report.hosts) {
    require(JsonDocument::parse(host.nova_state).has_value(), "nova_state is JSON, found: " + host.nova_state);
    const auto again = change_from_json(to_json(Change(host)));
    require(again.has_value(), "a host reads back, found: " + (again ? "" : again.error().message));
  }
  for (const VmRow& vm : *rows.report.vms) {
    const auto again = change_from_json(to_json(Change(vm)));
    require(again.has_value(), "a vm reads back, found: " + (again ? "" : again.error().message));
  }
}

void hypervisors(std::string_view body) {
  const auto read = openstack::read_hypervisors(body);
  openstack::Cloud cloud;
  if (const auto* all = read_of(read)) cloud.hypervisors.rows = all->rows;
  require_rows(std::move(cloud));
}

void servers(std::string_view body) {
  const auto read = openstack::read_servers(body);
  openstack::Cloud cloud;
  if (const auto* all = read_of(read)) {
    for (const openstack::Server& one : all->rows) cloud.servers.rows.insert_or_assign(one.id, one);
  }
  require_rows(std::move(cloud));
}

void token(std::string_view body) {
  const auto read = openstack::read_token(body, "secret");
  const auto* const known = read_of(read);
  if (known) read_of(openstack::find_endpoint(known->catalogue, {.type = "compute", .interface = "public"}));
}

// The columns of a row of Nova's database, one in a line.
void compute_node(std::string_view body) {
  std::array<std::optional<std::string_view>, 5> columns;
  for (auto& column : columns) {
    const std::size_t end = std::min(body.find('\n'), body.size());
    column = body.substr(0, end);
    body.remove_prefix(std::min(end + 1, body.size()));
  }
  openstack::Cloud cloud;
  const Uuid id = *parse_uuid("00000000-0001-4000-8000-000000000001");
  cloud.hypervisors.rows = {{id, "node", "host"}};
  cloud.compute_nodes.rows.rows[id] =
      openstack::compute_node_of(id, {columns[0], columns[1], columns[2], columns[3], columns[4]});
  for (const std::string& note : cloud.compute_nodes.rows.rows[id].notes) require_told(note);
  require_rows(std::move(cloud));
}

using Read = void (*)(std::string_view);
const std::map<char, Read>& readers() {
  static const std::map<char, Read> all = {
      {'h', hypervisors},
      {'s', servers},
      {'k', token},
      {'c', [](std::string_view body) { read_of(openstack::read_services(body)); }},
      {'a', [](std::string_view body) { read_of(openstack::read_aggregates(body)); }},
      {'g', [](std::string_view body) { read_of(openstack::read_server_groups(body)); }},
      {'v',
       [](std::string_view body) { read_of(openstack::check_version(body, "Nova", "2.73").map([] { return 0; })); }},
      {'m', [](std::string_view body) { read_of(openstack::read_migrations(body)); }},
      {'o', [](std::string_view body) { read_of(openstack::read_migration(body)); }},
      {'w', [](std::string_view body) { read_of(openstack::read_whereabouts(body)); }},
      {'i', [](std::string_view body) { read_of(openstack::read_action(body)); }},
      {'r', [](std::string_view body) { require(is_utf8(openstack::refusal_of(body)), "a refusal is UTF-8"); }},
      {'p', [](std::string_view body) { read_of(openstack::read_providers(body)); }},
      {'n', [](std::string_view body) { read_of(openstack::read_inventories(body)); }},
      {'u', [](std::string_view body) { read_of(openstack::read_allocations(body)); }},
      {'t', [](std::string_view body) { read_of(openstack::read_traits(body)); }},
      {'e', [](std::string_view body) { read_of(openstack::read_provider_aggregates(body)); }},
      {'d', compute_node},
      {'q', [](std::string_view body) { read_of(openstack::read_candidates(body)); }},
      {'l', [](std::string_view body) { read_of(openstack::read_caller(body)); }},
  };
  return all;
}

}  // namespace

void openstack_answers(std::string_view input) {
  const auto found = input.empty() ? readers().end() : readers().find(input.front());
  if (found != readers().end()) found->second(input.substr(1));
}

}  // namespace emplace::fuzz
