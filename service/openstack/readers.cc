#include "service/openstack/readers.h"

#include <fmt/format.h>

#include "service/core/time_text.h"
#include "service/openstack/nova_json.h"
#include "service/openstack/placement_json.h"

namespace emplace::openstack {
namespace {

// Providers whose documents are asked for together, so that their answers need not lie in memory for all at once.
constexpr std::size_t kProvidersAtOnce = 256;

template <typename T>
void append(std::vector<T>& all, std::vector<T> more) {
  std::move(more.begin(), more.end(), std::back_inserter(all));
}

// How far a list was read.
struct Place {
  std::size_t listed = 0;
  std::string marker = {};
};

// Pages until none is announced. path(place) is the path of the next one; a page without rows is the end whatever it
// announces.
template <typename Row, typename Path, typename Get, typename Read>
Result<Told<std::vector<Row>>> read_pages(Path path, Get get, Read read) {
  Told<std::vector<Row>> all;
  for (Place place;;) {
    const Result<std::string> body = get(path(place));
    if (!body) return tl::unexpected(body.error());
    auto page = read(*body);
    if (!page) return tl::unexpected(page.error());
    append(all.rows, std::move(page->rows));
    append(all.notes, std::move(page->notes));
    if (!page->more || page->listed == 0) return all;
    const Place next{place.listed + page->listed, page->marker.empty() ? place.marker : page->marker};
    if (path(next) == path(place) || (!page->marker.empty() && next.marker == place.marker)) {
      return fail(ErrorCode::kUnavailable, "GET " + path(place) + ": gives the same page again");
    }
    place = next;
  }
}

std::string marker_of(const Place& place) { return place.marker.empty() ? "" : "&marker=" + place.marker; }

// "2026-11-21T10:00:00Z": whole seconds are all that Nova keeps.
std::string since_text(std::int64_t at_us) { return time_text(at_us).substr(0, 19) + 'Z'; }

template <typename Rows, typename Read>
Result<void> take(const Result<std::string>& body, Read read, Rows& rows, std::vector<std::string>& notes) {
  if (!body) return tl::unexpected(body.error());
  auto found = read(*body);
  if (!found) return tl::unexpected(found.error());
  rows = std::move(found->rows);
  append(notes, std::move(found->notes));
  return {};
}

Result<void> take_allocations(const Result<std::string>& body, Provider& one) {
  auto taken = take(body, read_allocations, one.allocations, one.notes);
  if (taken || taken.error().code != ErrorCode::kNotFound) return taken;
  one.notes.push_back("allocations: " + taken.error().message);
  return {};
}

// What a provider's documents say; `body`: of its inventories, allocations, traits and aggregates.
Result<void> fill(Provider& one, const Result<std::string>* body) {
  const auto filled = take(body[0], read_inventories, one.inventories, one.notes)
                          .and_then([&] { return take_allocations(body[1], one); })
                          .and_then([&] { return take(body[2], read_traits, one.traits, one.notes); })
                          .and_then([&] { return take(body[3], read_provider_aggregates, one.aggregates, one.notes); });
  for (std::string& note : one.notes) note = "provider " + to_string(one.id) + ": " + note;
  return filled;
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

Result<Told<std::vector<Hypervisor>>> NovaReader::hypervisors(Deadline deadline) {
  return read_pages<Hypervisor>(
      [&](const Place& at) { return fmt::format("/os-hypervisors/detail?limit={}{}", page_, marker_of(at)); },
      [&](const std::string& path) { return get(path, deadline); }, read_hypervisors);
}

Result<Told<std::map<std::string, ComputeService>>> NovaReader::services(Deadline deadline) {
  auto all = get("/os-services?binary=nova-compute", deadline).and_then(read_services);
  if (!all) return tl::unexpected(all.error());
  std::map<std::string, ComputeService> by_host;
  for (const ComputeService& one : all->rows) by_host.insert_or_assign(one.host, one);
  return Told<std::map<std::string, ComputeService>>{std::move(by_host), std::move(all->notes)};
}

Result<Told<std::vector<NovaAggregate>>> NovaReader::aggregates(Deadline deadline) {
  return get("/os-aggregates", deadline).and_then(read_aggregates).map([](Listed<NovaAggregate> all) {
    return Told<std::vector<NovaAggregate>>{std::move(all.rows), std::move(all.notes)};
  });
}

Result<Told<std::vector<ServerGroup>>> NovaReader::groups(Deadline deadline) {
  return read_pages<ServerGroup>(
      [&](const Place& at) {
        return fmt::format("/os-server-groups?all_projects=true&limit={}&offset={}", page_, at.listed);
      },
      [&](const std::string& path) { return get(path, deadline); }, read_server_groups);
}

Result<Told<std::vector<Server>>> NovaReader::servers(std::int64_t since_us, Deadline deadline) {
  return servers_where(since_us == 0 ? "" : "&changes-since=" + since_text(since_us), deadline);
}

Result<Told<std::vector<Server>>> NovaReader::servers_on(const std::string& host, Deadline deadline) {
  return servers_where("&host=" + host, deadline);
}

Result<Told<std::vector<Server>>> NovaReader::servers_where(const std::string& what, Deadline deadline) {
  return read_pages<Server>(
      [&](const Place& at) {
        return fmt::format("/servers/detail?all_tenants=1&limit={}{}{}", page_, what, marker_of(at));
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
    for (const char* part : {"inventories", "allocations", "traits", "aggregates"}) {
      calls.push_back({"placement", fmt::format("/resource_providers/{}/{}", to_string(one.id), part),
                       std::string(kPlacementVersion)});
    }
  }
  const auto bodies = keystone_.get_all(calls, deadline);
  for (std::size_t i = 0; i < some.size(); ++i) {
    const auto filled = openstack::fill(some[i], &bodies[4 * i]);
    if (filled) continue;
    if (filled.error().code != ErrorCode::kNotFound) return filled;
    some[i].id = Uuid{};  // it went while we were reading
  }
  return {};
}

Result<Told<std::map<Uuid, Provider>>> PlacementReader::providers(const std::map<Uuid, Provider>& known,
                                                                  Deadline deadline) {
  auto listed = keystone_.get({"placement", "/resource_providers", std::string(kPlacementVersion)}, deadline)
                    .and_then(read_providers);
  if (!listed) return tl::unexpected(listed.error());
  Told<std::map<Uuid, Provider>> all{{}, std::move(listed->notes)};
  std::vector<Provider> wanted;
  for (Provider& one : listed->rows) {
    const auto found = known.find(one.id);
    if (found != known.end() && found->second.generation == one.generation) {
      all.rows.emplace(one.id, found->second);
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
      if (!one.id.is_zero()) all.rows.emplace(one.id, std::move(one));
    }
  }
  return all;
}

}  // namespace emplace::openstack
