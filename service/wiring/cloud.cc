#include "service/wiring/cloud.h"

#include <chrono>
#include <string>
#include <string_view>
#include <utility>

#include "service/core/base/actor.h"
#include "service/wiring/log.h"
#include "service/wiring/options.h"
#include "service/wiring/world.h"

namespace emplace {
namespace {

bool is_of(const Picture& picture, const std::string& host, std::string_view source) {
  const std::uint32_t row = picture.find_host(host), code = picture.find_code(source);
  return row != kNoRow && code != kNoRow && picture[hosts::source].get(row) == code;
}

}  // namespace

CloudPart::CloudPart(const Config& config, observe::Observer& observer, PostgresStore& store)
    : mirror_(observer, store, config.openstack.brake_percent, log_line), readings_(store, wall_clock_us()) {}

Result<std::unique_ptr<CloudPart>> CloudPart::start(const Config& config, observe::Observer& observer,
                                                    PostgresStore& store, observe::Findings& findings) {
  if (config.openstack.auth_url.empty()) return nullptr;
  std::unique_ptr<CloudPart> part(new CloudPart(config, observer, store));
  auto reading = part->start_reading(config, observer, store, findings);
  if (!reading) return tl::unexpected(reading.error());
  part->openstack_ = *std::move(reading);
  return part;
}

Result<std::unique_ptr<openstack::Openstack>> CloudPart::start_reading(const Config& config,
                                                                       observe::Observer& observer,
                                                                       PostgresStore& store,
                                                                       observe::Findings& findings) {
  readings_.look();
  const auto leads = [this, &store, sync_s = config.openstack.sync_s] { return lead(store, sync_s); };
  const auto take_report = [this, &findings](const CloudReport& report) { return take(report, findings); };
  return openstack::Openstack::start(
      openstack_options(config.openstack), {take_report, leads, wall_clock_us, log_line},
      [&observer](const std::string& host) { return is_of(*observer.latest(), host, "openstack"); });
}

bool CloudPart::lead(PostgresStore& store, std::uint32_t sync_s) {
  readings_.look();
  const auto leader =
      store.hold_lease("openstack", 2 * sync_s + 60, std::chrono::steady_clock::now() + std::chrono::seconds(5));
  if (!leader || !*leader) return false;
  const std::lock_guard lock(mutex_);
  leader_ = **leader;
  return true;
}

Result<void> CloudPart::take(const CloudReport& report, observe::Findings& findings) {
  const Leading leading([this] {
    const std::lock_guard lock(mutex_);
    return leader_;
  }());
  const Acting acting("openstack");
  return mirror_.take(report).map([&] {
    readings_.wrote(report.read_at_us);
    observe::replace_findings(findings, report);
  });
}

}  // namespace emplace
