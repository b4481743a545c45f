// One request to the whole REST API: METHOD TARGET, header lines, an empty line, the body. Whatever it is, there is an
// answer, it is no 500, and it is as small as the question was wrong.
#include "service/rest/api.h"

#include <condition_variable>
#include <mutex>

#include "service/core/json/json.h"
#include "service/http/target.h"
#include "tests/fuzz/doors.h"
#include "tests/fuzz/targets.h"

namespace emplace::fuzz {
namespace {

constexpr std::string_view kToken = "fuzz";

class ShutStream : public http::Stream {
 public:
  bool write(http::Bytes) override { return false; }
  std::size_t unsent() const override { return 0; }
  void finish() override {}
  bool alive() const override { return false; }
  void on_close(std::function<void()> then) override { then(); }
};

// The one answer of a request, waited for: some come from a line thread.
class Answer {
 public:
  class Line : public http::Line {
   public:
    explicit Line(Answer& answer) : answer_(answer) {}
    void answer(http::Response response) override { answer_.set(std::move(response)); }
    std::shared_ptr<http::Stream> open(http::Response head) override {
      answer_.set(std::move(head));
      return std::make_shared<ShutStream>();
    }
    void abandoned() override { answer_.set({.status = 500, .body = "left unanswered"}); }

   private:
    Answer& answer_;
  };

  void set(http::Response response) {
    const std::lock_guard lock(mutex_);
    response_ = std::move(response);
    there_.notify_all();
  }

  http::Response wait() {
    std::unique_lock lock(mutex_);
    there_.wait(lock, [this] { return response_.has_value(); });
    return *std::move(response_);
  }

 private:
  std::mutex mutex_;
  std::condition_variable there_;
  std::optional<http::Response> response_;
};

struct Service {
  Service() {
    tokens.add({http::sha256_hex(kToken), http::Role::kAdmin, "fuzz"});
    http::Api::fill(policy);
  }

  StillPictures pictures;
  DeafStore store;
  DeafHypervisors hypervisors;
  Scheduler scheduler{pictures, store, hypervisors, still_ambient()};
  NoReservations reservations{pictures};
  RuleBook rule_book{built_in_rules()};
  http::LinePool lines{1};
  http::Tokens tokens;
  http::Policy policy;
  http::RateLimit rate{0};
  http::Api api{{.pictures = pictures,
                 .store = store,
                 .hypervisors = hypervisors,
                 .scheduler = scheduler,
                 .reservations = reservations,
                 .rule_book = rule_book,
                 .lines = lines,
                 .tokens = tokens,
                 .policy = policy,
                 .rate = rate,
                 .ambient = still_ambient(),
                 .replica = "fuzz",
                 .version = "0"}};
};

// Nothing for what the framing would not let through.
std::shared_ptr<http::Request> request_of(std::string_view input) {
  auto request = std::make_shared<http::Request>();
  const std::string_view start = first_line(input);
  const std::size_t blank = start.find(' ');
  if (blank == std::string_view::npos || blank == 0) return nullptr;
  request->method = start.substr(0, blank);
  request->target = start.substr(blank + 1);
  if (!http::split_target(*request)) return nullptr;
  request->headers.emplace_back("x-auth-token", kToken);
  for (std::string_view line = first_line(input); !line.empty(); line = first_line(input)) {
    const std::size_t colon = line.find(": ");
    if (colon == std::string_view::npos || request->headers.size() == 16) return nullptr;
    request->headers.emplace_back(line.substr(0, colon), line.substr(colon + 2));
  }
  request->body = input;
  request->id = "req-00000000-0000-4000-8000-000000000000";
  return request;
}

void require_sound(const http::Response& response) {
  require(response.status >= 200 && response.status < 600, "an answer has a status");
  require(response.status != 500, "nothing that a client sends is a defect of ours: " + response.body);
  if (response.status >= 400) require(response.body.size() < 10000, "an error is short: " + response.body);
  if (response.content_type.find("json") == std::string::npos || response.body.empty()) return;
  const auto document = JsonDocument::parse(response.body);
  require(document.has_value(), "an answer is JSON: " + response.body);
}

}  // namespace

void api(std::string_view input) {
  const auto request = request_of(input);
  if (!request) return;
  // A book of its own for each input that could change it: profiles are all the state that there is.
  static Service kept;
  std::optional<Service> own;
  const bool changes = request->method != "GET" && request->path.starts_with("/v1/profiles");
  Service& service = changes ? own.emplace() : kept;
  Answer answer;
  service.api.handle(request, http::Reply(std::make_unique<Answer::Line>(answer)));
  require_sound(answer.wait());
}

}  // namespace emplace::fuzz
