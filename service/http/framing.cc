#include "service/http/framing.h"

#include <algorithm>
#include <cstdint>
#include <optional>

#include "service/http/second_opinion.h"
#include "service/http/syntax.h"
#include "service/http/target.h"

namespace emplace::http {

class Framer::Cutter {
 public:
  explicit Cutter(const FramingLimits& limits) : limits_(limits) { reset(); }

  std::size_t feed(std::string_view bytes) {
    std::size_t taken = 0;
    while (taken < bytes.size() && stage_ != Stage::kDone) taken += step(bytes.substr(taken));
    return taken;
  }

  State state() const {
    if (refusal_.status != 0) return State::kRefused;
    if (stage_ == Stage::kDone) return State::kComplete;
    if (stage_ != Stage::kHeader) return State::kBody;
    return piece_.empty() ? State::kIdle : State::kHeader;
  }

  bool take_continue() {
    const bool waits = awaits_continue_ && state() == State::kBody;
    awaits_continue_ = false;
    return waits;
  }

  Request take() {
    request_.body = std::move(opinion_->body);
    request_.keep_alive = opinion_->keep_alive();
    Request result = std::move(request_);
    reset();
    return result;
  }

  const Refusal& refusal() const { return refusal_; }

  std::size_t body_bytes() const { return opinion_->body.size(); }

 private:
  static constexpr std::size_t kKeptBytes = 1024;

  enum class Stage {
    kHeader,      // lines up to the empty one, gathered in piece_
    kSized,       // body_left_ bytes
    kChunkLine,   // gathered in piece_, behind the CRLF that ended the chunk before: Beast wants them in one
    kChunkData,   // body_left_ bytes
    kAfterChunk,  // CRLF
    kTrailers,    // lines up to the empty one, gathered in piece_ behind the last chunk's line
    kDone,        // complete or refused
  };

  void reset() {
    stage_ = Stage::kHeader;
    request_ = Request{};
    opinion_.emplace();
    piece_.clear();
    if (piece_.capacity() > kKeptBytes)
      std::string().swap(piece_);  // a connection may idle for long after a big header
    line_start_ = 0;
    body_left_ = 0;
    body_bytes_ = 0;
    had_empty_line_ = false;
    awaits_continue_ = false;
  }

  // At most up to the end of a line or of a body: returns how many bytes it took, at least one unless it refused.
  std::size_t step(std::string_view bytes) {
    switch (stage_) {
      case Stage::kHeader:
        return line_step(bytes, limits_.header_bytes, &Cutter::header_line);
      case Stage::kChunkLine:
        return line_step(bytes, line_start_ + limits_.chunk_line_bytes, &Cutter::chunk_line);
      case Stage::kTrailers:
        return line_step(bytes, trailers_start_ + limits_.trailer_bytes, &Cutter::trailer_line);
      case Stage::kSized:
      case Stage::kChunkData:
        return data_step(bytes);
      case Stage::kAfterChunk:
        return chunk_end_step(bytes);
      case Stage::kDone:
        break;
    }
    return 0;
  }

  // Gathers bytes in piece_ up to a line end; `limit` is the most that piece_ may hold.
  std::size_t line_step(std::string_view bytes, std::size_t limit, void (Cutter::*use)(std::string_view)) {
    const std::size_t end = bytes.find('\n');
    const std::size_t count = end == std::string_view::npos ? bytes.size() : end + 1;
    const std::size_t room = limit - piece_.size();
    if (count > room) {
      piece_.append(bytes.substr(0, room));  // so that what is refused doesn't depend on the split
      refuse_long_line();
      return room;
    }
    piece_.append(bytes.substr(0, count));
    if (end == std::string_view::npos) return count;
    std::string_view line = std::string_view(piece_).substr(line_start_);
    line.remove_suffix(1);
    if (line.empty() || line.back() != '\r') {
      refuse(400, "a line ends in a bare LF; wanted CR LF");
      return count;
    }
    line.remove_suffix(1);
    if (line.find('\r') != std::string_view::npos) {
      refuse(400, "a bare CR inside a line");
      return count;
    }
    (this->*use)(line);
    return count;
  }

  void refuse_long_line() {
    if (stage_ == Stage::kChunkLine)
      return refuse(400, "a chunk line is longer than " + text_of(limits_.chunk_line_bytes));
    if (stage_ == Stage::kTrailers)
      return refuse(431, "the trailers are longer than " + text_of(limits_.trailer_bytes));
    if (line_start_ == 0 && piece_.find(' ') != std::string::npos) return refuse_long_target();
    refuse(431, "the header is longer than " + text_of(limits_.header_bytes));
  }

