// Address: where the tables are, and what every session says to PostgreSQL when it connects there, so that its
// statements mean the same and are as quick whatever the server, its databases and its roles have configured. An
// operator's word counts where it only makes things safer (a stronger synchronous_commit) and in the connection string
// itself.
//
// Nothing of this is in the connection's `options`, which connection poolers do not pass on.
#pragma once

#include <string>
#include <utility>

#include "service/core/base/result.h"

namespace emplace {

inline constexpr char kDefaultSchema[] = "public";

struct Address {
  // Implicit, since mostly the connection is all there is to say.
  Address(std::string where, std::string in_schema = kDefaultSchema, std::string who = {})
      : connection(std::move(where)), schema(std::move(in_schema)), replica(std::move(who)) {}

  std::string connection;  // as libpq reads it: "host=... user=..." or a postgresql:// URL
  std::string schema;      // that holds the tables
  std::string replica;     // name of this emplaced
};

enum class Purpose { kClaims, kWork, kEvents, kMigration };

// With timeouts for a server that is gone, a name that tells replica and purpose, and the primary among several hosts.
// A string that libpq can't read is returned as it is: connecting says what is wrong with it.
std::string connection_string(const Address& address, Purpose purpose);

// Whether libpq can read it at all: kInvalid. Nothing of it is shown, since a password may be in it.
Result<void> check_connection_string(const std::string& text);

// SET statements for one query, which answers with the backend's process id; `server_version` as in 150004.
std::string settings(const Address& address, Purpose purpose, int server_version);

}  // namespace emplace
