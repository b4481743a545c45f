#include "service/openstack/readers.h"

#include <fmt/format.h>
#include <time.h>

#include "service/core/base/time_text.h"
#include "service/openstack/nova_json.h"
#include "service/openstack/placement_json.h"

namespace emplace::openstack {
namespace {

// Providers whose documents are asked for together: enough to have several calls under way, few enough that all answers
// come within the patience with one, and that a failure costs little.
constexpr std::size_t kProvidersAtOnce = 12;

constexpr char kStuck[] =
    "emplace.pages.stuck";  // a list that does not come to an end: it is read from its beginning again

Deadline in(Patience patience) { return std::chrono::steady_clock::now() + patience; }

template <typename T>
void append(std::vector<T>& all, std::vector<T> more) {
  std::move(more.begin(), more.end(), std::back_inserter(all));
}

// Whether the place after a page is another one, so that the list comes to an end.
template <typename Row>
Result<Place> place_after(const Place& place, const Listed<Row>& page, const std::string& path) {
  const Place next{place.listed + page.listed, page.marker.empty() ? place.marker : page.marker};
  if (page.more && page.listed > 0 && !page.marker.empty() && page.marker == place.marker) {
    return fail(ErrorCode::kUnavailable, "GET " + path + ": gives the same page again", kStuck);
  }
  return next;
}

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
    const auto next = place_after(place, *page, path(place));
    if (!next) return tl::unexpected(next.error());
    if (path(*next) == path(place))
      return fail(ErrorCode::kUnavailable, "GET " + path(place) + ": gives rows without ids", kStuck);
    place = *next;
  }
}

