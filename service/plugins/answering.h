// AnsweringPlugin: the plugin in its worker. Loads it as the service would (PluginInstance) and answers the questions
// of questions.h one after the other: makes views and calls out of what lies in the exchange and in the mapped
// memories, and lets the plugin write its results straight into the exchange.
//
//   load -> (wait for a question, answer it)*; the process is killed in the end
//
// Threads: one.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "service/plugins/exchange.h"
#include "service/plugins/library.h"
#include "service/plugins/questions.h"
#include "service/plugins/table_message.h"

namespace emplace {

class AnsweringPlugin {
 public:
  struct Memories {
    const unsigned char* pictures;  // null: there is only the annex
    const unsigned char* annex;
  };
  AnsweringPlugin(Exchange& exchange, Memories memories) : exchange_(exchange), memories_(memories) {}

  // What is given up before any code of the plugin runs, and when it is loaded but not yet created.
  struct Steps {
    std::function<Result<std::uint32_t>(const std::filesystem::path& library)> before_loading;  // bits of Confinement
    std::function<Result<void>()> before_creating;
  };
  // The first question.
  Result<void> load(const Steps& steps);
  void answer_next();

 private:
  struct KnownView {
    KnownView(MessageReader& reader, const unsigned char* base) : tables(reader, base) {}
    ReceivedTables tables;
    emplace_view view{};
  };
  struct Asked;

  struct Order;
  Order read_order();
  Result<std::uint32_t> load_plugin(const Order& order, const Steps& steps);
  std::int32_t observe(MessageReader& reader);
  std::int32_t call(WorkerQuestion question, MessageReader& reader);
  std::int32_t run(WorkerQuestion question, const Asked& asked, const emplace_call& call);
  std::int32_t screen(const Asked& asked, const emplace_call& call);
  std::int32_t evaluate(const Asked& asked, const emplace_call& call);
  std::int32_t weigh(const Asked& asked, const emplace_call& call);
  std::int32_t take(const Asked& asked, const emplace_call& call);
  std::int32_t fail_with(const std::string& why);
  WorkerAnswer& place_answer(std::size_t at);

  Exchange& exchange_;
  const Memories memories_;
  Manifest manifest_;
  std::unique_ptr<PluginInstance> plugin_;
  std::map<std::uint64_t, std::unique_ptr<KnownView>> views_;  // by identity
  WorkerAnswer* head_ = nullptr;                               // of the question at hand
};

}  // namespace emplace
