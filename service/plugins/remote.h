// RemotePlugin: a plugin in a worker, with the face of one in this process. It offers the extensions of plugin.h, whose
// functions put the call into the worker's exchange, wait, and copy the results out; so LoadedPlugin, ObservedPictures
// and the rules use it as they use a library. It shows the worker each picture before the first call on it, again after
// a restart, and copies those into the annex that the worker does not map.
//
// A call that takes longer than the hard deadline, and a worker that dies, end the call with an error and count as a
// miss. Nothing that comes back is trusted: counts and values are checked by the rules, after the copy.
//
// Threads: like an instance of a plugin that is not reentrant: one call at a time.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "service/plugins/library.h"
#include "service/plugins/questions.h"
#include "service/plugins/table_copy.h"
#include "service/plugins/worker.h"

namespace emplace {

class RemotePlugin {
 public:
  struct Deadlines {
    std::int64_t call_us = 0;     // hard ones: then the worker is killed
    std::int64_t observe_us = 0;  // also of forget
  };
  // `missed` is called for each loss of the worker, during the call that noticed it.
  RemotePlugin(Worker::Order order, Deadlines deadlines, std::function<void()> missed);

  // Extensions as long as the RemotePlugin lives; the instance may go before it.
  std::unique_ptr<PluginInstance> instance();
  const emplace_observer& observer() const { return observer_; }
  Worker& worker() { return worker_; }
  const Worker& worker() const { return worker_; }
  // How often the worker was lost. For the one whose turn it is.
  std::uint64_t losses() const { return losses_; }

 private:
  struct Rule {
    RemotePlugin& plugin;
    const std::string id;
    emplace_filter filter;
    emplace_objective objective;
    emplace_weigher weigher;
  };
  struct Asked {  // of a rule
    WorkerQuestion question;
    const Rule& rule;
    const emplace_call& call;
    std::uint32_t host = 0;
    std::uint8_t reason = 0;
    std::size_t first_bytes = 0, second_bytes = 0;  // of results
  };
  struct Answered {
    std::shared_ptr<WorkerProcess> process;  // in whose room the arrays lie
    WorkerAnswer head;
    const std::byte* first;
    const std::byte* second;
  };
  static const emplace_entry kEntry;
  static const void* get_extension(void* instance, const char* id, const char* rule);
  static std::int32_t screen(void* self, const emplace_call* call, emplace_verdicts* verdicts, emplace_error* error);
  static std::int32_t explain(void* self, const emplace_call* call, std::uint32_t host, std::uint8_t reason,
                              emplace_refusal* refusal, emplace_error* error);
  static std::int32_t evaluate(void* self, const emplace_call* call, emplace_costs* costs, emplace_error* error);
  static std::int32_t weigh(void* self, const emplace_call* call, emplace_weights* weights, emplace_error* error);
  static std::int32_t observe(void* self, const emplace_view* before, const emplace_view* after,
                              const emplace_changed_rows* changes, std::uint32_t change_count, emplace_error* error);
  static void forget(void* self, std::uint64_t identity);
  static std::int32_t take(void* self, const emplace_call* call, std::uint32_t host, emplace_taking* taking,
                           emplace_error* error);

  Result<Answered> call(const Asked& asked);
  Result<void> show(WorkerProcess& process, const emplace_view* before, const emplace_view& after,
                    const emplace_changed_rows* changes, std::uint32_t change_count);
  Result<void> write_view(MessageWriter& writer, const emplace_view& view);
  void write_call(MessageWriter& writer, const Asked& asked);
  // Rings, waits at most so long, and copies the answer's head, which lies after `used` bytes.
  Result<WorkerAnswer> ask(WorkerProcess& process, std::size_t used, std::int64_t hard_us);
  Error lose(WorkerProcess& process, const std::string& why);
  bool is_mapped(const emplace_view& view) const;

  const Deadlines deadlines_;
  std::deque<Rule> rules_;
  const Rule all_;  // stands for the plugin as a whole, which has no name
  emplace_observer observer_;
  emplace_consumer consumer_;
  std::map<std::uint64_t, std::unique_ptr<TableCopy>> copies_;  // of pictures that the worker does not map
  std::unique_ptr<TableCopy> call_copy_;                        // of a request's tables, likewise, for the call at hand
  const std::function<void()> missed_;
  std::uint64_t losses_ = 0;
  Worker worker_;
};

}  // namespace emplace
