// Commands that work on plugin files, without a service: a new plugin from the template, and its examination.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "cli/commands.h"
#include "service/process/program.h"
#include "service/process/streams.h"

namespace emplace::cli {
namespace {

namespace files = std::filesystem;

constexpr std::string_view kPlaceholder = "plugin_name";
constexpr std::size_t kLongestName = 40;

// The name becomes part of file names, of CMake targets and of rule ids.
void check_name(const std::string& name) {
  const auto fits = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; };
  const bool good = !name.empty() && name.size() <= kLongestName && name.front() >= 'a' && name.front() <= 'z' &&
                    std::ranges::all_of(name, fits) && name != kPlaceholder;
  if (good) return;
  throw Failure(kBadInput,
                fmt::format("NAME: wanted a letter, then letters, digits and '_', all lower case, at most {} "
                            "(and not \"{}\"), found \"{}\"",
                            kLongestName, kPlaceholder, printable(name)));
}

files::path beside_this_program(const char* relative) { return program_directory() / relative; }

std::string with_name(std::string text, const std::string& name) {
  for (std::size_t at = 0; (at = text.find(kPlaceholder, at)) != std::string::npos; at += name.size()) {
    text.replace(at, kPlaceholder.size(), name);
  }
  return text;
}

void write_file(const files::path& path, const std::string& text) {
  std::ofstream out(path, std::ios::binary);
  out << text << std::flush;
  if (!out) throw Failure(kBadInput, fmt::format("can't write {}: {}", path.string(), std::strerror(errno)));
}

// This process becomes emplace-plugin-check, which knows what the service knows of plugins.
[[noreturn]] void become_checker(std::vector<std::string> words) {
  const std::string program = beside_this_program("emplace-plugin-check").string();
  words.insert(words.begin(), program);
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  flush_or_throw();
  execv(program.c_str(), arguments.data());
  throw Failure(kFailed, fmt::format("can't run {}: {}", program, std::strerror(errno)));
}

// One option of the check, where it was given.
void pass_on(std::vector<std::string>& words, const char* option, const std::string& value) {
  if (!value.empty()) words.insert(words.end(), {option, value});
}

}  // namespace

void new_plugin(const NewPluginOptions& options) {
  check_name(options.name);
  const files::path source = beside_this_program("../share/emplace/plugin-template");
  const files::path target = options.directory.empty() ? files::path(options.name) : files::path(options.directory);
  std::error_code error;
  if (!files::is_directory(source, error)) {
    throw Failure(kFailed, "wanted the template in " + source.string() + ", found none: is Emplace fully installed?");
  }
  if (files::exists(target, error)) {
    throw Failure(kBadInput, fmt::format("wanted a new directory, found that {} exists", target.string()));
  }
  files::create_directories(target, error);
  if (error) throw Failure(kBadInput, fmt::format("can't make {}: {}", target.string(), error.message()));
  for (const auto& file : files::directory_iterator(source)) {
    const files::path path = target / with_name(file.path().filename().string(), options.name);
    write_file(path, with_name(read_file(file.path().string()), options.name));
  }
  const files::path prefix = files::weakly_canonical(beside_this_program(".."));
  const bool found_by_cmake = prefix == "/usr" || prefix == "/usr/local";
  fmt::print(
      "{} is a plugin with a filter and an objective. Next:\n  cd {} && cmake -B build{} && cmake --build build && "
      "ctest --test-dir build --output-on-failure\n",
      target.string(), target.string(), found_by_cmake ? "" : " -DCMAKE_PREFIX_PATH=" + prefix.string());
}

void list_columns() { become_checker({"--columns"}); }

void check_plugin(const CheckPluginOptions& options) {
  std::vector<std::string> words{options.plugin};
  pass_on(words, "--config", options.config);
  pass_on(words, "--seed", options.seed);
  pass_on(words, "--json", options.json);
  pass_on(words, "--junit", options.junit);
  pass_on(words, "--budget-us", options.budget_us);
  pass_on(words, "--only", options.only);
  become_checker(std::move(words));
}

}  // namespace emplace::cli
