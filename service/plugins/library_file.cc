#include "service/plugins/library_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xxhash.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <optional>

namespace emplace {
namespace {

std::optional<std::string> bytes_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  return std::string(std::istreambuf_iterator<char>(file), {});
}

std::string digest_of(const std::string& bytes) {
  const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
  return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

bool write_all(int fd, const std::string& bytes) {
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t wrote = write(fd, bytes.data() + done, bytes.size() - done);
    if (wrote < 0 && errno != EINTR) return false;
    done += static_cast<std::size_t>(std::max<ssize_t>(wrote, 0));
  }
  return true;
}

}  // namespace

Result<std::shared_ptr<const LibraryFile>> LibraryFile::read(const std::filesystem::path& path) {
  const auto bytes = bytes_of(path);
  if (!bytes) return fail(ErrorCode::kInvalid, fmt::format("{}: wanted a file that can be read", path.string()));
  const int fd = memfd_create("emplace-plugin", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  constexpr int kSeals = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL;
  if (fd < 0 || !write_all(fd, *bytes) || fcntl(fd, F_ADD_SEALS, kSeals) != 0) {
    const int error = errno;
    if (fd >= 0) close(fd);
    return fail(ErrorCode::kUnavailable, fmt::format("copying {}: {}", path.string(), std::strerror(error)));
  }
  return std::shared_ptr<const LibraryFile>(new LibraryFile(path, digest_of(*bytes), fd));
}

LibraryFile::~LibraryFile() { close(copy_fd_); }

bool LibraryFile::same_on_disk() const { return file_digest(path_) == digest_; }

std::string file_digest(const std::filesystem::path& path) {
  const auto bytes = bytes_of(path);
  return bytes ? digest_of(*bytes) : std::string();
}

}  // namespace emplace
