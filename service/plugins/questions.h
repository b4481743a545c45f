// What the service asks a worker, and how an answer lies in their exchange. A question is a message (message.h) at the
// start of the room; the answer begins at the next multiple of 64 bytes after it, where both sides know it to be
// without telling each other: a WorkerAnswer, then the two arrays of results, each at a multiple of 64.
//
//   kLoad      library, what must confine it, configuration, id, version, rule ids by kind, has_observer,
//              has_consumer
//   kObserve   identity of `before` or 0, view, changes                              (observe; and how views get known)
//   kForget    identity
//   kScreen    rule, call                                                            arrays: keep, reasons
//   kExplain   rule, call, host, reason                                              WorkerAnswer::refusal
//   kEvaluate  rule, call                                                            arrays: costs, quality
//   kWeigh     rule, call                                                            arrays: values, multipliers
//   kTake      no rule, call, host                                                   array: text
//   kEnd       destroys the plugin
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "api/plugin/emplace/plugin.h"
#include "service/plugins/message.h"

namespace emplace {

// Where a plugin has not written a number.
inline constexpr double kUnset = std::numeric_limits<double>::quiet_NaN();

enum class WorkerQuestion : std::uint64_t {
  kLoad = 1,
  kObserve,
  kForget,
  kScreen,
  kExplain,
  kEvaluate,
  kWeigh,
  kTake,
  kEnd
};

// Which memory a picture lies in: the service's own arena, or the annex, where pictures of other arenas are copied.
enum class WorkerMemory : std::uint64_t { kPictures, kAnnex };

struct WorkerAnswer {
  std::int32_t status;
  std::uint32_t count;  // results written; kLoad: the Confinement
  emplace_error error;
  std::uint32_t has_minimum;
  std::uint32_t has_maximum;
  double minimum;
  double maximum;
  emplace_refusal refusal;
};

// Bits of what confines a worker.
enum Confinement : std::uint32_t {
  kConfinedByPrivileges = 1,  // no_new_privs
  kConfinedByLimits = 2,      // rlimits
  kConfinedBySeccomp = 4,
  kConfinedByParent = 8,          // dies with the service
  kConfinedByUser = 16,           // another user than the service, without groups and capabilities
  kConfinedByUserNamespace = 32,  // the service's user, without rights over processes outside
  kConfinedByLandlock = 64,       // reads the system's libraries and its own
  kConfinedByMounts = 128,        // likewise, as there are no others in its tree
};

// The names of the bits, as GET /v1/plugins has them.
std::vector<std::string> names_of_confinement(std::uint32_t bits);
// What `bits` lack of all that a kernel can give, as a sentence; empty: nothing.
std::string lacking_confinement(std::uint32_t bits);

// Where answer and results lie, for `candidates` results of the given widths in bytes.
struct AnswerPlace {
  std::size_t head, first, second, end;

  static constexpr std::size_t aligned(std::size_t offset) {
    return (offset + MessageWriter::kArrayAlignment - 1) / MessageWriter::kArrayAlignment *
           MessageWriter::kArrayAlignment;
  }
  AnswerPlace(std::size_t question_bytes, std::size_t first_bytes, std::size_t second_bytes)
      : head(aligned(question_bytes)),
        first(aligned(head + sizeof(WorkerAnswer))),
        second(aligned(first + first_bytes)),
        end(second + second_bytes) {}
};

// What a consumer may say of one vm: some thousand cores, or a RequestSpec's topology.
inline constexpr std::uint32_t kTakingBytes = 1u << 18;

inline std::size_t keep_bytes(std::size_t candidates) { return (candidates + 63) / 64 * sizeof(std::uint64_t); }

// How a worker ends itself, where it can still say why.
inline constexpr int kWorkerOutOfMemory = 12;
inline constexpr int kWorkerCannotStart = 13;
inline constexpr int kWorkerForbiddenCall = 14;

// The descriptors that a worker is born with, beside /dev/null for 0 and 1, and 2 for what the plugin says while it is
// loaded. Only 2 and the library are still open then.
enum WorkerFd : int { kExchangeFd = 3, kAnnexFd = 4, kLibraryFd = 5, kPicturesFd = 6 };

}  // namespace emplace
