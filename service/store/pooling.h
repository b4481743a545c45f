// What our sessions need of whatever lies between them and PostgreSQL: that one session is one backend, from connecting
// to closing. Settings, prepared statements, advisory locks and LISTEN belong to the backend. A pooler that gives each
// transaction another backend (PgBouncer with pool_mode = transaction or statement) takes them away, silently.
#pragma once

#include <exception>
#include <stdexcept>

#include "service/core/base/deadline.h"
#include "service/core/base/result.h"
#include "service/store/address.h"

namespace emplace {

// Thrown by Session::check_backend().
class Pooled : public std::runtime_error {
 public:
  Pooled();
};

// Whether an error is what a statement of ours gets of such a pooler.
bool says_pooled(const std::exception& error);

// kInvalid with one line of what to do when backends change under two sessions that take turns. Waits at most until the
// deadline. A pooler with a pool of less than two connections can't be told from a database that does not answer.
Result<void> check_pooling(const Address& address, Deadline deadline);

}  // namespace emplace
