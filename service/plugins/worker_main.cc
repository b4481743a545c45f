// emplace-worker PARENT PICTURE_BYTES ANNEX_BYTES USER GROUP WITHOUT: one plugin in a process of its own, started by
// emplaced (worker.h) with the descriptors of questions.h. It gives up its rights (confinement.h), loads the plugin and
// answers questions until it is killed. PICTURE_BYTES 0: there is only the annex. USER, GROUP, WITHOUT: see Rights.
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <climits>
#include <cstdlib>
#include <iostream>
#include <new>

#include "service/plugins/answering.h"
#include "service/plugins/confinement.h"

#if defined(__SANITIZE_ADDRESS__)
// A crash is what a worker is for: it ends it by its signal, as without the sanitizer.
extern "C" const char* __asan_default_options() { return "handle_segv=0"; }
#endif

namespace {

using emplace::Result;

// While it loads, standard error is read by the service.
[[noreturn]] void give_up(const emplace::Error& error) {
  std::cerr << error.message << std::endl;
  _exit(emplace::kWorkerCannotStart);
}

// The descriptor is not needed any more.
const unsigned char* map_shared(int fd, const char* bytes) {
  const std::uint64_t size = std::strtoull(bytes, nullptr, 10);
  if (size == 0) return nullptr;
  void* const base = mmap(nullptr, size, PROT_READ, MAP_SHARED | MAP_NORESERVE, fd, 0);
  if (base == MAP_FAILED) give_up({emplace::ErrorCode::kUnavailable, "mapping the shared memory failed"});
  close(fd);
  return static_cast<const unsigned char*>(base);
}

template <typename T>
T must(Result<T> done) {
  if (!done) give_up(done.error());
  return *std::move(done);
}

std::uint32_t number(const char* text) { return static_cast<std::uint32_t>(std::strtoul(text, nullptr, 10)); }

// As if it had been started from a shell: no descriptor but its own, no signal held back.
void start_clean(bool has_pictures) {
  const int last = has_pictures ? emplace::kPicturesFd : emplace::kLibraryFd;
  close_range(static_cast<unsigned>(last) + 1, UINT_MAX, 0);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 7) {
    std::cerr << "usage: emplace-worker PARENT PICTURE_BYTES ANNEX_BYTES USER GROUP WITHOUT; emplaced starts it\n";
    return 2;
  }
  const int parent = std::atoi(argv[1]);
  must(emplace::die_with(parent));
  start_clean(std::string_view(argv[2]) != "0");
  const auto exchange = must(emplace::Exchange::map(emplace::kExchangeFd));
  close(emplace::kExchangeFd);
  emplace::AnsweringPlugin plugin(*exchange,
                                  {map_shared(emplace::kPicturesFd, argv[2]), map_shared(emplace::kAnnexFd, argv[3])});
  const std::uint32_t limits = must(emplace::limit_memory());
  // Memory that is at its limit is the end of the worker, whatever the plugin would make of the exception.
  std::set_new_handler([] { _exit(emplace::kWorkerOutOfMemory); });
  const auto before_loading = [&](const std::filesystem::path& library) -> Result<std::uint32_t> {
    const emplace::Rights rights{library, emplace::kLibraryFd, number(argv[4]), number(argv[5]), number(argv[6])};
    const std::uint32_t early = must(emplace::confine_early(rights, parent));
    return limits | early | must(emplace::confine_loading(exchange->forbidden_room()));
  };
  if (!plugin.load({before_loading, emplace::confine})) return emplace::kWorkerCannotStart;
  while (true) plugin.answer_next();
}
