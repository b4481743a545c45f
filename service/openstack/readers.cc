#include "service/openstack/readers.h"

#include <fmt/format.h>

#include "service/core/time_text.h"
#include "service/openstack/nova_json.h"
#include "service/openstack/placement_json.h"

namespace emplace::openstack {
namespace {

// Providers whose documents are asked for together, so that their answers need not lie in memory for all at once.
constexpr std::size_t kProvidersAtOnce = 256;

// Pages until none is announced. path(rows so far) is the path of the next one; a page without rows is the end whatever
// it announces.
template <typename Row, typename Path, typename Get, typename Read>
Result<std::vector<Row>> read_pages(Path path, Get get, Read read) {
  std::vector<Row> all;
  for (;;) {
    const Result<std::string> body = get(path(all));
    if (!body) return tl::unexpected(body.error());
    auto page = read(*body);
    if (!page) return tl::unexpected(page.error());
    if (!all.empty() && !page->rows.empty() && page->rows.back().id == all.back().id) {
      return fail(ErrorCode::kUnavailable, "GET " + path(all) + ": gives the same page again");
    }
    std::move(page->rows.begin(), page->rows.end(), std::back_inserter(all));
    if (!page->more || page->rows.empty()) return all;
  }
}

template <typename Row>
std::string marker_of(const std::vector<Row>& rows) {
  return rows.empty() ? std::string() : "&marker=" + to_string(rows.back().id);
}

// "2026-11-21T10:00:00Z": whole seconds are all that Nova keeps.
std::string since_text(std::int64_t at_us) { return time_text(at_us).substr(0, 19) + 'Z'; }

template <typename Rows, typename Read>
Result<void> take(const Result<std::string>& body, Read read, Rows& rows) {
  if (!body) return tl::unexpected(body.error());
  auto found = read(*body);
  if (!found) return tl::unexpected(found.error());
  rows = *std::move(found);
  return {};
}

}  // namespace

// ---- Nova

Result<std::string> NovaReader::get(const std::string& path, Deadline deadline) {
  return keystone_.get({"compute", path, std::string(kNovaVersion)}, deadline);
}

Result<void> NovaReader::check(Deadline deadline) {
  const auto body = keystone_.get({"compute", "/", ""}, deadline);
  return body ? check_version(*body, "Nova", kNovaVersion) : tl::unexpected(body.error());
}

Result<std::vector<Hypervisor>> NovaReader::hypervisors(Deadline deadline) {
  return read_pages<Hypervisor>(
      [&](const auto& rows) { return fmt::format("/os-hypervisors/detail?limit={}{}", page_, marker_of(rows)); },
      [&](const std::string& path) { return get(path, deadline); }, read_hypervisors);
}

Result<std::map<std::string, ComputeService>> NovaReader::services(Deadline deadline) {
  const auto all = get("/os-services?binary=nova-compute", deadline).and_then(read_services);
  if (!all) return tl::unexpected(all.error());
  std::map<std::string, ComputeService> by_host;
  for (const ComputeService& one : *all) by_host.insert_or_assign(one.host, one);
  return by_host;
}

Result<std::vector<NovaAggregate>> NovaReader::aggregates(Deadline deadline) {
  return get("/os-aggregates", deadline).and_then(read_aggregates);
}

Result<std::vector<ServerGroup>> NovaReader::groups(Deadline deadline) {
  return read_pages<ServerGroup>(
      [&](const auto& rows) {
        return fmt::format("/os-server-groups?all_projects=true&limit={}&offset={}", page_, rows.size());
      },
      [&](const std::string& path) { return get(path, deadline); }, read_server_groups);
}

Result<std::vector<Server>> NovaReader::servers(std::int64_t since_us, Deadline deadline) {
  return servers_where(since_us == 0 ? "" : "&changes-since=" + since_text(since_us), deadline);
}

Result<std::vector<Server>> NovaReader::servers_on(const std::string& host, Deadline deadline) {
  return servers_where("&host=" + host, deadline);
}

Result<std::vector<Server>> NovaReader::servers_where(const std::string& what, Deadline deadline) {
  return read_pages<Server>(
      [&](const auto& rows) {
        return fmt::format("/servers/detail?all_tenants=1&limit={}{}{}", page_, what, marker_of(rows));
      },
      [&](const std::string& path) { return get(path, deadline); }, read_servers);
}

// ---- Placement

Result<void> PlacementReader::check(Deadline deadline) {
  const auto body = keystone_.get({"placement", "/", ""}, deadline);
  return body ? check_version(*body, "Placement", kPlacementVersion) : tl::unexpected(body.error());
}

Result<void> PlacementReader::fill(std::vector<Provider>& some, Deadline deadline) {
  std::vector<ServiceCall> calls;
  for (const Provider& one : some) {
    for (const char* part : {"inventories", "usages", "traits", "aggregates"}) {
      calls.push_back({"placement", fmt::format("/resource_providers/{}/{}", to_string(one.id), part),
                       std::string(kPlacementVersion)});
    }
  }
  const auto bodies = keystone_.get_all(calls, deadline);
  for (std::size_t i = 0; i < some.size(); ++i) {
    Provider& one = some[i];
    const auto* body = &bodies[4 * i];
    const auto filled = take(body[0], read_inventories, one.inventories)
                            .and_then([&] { return take(body[1], read_usages, one.used); })
                            .and_then([&] { return take(body[2], read_traits, one.traits); })
                            .and_then([&] { return take(body[3], read_provider_aggregates, one.aggregates); });
    if (filled) continue;
    if (filled.error().code != ErrorCode::kNotFound) return filled;
    one.id = Uuid{};  // it went while we were reading
  }
  return {};
}

Result<std::map<Uuid, Provider>> PlacementReader::providers(const std::map<Uuid, Provider>& known, Deadline deadline) {
  auto listed = keystone_.get({"placement", "/resource_providers", std::string(kPlacementVersion)}, deadline)
                    .and_then(read_providers);
  if (!listed) return tl::unexpected(listed.error());
  std::map<Uuid, Provider> all;
  std::vector<Provider> wanted;
  for (Provider& one : *listed) {
    if (one.id != one.root) continue;
    const auto found = known.find(one.id);
    if (found != known.end() && found->second.generation == one.generation) {
      all.emplace(one.id, found->second);
    } else {
      wanted.push_back(std::move(one));
    }
  }
  for (std::size_t at = 0; at < wanted.size(); at += kProvidersAtOnce) {
    const auto first = wanted.begin() + static_cast<std::ptrdiff_t>(at);
    const auto count = static_cast<std::ptrdiff_t>(std::min(kProvidersAtOnce, wanted.size() - at));
    std::vector<Provider> some(std::make_move_iterator(first), std::make_move_iterator(first + count));
    if (auto filled = fill(some, deadline); !filled) return tl::unexpected(filled.error());
    for (Provider& one : some) {
      if (!one.id.is_zero()) all.emplace(one.id, std::move(one));
    }
  }
  return all;
}

}  // namespace emplace::openstack
