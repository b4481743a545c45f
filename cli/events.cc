#include <fmt/format.h>

#include <charconv>
#include <cstdio>

#include "cli/commands.h"
#include "service/process/streams.h"

namespace emplace::cli {
namespace {

// The service sends a heartbeat several times in that time. Three without an event in between: it has nothing to send.
constexpr double kLongestSilenceS = 60;
constexpr int kIdleHeartbeats = 3;

// One server-sent event, line by line: fields until an empty line. Lines that start with ':' keep the connection open.
struct Event {
  std::string id, kind, at, actor, data;

  bool take(std::string_view line) {  // true: the event is complete
    if (line.empty()) return !data.empty();
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) return false;
    std::string_view value = line.substr(colon + 1);
    if (value.starts_with(' ')) value.remove_prefix(1);
    const std::string_view field = line.substr(0, colon);
    if (field == "id") id = value;
    if (field == "event") kind = value;
    if (field == "at") at = value;
    if (field == "actor") actor = value;
    if (field == "data") data += value;
    return false;
  }
};

std::int64_t number_of(const std::string& text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 0) {
    throw Failure(kBadInput, fmt::format("--after: wanted the number of an event, found '{}'", printable(text)));
  }
  return number;
}

// The change, after its number, when and by whom it was made.
std::string as_json(const Event& event) {
  JsonWriter writer;
  writer.begin_object();
  if (!event.id.empty()) writer.field("seq", static_cast<double>(number_of(event.id)));
  writer.field_if("at", event.at).field_if("actor", event.actor).field("event", event.kind);
  for (const auto& [name, value] : Json::parse(event.data, "an event").members()) writer.field(name, value);
  return writer.end_object().take();
}

void print_event(const Session& session, const Event& event) {
  if (session.json) {
    fmt::print("{}\n", as_json(event));
    return;
  }
  const std::string at = event.at.size() < 20 ? "-" : event.at.substr(0, 19) + "Z";
  const std::string line =
      fmt::format("{:>8}  {:<20}  {:<20}  {:<14}  {}", event.id, at, event.actor.empty() ? "-" : printable(event.actor),
                  event.kind, printable(event.data));
  fmt::print("{}\n", shortened(line, terminal_width()));  // whole where a program reads it
}

// The event after which there is nothing to show.
class Goal {
 public:
  Goal(std::int64_t after, std::int64_t end) : at_(after), end_(end) {}
  void pass(const Event& event) {
    // What is no longer kept counts as passed.
    at_ = event.kind == "gap" ? static_cast<std::int64_t>(Json::parse(event.data, "an event")["next"].number()) - 1
                              : number_of(event.id);
  }
  bool reached() const { return at_ >= end_; }
  Failure missed() const {
    return {kUnreachable, fmt::format("the stream of events ended at event {} of {}", at_, end_)};
  }

 private:
  std::int64_t at_, end_;
};

struct End {
  std::int64_t seq = 0;
  bool is_ours = true;  // false: the caller is shown some events only, and perhaps not the last one
};

// Each list says which event it is as new as: all up to there are to be shown, however slowly they come.
End end_of_events(Client& client) {
  const auto newest = [&](const char* list) {
    return static_cast<std::int64_t>(client.ask({.target = list}).need("event_seq").number());
  };
  const bool is_of_project = client.send({.target = "/v1/hosts?limit=1"}).status == 403;
  return {newest(is_of_project ? "/v1/vms?limit=1" : "/v1/hosts?limit=1"), !is_of_project};
}

void follow(Session& session, const Request& request) {
  Event event;
  session.client().stream(request, 0, [&](const std::string& line) {
    if (!event.take(line)) return true;
    print_event(session, event);
    flush_or_throw();
    event = {};
    return true;
  });
}

}  // namespace

void show_events(Session& session, const EventOptions& options) {
  Request request = {.target = "/v1/events", .headers = {{"Accept", "text/event-stream"}}};
  if (!options.after.empty() || !options.follow) {
    request.headers["Last-Event-ID"] = options.after.empty() ? "0" : options.after;
  }
  if (options.follow) return follow(session, request);
  const End end = end_of_events(session.client());
  Goal goal(options.after.empty() ? 0 : number_of(options.after), end.seq);
  if (goal.reached()) return;
  Event event;
  int heartbeats = 0;
  session.client().stream(request, kLongestSilenceS, [&](const std::string& line) {
    if (line == ":") return ++heartbeats < kIdleHeartbeats;
    if (!event.take(line)) return true;
    heartbeats = 0;
    print_event(session, event);
    goal.pass(event);
    event = {};
    return !goal.reached();
  });
  if (end.is_ours && !goal.reached()) throw goal.missed();
}

}  // namespace emplace::cli
