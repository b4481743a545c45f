#include <fmt/format.h>

#include <cstdio>

#include "cli/commands.h"

namespace emplace::cli {
namespace {

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

void print_event(const Session& session, const Event& event) {
  if (session.json) {
    fmt::print("{}\n", event.data);
  } else {
    fmt::print("{:>8}  {:<14} {}\n", event.id, event.kind, printable(event.data));
  }
  std::fflush(stdout);
}

}  // namespace

void show_events(Session& session, const EventOptions& options) {
  Request request = {.target = "/v1/events", .headers = {{"Accept", "text/event-stream"}}};
  if (!options.after.empty() || !options.follow) {
    request.headers["Last-Event-ID"] = options.after.empty() ? "0" : options.after;
  }
  Event event;
  session.client().stream(request, options.follow ? 0 : options.quiet_s, [&](const std::string& line) {
    if (event.take(line)) {
      print_event(session, event);
      event = {};
    }
    return true;
  });
}

}  // namespace emplace::cli
