#include "service/http/reply.h"

#include <atomic>

namespace emplace::http {
namespace {

class FunctionLine : public Line {
 public:
  explicit FunctionLine(std::function<void(Response)> take) : take_(std::move(take)) {}
  void answer(Response response) override { take_(std::move(response)); }
  std::shared_ptr<Stream> open(Response) override { return nullptr; }
  void abandoned() override { take_({.status = 500}); }

 private:
  std::function<void(Response)> take_;
};

// What is behind is abandoned together with this.
class EditedLine : public Line {
 public:
  EditedLine(Reply behind, std::function<void(Response&)> edit) : behind_(std::move(behind)), edit_(std::move(edit)) {}
  void answer(Response response) override {
    edit_(response);
    behind_.send(std::move(response));
  }
  std::shared_ptr<Stream> open(Response head) override {
    edit_(head);
    return behind_.stream(std::move(head));
  }
  void abandoned() override {}

 private:
  const Reply behind_;
  const std::function<void(Response&)> edit_;
};

}  // namespace

class Reply::Ticket {
 public:
  explicit Ticket(std::unique_ptr<Line> line) : line_(std::move(line)) {}
  ~Ticket() {
    if (Line* line = claim()) line->abandoned();
  }
  Ticket(const Ticket&) = delete;
  Ticket& operator=(const Ticket&) = delete;

  // The line, for the first caller only.
  Line* claim() { return answered_.exchange(true) ? nullptr : line_.get(); }

 private:
  std::unique_ptr<Line> line_;
  std::atomic<bool> answered_ = false;
};

Reply::Reply(std::unique_ptr<Line> line) : ticket_(std::make_shared<Ticket>(std::move(line))) {}

Reply Reply::to(std::function<void(Response)> take) { return Reply(std::make_unique<FunctionLine>(std::move(take))); }

Reply Reply::through(std::function<void(Response&)> edit) const {
  return Reply(std::make_unique<EditedLine>(*this, std::move(edit)));
}

bool Reply::send(Response response) const {
  Line* line = ticket_ ? ticket_->claim() : nullptr;
  if (line) line->answer(std::move(response));
  return line != nullptr;
}

std::shared_ptr<Stream> Reply::stream(Response head) const {
  Line* line = ticket_ ? ticket_->claim() : nullptr;
  return line ? line->open(std::move(head)) : nullptr;
}

}  // namespace emplace::http
