// Around the commands: parsing, help, completion, and how a program that prints ends.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <memory>
#include <sstream>
#include <system_error>

#include "cli/arguments.h"
#include "cli/commands.h"
#include "cli/usage.h"
#include "service/process/streams.h"

namespace emplace::cli {
namespace {

std::string below(const std::string& path, const std::string& name) { return path.empty() ? name : path + ' ' + name; }

CommandWords words_of(const CLI::App& app, const std::string& path) {
  CommandWords command{path, {}};
  for (const CLI::App* child : app.get_subcommands({})) command.words.push_back(child->get_name());
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) command.words.push_back("--" + name);
  }
  return command;
}

void walk(CLI::App& app, const std::string& path, const std::function<void(CLI::App&, const std::string&)>& visit) {
  visit(app, path);
  for (CLI::App* child : app.get_subcommands({})) walk(*child, below(path, child->get_name()), visit);
}

void append_commands(std::vector<std::string>& words, const CLI::App& app) {
  for (const CLI::App* child : app.get_subcommands({})) words.push_back(child->get_name());
}

void add_completion(CLI::App& app) {
  auto shell = std::make_shared<std::string>();
  CLI::App* command = app.add_subcommand("completion", "prints the completion script of a shell");
  command->add_option("SHELL", *shell)->required()->check(CLI::IsMember({"bash", "zsh", "fish"}));
  command->callback([&app, shell] {
    std::vector<CommandWords> commands;
    walk(app, "", [&](const CLI::App& each, const std::string& path) { commands.push_back(words_of(each, path)); });
    for (CommandWords& each : commands) {
      if (each.path == "help") append_commands(each.words, app);
      if (each.path == "completion") each.words.insert(each.words.end(), {"bash", "zsh", "fish"});
    }
    fmt::print("{}", completion_script(*shell, commands));
  });
}

CLI::App* child_of(CLI::App& app, const std::string& name) {
  const auto children = app.get_subcommands([&](const CLI::App* child) { return child->get_name() == name; });
  return children.empty() ? nullptr : children.front();
}

// What "help WORD..." is about, and its path.
std::pair<CLI::App*, std::string> find_command(CLI::App& app, const std::vector<std::string>& words) {
  std::pair<CLI::App*, std::string> found{&app, ""};
  for (const std::string& word : words) {
    CLI::App* const child = child_of(*found.first, word);
    if (!child) {
      const std::string meant = closest(word, words_of(*found.first, "").words);
      throw Failure(kBadInput,
                    fmt::format("no command is called '{}'{}", below(found.second, printable(word)),
                                meant.empty() ? "" : "; did you mean '" + below(found.second, meant) + "'?"));
    }
    found = {child, below(found.second, word)};
  }
  return found;
}

void add_help(CLI::App& app) {
  auto words = std::make_shared<std::vector<std::string>>();
  CLI::App* command = app.add_subcommand("help", "what a command does, its options, and examples");
  command->add_option("COMMAND", *words, "such as: vms migrate; without one lists all");
  command->callback([&app, words] {
    const auto [about, path] = find_command(app, *words);
    // Not about->help(), which hands over to the command that was parsed: this one.
    fmt::print("{}", about->get_formatter()->make_help(about, below("emplace", path), CLI::AppFormatMode::Normal));
  });
}

// ---- what was wrong with the arguments

struct Parsed {
  const CLI::App* command;
  std::string path;
};

Parsed innermost(const CLI::App& app) {
  Parsed parsed{&app, ""};
  while (!parsed.command->get_subcommands().empty()) {
    parsed.command = parsed.command->get_subcommands().front();
    parsed.path = below(parsed.path, parsed.command->get_name());
  }
  return parsed;
}

// The words and options that no part of the command line has a place for. What a command does not know the parser
// offers to the command above: in "vms delete a b" b is the VM of "vms". The options of the program itself, such as
// --url, are every command's.
std::vector<std::string> words_too_many(const CLI::App& app, const Parsed& parsed) {
  std::vector<std::string> words = app.remaining(true);
  for (const CLI::App* above = parsed.command->get_parent(); above; above = above->get_parent()) {
    for (const CLI::Option* option : above->get_options()) {
      if (option->get_positional())
        words.insert(words.end(), option->results().begin(), option->results().end());
      else if (above->get_parent() && option->count() > 0)
        words.push_back(option->get_name());
    }
  }
  return words;
}

