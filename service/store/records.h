// Decisions and remembered answers: written in the transaction of what they belong to.
#pragma once

#include <pqxx/pqxx>
#include <vector>

#include "service/core/base/result.h"
#include "service/core/doors/decisions.h"
#include "service/core/doors/lists.h"

namespace emplace {

using KeyedAnswer = std::pair<IdempotencyKey, RememberedAnswer>;

void insert_decisions(pqxx::work& transaction, const std::vector<DecisionRecord>& decisions);
std::vector<DecisionRecord> read_decisions(pqxx::work& transaction, const ListQuestion& question);
std::optional<DecisionRecord> read_decision(pqxx::work& transaction, const Uuid& id);

// Which of them were there already, not expired: their places in `answers`.
std::vector<std::size_t> insert_answers(pqxx::work& transaction, const std::vector<KeyedAnswer>& answers);
// Nothing: a new key. kUnprocessable: used with another body.
Result<std::optional<RememberedAnswer>> read_answer(pqxx::work& transaction, const IdempotencyKey& key);
std::int64_t count_answers(pqxx::work& transaction);
Error answered_meanwhile(const IdempotencyKey& key);

}  // namespace emplace
