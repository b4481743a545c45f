#include "service/observe/zstd_lines.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>
#include <zstd.h>

#include <cerrno>
#include <cstring>
#include <vector>

namespace emplace::observe {
namespace {

constexpr std::size_t kBufferBytes = 256 * 1024;

tl::unexpected<Error> file_error(const std::string& path, const char* what) {
  return fail(ErrorCode::kUnavailable, fmt::format("{}: {}: {}", path, what, std::strerror(errno)));
}

}  // namespace

struct LineWriter::State {
  std::string path;
  int fd = -1;
  std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> context{ZSTD_createCCtx(), ZSTD_freeCCtx};
  std::string pending;  // lines not yet compressed
  std::vector<char> out = std::vector<char>(ZSTD_CStreamOutSize());

  ~State() {
    if (fd >= 0) close(fd);
  }

  Result<void> compress(ZSTD_EndDirective end) {
    ZSTD_inBuffer in{pending.data(), pending.size(), 0};
    for (;;) {
      ZSTD_outBuffer buffer{out.data(), out.size(), 0};
      const std::size_t left = ZSTD_compressStream2(context.get(), &buffer, &in, end);
      if (ZSTD_isError(left)) return fail(ErrorCode::kInternal, fmt::format("{}: {}", path, ZSTD_getErrorName(left)));
      for (std::size_t at = 0; at < buffer.pos;) {
        const ssize_t count = ::write(fd, out.data() + at, buffer.pos - at);
        if (count < 0) return file_error(path, "write");
        at += static_cast<std::size_t>(count);
      }
      const bool done = end == ZSTD_e_continue ? in.pos == in.size : left == 0;
      if (done) break;
    }
    pending.clear();
    return {};
  }
};

LineWriter::LineWriter(std::unique_ptr<State> state) : state_(std::move(state)) {}

LineWriter::~LineWriter() { std::ignore = state_->compress(ZSTD_e_end); }

Result<std::unique_ptr<LineWriter>> LineWriter::create(const std::string& path) {
  auto state = std::make_unique<State>();
  state->path = path;
  state->fd = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (state->fd < 0) return file_error(path, "open");
  return std::unique_ptr<LineWriter>(new LineWriter(std::move(state)));
}

Result<void> LineWriter::write(std::string_view line) {
  state_->pending.append(line);
  state_->pending += '\n';
  return state_->pending.size() < kBufferBytes ? Result<void>() : state_->compress(ZSTD_e_continue);
}

Result<void> LineWriter::flush() { return state_->compress(ZSTD_e_flush); }

Result<void> read_lines(const std::string& path, const std::function<bool(std::string_view)>& line) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return file_error(path, "open");
  const std::unique_ptr<const int, void (*)(const int*)> closer(&fd, [](const int* f) { close(*f); });
  const std::unique_ptr<ZSTD_DCtx, decltype(&ZSTD_freeDCtx)> context(ZSTD_createDCtx(), ZSTD_freeDCtx);
  std::vector<char> packed(ZSTD_DStreamInSize()), plain(ZSTD_DStreamOutSize());
  std::string text;
  for (;;) {
    const ssize_t count = read(fd, packed.data(), packed.size());
    if (count < 0) return file_error(path, "read");
    if (count == 0) return {};
    ZSTD_inBuffer in{packed.data(), static_cast<std::size_t>(count), 0};
    bool more = true;
    while (in.pos < in.size || more) {
      ZSTD_outBuffer out{plain.data(), plain.size(), 0};
      const std::size_t left = ZSTD_decompressStream(context.get(), &out, &in);
      if (ZSTD_isError(left)) return {};  // cut off in the middle of a block
      more = out.pos == out.size;
      text.append(plain.data(), out.pos);
      std::size_t begin = 0;
      for (std::size_t end = text.find('\n'); end != std::string::npos; end = text.find('\n', begin)) {
        if (!line(std::string_view(text).substr(begin, end - begin))) return {};
        begin = end + 1;
      }
      text.erase(0, begin);
    }
  }
}

}  // namespace emplace::observe
