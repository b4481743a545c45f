// A plugin that does what the request's document asks for: "please-crash", "please-hang", ... Other requests get good
// answers, so that a test can see whether it came back.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <string_view>
#include <vector>

#include "emplace/plugin.h"

namespace {

bool asked(const emplace_call* call, std::string_view wish) {
  const std::string_view document(call->document, call->document_bytes);
  return document.find(wish) != std::string_view::npos;
}

// A sanitizer would end it in its own way.
__attribute__((no_sanitize("undefined"))) void crash() {
  volatile int* volatile nowhere = nullptr;
  *nowhere = 1;
}

[[noreturn]] void hang() {
  static volatile int turns = 0;
  while (true) {
    if (turns == 1) turns = 2;
  }
}

void hog() {
  for (std::vector<char*> all;; all.push_back(new char[1 << 20])) {
    if (!all.empty()) std::memset(all.back(), 1, 1 << 20);
  }
}

// The whole of the picture's memory is visible; none of it may be written, whatever is tried.
void scribble(const emplace_call* call) {
  auto* const base = const_cast<unsigned char*>(call->picture->memory_base);
  mprotect(base, 4096, PROT_READ | PROT_WRITE);
  *base = 1;
}

// Half a character, bytes that are none, control characters: as much of it as there is room for, without an end.
template <std::size_t N>
void babble(char (&text)[N]) {
  constexpr std::string_view kBabble = "\xc3\xa4\xff\x80\x01\xf0\x9d";
  for (std::size_t i = 0; i < N; ++i) text[i] = kBabble[i % kBabble.size()];
}

void misbehave(const emplace_call* call) {
  if (asked(call, "please-crash")) crash();
  if (asked(call, "please-abort")) std::abort();
  if (asked(call, "please-hang")) hang();
  if (asked(call, "please-hog")) hog();
  if (asked(call, "please-fork") && fork() == 0) hang();
  if (asked(call, "please-exec")) execl("/bin/true", "true", nullptr);
  if (asked(call, "please-socket")) socket(AF_INET, SOCK_STREAM, 0);
  if (asked(call, "please-open")) open("/etc/passwd", O_RDONLY);
  if (asked(call, "please-exit")) _exit(0);
  if (asked(call, "please-kill")) kill(getppid(), SIGKILL);
  if (asked(call, "please-scribble")) scribble(call);
  if (asked(call, "please-sleep")) usleep(30'000);
}

std::int32_t screen(void*, const emplace_call* call, emplace_verdicts* verdicts, emplace_error*) {
  if (asked(call, "please-filter")) misbehave(call);
  if (asked(call, "please-refuse")) {
    std::memset(verdicts->reasons, 1, call->candidate_count);
    verdicts->count = call->candidate_count;
    return EMPLACE_OK;
  }
  for (std::uint32_t i = 0; i < call->candidate_count; ++i) verdicts->keep[i >> 6] |= std::uint64_t{1} << (i & 63);
  verdicts->count = call->candidate_count;
  return EMPLACE_OK;
}

std::int32_t explain(void*, const emplace_call* call, std::uint32_t, std::uint8_t, emplace_refusal* refusal,
                     emplace_error* error) {
  refusal->wanted_kind = refusal->found_kind = EMPLACE_TEXT;
  babble(refusal->code), babble(refusal->unit), babble(refusal->wanted_text), babble(refusal->found_text);
  babble(error->message);
  return asked(call, "please-throw") ? EMPLACE_FAILED : EMPLACE_OK;
}

std::int32_t evaluate(void*, const emplace_call* call, emplace_costs* costs, emplace_error* error) {
  misbehave(call);
  for (std::uint32_t i = 0; i < call->candidate_count; ++i) costs->costs[i] = call->candidates[i];
  costs->count = call->candidate_count;
  if (asked(call, "please-nan")) costs->costs[0] = std::numeric_limits<double>::quiet_NaN();
  if (asked(call, "please-short")) costs->count -= 1;
  if (asked(call, "please-boast")) costs->count = 0x7fffffff;
  if (asked(call, "please-quality")) costs->quality[0] = 77;
  if (asked(call, "please-babble")) babble(error->message);
  if (asked(call, "please-babble")) return EMPLACE_FAILED;
  if (!asked(call, "please-fail")) return EMPLACE_OK;
  std::memset(error->message, 'x', sizeof error->message);  // without an end
  return EMPLACE_FAILED;
}

const emplace_filter kFilter{sizeof(emplace_filter), 0, nullptr, screen, explain};
const emplace_objective kObjective{sizeof(emplace_objective), 0, nullptr, evaluate};

std::int32_t create(const emplace_configuration*, void** instance, emplace_error*) {
  static int nothing;
  *instance = &nothing;
  return EMPLACE_OK;
}
const void* get_extension(void*, const char* id, const char*) {
  if (std::strcmp(id, EMPLACE_FILTER) == 0) return &kFilter;
  if (std::strcmp(id, EMPLACE_OBJECTIVE) == 0) return &kObjective;
  return nullptr;
}
void destroy(void*) {}

}  // namespace

extern "C" EMPLACE_PLUGIN_EXPORT const emplace_entry emplace_plugin_entry = {
    sizeof(emplace_entry), EMPLACE_ABI_MAJOR, EMPLACE_ABI_MINOR, 0, "unruly", "1.0.0", create, get_extension, destroy};
