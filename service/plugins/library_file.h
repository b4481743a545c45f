// LibraryFile: the bytes of a shared object as they were when it was read. A process that loads it later (a worker that
// is started again) gets the same code, whatever lies at the path by then. A library is loaded from its own path where
// that still holds the same bytes, so that it finds what lies beside it ($ORIGIN); else from the copy.
//
// Threads: immutable.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "service/core/base/result.h"

namespace emplace {

class LibraryFile {
 public:
  static Result<std::shared_ptr<const LibraryFile>> read(const std::filesystem::path& path);
  ~LibraryFile();
  LibraryFile(const LibraryFile&) = delete;
  LibraryFile& operator=(const LibraryFile&) = delete;

  const std::string& digest() const { return digest_; }  // of the bytes
  int copy_fd() const { return copy_fd_; }               // a sealed memfd
  // The path still holds these bytes.
  bool same_on_disk() const;

 private:
  LibraryFile(std::filesystem::path path, std::string digest, int copy_fd)
      : path_(std::move(path)), digest_(std::move(digest)), copy_fd_(copy_fd) {}

  const std::filesystem::path path_;
  const std::string digest_;
  const int copy_fd_;
};

// 32 hex digits over the bytes of a file; empty when it can't be read.
std::string file_digest(const std::filesystem::path& path);

}  // namespace emplace
