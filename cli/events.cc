#include <fmt/format.h>

#include <charconv>
#include <cstdio>
#include <system_error>

#include "cli/commands.h"
#include "service/process/streams.h"

namespace emplace::cli {
namespace {

// The service sends a heartbeat several times in that time.
constexpr double kLongestSilenceS = 60;

// One server-sent event, line by line: fields until an empty line. Lines that start with ':' keep the connection open.
struct Event {
  std::string id, kind, data;

  bool take(std::string_view line) {  // true: the event is complete
    if (line.empty()) return !data.empty();
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) return false;
    std::string_view value = line.substr(colon + 1);
    if (value.starts_with(' ')) value.remove_prefix(1);
    const std::string_view field = line.substr(0, colon);
    if (field == "id") id = value;
    if (field == "event") kind = value;
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

// Without what the line says already.
std::string rest_of(const Json& change) {
  JsonWriter writer;
  writer.begin_object();
  for (const auto& [name, value] : change.members()) {
    if (name != "seq" && name != "at" && name != "actor" && name != "kind") writer.field(name, value);
  }
  return writer.end_object().take();
}

void print_event(const Session& session, const Event& event) {
  if (session.json) {
    fmt::print("{}\n", event.data);
    return;
  }
  const Json change = Json::parse(event.data, "an event");
  const std::string at = change["at"].text();
  fmt::print("{:>8}  {:<20}  {:<20}  {:<14}  {}\n", event.id, at.size() < 20 ? at : at.substr(0, 19) + "Z",
             printable(change["actor"].text()), event.kind, printable(rest_of(change)));
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

void follow(Session& session, const Request& request) {
  Event event;
  session.client().stream(request, 0, [&](const std::string& line) {
    if (!event.take(line)) return true;
    print_event(session, event);
    if (const std::error_code error = flush_output()) throw std::system_error(error);
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
  // Each list says which event it is as new as: all up to there are to be shown, however slowly they come.
  const Json newest = session.client().ask({.target = "/v1/hosts?limit=1"}).need("event_seq");
  Goal goal(options.after.empty() ? 0 : number_of(options.after), static_cast<std::int64_t>(newest.number()));
  Event event;
  if (goal.reached()) return;
  session.client().stream(request, kLongestSilenceS, [&](const std::string& line) {
    if (!event.take(line)) return true;
    print_event(session, event);
    goal.pass(event);
    event = {};
    return !goal.reached();
  });
  if (!goal.reached()) throw goal.missed();
}

}  // namespace emplace::cli