// "Mon, 30 Nov 2026 10:31:40 GMT"; 0 for anything else.
std::int64_t time_of(const std::string& date) {
  std::tm parts{};
  const char* const end = ::strptime(date.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  return end && *end == '\0' ? std::int64_t{::timegm(&parts)} * 1'000'000 : 0;
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

Result<void> NovaReader::check(Patience patience) {
  const auto body = keystone_.get({"compute", "/", ""}, in(patience));
  return body ? check_version(*body, "Nova", kNovaVersion) : tl::unexpected(body.error());
}

Result<Told<std::vector<Hypervisor>>> NovaReader::hypervisors(Patience patience) {
  return read_pages<Hypervisor>(
      [&](const Place& at) { return fmt::format("/os-hypervisors/detail?limit={}{}", page_, marker_of(at)); },
      [&](const std::string& path) { return get(path, in(patience)); }, read_hypervisors);
}

Result<Told<std::map<std::string, ComputeService>>> NovaReader::services(Patience patience) {
  auto all = get("/os-services?binary=nova-compute", in(patience)).and_then(read_services);
  if (!all) return tl::unexpected(all.error());
  std::map<std::string, ComputeService> by_host;
  for (const ComputeService& one : all->rows) by_host.insert_or_assign(one.host, one);
  return Told<std::map<std::string, ComputeService>>{std::move(by_host), std::move(all->notes)};
}

Result<Told<std::vector<NovaAggregate>>> NovaReader::aggregates(Patience patience) {
  return get("/os-aggregates", in(patience)).and_then(read_aggregates).map([](Listed<NovaAggregate> all) {
    return Told<std::vector<NovaAggregate>>{std::move(all.rows), std::move(all.notes)};
  });
}

Result<Told<std::vector<ServerGroup>>> NovaReader::groups(Patience patience) {
  return read_pages<ServerGroup>(
      [&](const Place& at) {
        return fmt::format("/os-server-groups?all_projects=true&limit={}&offset={}", page_, at.listed);
      },
      [&](const std::string& path) { return get(path, in(patience)); }, read_server_groups);
}

Result<void> NovaReader::next_page(ServerPages& pages, bool& more, Patience patience) {
  const std::string since = pages.since_us == 0 ? "" : "&changes-since=" + since_text(pages.since_us);
  const std::string path =
      fmt::format("/servers/detail?all_tenants=1&limit={}{}{}", page_, since, marker_of(pages.place));
  const auto began = std::chrono::steady_clock::now();
  const auto reply = keystone_.get_reply({"compute", path, std::string(kNovaVersion)}, in(patience));
  if (!reply) return tl::unexpected(reply.error());
  auto page = read_servers(reply->body);
  if (!page) return tl::unexpected(page.error());
  const auto next = place_after(pages.place, *page, path);
  if (!next) return tl::unexpected(next.error());
  if (!pages.begun()) {
    const std::int64_t date_us = time_of(reply->header("date"));
    const auto took = std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - began);
    pages.cloud_at_us = date_us == 0 ? 0 : date_us - took.count();
  }
  more = page->more && page->listed > 0;
  if (more && next->marker == pages.place.marker) {
    return fail(ErrorCode::kUnavailable, "GET " + path + ": gives rows without ids", kStuck);
  }
  pages.place = *next;
  append(pages.rows, std::move(page->rows));
  append(pages.notes, std::move(page->notes));
  return {};
}

Result<void> NovaReader::servers(ServerPages& pages, Patience patience) {
  bool is_again = false;
  for (bool more = true; more;) {
    const auto read = next_page(pages, more, patience);
    if (read) continue;
    const bool is_lost = read.error().code == ErrorCode::kInvalid && pages.begun();
    const bool is_stuck = read.error().detail_code == kStuck;
    if (is_lost || is_stuck) pages = {.since_us = pages.since_us, .began_us = pages.began_us};
    if (!is_lost || std::exchange(is_again, true)) return read;
  }
  return {};
}

Result<Told<std::vector<Server>>> NovaReader::servers_on(const std::string& host, Deadline deadline) {
  return read_pages<Server>(
      [&](const Place& at) {
        return fmt::format("/servers/detail?all_tenants=1&limit={}&host={}{}", page_, host, marker_of(at));
      },
      [&](const std::string& path) { return get(path, deadline); }, read_servers);
}

// ---- Placement

Result<void> PlacementReader::check(Patience patience) {
  const auto body = keystone_.get({"placement", "/", ""}, in(patience));
  return body ? check_version(*body, "Placement", kPlacementVersion) : tl::unexpected(body.error());
}

// One that went while we were reading is left out; of errors the first is told once all answers are taken.
Result<void> PlacementReader::fill(std::vector<Provider> some, std::map<Uuid, Provider>& kept, Patience patience) {
  std::vector<ServiceCall> calls;
  for (const Provider& one : some) {
    for (const char* part : {"inventories", "allocations", "traits", "aggregates"}) {
      calls.push_back({"placement", fmt::format("/resource_providers/{}/{}", to_string(one.id), part),
                       std::string(kPlacementVersion)});
    }
  }
  if (some.empty()) return {};
  const auto bodies = keystone_.get_all(calls, in(patience));
  Result<void> all;
  for (std::size_t i = 0; i < some.size(); ++i) {
    const auto filled = openstack::fill(some[i], &bodies[4 * i]);
    if (filled) {
      kept.insert_or_assign(some[i].id, std::move(some[i]));
    } else if (filled.error().code != ErrorCode::kNotFound && all) {
      all = filled;
    }
  }
  return all;
}

Result<Told<std::map<Uuid, Provider>>> PlacementReader::providers(const std::map<Uuid, Provider>& known,
                                                                  const std::set<Uuid>& again,
                                                                  std::map<Uuid, Provider>& kept, Patience patience) {
  auto listed = keystone_.get({"placement", "/resource_providers", std::string(kPlacementVersion)}, in(patience))
                    .and_then(read_providers);
  if (!listed) return tl::unexpected(listed.error());
  const auto same = [](const std::map<Uuid, Provider>& all, const Provider& one) {
    const auto found = all.find(one.id);
    return found != all.end() && found->second.generation == one.generation ? &found->second : nullptr;
  };
  std::vector<Provider> wanted;
  for (std::size_t i = 0; i < listed->rows.size(); ++i) {
    const Provider& one = listed->rows[i];
    const bool is_known = same(known, one) && !again.contains(one.id);
    if (!is_known && !same(kept, one)) wanted.push_back(one);
    if (wanted.size() < kProvidersAtOnce && i + 1 < listed->rows.size()) continue;
    if (auto filled = fill(std::exchange(wanted, {}), kept, patience); !filled) return tl::unexpected(filled.error());
  }
  Told<std::map<Uuid, Provider>> all{{}, std::move(listed->notes)};
  for (const Provider& one : listed->rows) {
    const Provider* const filled = same(kept, one);
    const Provider* const found = filled ? filled : same(known, one);
    if (found) all.rows.emplace(one.id, *found);
  }
  return all;
}

}  // namespace emplace::openstack
