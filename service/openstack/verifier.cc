#include "service/openstack/verifier.h"

#include <QCryptographicHash>
#include <algorithm>

namespace emplace::openstack {
namespace {

constexpr std::size_t kLongestToken = 8192;

std::string hash_of(std::string_view token) {
  return QCryptographicHash::hash(QByteArrayView(token.data(), static_cast<qsizetype>(token.size())),
                                  QCryptographicHash::Sha256)
      .toStdString();
}

// Nothing else goes into a header of ours.
bool may_be_token(std::string_view token) {
  return !token.empty() && token.size() <= kLongestToken &&
         std::all_of(token.begin(), token.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

}  // namespace

Verifier::Verifier(Ask ask, VerifierOptions options, std::function<std::int64_t()> now_us)
    : ask_(std::move(ask)), options_(options), now_us_(std::move(now_us)) {}

std::optional<Result<Caller>> Verifier::find(const std::string& hash) {
  const auto kept = kept_.find(hash);
  if (kept == kept_.end() || kept->second.until_us <= now_us_()) return std::nullopt;
  return kept->second.answer;
}

void Verifier::keep(const std::string& hash, const Result<Caller>& answer) {
  if (!answer && answer.error().code != ErrorCode::kUnauthorized) return;
  const std::int64_t now_us = now_us_();
  const std::int64_t until_us =
      answer ? std::min(now_us + options_.keep_us, answer->expires_at_us) : now_us + options_.keep_refused_us;
  if (kept_.insert_or_assign(hash, Kept{answer, until_us}).second) order_.push_back(hash);
  while (order_.size() > options_.most_kept) {
    kept_.erase(order_.front());
    order_.pop_front();
  }
}

std::optional<Result<Caller>> Verifier::remembered(std::string_view token) {
  if (!may_be_token(token)) {
    return fail(ErrorCode::kUnauthorized, "X-Auth-Token: wanted 1 to 8192 printable characters");
  }
  const std::string hash = hash_of(token);
  const std::lock_guard lock(mutex_);
  return find(hash);
}

Result<Caller> Verifier::verify(const std::string& token, Deadline deadline) {
  if (const auto known = remembered(token)) return *known;
  const std::string hash = hash_of(token);
  std::promise<Result<Caller>> promise;
  std::shared_future<Result<Caller>> other;
  {
    const std::lock_guard lock(mutex_);
    if (const auto known = find(hash)) return *known;  // whoever asked may have been answered just now
    if (const auto asked = asking_.find(hash); asked != asking_.end()) {
      other = asked->second;
    } else if (asking_.size() >= options_.most_asking) {
      return fail(ErrorCode::kUnavailable, "too many unknown tokens are being asked for; try again", "emplace.busy", 1);
    } else {
      asking_.emplace(hash, promise.get_future().share());
    }
  }
  if (other.valid()) {
    if (other.wait_until(deadline) == std::future_status::ready) return other.get();
    return fail(ErrorCode::kTimeout, "Keystone did not say in time whose token this is");
  }
  const auto answer = ask_(token, deadline);
  const std::lock_guard lock(mutex_);
  keep(hash, answer);
  asking_.erase(hash);
  promise.set_value(answer);
  return answer;
}

}  // namespace emplace::openstack
