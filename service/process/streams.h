// The standard streams of a program: that they are there, what is written to them, and whether it arrived. What a
// program prints is kept in a buffer, so that a full disk or a reader who left shows only when it is written out.
//
// Threads: none but main() should be running.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <system_error>

namespace emplace {

// Opens /dev/null in the place of a standard stream that is closed. Otherwise the next file or socket takes that place,
// and gets what was meant for the stream. What is printed to a closed standard output is an error, as before.
inline void keep_standard_streams() {
  constexpr int kModes[] = {O_WRONLY, O_RDONLY, O_RDWR};
  for (int stream = STDIN_FILENO; stream <= STDERR_FILENO; ++stream) {
    if (fcntl(stream, F_GETFD) == 0 || errno != EBADF) continue;
    // The lowest free descriptor is this one.
    if (open("/dev/null", kModes[stream]) != stream) return;
  }
}

// Numbers are written with a point, messages are in English, and text is UTF-8, whatever the environment says: Qt takes
// its locale, and would read "1.5" in some as no number.
inline void keep_plain_locale() { setenv("LC_ALL", "C.UTF-8", 1); }

// Writes out what was printed. std::errc::broken_pipe: its reader has left, which is no fault of ours.
inline std::error_code flush_output() {
  errno = 0;
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return {};
  return {errno != 0 ? errno : EIO, std::generic_category()};
}

// The same in the midst of a program: std::system_error.
inline void flush_or_throw() {
  if (const std::error_code error = flush_output()) throw std::system_error(error);
}

}  // namespace emplace
