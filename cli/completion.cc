#include <fmt/format.h>

#include "cli/commands.h"

namespace emplace::cli {
namespace {

std::string spaced(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

// The shell function walks the words that are no options and keeps the longest path that is a command.
std::string bash_script(const std::vector<CommandWords>& commands) {
  std::string cases;
  for (const auto& [path, words] : commands) cases += fmt::format("    '{}') words='{}' ;;\n", path, spaced(words));
  return "_emplace_words() {\n  case \"$1\" in\n" + cases + "    *) return 1 ;;\n  esac\n}\n" + R"(_emplace() {
  local path='' word words='' i
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=${COMP_WORDS[i]}
    [[ $word == -* ]] && continue
    _emplace_words "${path:+$path }$word" && path="${path:+$path }$word"
  done
  _emplace_words "$path"
  COMPREPLY=($(compgen -W "$words" -- "${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _emplace emplace
)";
}

std::string zsh_script(const std::vector<CommandWords>& commands) {
  return "#compdef emplace\nautoload -U +X bashcompinit && bashcompinit\n" + bash_script(commands);
}

// "vms migrate" → what fish tests before it offers that command's words.
std::string fish_condition(const std::string& path) {
  if (path.empty()) return "__fish_use_subcommand";
  std::string condition;
  for (std::size_t at = 0; at < path.size();) {
    const std::size_t end = std::min(path.find(' ', at), path.size());
    condition += (condition.empty() ? "" : "; and ") + ("__fish_seen_subcommand_from " + path.substr(at, end - at));
    at = end + 1;
  }
  return condition;
}

std::string fish_script(const std::vector<CommandWords>& commands) {
  std::string script = "complete -c emplace -f\n";
  for (const auto& [path, words] : commands) {
    for (const std::string& word : words) {
      const std::string offer = word.starts_with("--") ? "-l " + word.substr(2) : "-a " + word;
      script += fmt::format("complete -c emplace -n '{}' {}\n", fish_condition(path), offer);
    }
  }
  return script;
}

}  // namespace

std::string completion_script(const std::string& shell, const std::vector<CommandWords>& commands) {
  if (shell == "bash") return bash_script(commands);
  return shell == "zsh" ? zsh_script(commands) : fish_script(commands);
}

}  // namespace emplace::cli
