// hosts drain: calls POST /v1/hosts/{name}:drain until nothing is left that could move. The service keeps nothing of
// it, so that a drain ends with its caller and goes on with the next one.
#include <fmt/format.h>

#include <chrono>
#include <map>
#include <set>
#include <thread>

#include "cli/commands.h"

namespace emplace::cli {
namespace {

using Clock = std::chrono::steady_clock;

class Drain {
 public:
  Drain(Session& session, const DrainOptions& options) : session_(session), options_(options) {}

  // One call, and what it says; true: there is more to wait for.
  bool step() {
    settle();
    const Json answer = session_.client().ask(
        {.method = "POST", .target = path_of("hosts", options_.host) + ":drain", .body = body()}, kAnswerTimeoutS);
    for (const Json& one : answer["moving"].items()) take_moving(one);
    for (const Json& one : answer["stuck"].items())
      stay(one.need("vm").string(), one["vm_name"].text(), one["why"].text());
    waiting_ = answer["waiting"].number();
    return !moving_.empty() || waiting_ > 0;
  }

  void finish() const {
    session_.json ? print_as_json() : print();
    if (!stuck_.empty() || (options_.wait && (!moving_.empty() || waiting_ > 0))) session_.exit_code = kFailed;
  }

 private:
  static constexpr double kAnswerTimeoutS = 60;

  struct End {
    bool has_ended = false, is_there = false;
    std::string error;
  };
  struct Move {
    std::string name, to, operation;
  };

  std::string body() const {
    JsonWriter body;
    body.begin_object().field("at_once", options_.at_once).field_if("profile", options_.profile);
    body.key("leave").begin_array();
    for (const auto& [id, why] : stuck_) body.value(id);
    return body.end_array().end_object().take();
  }

  void say(const std::string& line) const {
    if (session_.json) return;
    fmt::print("{}\n", line);
    std::fflush(stdout);
  }

  void take_moving(const Json& one) {
    const std::string id = one.need("vm").string();
    if (moving_.contains(id)) return;
    const std::string to = one["to"].string("another host");
    moving_[id] = {one["vm_name"].text(), to, one["operation"].string()};
    say(fmt::format("{:<20} moves to {}", printable(one["vm_name"].text()), printable(to)));
  }

  void stay(const std::string& id, const std::string& name, const std::string& why) {
    if (stuck_.emplace(id, Stuck{name, why}).second)
      say(fmt::format("{:<20} stays: {}", printable(name), printable(why)));
  }

  // How it goes on with a move, as its operation tells; of one that somebody else began, as the vm does.
  End end_of(const std::string& id, const Move& move) {
    if (!move.operation.empty()) {
      const Json operation = session_.client().ask({.target = path_of("operations", move.operation)});
      const std::string state = operation["state"].string();
      return {state != "running", state == "succeeded",
              operation["error"].string("nobody could say how its move ended")};
    }
    const Json vm = session_.client().ask({.target = path_of("vms", id)});
    const bool is_here = vm["host"].string() == options_.host;
    return {!is_here || vm["state"].string() != "migrating", !is_here, vm["failure"].string("its move failed")};
  }

  // Those that are on their way no longer.
  void settle() {
    for (auto at = moving_.begin(); at != moving_.end();) {
      const auto& [id, move] = *at;
      const End end = end_of(id, move);
      if (!end.has_ended) {
        ++at;
        continue;
      }
      if (end.is_there) {
        moved_[id] = move;
        say(fmt::format("{:<20} is on {}", printable(move.name), printable(move.to)));
      } else {
        stay(id, move.name, end.error);
      }
      at = moving_.erase(at);
    }
  }

  void print() const {
    fmt::print("{} is in maintenance: {} moved, {} on their way, {} wait, {} stay\n", printable(options_.host),
               moved_.size(), moving_.size(), waiting_, stuck_.size());
    if (!options_.wait && waiting_ > 0)
      fmt::print("The rest moves when this is called again; --wait does it until none is left.\n");
  }

  void write(JsonWriter& writer, const char* name, const std::map<std::string, Move>& moves) const {
    writer.key(name).begin_array();
    for (const auto& [id, move] : moves) {
      writer.begin_object().field("vm", id).field("vm_name", move.name).field("to", move.to).end_object();
    }
    writer.end_array();
  }

  void print_as_json() const {
    JsonWriter writer;
    writer.begin_object().field("host", options_.host).field("state", "maintenance").field("waiting", waiting_);
    write(writer, "moved", moved_);
    write(writer, "moving", moving_);
    writer.key("stuck").begin_array();
    for (const auto& [id, stuck] : stuck_) {
      writer.begin_object().field("vm", id).field("vm_name", stuck.name).field("why", stuck.why).end_object();
    }
    fmt::print("{}\n", writer.end_array().end_object().take());
  }

  struct Stuck {
    std::string name, why;
  };

  Session& session_;
  const DrainOptions& options_;
  std::map<std::string, Move> moving_, moved_;  // by the vm's id
  std::map<std::string, Stuck> stuck_;
  double waiting_ = 0;
};

}  // namespace

void drain_host(Session& session, const DrainOptions& options) {
  const auto deadline = Clock::now() + std::chrono::duration<double>(options.timeout_s);
  Drain drain(session, options);
  while (drain.step() && options.wait && Clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
  }
  drain.finish();
}

}  // namespace emplace::cli
