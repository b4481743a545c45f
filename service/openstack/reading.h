// Reading an answer of another service: a document whose one list is read row by row.
#pragma once

#include <string>
#include <string_view>

#include "service/core/json.h"

namespace emplace::openstack {

// Whose answer it is, in messages.
inline constexpr std::string_view kNovaAnswer = "Nova's answer";

// A broken answer of another service is no fault of our caller.
inline tl::unexpected<Error> unusable(std::string_view whose, const Error& error) {
  return fail(ErrorCode::kUnavailable, std::string(whose) + ": " + error.message);
}

// Empty where it is absent or null.
inline std::string text_of(JsonFields& row, std::string_view field) {
  std::string text;
  row.text_or_null(field, text);
  return text;
}

// Calls read(JsonFields& document, JsonErrors& errors) with the members of the answer and gives the first error.
template <typename Read>
Result<void> read_answer(std::string_view body, std::string_view whose, Read&& read) {
  const auto document = JsonDocument::parse(body, "answer");
  if (!document) return unusable(whose, document.error());
  JsonErrors errors;
  JsonFields fields(document->root(), "", errors);
  read(fields, errors);
  if (!errors.none()) return unusable(whose, errors.failure().value());
  return {};
}

// Calls read(JsonFields& row, JsonErrors& errors) with each item of a list that must be there.
template <typename Read>
Result<void> read_list(std::string_view body, std::string_view whose, std::string_view list, Read&& read) {
  return read_answer(body, whose, [&](JsonFields& fields, JsonErrors& errors) {
    fields.require(list);
    fields.each(list, [&](JsonValue item, const std::string& path) {
      JsonFields row(item, path, errors);
      read(row, errors);
    });
  });
}

}  // namespace emplace::openstack
