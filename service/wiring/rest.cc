#include "service/wiring/rest.h"

#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "service/wiring/log.h"
#include "service/wiring/options.h"
#include "service/wiring/states.h"
#include "service/wiring/world.h"

namespace emplace {
namespace {

// Null: there is no cloud, and nothing to say of one.
std::vector<http::SourceState> sources_of(const CloudPart* cloud) {
  if (!cloud) return {};
  return source_states(cloud->openstack(), cloud->readings().read_at_us() != 0);
}
std::optional<http::CloudView> view_of(const CloudPart* cloud) {
  if (!cloud) return std::nullopt;
  return view_of(cloud->readings(), cloud->openstack());
}

}  // namespace

RestPart::RestPart(const BehindRest& behind) : rate_(behind.config.requests_per_s), api_(parts_of(behind)) {}

http::ApiParts RestPart::parts_of(const BehindRest& behind) {
  // The functions are called while the part lives, and what they refer to outlives it; `behind` itself does not.
  return {.pictures = behind.pictures.observer(),
          .store = behind.store,
          .hypervisors = behind.hypervisors,
          .scheduler = behind.scheduler,
          .reservations = behind.reservations,
          .rule_book = behind.plugins.rule_book(),
          .lines = behind.lines,
          .tokens = behind.tokens,
          .policy = behind.policy,
          .rate = rate_,
          .ambient = ambient(),
          .replica = behind.config.replica,
          .version = EMPLACE_VERSION,
          .plugins = [&plugins = behind.plugins] { return plugin_states(*plugins.current()); },
          .check_options =
              [&plugins = behind.plugins](std::string_view part) { return plugins.current()->check_options(part); },
          .hypervisor_states = [&hosts = behind.libvirt.hosts()] { return hypervisor_states(hosts); },
          .findings = [&findings = behind.findings] { return findings.all(); },
          .sources = [cloud = behind.cloud] { return sources_of(cloud); },
          .cloud = [cloud = behind.cloud] { return view_of(cloud); },
          .database = [&store = behind.store] { return database_state(store); },
          .warnings = [&config = behind.config, &tokens = behind.tokens] { return own_warnings(config, tokens); },
          .candidates = behind.cloud ? &behind.cloud->openstack().candidates() : nullptr,
          .authority = behind.cloud ? &behind.cloud->openstack().tokens() : nullptr,
          .server_counters = [this] { return listening_ ? listening_.load()->counters() : http::Counters(); },
          .cors_origins = behind.config.cors_origins,
          .log = log_line};
}

Result<std::unique_ptr<RestPart>> RestPart::start(const BehindRest& behind) {
  std::unique_ptr<RestPart> part(new RestPart(behind));
  auto server = http::Server::start(
      behind.config.listen, server_limits(behind.config),
      [&api = part->api_](auto request, http::Reply reply) { api.handle(request, std::move(reply)); }, log_line);
  if (!server) return tl::unexpected(server.error());
  part->server_ = *std::move(server);
  part->listening_ = part->server_.get();
  return part;
}

void RestPart::stop() {
  api_.drain();
  server_->stop();
}

}  // namespace emplace
