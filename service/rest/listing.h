// Lists: what the query of one asks for, the page of the picture that this means, and how its document ends. Rows of a
// picture have no order of their own that a client may see.
//
// Pages are stable: a marker names the last row's place in the order (its id or name and, with another order, what it
// is ordered by: "ID:NAME"), not a row that must still be there; and `next` keeps the query.
//
// Cost: one pass over the table, and a partial sort of the page. Pure functions.
#pragma once

#include <algorithm>
#include <compare>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "service/core/base/result.h"
#include "service/core/doors/lists.h"
#include "service/core/picture/picture.h"
#include "service/rest/route.h"

namespace emplace::http {

// What the rows of a list are known by, and so ordered by unless the query sorts otherwise.
enum class ListKey { kName, kId, kTimedId };  // kTimedId: they also have a made_at

// The parameters that the query of a list may have: those of every list, and its own.
std::vector<std::string_view> list_query(std::initializer_list<std::string_view> own);

// kInvalid for a filter that names a host or group which the picture lacks, or is no name, uuid, order, marker or
// limit.
Result<ListQuestion> list_question(const ApiRoom& room, const Exchange& exchange, const Picture& picture, ListKey key);

// "ID", "NAME", "ID:NAME" or "ID:TIME": the marker of a page that follows this row.
std::string list_marker(const ListQuestion& question, ListKey key, const ListMarker& last);

// What a list's document ends with after its rows.
struct ListEnd {
  std::int64_t event_seq = 0;  // of the picture or snapshot that the rows are of
  std::size_t limit = 0;
  std::optional<std::string> marker;           // where there are more rows
  std::function<void(JsonWriter&)> also = {};  // members of the document besides
};
// "event_seq", "stale", "age_s" and "next"; closes the list and the document.
Response end_list(const ApiRoom& room, const Exchange& exchange, JsonWriter& writer, const ListEnd& end);

// The state that the question asks for; nothing: any. `parse`: word → state, nothing for any other word.
template <typename State>
Result<std::optional<State>> state_of(const ListQuestion& question, std::string_view words,
                                      std::optional<State> (*parse)(std::string_view)) {
  if (question.state.empty()) return std::optional<State>();
  const auto state = parse(question.state);
  if (state) return state;
  return fail(ErrorCode::kInvalid, "state: wanted " + std::string(words) + ", found " + json_text(question.state));
}

// ---- of the picture

struct RowPage {
  std::vector<std::uint32_t> rows;
  bool more = false;
};

struct RowPlace {
  std::string_view name;
  Uuid id = {};
  auto operator<=>(const RowPlace&) const = default;
};

// `kept`: row → whether it belongs to the list; `place`: row → its RowPlace.
template <typename Kept, typename Place>
RowPage page_of_rows(std::uint32_t rows, const ListQuestion& question, Kept kept, Place place) {
  const auto comes_before = [&](const RowPlace& a, const RowPlace& b) { return question.descending ? b < a : a < b; };
  const RowPlace after = question.after ? RowPlace{question.after->name, question.after->id} : RowPlace{};
  RowPage page;
  for (std::uint32_t row = 0; row < rows; ++row) {
    if (kept(row) && (!question.after || comes_before(after, place(row)))) page.rows.push_back(row);
  }
  page.more = page.rows.size() > question.limit;
  const auto end = page.rows.begin() + static_cast<std::ptrdiff_t>(std::min(page.rows.size(), question.limit));
  std::partial_sort(page.rows.begin(), end, page.rows.end(),
                    [&](std::uint32_t a, std::uint32_t b) { return comes_before(place(a), place(b)); });
  page.rows.erase(end, page.rows.end());
  return page;
}

// The marker of the page after this one, whose rows are known by name.
inline std::optional<std::string> marker_after(const RowPage& page, const Picture& picture, Column<Utf8> name) {
  return page.more ? std::optional(std::string(picture[name][page.rows.back()])) : std::nullopt;
}

inline bool is_alive(const Picture& picture, Column<std::uint8_t> alive, std::uint32_t row) {
  return picture[alive].get(row) == std::uint8_t{1};
}

// Rows of the table of vms (vms and held claims) that the question's host, group, project and name ask for.
class VmRows {
 public:
  VmRows(const Picture& picture, const ListQuestion& question);
  bool has(std::uint32_t row) const;
  // By the name that the question sorts by, and `id`.
  RowPlace place(std::uint32_t row, const Uuid& id) const;

 private:
  const Picture& picture_;
  const ListQuestion& question_;
  const std::uint32_t host_, group_, project_;
};

}  // namespace emplace::http
