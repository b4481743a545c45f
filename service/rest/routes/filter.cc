// Filter and weigh: what Nova's scheduler asks of its hosts, and what the filter and weigher in clients/nova ask in one
// call: which of these hosts may it, and in which order would we take them.
#include <fmt/format.h>

#include <algorithm>

#include "service/core/answer/explanation.h"
#include "service/core/base/shown_text.h"
#include "service/core/base/time_text.h"
#include "service/core/decide/decision.h"
#include "service/core/request/request_json.h"
#include "service/rest/host_states.h"
#include "service/rest/route.h"

namespace emplace::http {
namespace {

// Nova takes alternates from the order of hosts, a few; ranking all of them would cost more than deciding.
constexpr std::size_t kMostScored = 128;
// Of a host that nobody knows: neither better nor worse than others.
constexpr double kNeutralScore = 0.5;

// A question about given hosts: a request, the rules asked for, and the hosts in the order they were sent.
struct Question {
  std::shared_ptr<const PlacementRequest> request;
  std::shared_ptr<const Rules> rules;
  std::shared_ptr<const Picture> picture;
  std::int64_t now_us = 0;
  std::vector<std::uint32_t> rows;  // kNoRow: not in the picture, which this caller allows
  std::vector<std::string> hosts;   // as the caller calls them
  bool scores = false;
  bool brief = false;  // without what follows from the rest
  bool pass_unknown = false;
  bool reserve = false;
  bool of_ours = false;           // about hosts of our picture, not about states that were sent
  std::uint32_t ttl_s = 60;       // of the reservation
  std::string unread_cloud = {};  // what must be said of a cloud that was never read
};

// What was found out, with what it refers to.
struct Verdict {
  Query query;  // of the question's request and picture
  Decision decision;
};

void copy(JsonWriter& writer, JsonFields& fields, std::string_view name) {
  if (const auto value = fields.value(name)) writer.key(name).value(*value);
}

// The request without the hosts, as rules see it: with the options, the release and the clock that the caller names.
Result<PlacementRequest> request_of(JsonFields& fields, JsonErrors& errors) {
  PlacementRequest request;
  read_asked_vm(fields, request, errors);
  if (!errors.none()) return errors.failure();
  JsonWriter document;
  document.open();
  for (const std::string_view field : {"vm", "request_spec", "options", "release", "now"})
    copy(document, fields, field);
  document.close();
  request.document = document.take();
  return request;
}

// Whether the plugins know them: else a rule could only say that it can't answer.
void check_options(const ApiRoom& room, const std::string& options, const std::string& path, JsonErrors& errors) {
  const auto known = room.parts.check_options ? room.parts.check_options(options) : Result<void>();
  if (!known) errors.add(path + known.error().message);
}

void read_release(const ApiRoom& room, JsonFields& fields, JsonErrors& errors) {
  if (!fields.has("release")) return;
  std::string release;
  fields.name("release", release);
  if (errors.none()) check_options(room, JsonWriter().open().text("release", release).close().take(), "", errors);
}

void read_options(const ApiRoom& room, JsonFields& fields, JsonErrors& errors) {
  read_release(room, fields, errors);
  const auto options = fields.value("options");
  if (!options) return;
  if (!options->is_object()) return fields.wanted("options", "an object of sections", *options);
  for (std::size_t i = 0; i < options->size(); ++i) {
    if (!options->member(i).is_object()) {
      errors.add("options." + std::string(options->key(i)) + ": wanted an object, found " + options->member(i).found());
    }
  }
  if (errors.none()) check_options(room, to_json(*options), "options.", errors);
}

// What only a filter is asked for.
void read_wishes(JsonFields& fields, Question& question, JsonErrors& errors) {
  std::string unknown = "fail";
  fields.name("unknown_hosts", unknown);
  fields.flag("scores", question.scores);
  fields.flag("brief", question.brief);
  fields.flag("reserve", question.reserve);
  fields.whole("ttl_s", question.ttl_s, {1, 86400});
  question.pass_unknown = unknown == "pass";
  if (unknown != "fail" && unknown != "pass") {
    errors.add("unknown_hosts: wanted \"fail\" or \"pass\", found " + json_text(shortened(unknown)));
  }
}

std::int64_t read_now(JsonFields& fields, std::int64_t now_us) {
  const auto value = fields.value("now");
  if (!value) return now_us;
  const auto at = value->is_text() ? parse_time(value->text()) : std::nullopt;
  if (!at) fields.wanted("now", "a time such as 2026-11-21T10:00:00Z", *value);
  return at.value_or(now_us);
}

Result<void> find_hosts(Question& question) {
  question.rows = question.picture->find_hosts(question.hosts);
  const auto unknown = std::ranges::find(question.rows, kNoRow);
  if (unknown == question.rows.end() || question.pass_unknown) return {};
  const auto i = static_cast<std::size_t>(unknown - question.rows.begin());
  return fail(ErrorCode::kInvalid,
              "hosts[" + std::to_string(i) + "]: wanted the name of a host, found " + json_text(question.hosts[i]));
}

Result<void> read_hosts(const ApiRoom& room, JsonFields& fields, Question& question, JsonErrors& errors) {
  const auto hosts = fields.value("hosts");
  const auto states = fields.value("host_states");
  if (hosts.has_value() == states.has_value()) {
    return fail(ErrorCode::kInvalid,
                std::string("hosts: wanted exactly one of hosts and host_states, found ") + (hosts ? "both" : "none"));
  }
  if (hosts) {
    question.of_ours = true;
    question.picture = room.parts.pictures.latest();
    fields.names("hosts", question.hosts);
    if (!errors.none()) return errors.failure();
    auto unread = unread_cloud(room, *question.picture, {&question.hosts, !question.pass_unknown});
    if (!unread) return tl::unexpected(unread.error());
    question.unread_cloud = *std::move(unread);
    return find_hosts(question);
  }
  if (question.reserve) return fail(ErrorCode::kInvalid, "reserve: wanted it with hosts, found it with host_states");
  auto read = read_host_states(*states, question.now_us);
  if (!read) return tl::unexpected(read.error());
  question.picture = std::move(read->picture);
  question.hosts = std::move(read->hosts);
  question.rows = question.picture->find_hosts(read->names);
  return {};
}

// The rules that the call names, or those of its profile.
Result<std::shared_ptr<const Rules>> rules_of(const ApiRoom& room, JsonFields& fields, std::string_view list,
                                              JsonErrors& errors) {
  std::string profile = "default";
  fields.name("profile", profile);
  std::vector<std::string> ids;
  const bool named = fields.has(list);
  fields.names(list, ids);
  if (!errors.none()) return errors.failure();
  if (!named) {
    auto rules = room.parts.rule_book.find(profile);
    if (rules && list == "weighers" && (*rules)->profile.method != RankMethod::kNova) {
      return fail(ErrorCode::kInvalid,
                  "weighers: wanted a list, or a profile of method nova, found profile " + json_text(profile));
    }
    return rules;
  }
  Profile asked;
  asked.name = list;
  asked.method = RankMethod::kNova;
  if (list == "filters") asked.filters = ids;
  for (const std::string& id : ids) {
    if (list == "weighers") asked.weighers.push_back({id, {}});
  }
  return room.parts.rule_book.resolve_once(asked);
}

Result<Question> question_of(const ApiRoom& room, const Exchange& exchange, std::string_view list) {
  const auto document = JsonDocument::parse(exchange.request->body);
  if (!document) return tl::unexpected(document.error());
  JsonErrors errors;
  JsonFields fields(document->root(), "", errors);
  if (!errors.none()) return errors.failure();
  Question question;
  question.now_us = read_now(fields, room.now_us());
  if (list == "filters") read_wishes(fields, question, errors);
  read_options(room, fields, errors);
  auto rules = rules_of(room, fields, list, errors);
  if (!rules) return tl::unexpected(rules.error());
  question.rules = *std::move(rules);
  // One call may ask for both lists, so that a client can send the same body to filter and to weigh.
  std::vector<std::string> unused;
  fields.names(list == "filters" ? "weighers" : "filters", unused);
  auto request = request_of(fields, errors);
  if (!request) return tl::unexpected(request.error());
  if (const auto read = read_hosts(room, fields, question, errors); !read) return tl::unexpected(read.error());
  fields.refuse_unknown();
  if (!errors.none()) return errors.failure();
  // The hosts that are asked about are the candidates; Nova picks forced and ignored ones before it calls its filters.
  request->vm.only_hosts.clear();
  request->vm.only_nodes.clear();
  request->vm.ignore_hosts.clear();
  request->unread_cloud = question.unread_cloud;
  question.request = std::make_shared<const PlacementRequest>(*std::move(request));
  return question;
}

// Only what is known of the hosts at hand; of a caller who wants no order, nothing but whether they pass.
Decision decide_among(const Question& question, const Query& query) {
  if (question.scores || question.reserve) return decide(*question.rules, query, kMostScored);
  Decision decision;
  decision.screened = screen(*question.rules, query);
  return decision;
}

Result<Verdict> judge(const Question& question) {
  auto query = bind(*question.request, question.request->vm, *question.picture, question.now_us);
  if (!query) return tl::unexpected(query.error());
  auto& candidates = query->only_hosts.emplace();
  std::ranges::copy_if(question.rows, std::back_inserter(candidates), [](std::uint32_t row) { return row != kNoRow; });
  Decision decision = decide_among(question, *query);
  return Verdict{*std::move(query), std::move(decision)};
}

std::string first_host(const Verdict& verdict) {
  const auto& order = verdict.decision.ranking.order;
  if (order.empty()) return {};
  return std::string(verdict.query.picture[hosts::name][verdict.decision.costs.hosts[order.front().index]]);
}

// What is reserved; an error takes the verdict's place.
std::vector<Reservation> first_of(const Question& question, std::optional<Result<Verdict>>& verdict) {
  const std::string host = *verdict ? first_host(**verdict) : std::string();
  if (host.empty()) return {};
  auto taking = take(*question.rules, (*verdict)->query, question.picture->find_host(host));
  if (taking) return {{question.request->vm, host, std::move(taking->takes)}};
  verdict.emplace(tl::unexpected(taking.error()));
  return {};
}

// Decides on what is there when its turn has come, so that of two who ask at once the second sees the first's host
// taken.
Result<Verdict> judge_and_reserve(const ApiRoom& room, Question& question) {
  const Uuid& vm = question.request->vm.id;
  if (vm.is_zero()) return fail(ErrorCode::kInvalid, "reserve: wanted a vm with an id, found one without");
  std::optional<Result<Verdict>> verdict;
  room.parts.reservations.reserve({&vm, 1}, question.ttl_s, [&](const std::shared_ptr<const Picture>& picture) {
    const bool same = picture->index(Index::kHostsByName).same_version(question.picture->index(Index::kHostsByName));
    question.picture = picture;
    verdict.emplace((same ? Result<void>() : find_hosts(question)).and_then([&] { return judge(question); }));
    return first_of(question, verdict);
  });
  return *std::move(verdict);
}

// 1 for the host that we would take, falling evenly; hosts beyond those that are ranked have 0, which a brief answer
// leaves out.
void write_scores(JsonWriter& writer, const Question& question, const Decision& decision) {
  const auto passed = static_cast<double>(decision.costs.hosts.size());
  std::vector<double> scores(question.picture->rows(Table::kHosts));  // by row
  for (std::size_t i = 0; i < decision.ranking.order.size(); ++i) {
    scores[decision.costs.hosts[decision.ranking.order[i].index]] = (passed - static_cast<double>(i)) / passed;
  }
  writer.key("scores").open();
  for (std::size_t i = 0; i < question.rows.size(); ++i) {
    const std::uint32_t row = question.rows[i];
    if (row == kNoRow) writer.number(question.hosts[i], kNeutralScore);
    const bool passed_here = row != kNoRow && decision.screened.kept.has(row);
    if (passed_here && (scores[row] > 0 || !question.brief)) writer.number(question.hosts[i], scores[row]);
  }
  writer.close();
}

std::vector<std::string> unknown_hosts(const Question& question) {
  std::vector<std::string> unknown;
  for (std::size_t i = 0; i < question.rows.size(); ++i) {
    if (question.rows[i] == kNoRow) unknown.push_back(question.hosts[i]);
  }
  return unknown;
}

std::vector<Degraded> all_degraded(const Question& question, const Decision& decision) {
  std::vector<Degraded> all = degraded_of(decision);
  for (Degraded& one : unread_cloud(*question.request)) all.push_back(std::move(one));
  for (const std::string& host : unknown_hosts(question)) {
    all.push_back({"picture", "host " + json_text(host) + " is not known"});
  }
  return all;
}

// One line per decision; global: the request of the scheduler that asks.
void report(const ApiRoom& room, const Request& request, const Question& question, std::ptrdiff_t passed,
            std::size_t degraded) {
  room.log("info", fmt::format("event=filter request={} global={} profile={} hosts={} passed={} degraded={}",
                               request.id, request.global_id.empty() ? "-" : request.global_id,
                               log_text(question.rules->profile.name), question.rows.size(), passed, degraded));
}

bool passes(std::uint32_t row, const Screened& screened) { return row == kNoRow || screened.kept.has(row); }

void write_passed(JsonWriter& writer, const Question& question, const Screened& screened) {
  writer.key("passed").open_list();
  for (std::size_t i = 0; i < question.rows.size(); ++i) {
    if (passes(question.rows[i], screened)) writer.text(question.hosts[i]);
  }
  writer.close_list();
}

void write_refused(JsonWriter& writer, const Question& question, const Verdict& verdict) {
  const Screened& screened = verdict.decision.screened;
  writer.key("refused").open_list();
  for (std::size_t i = 0; i < question.rows.size(); ++i) {
    const std::uint32_t row = question.rows[i];
    if (row == kNoRow || screened.refused_by[row] == 0) continue;
    const Filter& filter = *question.rules->filters[screened.refused_by[row] - 1u];
    write_refusal(writer, {"host", "filter"}, question.hosts[i], filter.traits().id,
                  refusal_of(filter, verdict.query, row, screened.reasons[row]));
  }
  writer.close_list();
}

// Where our picture is an old one; states that were sent are as old as the caller knows.
void write_age(const ApiRoom& room, const Question& question, JsonWriter& writer) {
  const Staleness staleness = question.of_ours ? staleness_of(room) : Staleness();
  if (staleness.stale) writer.flag("stale", true).number("age_s", staleness.age_s);
}

Result<Response> post_filter(const ApiRoom& room, const Exchange& exchange) {
  auto question = question_of(room, exchange, "filters");
  if (!question) return tl::unexpected(question.error());
  const auto verdict = question->reserve ? judge_and_reserve(room, *question) : judge(*question);
  if (!verdict) return tl::unexpected(verdict.error());
  JsonWriter writer;
  writer.open();
  const Screened& screened = verdict->decision.screened;
  if (!question->brief) write_passed(writer, *question, screened);
  write_refused(writer, *question, *verdict);
  if (question->pass_unknown) write_texts(writer, "unknown", unknown_hosts(*question));
  if (question->scores) write_scores(writer, *question, verdict->decision);
  if (question->reserve) writer.text_or_null("reserved", first_host(*verdict));
  const auto degraded = all_degraded(*question, verdict->decision);
  write_age(room, *question, writer);
  write_degraded(writer, degraded);
  write_texts(writer, "not_considered",
              not_considered(*question->rules, *question->request, unjudging(verdict->decision)));
  writer.close();
  const auto passed = std::ranges::count_if(question->rows, [&](std::uint32_t row) { return passes(row, screened); });
  report(room, *exchange.request, *question, passed, degraded.size());
  return json_response(writer.take());
}

Result<Response> post_weigh(const ApiRoom& room, const Exchange& exchange) {
  const auto question = question_of(room, exchange, "weighers");
  if (!question) return tl::unexpected(question.error());
  const auto query = bind(*question->request, question->request->vm, *question->picture, question->now_us);
  if (!query) return tl::unexpected(query.error());
  const Ranking ranking =
      rank_by_weight(*question->rules, *query, question->rows, question->rows.size(), Ties::kKeepOrder);
  JsonWriter writer;
  writer.open().key("weights").open_list();
  for (std::size_t i = 0; i < question->rows.size(); ++i) {
    writer.open().text("host", question->hosts[i]).number("weight", ranking.totals[i]);
    write_weighers(writer, ranking, i);
    writer.close();
  }
  writer.close_list();
  write_age(room, *question, writer);
  write_degraded(writer, ranking.degraded);
  write_texts(writer, "not_considered", not_considered(*question->rules, *question->request));
  writer.close();
  return json_response(writer.take());
}

}  // namespace

void add_filter_routes(ApiRoutes& routes) {
  routes.push_back({"POST", "/v1/filter", Role::kPlanner, {}, Where::kWorker, post_filter});
  routes.push_back({"POST", "/v1/weigh", Role::kPlanner, {}, Where::kWorker, post_weigh});
}

}  // namespace emplace::http
