#include "service/openstack/openstack.h"

namespace emplace::openstack {

Openstack::Openstack(std::unique_ptr<Web> web, std::unique_ptr<NovaDatabase> database, const OpenstackOptions& options,
                     const Sync::Doors& doors, std::function<bool(const std::string& host)> lists)
    : web_(std::move(web)),
      keystone_(*web_, options.keystone, doors.now_us, doors.log),
      nova_(keystone_),
      placement_(keystone_),
      candidates_(keystone_, options.ask_placement),
      database_(std::move(database)),
      verifier_([this](const std::string& token, Deadline deadline) { return keystone_.owner_of(token, deadline); },
                options.verifier, doors.now_us),
      sync_({nova_, placement_, database_.get()}, options.sync, doors),
      hosts_(keystone_, nova_, options.migration, {std::move(lists), [this] { sync_.hurry(); }}) {}

// What waits for the network returns first, so that the threads of the sync and of the moves can end.
Openstack::~Openstack() {
  web_->stop();
  if (database_) database_->stop();
  hosts_.stop();
  sync_.stop();
}

Result<std::unique_ptr<Openstack>> Openstack::start(const OpenstackOptions& options, Sync::Doors doors,
                                                    std::function<bool(const std::string& host)> lists) {
  auto web = Web::create(options.web);
  if (!web) return tl::unexpected(web.error());
  auto database = NovaDatabase::create(options.database);
  if (!database) return tl::unexpected(database.error());
  return std::unique_ptr<Openstack>(
      new Openstack(*std::move(web), *std::move(database), options, doors, std::move(lists)));
}

}  // namespace emplace::openstack
