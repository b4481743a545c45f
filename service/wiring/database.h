// DatabasePart: the operator's database, or one of our own in the data directory, with its schema up to date.
#pragma once

#include <memory>
#include <string>

#include "service/configuration/config.h"
#include "service/core/base/result.h"
#include "service/store/embedded.h"
#include "service/store/postgres_store.h"

namespace emplace {

class DatabasePart {
 public:
  // kInvalid: a pooler that can't be used; else what a start or a migration failed on.
  static Result<DatabasePart> open(const Config& config);

  StoreOptions options(const Config& config) const;  // of a store on it

 private:
  std::unique_ptr<EmbeddedPostgres> embedded_;  // null: it is the operator's
  std::string connection_;
};

}  // namespace emplace
