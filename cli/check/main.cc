// emplace-plugin-check: what `emplace plugin check` becomes. Exit code 0: all passed; 1: something failed; 2: usage.
// With
// --run it is the process of one test, and talks to the runner only.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <fstream>
#include <iostream>
#include <random>

#include "cli/check/runner.h"
#include "service/process/streams.h"

namespace emplace::check {
namespace {

enum ExitCode : int { kAllPassed = 0, kSomethingFailed = 1, kUsage = 2, kReaderLeft = 128 + 13 };

struct Options {
  std::string file, library, json, junit, only, run;
  bool columns = false;
  Setting setting{{}, "{}", std::random_device{}(), 20'000};
};

void declare(CLI::App& app, Options& options) {
  app.add_option("FILE", options.file, "the plugin's library or its manifest");
  app.add_flag("--columns", options.columns, "list the columns that a manifest may name, and check nothing");
  app.add_option("--config", options.setting.configuration, "JSON object");
  app.add_option("--seed", options.setting.seed, "of all that is random");
  app.add_option("--budget-us", options.setting.budget_us, "median time of a call with 20,000 hosts");
  app.add_option("--json", options.json, "report");
  app.add_option("--junit", options.junit, "report");
  app.add_option("--only", options.only, "run this test alone");
  app.add_option("--run", options.run, "the runner's: be the process of this test")->group("");
  app.add_option("--library", options.library, "the runner's: where it is not beside the manifest")->group("");
}

int refuse(const std::string& why) {
  fmt::print(stderr, "emplace: {}\n", why);
  return kUsage;
}

// Destructors of static objects are the plugin's code too, and the test is over: _exit.
[[noreturn]] void be_a_test(const Options& options) {
  const auto done = run_here(options.setting, options.run);
  if (!done) fmt::print("{}\n", done.error().message);
  std::fflush(stdout);
  _exit(done ? kAllPassed : kUsage);
}

bool write_file(const std::string& path, const std::string& text) {
  std::ofstream out(path, std::ios::binary);
  out << text << std::flush;
  return path.empty() || out.good();
}

std::string names_of_tests() {
  std::string names;
  for (const Test& test : all_tests()) names += (names.empty() ? "" : ", ") + std::string(test.name);
  return names;
}

const char* word_of(Type type) {
  constexpr const char* kWords[] = {"f64", "i64", "u32", "u8", "uuid", "utf8", "list of u32", "span of u64"};
  return kWords[static_cast<std::size_t>(type)];
}

int list_columns() {
  for (const ColumnSchema& column : column_schemas()) {
    const std::string name = fmt::format("{}.{}", table_name(column.table), column.name);
    std::string line = fmt::format("{:<34} {:<12} {:<6} {}", name, word_of(column.type), column.unit,
                                   column.observed ? "observed" : "");
    line.erase(line.find_last_not_of(' ') + 1);
    fmt::print("{}\n", line);
  }
  return kAllPassed;
}

int check(const Options& options) {
  const auto tests = all_tests();
  if (!options.only.empty() && std::ranges::find(tests, options.only, &Test::name) == tests.end()) {
    return refuse(fmt::format("--only: wanted one of {}, found \"{}\"", names_of_tests(), options.only));
  }
  for (const auto& file : {options.setting.files.library, options.setting.files.manifest}) {
    std::error_code ignored;
    if (!std::filesystem::is_regular_file(file, ignored)) {
      return refuse(fmt::format("wanted a plugin's library with its manifest beside it, found no {}", file.string()));
    }
  }
  const Report report = run_all(options.setting, options.only, [](const TestReport& test) {
    fmt::print("{}", text_line(test));
    flush_or_throw();
  });
  fmt::print("{}", text_summary(report));
  if (!write_file(options.json, to_json(report))) return refuse("can't write " + options.json);
  if (!write_file(options.junit, to_junit(report))) return refuse("can't write " + options.junit);
  return report.count(Outcome::kFailed) == 0 ? kAllPassed : kSomethingFailed;
}

int run(int argc, char** argv) {
  Options options;
  CLI::App app("Holds a plugin against the contract of emplace/plugin.h, each test in its own process.",
               "emplace plugin check");
  declare(app, options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kAllPassed : kUsage;
  }
  if (options.columns) return list_columns();
  if (options.file.empty()) return refuse("FILE: wanted a plugin's library or its manifest, found none");
  options.setting.files = files_of(options.file);
  if (!options.library.empty()) options.setting.files.library = options.library;
  if (!options.run.empty()) be_a_test(options);
  return check(options);
}

// A reader who left is no fault of ours.
int end_of_output(std::error_code error) {
  if (error == std::errc::broken_pipe) return kReaderLeft;
  return refuse("can't write to standard output: " + error.message());
}

}  // namespace
}  // namespace emplace::check

int main(int argc, char** argv) {
  using namespace emplace::check;
  emplace::keep_standard_streams();
  try {
    const int code = run(argc, argv);
    const std::error_code error = emplace::flush_output();
    return error ? end_of_output(error) : code;
  } catch (const std::filesystem::filesystem_error& error) {
    return refuse(error.what());
  } catch (const std::system_error& error) {  // of what printed
    return end_of_output(error.code());
  } catch (const std::exception& error) {
    return refuse(error.what());
  }
}
