// Loading: the first question to a worker, and what becomes of it. A trial is a worker that is only there to try a
// plugin out before it is loaded into the service's own process: a constructor that throws, a create that crashes,
// never returns or does what plugins may not do would take the service with it; there it ends the worker, and one clear
// Error says what happened.
#pragma once

#include <memory>
#include <string>

#include "service/core/base/result.h"
#include "service/plugins/library_file.h"
#include "service/plugins/manifest.h"
#include "service/plugins/worker_process.h"

namespace emplace {

struct LoadOrder {
  Manifest manifest;
  std::string configuration;  // complete
  std::shared_ptr<const LibraryFile> library;
  bool must_be_confined = false;  // by all that a kernel can give, or it is not loaded
};

// The bits of what confines it (questions.h). kInvalid with one line that names plugin and library, and says why it
// can't be loaded. Waits for the worker, at most the time-out of its start.
Result<std::uint32_t> load_into(WorkerProcess& process, const LoadOrder& order, const WorkerSettings& settings);

// Loads, creates, destroys. Starts one process, and waits for it likewise.
Result<void> try_out(const LoadOrder& order, const WorkerSettings& settings);

}  // namespace emplace
