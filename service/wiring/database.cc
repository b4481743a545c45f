#include "service/wiring/database.h"

#include <fmt/format.h>

#include <chrono>
#include <string_view>
#include <utility>

#include "service/store/address.h"
#include "service/store/migrations.h"
#include "service/store/pooling.h"
#include "service/wiring/log.h"
#include "service/wiring/world.h"

namespace emplace {
namespace {

constexpr std::chrono::seconds kPoolingDeadline{10};

void store_log(LogLevel level, std::string_view line) {
  log_line(level == LogLevel::kInfo ? "info" : level == LogLevel::kWarn ? "warn" : "error", line);
}

}  // namespace

Result<DatabasePart> DatabasePart::open(const Config& config) {
  DatabasePart part;
  part.connection_ = config.database_url;
  if (config.database_url.empty()) {
    auto started = EmbeddedPostgres::start(config.data, store_log);
    if (!started) return tl::unexpected(started.error());
    part.embedded_ = std::move(*started);
    part.connection_ = part.embedded_->connection_string();
  }
  const Address address(part.connection_, config.database_schema, config.replica);
  const auto checked = check_pooling(address, std::chrono::steady_clock::now() + kPoolingDeadline);
  if (!checked) return tl::unexpected(checked.error());
  const auto migrated = migrate(address, known_migrations(), start_deadline());
  if (!migrated) return tl::unexpected(migrated.error());
  if (*migrated > 0) log_line("info", fmt::format("event=migrated migrations={}", *migrated));
  return part;
}

StoreOptions DatabasePart::options(const Config& config) const {
  return {.connection = connection_,
          .replica = config.replica,
          .now_us = wall_clock_us,
          .new_uuid = random_uuid,
          .log = store_log,
          .schema = config.database_schema};
}

}  // namespace emplace
