// tokens new: a token of 32 random bytes in hex, shown once; the service's tokens file gets its SHA-256, role and name.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <QCryptographicHash>
#include <QRandomGenerator>
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "cli/commands.h"
#include "service/process/streams.h"

namespace emplace::cli {
namespace {

constexpr char kProject[] = "project:";

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  const int fd_;
};

[[noreturn]] void refuse(const std::string& path) {
  throw Failure(kBadInput, fmt::format("can't write {}: {}", path, std::strerror(errno)));
}

// What the tokens file can hold: it separates words by blanks, and '#' starts a comment.
bool is_word(const std::string& text) {
  return !text.empty() && std::ranges::all_of(text, [](unsigned char c) { return c > ' ' && c != 0x7f && c != '#'; });
}

void check(const NewTokenOptions& options) {
  static constexpr std::array<const char*, 4> kRoles = {"reader", "planner", "operator", "admin"};
  const bool is_project = options.role.starts_with(kProject) && is_word(options.role.substr(sizeof kProject - 1));
  if (!is_project && std::ranges::find(kRoles, options.role) == kRoles.end()) {
    throw Failure(kBadInput, fmt::format("ROLE: wanted reader, planner, operator, admin or project:NAME, found '{}'",
                                         printable(options.role)));
  }
  if (!is_word(options.name)) {
    throw Failure(kBadInput, fmt::format("NAME: wanted one word without '#', found '{}'", printable(options.name)));
  }
}

std::string random_token() {
  std::array<quint32, 8> words{};
  QRandomGenerator::system()->fillRange(words.data(), static_cast<qsizetype>(words.size()));
  return QByteArray(reinterpret_cast<const char*>(words.data()), sizeof words).toHex().toStdString();
}

std::string line_of(const std::string& token, const NewTokenOptions& options) {
  const QByteArray hash =
      QCryptographicHash::hash(QByteArray::fromStdString(token), QCryptographicHash::Sha256).toHex();
  return fmt::format("{} {} {}\n", hash.toStdString(), options.role, options.name);
}

// Only one writer at a time has the file that the path names; the one before may have put another in its place.
bool is_still_named(int fd, const std::string& path) {
  struct stat locked {
  }, named{};
  return ::fstat(fd, &locked) == 0 && ::stat(path.c_str(), &named) == 0 && locked.st_ino == named.st_ino &&
         locked.st_dev == named.st_dev;
}

void write_all(int fd, const std::string& text, const std::string& path) {
  for (std::size_t at = 0; at < text.size();) {
    const ssize_t count = ::write(fd, text.data() + at, text.size() - at);
    if (count < 0) refuse(path);
    at += static_cast<std::size_t>(count);
  }
  if (::fsync(fd) != 0) refuse(path);
}

// The whole file under another name, then in its place: a reader sees all of it or all of the one before. It keeps its
// owner and mode, as the service may be another user.
void replace_file(const std::string& path, int old, const std::string& text) {
  struct stat before {};
  if (::fstat(old, &before) != 0) refuse(path);
  std::string temporary = path + ".XXXXXX";
  const Descriptor file(::mkostemp(temporary.data(), O_CLOEXEC));
  if (!file) refuse(path);
  try {
    write_all(file.get(), text, path);
    if (::fchown(file.get(), before.st_uid, before.st_gid) != 0 || ::fchmod(file.get(), before.st_mode & 07777) != 0)
      refuse(path);
    if (::rename(temporary.c_str(), path.c_str()) != 0) refuse(path);
  } catch (const Failure&) {
    ::unlink(temporary.c_str());
    throw;
  }
}

// A file that is not there is made with mode 0600.
void add_line(const std::string& given, const std::string& line) {
  std::error_code ignored;
  const auto target = std::filesystem::canonical(given, ignored);
  const std::string path = target.empty() ? given : target.string();
  while (true) {
    const Descriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!file || ::flock(file.get(), LOCK_EX) != 0) refuse(path);
    if (!is_still_named(file.get(), path)) continue;
    std::string text = read_file(path);
    if (!text.empty() && text.back() != '\n') text += '\n';
    return replace_file(path, file.get(), text + line);
  }
}

}  // namespace

void make_token(Session& session, const NewTokenOptions& options) {
  check(options);
  const std::string token = random_token();
  const std::string line = line_of(token, options);
  if (options.file) add_line(*options.file, line);
  if (session.json) {
    JsonWriter writer;
    writer.begin_object().field("token", token).field("line", line.substr(0, line.size() - 1));
    fmt::print("{}\n", writer.field_if("file", options.file.value_or("")).end_object().take());
    return;
  }
  fmt::print("{}\n", token);
  flush_or_throw();  // before anybody is told to keep it
  if (options.file) {
    fmt::print(stderr, "Keep this token: only its hash is in {}. The service knows it once it is started again.\n",
               printable(*options.file));
  } else {
    fmt::print(stderr, "Keep this token. Add this line to the service's tokens file, and start it again:\n{}", line);
  }
}

}  // namespace emplace::cli