// A command that changes something must not end well when it has left a word or an option aside.
void refuse_words_of_parents(CLI::App& command) {
  const CLI::App* const above = command.get_parent();
  if (!above) return;
  for (CLI::Option* option : command.get_parent()->get_options()) {
    if (option->get_positional() || above->get_parent()) command.excludes(option);
  }
}

void refuse_blank_words(CLI::App& command) {
  for (CLI::Option* option : command.get_options()) {
    if (!option->get_positional()) continue;
    option->check([](const std::string& text) {
      const bool blank = text.find_first_not_of(" \t") == std::string::npos;
      return blank ? fmt::format("wanted a word, found '{}'", printable(text)) : std::string();
    });
  }
}

// A word may have been taken for a name before the next one was too many: "hosts sett h1 enabled".
std::string meant_by(const CLI::App& app, const Parsed& parsed, const std::vector<std::string>& words) {
  std::vector<std::string> known = words_of(*parsed.command, "").words;
  for (const std::string& word : words_of(app, "").words)
    if (word.starts_with('-')) known.push_back(word);
  for (const std::string& given : words) {
    const std::string word = given.substr(0, given.find('='));
    const std::string meant = closest(word, known);
    if (!meant.empty() && meant != word) return meant;
  }
  return {};
}

int complain(const CLI::App& app, const CLI::ParseError& error, int argc, char** argv) {
  const Parsed parsed = innermost(app);
  const std::string help = parsed.path.empty() ? "emplace help" : "emplace help " + parsed.path;
  const std::vector<std::string> unknown = words_too_many(app, parsed);
  if (unknown.empty()) {
    fmt::print(stderr, "emplace: {}; see: {}\n", printable(error.what()), help);
    return kBadInput;
  }
  const bool option = unknown.front().starts_with('-');
  const std::string kind = option ? "unknown option" : parsed.path.empty() ? "unknown command" : "unexpected word";
  std::vector<std::string> words(argv + 1, argv + argc);
  words.insert(words.begin(), unknown.front());
  const std::string meant = meant_by(app, parsed, words);
  fmt::print(stderr, "emplace: {} '{}'{}; {}see: {}\n", kind, printable(unknown.front()),
             parsed.path.empty() ? "" : " of '" + parsed.path + "'",
             meant.empty() ? "" : "did you mean '" + meant + "'? If not, ", help);
  return kBadInput;
}

// ---- how a program that prints ends

int end_of_output(std::error_code error) {
  if (error == std::errc::broken_pipe) return kReaderLeft;
  fmt::print(stderr, "emplace: can't write to standard output: {}\n", error.message());
  return kFailed;
}

int parse(CLI::App& app, Session& session, int argc, char** argv) {
  try {
    app.parse(argc, argv);
    return session.exit_code;
  } catch (const CLI::Success& asked) {
    // Not to std::cout, which forgets why it could not be written.
    std::ostringstream text;
    const int code = app.exit(asked, text, text);
    fmt::print("{}", text.str());
    return code;
  } catch (const CLI::ParseError& error) {
    return complain(app, error, argc, argv);
  } catch (const Failure& failure) {
    std::fflush(stdout);
    fmt::print(stderr, "emplace: {}\n", failure.what());
    return failure.code();
  }
}

}  // namespace

int run(int argc, char** argv) {
  Session session;
  CLI::App app("Places virtual machines, says why, and moves them. Talks to a running emplaced.", "emplace");
  declare(app, session);
  add_completion(app);
  add_help(app);
  walk(app, "", [](CLI::App& command, const std::string& path) {
    command.footer(examples_of(path));
    refuse_words_of_parents(command);
    refuse_blank_words(command);
  });
  try {
    const int code = parse(app, session, argc, argv);
    const std::error_code error = flush_output();
    return error ? end_of_output(error) : code;
  } catch (const std::filesystem::filesystem_error& error) {
    fmt::print(stderr, "emplace: {}\n", error.what());
    return kBadInput;
  } catch (const std::system_error& error) {  // of what printed
    return end_of_output(error.code());
  }
}

}  // namespace emplace::cli
