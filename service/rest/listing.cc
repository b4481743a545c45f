#include "service/rest/listing.h"

#include <charconv>

#include "service/core/base/time_text.h"
#include "service/rest/project.h"

namespace emplace::http {
namespace {

constexpr std::size_t kUuidSize = 36;

Result<std::size_t> read_limit(const ApiRoom& room, const std::string* text) {
  if (!text) return room.parts.limits.page;
  std::size_t limit = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), limit);
  const std::size_t most = room.parts.limits.most_per_page;
  if (error != std::errc() || end != text->data() + text->size() || limit == 0 || limit > most) {
    return fail(ErrorCode::kInvalid,
                "limit: wanted a whole number from 1 to " + std::to_string(most) + ", found " + json_text(*text));
  }
  return limit;
}

std::string percent_encoded(std::string_view text) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  static constexpr std::string_view kPlain = "-._~:";
  std::string encoded;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool letter = (byte | 0x20) >= 'a' && (byte | 0x20) <= 'z';
    if (letter || (byte >= '0' && byte <= '9') || kPlain.find(c) != std::string_view::npos) {
      encoded += c;
    } else {
      encoded += {'%', kHex[byte >> 4], kHex[byte & 15]};
    }
  }
  return encoded;
}

Result<void> read_sort(const std::string* text, ListKey key, ListQuestion& question) {
  question.order = key == ListKey::kName ? ListOrder::kName : ListOrder::kId;
  if (!text) return {};
  std::string_view word = *text;
  question.descending = word.starts_with('-');
  if (question.descending) word.remove_prefix(1);
  const bool timed = key == ListKey::kTimedId;
  question.order = word == "name" ? ListOrder::kName : ListOrder::kMadeAt;
  if (word == "name" || (timed && word == "made_at")) return {};
  return fail(ErrorCode::kInvalid, std::string("sort: wanted ") +
                                       (timed ? "name, -name, made_at or -made_at" : "name or -name") + ", found " +
                                       json_text(*text));
}

// "ID:REST", as list_marker() writes it.
std::optional<ListMarker> parse_marker(std::string_view text, ListOrder order) {
  const auto id = parse_uuid(text.substr(0, kUuidSize));
  if (!id || (order != ListOrder::kId && text.substr(kUuidSize, 1) != ":")) return std::nullopt;
  ListMarker marker{.id = *id};
  const std::string_view rest = order == ListOrder::kId ? text.substr(kUuidSize) : text.substr(kUuidSize + 1);
  if (order == ListOrder::kId) return rest.empty() ? std::optional(marker) : std::nullopt;
  if (order == ListOrder::kName) {
    marker.name = rest;
    return marker;
  }
  const auto at_us = parse_time(rest);
  marker.made_at_us = at_us.value_or(0);
  return at_us ? std::optional(marker) : std::nullopt;
}

Result<void> read_marker(const std::string* text, ListKey key, ListQuestion& question) {
  if (!text) return {};
  if (key == ListKey::kName) {
    question.after = ListMarker{.name = *text};
    return {};
  }
  question.after = parse_marker(*text, question.order);
  if (question.after) return {};
  const char* const rest = question.order == ListOrder::kId     ? ""
                           : question.order == ListOrder::kName ? ", a colon and the name"
                                                                : ", a colon and the time";
  return fail(ErrorCode::kInvalid,
              std::string("marker: wanted a uuid") + rest + " of the page before, found " + json_text(*text));
}

Result<void> read_name(const Exchange& exchange, std::string_view field, std::string& target) {
  const std::string* text = exchange.query(field);
  if (!text) return {};
  if (!is_name(*text)) {
    return fail(ErrorCode::kInvalid,
                std::string(field) + ": wanted " + std::string(kNameWanted) + ", found " + json_text(*text));
  }
  target = *text;
  return {};
}

// A project's token sees its own whatever it asks for.
Result<void> confine(const Identity& identity, ListQuestion& question) {
  if (identity.project.empty()) return {};
  if (!question.project.empty() && !sees(identity, question.project)) {
    return fail(ErrorCode::kForbidden,
                "project: wanted " + json_text(identity.project) + " or none, found " + json_text(question.project));
  }
  question.project = identity.project;
  return {};
}

