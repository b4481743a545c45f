// emplaced.toml. The file lives in memory.
#include <sys/mman.h>
#include <unistd.h>

#include "service/configuration/config.h"
#include "tests/fuzz/targets.h"

namespace emplace::fuzz {
namespace {

class MemoryFile {
 public:
  explicit MemoryFile(std::string_view text) : fd_(::memfd_create("emplaced.toml", MFD_CLOEXEC)) {
    require(fd_ >= 0 && ::write(fd_, text.data(), text.size()) == static_cast<ssize_t>(text.size()),
            "memory for a file");
  }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  ~MemoryFile() { ::close(fd_); }

  std::string path() const { return "/proc/self/fd/" + std::to_string(fd_); }

 private:
  const int fd_;
};

}  // namespace

void service_configuration(std::string_view input) {
  const MemoryFile file(input);
  if (const auto config = read_config(file.path()); !config) require_clear(config.error());
}

}  // namespace emplace::fuzz
