#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "cli/commands.h"

namespace emplace::cli {
namespace {

// The scripts share their course: they walk the words that are no options, keep the longest path that is a command, and
// offer that command's options after a '-', else the words that may follow it, else files.
std::string spaced(const std::vector<std::string>& words, bool options) {
  std::string text;
  for (const std::string& word : words) {
    if (word.starts_with('-') == options) text += (text.empty() ? "" : " ") + word;
  }
  return text;
}

// Cases of a shell function that sets `commands` and `options`. bash and zsh read the same.
std::string cases(const std::vector<CommandWords>& commands) {
  std::string text;
  for (const auto& [path, words] : commands) {
    text += fmt::format("    '{}') commands='{}' options='{}' ;;\n", path, spaced(words, false), spaced(words, true));
  }
  return "_emplace_words() {\n  case \"$1\" in\n" + text + "    *) return 1 ;;\n  esac\n}\n";
}

std::string bash_script(const std::vector<CommandWords>& commands) {
  return cases(commands) + R"(_emplace() {
  local at='' word='' commands='' options='' i
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=${COMP_WORDS[i]}
    [[ $word == -* ]] && continue
    _emplace_words "${at:+$at }$word" && at="${at:+$at }$word"
  done
  _emplace_words "$at"
  word=${COMP_WORDS[COMP_CWORD]}
  [[ $word == -* ]] && commands=$options
  COMPREPLY=($(compgen -W "$commands" -- "$word"))
}
complete -o default -F _emplace emplace
)";
}

// As a file _emplace of $fpath its first call must complete already; sourced, it must only declare itself.
std::string zsh_script(const std::vector<CommandWords>& commands) {
  return "#compdef emplace\n" + cases(commands) + R"(_emplace() {
  local at='' word='' commands='' options='' i
  for ((i = 2; i < CURRENT; i++)); do
    word=${words[i]}
    [[ $word == -* ]] && continue
    _emplace_words "${at:+$at }$word" && at="${at:+$at }$word"
  done
  _emplace_words "$at"
  [[ $PREFIX == -* ]] && commands=$options
  if [[ -n $commands ]]; then
    compadd -- ${=commands}
  else
    _files
  fi
}
if [[ ${funcstack[1]} == _emplace ]]; then
  _emplace "$@"
else
  compdef _emplace emplace
fi
)";
}

std::string fish_script(const std::vector<CommandWords>& commands) {
  std::string text;
  for (const auto& [path, words] : commands) {
    text += fmt::format("    case '{}'\n      set commands {}\n      set options {}\n", path, spaced(words, false),
                        spaced(words, true));
  }
  return "function __emplace_words\n  set -l commands\n  set -l options\n  switch \"$argv[2]\"\n" + text +
         R"(    case '*'
      return 1
  end
  switch $argv[1]
    case commands
      string join -- \n $commands
    case options
      string join -- \n $options
  end
  return 0
end
function __emplace_path
  set -l at ''
  for word in (commandline -opc)[2..-1]
    string match -q -- '-*' $word; and continue
    set -l longer (string trim "$at $word")
    __emplace_words nothing $longer; and set at $longer
  end
  echo $at
end
function __emplace_offers
  __emplace_words $argv[1] (__emplace_path)
end
function __emplace_has_commands
  set -l offered (__emplace_offers commands)
  test -n "$offered"
end
complete -c emplace -e
complete -c emplace -n __emplace_has_commands -f -a '(__emplace_offers commands)'
complete -c emplace -n 'string match -q -- "-*" (commandline -ct)' -f -a '(__emplace_offers options)'
)";
}

// The options of the program itself may stand behind each command.
std::vector<CommandWords> with_common_options(std::vector<CommandWords> commands) {
  std::vector<std::string> common;
  for (const auto& [path, words] : commands) {
    if (path.empty())
      std::copy_if(words.begin(), words.end(), std::back_inserter(common),
                   [](const std::string& word) { return word.starts_with('-') && word != "--version"; });
  }
  for (auto& [path, words] : commands) {
    for (const std::string& option : common)
      if (std::find(words.begin(), words.end(), option) == words.end()) words.push_back(option);
  }
  return commands;
}

}  // namespace

std::string completion_script(const std::string& shell, const std::vector<CommandWords>& commands) {
  const std::vector<CommandWords> all = with_common_options(commands);
  if (shell == "bash") return bash_script(all);
  return shell == "zsh" ? zsh_script(all) : fish_script(all);
}

}  // namespace emplace::cli