Result<void> check_known(const Identity& identity, const Picture& picture, const ListQuestion& question) {
  if (!question.host.empty() && picture.find_host(question.host) == kNoRow)
    return fail(ErrorCode::kInvalid, "host: wanted the name of a host, found " + json_text(question.host));
  const bool group_seen = sees_group(identity, question.group) && picture.find_group(question.group) != kNoRow;
  if (!question.group.empty() && !group_seen)
    return fail(ErrorCode::kInvalid, "group: wanted the name of a group, found " + json_text(question.group));
  return {};
}

Result<void> read_filters(const Exchange& exchange, const Picture& picture, ListQuestion& question) {
  const std::pair<std::string_view, std::string*> names[] = {{"host", &question.host},
                                                             {"group", &question.group},
                                                             {"project", &question.project},
                                                             {"state", &question.state},
                                                             {"name_prefix", &question.name_prefix}};
  for (const auto& [field, target] : names) {
    if (auto read = read_name(exchange, field, *target); !read) return read;
  }
  if (const std::string* vm = exchange.query("vm")) {
    const auto id = uuid_of("vm", *vm);
    if (!id) return tl::unexpected(id.error());
    question.vm = *id;
  }
  return check_known(exchange.identity, picture, question).and_then([&] {
    return confine(exchange.identity, question);
  });
}

// The path of the page after `marker`: the same query, from there.
std::string next_path(const Exchange& exchange, std::size_t limit, const std::string& marker) {
  std::string path = exchange.request->path + "?limit=" + std::to_string(limit);
  for (const auto& [name, value] : exchange.request->query) {
    if (name != "limit" && name != "marker") path += '&' + name + '=' + percent_encoded(value);
  }
  return path + "&marker=" + percent_encoded(marker);
}

}  // namespace

std::vector<std::string_view> list_query(std::initializer_list<std::string_view> own) {
  std::vector<std::string_view> query{"limit", "marker", "sort", "name_prefix"};
  query.insert(query.end(), own);
  return query;
}

Result<ListQuestion> list_question(const ApiRoom& room, const Exchange& exchange, const Picture& picture, ListKey key) {
  ListQuestion question;
  const auto limit = read_limit(room, exchange.query("limit"));
  if (!limit) return tl::unexpected(limit.error());
  question.limit = *limit;
  return read_sort(exchange.query("sort"), key, question)
      .and_then([&] { return read_marker(exchange.query("marker"), key, question); })
      .and_then([&] { return read_filters(exchange, picture, question); })
      .map([&] { return std::move(question); });
}

std::string list_marker(const ListQuestion& question, ListKey key, const ListMarker& last) {
  if (key == ListKey::kName) return last.name;
  switch (question.order) {
    case ListOrder::kId:
      return to_string(last.id);
    case ListOrder::kName:
      return to_string(last.id) + ':' + last.name;
    case ListOrder::kMadeAt:
      return to_string(last.id) + ':' + time_text(last.made_at_us);
  }
  return {};
}

Response end_list(const ApiRoom& room, const Exchange& exchange, JsonWriter& writer, const ListEnd& end) {
  writer.close_list();
  if (end.also) end.also(writer);
  writer.whole("event_seq", end.event_seq);
  write_staleness(room, writer);
  writer.key("next");
  end.marker ? writer.text(next_path(exchange, end.limit, *end.marker)) : writer.null();
  writer.close();
  return json_response(writer.take());
}

VmRows::VmRows(const Picture& picture, const ListQuestion& question)
    : picture_(picture),
      question_(question),
      host_(question.host.empty() ? kNoRow : picture.find_host(question.host)),
      group_(question.group.empty() ? kNoRow : picture.find_group(question.group)),
      project_(question.project.empty() ? kNoRow : picture.find_code(question.project)) {}

bool VmRows::has(std::uint32_t row) const {
  const auto is = [&](const std::string& wanted, Column<std::uint32_t> column, std::uint32_t found) {
    return wanted.empty() || (found != kNoRow && picture_[column].get(row) == found);
  };
  return is(question_.host, vms::host, host_) && is(question_.group, vms::group, group_) &&
         is(question_.project, vms::project, project_) &&
         (!question_.vm || picture_[vms::id].get(row) == question_.vm) &&
         picture_[vms::name].get(row).value_or("").starts_with(question_.name_prefix);
}

RowPlace VmRows::place(std::uint32_t row, const Uuid& id) const {
  return {question_.order == ListOrder::kName ? picture_[vms::name].get(row).value_or("") : "", id};
}

}  // namespace emplace::http
