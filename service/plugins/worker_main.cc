// emplace-worker PARENT PICTURE_BYTES ANNEX_BYTES: one plugin in a process of its own, started by emplaced (worker.h)
// with the descriptors of questions.h. It is loaded, gives up its rights (confinement.h) and answers questions until it
// is killed. PICTURE_BYTES 0: there is only the annex.
#include <sys/mman.h>
#include <unistd.h>

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

const unsigned char* map_shared(int fd, const char* bytes) {
  const std::uint64_t size = std::strtoull(bytes, nullptr, 10);
  if (size == 0) return nullptr;
  void* const base = mmap(nullptr, size, PROT_READ, MAP_SHARED | MAP_NORESERVE, fd, 0);
  if (base == MAP_FAILED) give_up({emplace::ErrorCode::kUnavailable, "mapping the shared memory failed"});
  return static_cast<const unsigned char*>(base);
}

std::uint32_t must(const Result<std::uint32_t>& confined) {
  if (!confined) give_up(confined.error());
  return *confined;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "usage: emplace-worker PARENT PICTURE_BYTES ANNEX_BYTES; emplaced starts it\n";
    return 2;
  }
  const bool has_pictures = std::string_view(argv[2]) != "0";
  std::uint32_t bits =
      must(emplace::confine_early(std::atoi(argv[1]), has_pictures ? emplace::kPicturesFd : emplace::kLibraryFd));
  const auto exchange = emplace::Exchange::map(emplace::kExchangeFd);
  if (!exchange) give_up(exchange.error());
  emplace::AnsweringPlugin plugin(**exchange,
                                  {map_shared(emplace::kPicturesFd, argv[2]), map_shared(emplace::kAnnexFd, argv[3])});
  bits |= must(emplace::limit_memory());
  // Memory that is at its limit is the end of the worker, whatever the plugin would make of the exception.
  std::set_new_handler([] { _exit(emplace::kWorkerOutOfMemory); });
  if (!plugin.load([bits] { return must(emplace::confine(bits)); })) return emplace::kWorkerCannotStart;
  while (true) plugin.answer_next();
}
