// Verifier: the TokenAuthority that asks Keystone. Answers are kept by the token's SHA-256, never the token: good ones
// at most five minutes and not beyond the token's own end, refusals some seconds; that a token was revoked is therefore
// noticed within five minutes. That nobody could say is not kept.
//
// Of several callers with one token one asks and the others wait for its answer. More questions at once than the limit
// are refused with kUnavailable, so that a flood of made-up tokens occupies neither our threads nor Keystone.
//
// Threads: any. The least recently made answer goes when there are too many.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <future>
#include <map>
#include <mutex>
#include <string>

#include "service/core/base/deadline.h"
#include "service/core/base/result.h"
#include "service/core/doors/cloud.h"
#include "service/openstack/keystone.h"

namespace emplace::openstack {

struct VerifierOptions {
  std::int64_t keep_us = 300'000'000;  // at most
  std::int64_t keep_refused_us = 10'000'000;
  std::size_t most_kept = 10'000;
  std::size_t most_asking = 8;
};

class Verifier : public TokenAuthority {
 public:
  using Ask = std::function<Result<Caller>(const std::string& token, Deadline deadline)>;

  Verifier(Ask ask, VerifierOptions options, std::function<std::int64_t()> now_us);

  std::optional<Result<Caller>> remembered(std::string_view token) override;
  Result<Caller> verify(const std::string& token, Deadline deadline) override;

 private:
  struct Kept {
    Result<Caller> answer;
    std::int64_t until_us;
  };
  std::optional<Result<Caller>> find(const std::string& hash);
  void keep(const std::string& hash, const Result<Caller>& answer);

  const Ask ask_;
  const VerifierOptions options_;
  const std::function<std::int64_t()> now_us_;
  std::mutex mutex_;  // guards what follows
  std::map<std::string, Kept> kept_;
  std::deque<std::string> order_;  // of kept_, oldest first
  std::map<std::string, std::shared_future<Result<Caller>>> asking_;
};

}  // namespace emplace::openstack