  void refuse_long_target() { refuse(414, "the request target is longer than " + text_of(limits_.target_bytes)); }

  static std::string text_of(std::size_t bytes) { return std::to_string(bytes) + " bytes"; }

  void header_line(std::string_view line) {
    if (line.empty() && line_start_ == 0) return leading_empty_line();
    if (line.empty()) return finish_header();
    if (line_start_ == 0) {
      request_line(line);
    } else if (request_.headers.size() == limits_.header_fields) {
      refuse(431, "more than " + std::to_string(limits_.header_fields) + " header fields");
    } else if (auto field = parsed_field(line)) {
      request_.headers.push_back(std::move(*field));
    }
    line_start_ = piece_.size();
  }

  // Some clients send one after a POST; RFC 9112 wants it ignored.
  void leading_empty_line() {
    if (had_empty_line_) return refuse(400, "more than one empty line before the request");
    had_empty_line_ = true;
    piece_.clear();
  }

  void request_line(std::string_view line) {
    const std::size_t first = line.find(' ');
    const std::size_t last = line.rfind(' ');
    if (first == std::string_view::npos || first == last)
      return refuse(400, "the request line is not METHOD TARGET VERSION");
    const std::string_view method = line.substr(0, first);
    const std::string_view target = line.substr(first + 1, last - first - 1);
    const std::string_view version = line.substr(last + 1);
    if (!is_token(method) || method.size() > 32)
      return refuse(400, "the method is not a token of at most 32 characters");
    if (target.size() > limits_.target_bytes) return refuse_long_target();
    if (target.empty() || !is_visible(target)) return refuse(400, "the request target is empty or not visible ASCII");
    if (version != "HTTP/1.1" && version != "HTTP/1.0") return refuse_version(version);
    request_.minor_version = version.back() - '0';
    request_.method = method;
    request_.target = target;
    if (!split_target(request_)) refuse(400, "the request target is malformed: bad escape, control character or form");
  }

  void refuse_version(std::string_view version) {
    const bool is_version = version.size() == 8 && version.starts_with("HTTP/") && is_digit(version[5]) &&
                            version[6] == '.' && is_digit(version[7]);
    if (is_version) return refuse(505, "wanted HTTP/1.1");
    refuse(400, "the request line ends in no HTTP version");
  }

  // "Name: value" of a header or trailer; refuses and returns nothing if it isn't.
  std::optional<std::pair<std::string, std::string>> parsed_field(std::string_view line) {
    if (is_blank(line.front())) {
      refuse(400, "a folded header line");
      return std::nullopt;
    }
    const std::size_t colon = line.find(':');
    const std::string_view name = line.substr(0, colon);
    if (colon == std::string_view::npos || !is_token(name)) {
      refuse(400, "a header field has no name, or one that is not a token");
      return std::nullopt;
    }
    const std::string_view value = trimmed(line.substr(colon + 1));
    if (!is_text(value)) {
      refuse(400, "a control character in header field " + lower(name));
      return std::nullopt;
    }
    return std::pair(lower(name), std::string(value));
  }

  std::size_t count_of(std::string_view name) const {
    return static_cast<std::size_t>(std::count_if(request_.headers.begin(), request_.headers.end(),
                                                  [&](const auto& field) { return field.first == name; }));
  }

  // Before any body byte is read: what the message's length is, and whether everybody reads it that way.
  void finish_header() {
    check_host();
    if (refusal_.status == 0) check_length();
    if (refusal_.status == 0) check_expect();
    if (refusal_.status != 0) return;
    const bool chunked = stage_ == Stage::kChunkLine;
    const bool agreed = opinion_->agrees(piece_) && opinion_->chunked() == chunked &&
                        opinion_->is_done() == (!chunked && body_left_ == 0);
    if (!agreed) return refuse(400, "malformed header");
    piece_.clear();
    line_start_ = 0;
    if (!chunked && body_left_ == 0) stage_ = Stage::kDone;
  }

  void check_host() {
    const std::size_t hosts = count_of("host");
    if (hosts > 1 || (hosts == 0 && request_.minor_version == 1)) {
      return refuse(400, "wanted exactly one Host, found " + std::to_string(hosts));
    }
    if (hosts == 1 && !is_host(*request_.header("host"))) refuse(400, "Host is not a host and port");
  }

  void check_length() {
    const std::string* coding = request_.header("transfer-encoding");
    const std::string* length = request_.header("content-length");
    if (coding && length) return refuse(400, "both Content-Length and Transfer-Encoding");
    if (coding) return check_coding(*coding);
    stage_ = Stage::kSized;
    if (!length) return;
    const bool digits = std::all_of(length->begin(), length->end(), is_digit);
    const auto bytes = number(*length, 10);
    if (count_of("content-length") > 1 || !digits || !bytes) {
      return refuse(400, "wanted at most one Content-Length, of digits only");
    }
    if (*bytes > limits_.body_bytes) return refuse_long_body();
    body_left_ = *bytes;
  }

