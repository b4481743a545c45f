// Reading an answer of another service: a document whose one list is read row by row. read_list() takes all rows or
// none; read_rows() leaves a row out that can't be read, with a note, since one odd row among thousands must not hide
// the rest.
#pragma once

#include <algorithm>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "service/core/json/json.h"
#include "service/openstack/cloud.h"

namespace emplace::openstack {

// Whose answer it is, in messages.
inline constexpr std::string_view kNovaAnswer = "Nova's answer", kPlacementAnswer = "Placement's answer";

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

// Whether Nova announces a following page.
inline bool has_next(JsonFields& fields, std::string_view links) {
  bool next = false;
  fields.each(links, [&](JsonValue link, const std::string&) {
    const auto relation = link.is_object() ? link.find("rel") : std::nullopt;
    next = next || (relation && relation->is_text() && relation->text() == "next");
  });
  return next;
}

// Keys that a row must have, whatever their values. One that no row of an answer has is not missing in rows: our role
// does not see it, and what it would say is not known of any of them.
class Keys {
 public:
  Keys(std::initializer_list<std::string_view> names) : names_(names), having_(names.size()) {}

  // Counts the row. A key that it lacks is an error of the row.
  void look(JsonFields& row) {
    ++rows_;
    for (std::size_t i = 0; i < names_.size(); ++i) {
      row.value(names_[i]) ? void(++having_[i]) : row.require(names_[i]);
    }
  }
  std::string_view hidden() const {
    const auto none = std::find(having_.begin(), having_.end(), 0u);
    const bool is_hidden = rows_ > 0 && none != having_.end();
    return is_hidden ? names_[static_cast<std::size_t>(none - having_.begin())] : std::string_view();
  }

 private:
  std::vector<std::string_view> names_;
  std::vector<std::size_t> having_;
  std::size_t rows_ = 0;
};

// What an operator finds a row by.
inline std::string row_name(JsonValue row) {
  if (!row.is_object()) return {};
  for (const std::string_view key : {"id", "uuid", "host", "name"}) {
    const auto found = row.find(key);
    if (found && found->is_text()) return shortened(found->text());
  }
  return {};
}

inline std::string left_out(std::string_view whose, const JsonErrors& errors, const std::string& name) {
  return std::string(whose) + ": " + errors.failure().value().message + (name.empty() ? "" : ", in " + name) +
         ": it is left out";
}

// The rows of a list that must be there. read(JsonFields& row, JsonErrors& errors) gives a row, or nothing for one that
// is not asked for; what has an error is left out.
template <typename Row, typename Read>
Result<Listed<Row>> read_rows(std::string_view body, std::string_view whose, std::string_view list, const Keys& keys,
                              Read&& read) {
  Listed<Row> all;
  const auto answer = read_answer(body, whose, [&](JsonFields& fields, JsonErrors& errors) {
    fields.require(list);
    fields.each(list, [&](JsonValue item, const std::string& path) {
      ++all.listed;
      JsonErrors faults;
      JsonFields row(item, path, faults);
      std::optional<Row> one = item.is_object() ? read(row, faults) : std::nullopt;
      const auto id = item.is_object() ? item.find("id") : std::nullopt;
      if (id && id->is_text()) all.marker = id->text();
      if (!faults.none()) return all.notes.push_back(left_out(whose, faults, row_name(item)));
      if (one) all.rows.push_back(*std::move(one));
    });
    if (!keys.hidden().empty()) {
      errors.add(std::string(list) + ": lacks " + std::string(keys.hidden()) +
                 " in every row: the user of [openstack] may not see it");
    }
    all.more = has_next(fields, std::string(list) + "_links");
  });
  return answer.map([&] { return std::move(all); });
}

}  // namespace emplace::openstack
