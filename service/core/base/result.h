// Result<T> is a value or an Error: a code that a program reads and a message that an operator reads. Codes map one to
// one to HTTP statuses in service/http; library exceptions become an Error in the door that calls the library. "No host
// fits" is an answer, not an Error.
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace emplace {

enum class ErrorCode {
  kInvalid,         // bad input: the message names the field, what was wanted, what was found   400
  kUnauthorized,    // no or an unknown token                                                  401
  kForbidden,       // a known token without the role                                          403
  kNotFound,        // no such host, vm, group, claim, decision                                404
  kConflict,        // a claim that no longer fits; a generation that moved                    409
  kGone,            // existed, but its retention is over                                      410
  kUnprocessable,   // an idempotency key with another body                                    422
  kTooMany,         // over a limit; try later                                                 429
  kUnavailable,     // a database, a hypervisor or a queue that does not answer now            503
  kUnknownOutcome,  // sent, but the answer was lost: ask again by id                          503
  kTimeout,         // our own deadline passed                                                 504
  kInternal,        // a defect of ours                                                        500
};

struct Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;
  std::string detail_code = {};  // stable machine code such as "emplace.claim.conflict"; empty: the default of `code`
  int retry_after_s = 0;         // > 0: a hint for the caller
};

template <typename T>
using Result = tl::expected<T, Error>;

inline tl::unexpected<Error> fail(ErrorCode code, std::string message, std::string detail_code = {},
                                  int retry_after_s = 0) {
  return tl::unexpected<Error>(Error{code, std::move(message), std::move(detail_code), retry_after_s});
}

}  // namespace emplace