  void check_coding(const std::string& coding) {
    if (count_of("transfer-encoding") > 1) return refuse(400, "more than one Transfer-Encoding");
    if (request_.minor_version == 0) return refuse(400, "Transfer-Encoding in HTTP/1.0");
    if (lower(coding) != "chunked") return refuse(501, "wanted no Transfer-Encoding but chunked");
    stage_ = Stage::kChunkLine;
  }

  void check_expect() {
    const std::string* expect = request_.header("expect");
    if (!expect || request_.minor_version == 0) return;
    if (count_of("expect") > 1 || lower(*expect) != "100-continue")
      return refuse(417, "wanted no Expect but 100-continue");
    awaits_continue_ = true;
  }

  void refuse_long_body() { refuse(413, "the body is longer than " + text_of(limits_.body_bytes)); }

  std::size_t data_step(std::string_view bytes) {
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), body_left_));
    awaits_continue_ = false;
    body_left_ -= count;
    if (!opinion_->agrees(bytes.substr(0, count))) {
      refuse(400, "malformed body");
    } else if (body_left_ == 0) {
      stage_ = stage_ == Stage::kSized ? Stage::kDone : Stage::kAfterChunk;
    }
    return count;
  }

  std::size_t chunk_end_step(std::string_view bytes) {
    if (bytes.front() != (piece_.empty() ? '\r' : '\n')) {
      refuse(400, "a chunk does not end in CR LF");
      return 1;
    }
    piece_.push_back(bytes.front());
    if (piece_.size() == 2) {
      stage_ = Stage::kChunkLine;
      line_start_ = 2;
    }
    return 1;
  }

  void chunk_line(std::string_view line) {
    awaits_continue_ = false;
    const std::size_t digits = std::min(line.find_first_not_of("0123456789abcdefABCDEF"), line.size());
    const std::string_view extension = line.substr(digits);
    const auto size = number(line.substr(0, digits), 16);
    if (!size || !is_text(extension)) return refuse(400, "a chunk line without a size in hex digits");
    if (*size == 0) {
      stage_ = Stage::kTrailers;
      line_start_ = trailers_start_ = piece_.size();
      return;
    }
    if (*size > limits_.body_bytes - body_bytes_) return refuse_long_body();
    if (!opinion_->agrees(piece_)) return refuse(400, "malformed chunk line");
    body_bytes_ += static_cast<std::size_t>(*size);
    body_left_ = *size;
    piece_.clear();
    line_start_ = 0;
    stage_ = Stage::kChunkData;
  }

  // Trailers are checked and forgotten: nothing here has a use for them.
  void trailer_line(std::string_view line) {
    if (!line.empty()) {
      parsed_field(line);
      line_start_ = piece_.size();
      return;
    }
    if (!opinion_->agrees(piece_) || !opinion_->is_done()) return refuse(400, "malformed last chunk or trailers");
    stage_ = Stage::kDone;
  }

  void refuse(int status, std::string detail) {
    refusal_ = {status, std::move(detail)};
    stage_ = Stage::kDone;
  }

  const FramingLimits limits_;
  Stage stage_ = Stage::kHeader;
  Request request_;
  std::optional<SecondOpinion> opinion_;
  Refusal refusal_;
  std::string piece_;               // what the stage gathers
  std::size_t line_start_ = 0;      // of the line being gathered, in piece_
  std::size_t trailers_start_ = 0;  // in piece_
  std::uint64_t body_left_ = 0;     // of the body or of the chunk
  std::size_t body_bytes_ = 0;      // of all chunks so far
  bool had_empty_line_ = false;
  bool awaits_continue_ = false;
};

Framer::Framer(const FramingLimits& limits) : cutter_(std::make_unique<Cutter>(limits)) {}
Framer::~Framer() = default;
Framer::Framer(Framer&&) noexcept = default;
Framer& Framer::operator=(Framer&&) noexcept = default;

std::size_t Framer::feed(std::string_view bytes) { return cutter_->feed(bytes); }
Framer::State Framer::state() const { return cutter_->state(); }
std::size_t Framer::body_bytes() const { return cutter_->body_bytes(); }
bool Framer::take_continue() { return cutter_->take_continue(); }
Request Framer::take() { return cutter_->take(); }
const Refusal& Framer::refusal() const { return cutter_->refusal(); }

}  // namespace emplace::http
