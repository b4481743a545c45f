#include "service/plugins/own_tree.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

namespace emplace {
namespace {

namespace fs = std::filesystem;

// Where the tree is put together; it hides what is there, in this process alone.
const fs::path kRoot = "/proc";

tl::unexpected<Error> no_tree(const std::string& what) {
  return fail(ErrorCode::kUnavailable, fmt::format("{}: {}", what, std::strerror(errno)));
}

// A path of the tree while it is put together.
fs::path inside(const fs::path& path) { return kRoot / path.relative_path(); }

bool make_place(const fs::path& path, bool is_directory) {
  std::error_code error;
  if (fs::exists(path, error)) return true;  // in a part that was put there before, which can't be changed
  fs::create_directories(is_directory ? path : path.parent_path(), error);
  if (is_directory) return !error;
  const int fd = open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
  return fd >= 0 && close(fd) == 0;
}

// What lies at a path, held so that it can be put into the tree when the old one is hidden.
struct Part {
  fs::path path;
  int fd = -1;
  fs::path link = {};  // where it is a symbolic link
  bool is_directory = false;
};

Part take(const fs::path& path) {
  std::error_code ignored;
  const auto status = fs::symlink_status(path, ignored);
  if (fs::is_symlink(status)) return {path, -1, fs::read_symlink(path, ignored)};
  if (!fs::exists(status)) return {path};
  const int fd = open_tree(AT_FDCWD, path.c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
  mount_attr read_only{};
  read_only.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
  if (fd >= 0) mount_setattr(fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &read_only, sizeof read_only);
  return {path, fd, {}, fs::is_directory(status)};
}

Result<void> put(const Part& part) {
  const fs::path place = inside(part.path);
  std::error_code ignored;
  if (!part.link.empty()) {
    fs::create_directories(place.parent_path(), ignored);
    fs::create_symlink(part.link, place, ignored);
  }
  if (part.fd < 0) return {};
  const bool done = make_place(place, part.is_directory) &&
                    move_mount(part.fd, "", AT_FDCWD, place.c_str(), MOVE_MOUNT_F_EMPTY_PATH) == 0;
  return done ? Result<void>() : no_tree("putting " + part.path.string() + " into the worker's tree");
}

Result<void> put_copy(int fd) {
  const fs::path place = inside(fmt::format("/proc/self/fd/{}", fd));
  struct stat found {};
  fstat(fd, &found);
  std::error_code ignored;
  fs::create_directories(place.parent_path(), ignored);
  const int copy = open(place.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
  off_t at = 0;
  while (copy >= 0 && at < found.st_size && sendfile(copy, fd, &at, static_cast<std::size_t>(found.st_size - at)) > 0) {
  }
  if (copy >= 0) close(copy);
  return copy >= 0 && at == found.st_size ? Result<void>() : no_tree("copying the library into the worker's tree");
}

Result<void> fill(const std::vector<Part>& parts, int copy_fd) {
  for (const Part& part : parts) {
    if (const auto done = put(part); !done) return done;
  }
  return put_copy(copy_fd);
}

}  // namespace

Result<void> enter_own_tree(std::span<const fs::path> paths, int copy_fd) {
  if (unshare(CLONE_NEWNS) != 0 || mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    return no_tree("a mount namespace");
  }
  std::vector<Part> parts;
  for (const auto& path : paths) parts.push_back(take(path));
  const bool mounted = mount("tmpfs", kRoot.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, "mode=755") == 0;
  const auto filled = mounted ? fill(parts, copy_fd) : no_tree("a worker's tree");
  for (const Part& part : parts) {
    if (part.fd >= 0) close(part.fd);
  }
  if (!filled) return filled;
  // Not pivot_root, which the first root of a machine refuses: who has no capability and no descriptor of a folder
  // stays in a changed root.
  const bool entered = chdir(kRoot.c_str()) == 0 && chroot(".") == 0 && chdir("/") == 0;
  return entered ? Result<void>() : no_tree("changing the root");
}

}  // namespace emplace
