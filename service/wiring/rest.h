// RestPart: the REST contract on its address, with all the rooms behind it.
#pragma once

#include <atomic>
#include <memory>

#include "service/configuration/config.h"
#include "service/core/act/scheduler.h"
#include "service/core/doors/reservations.h"
#include "service/http/server.h"
#include "service/observe/findings.h"
#include "service/rest/api.h"
#include "service/rest/auth.h"
#include "service/rest/line_pool.h"
#include "service/store/postgres_store.h"
#include "service/wiring/cloud.h"
#include "service/wiring/libvirt.h"
#include "service/wiring/pictures.h"
#include "service/wiring/plugins.h"

namespace emplace {

// What it answers from. All of it outlives the part.
struct BehindRest {
  const Config& config;
  const http::Tokens& tokens;
  const http::Policy& policy;
  PostgresStore& store;
  PluginPart& plugins;
  PicturePart& pictures;
  observe::Findings& findings;
  LibvirtPart& libvirt;
  CloudPart* cloud;  // null: there is none
  Hypervisors& hypervisors;
  Scheduler& scheduler;
  Reservations& reservations;
  http::LinePool& lines;
};

class RestPart {
 public:
  static Result<std::unique_ptr<RestPart>> start(const BehindRest& behind);

  std::string url() const { return server_->url(); }
  // Ends event streams, finishes what has begun and takes no more.
  void stop();

 private:
  explicit RestPart(const BehindRest& behind);
  http::ApiParts parts_of(const BehindRest& behind);

  http::RateLimit rate_;
  std::atomic<const http::Server*> listening_{nullptr};  // server_, for who asks before it is there
  http::Api api_;
  std::unique_ptr<http::Server> server_;
};

}  // namespace emplace
