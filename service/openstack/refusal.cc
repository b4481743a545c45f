#include "service/openstack/refusal.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "service/core/base/shown_text.h"
#include "service/core/json/json.h"

namespace emplace::openstack {
namespace {

constexpr std::size_t kLongest = 300;      // of a sentence
constexpr std::size_t kMostRead = 65'536;  // of a body
constexpr int kDeepest = 4;
constexpr std::size_t kShortestSecret = 4;  // a shorter one is in many words

// ---- JSON

// The better ones first.
constexpr std::string_view kWords[] = {"message",     "detail", "faultstring", "error_description",
                                       "description", "error",  "reason",      "title"};

std::string text_within(JsonValue value, int depth) {
  if (depth == kDeepest) return {};
  if (value.is_object()) {
    for (const std::string_view word : kWords) {
      const auto found = value.find(word);
      if (found && found->is_text() && !found->text().empty()) return std::string(found->text());
    }
  }
  const bool is_list = value.is_array();
  for (std::size_t i = 0; (is_list || value.is_object()) && i < value.size(); ++i) {
    if (std::string text = text_within(is_list ? value.item(i) : value.member(i), depth + 1); !text.empty())
      return text;
  }
  return {};
}

std::string text_of_json(std::string_view body) {
  const auto document = JsonDocument::parse(body, "answer");
  if (!document) return {};
  const JsonValue root = document->root();
  return root.is_text() ? std::string(root.text()) : text_within(root, 0);
}

// ---- HTML

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

// Where `word`, in small letters, stands from `at` on.
std::size_t find_word(std::string_view text, std::string_view word, std::size_t at) {
  const auto found = std::search(text.begin() + static_cast<std::ptrdiff_t>(std::min(at, text.size())), text.end(),
                                 word.begin(), word.end(), [](char a, char b) { return lower(a) == b; });
  return found == text.end() ? std::string_view::npos : static_cast<std::size_t>(found - text.begin());
}

bool is_page(std::string_view body) {
  return find_word(body, "<html", 0) != std::string_view::npos ||
         find_word(body, "<!doctype", 0) != std::string_view::npos ||
         find_word(body, "<body", 0) != std::string_view::npos;
}

// Nobody reads what these have.
std::size_t end_of_hidden(std::string_view page, std::size_t at) {
  for (const std::string_view name : {"head", "style", "script"}) {
    if (find_word(page.substr(0, at + 1 + name.size()), name, at + 1) != at + 1) continue;
    const std::size_t end = find_word(page, std::string("</").append(name), at);
    return end == std::string_view::npos ? page.size() : end;
  }
  return at;
}

std::string without_tags(std::string_view page, bool with_hidden) {
  std::string text;
  for (std::size_t at = 0; at < page.size(); ++at) {
    if (page[at] != '<') {
      text += page[at];
      continue;
    }
    text += ' ';
    at = std::min(page.find('>', with_hidden ? at : end_of_hidden(page, at)), page.size());
  }
  for (const auto& [name, character] : {std::pair("&lt;", "<"), std::pair("&gt;", ">"), std::pair("&quot;", "\""),
                                        std::pair("&#39;", "'"), std::pair("&nbsp;", " "), std::pair("&amp;", "&")}) {
    const std::string_view entity = name;
    for (std::size_t at = text.find(entity); at != std::string::npos; at = text.find(entity, at + 1)) {
      text.replace(at, entity.size(), character);
    }
  }
  return text;
}

// ---- a line

std::string in_one_line(std::string_view text) {
  std::string line;
  for (const char c : text) {
    const bool is_blank = c == ' ' || (c >= '\t' && c <= '\r');
    if (!is_blank) {
      line += c;
    } else if (!line.empty() && line.back() != ' ') {
      line += ' ';
    }
  }
  while (line.ends_with(' ')) line.pop_back();
  return line;
}

std::string without(std::string text, const std::vector<std::string>& secrets) {
  for (const std::string& secret : secrets) {
    if (secret.size() < kShortestSecret) continue;
    for (std::size_t at = text.find(secret); at != std::string::npos; at = text.find(secret, at + 3)) {
      text.replace(at, secret.size(), "***");
    }
  }
  return text;
}

std::string words_of(std::string_view body) {
  if (std::string text = in_one_line(text_of_json(body)); !text.empty()) return text;
  if (!is_page(body)) return in_one_line(body);
  std::string seen = in_one_line(without_tags(body, false));
  return seen.empty() ? in_one_line(without_tags(body, true)) : seen;
}

// ---- policies

struct Rule {
  std::string_view service, method, path, names;  // in path a "*" stands for one name or id
};
constexpr Rule kRules[] = {
    {"compute", "GET", "/os-hypervisors/detail", "os_compute_api:os-hypervisors:list-detail"},
    {"compute", "GET", "/os-services", "os_compute_api:os-services:list"},
    {"compute", "GET", "/os-aggregates", "os_compute_api:os-aggregates:index"},
    {"compute", "GET", "/os-server-groups",
     "os_compute_api:os-server-groups:index and os_compute_api:os-server-groups:index:all_projects"},
    {"compute", "GET", "/servers/detail",
     "os_compute_api:servers:detail and os_compute_api:servers:detail:get_all_tenants"},
    {"compute", "GET", "/servers/*", "os_compute_api:servers:show"},
    {"compute", "GET", "/servers/*/migrations/*", "os_compute_api:servers:migrations:show"},
    {"compute", "DELETE", "/servers/*/migrations/*", "os_compute_api:servers:migrations:delete"},
    {"compute", "GET", "/servers/*/os-instance-actions/*", "os_compute_api:os-instance-actions:show"},
    {"compute", "GET", "/os-migrations", "os_compute_api:os-migrations:index"},
    {"compute", "POST", "/servers/*/action", "os_compute_api:os-migrate-server:migrate_live"},
    {"placement", "GET", "/resource_providers", "placement:resource_providers:list"},
    {"placement", "GET", "/resource_providers/*", "placement:resource_providers:show"},
    {"placement", "GET", "/resource_providers/*/inventories", "placement:resource_providers:inventories:list"},
    {"placement", "GET", "/resource_providers/*/usages", "placement:resource_providers:usages"},
    {"placement", "GET", "/resource_providers/*/traits", "placement:resource_providers:traits:list"},
    {"placement", "GET", "/resource_providers/*/aggregates", "placement:resource_providers:aggregates:list"},
    {"placement", "GET", "/resource_providers/*/allocations", "placement:resource_providers:allocations:list"},
    {"placement", "GET", "/allocations/*", "placement:allocations:list"},
    {"identity", "GET", "/auth/tokens", "identity:validate_token"},
};

std::string_view next_part(std::string_view& path) {
  const std::size_t end = std::min(path.find('/', 1), path.size());
  const std::string_view part = path.substr(0, end);
  path.remove_prefix(end);
  return part;
}

bool matches(std::string_view pattern, std::string_view path) {
  while (!pattern.empty() && !path.empty()) {
    const std::string_view wanted = next_part(pattern), found = next_part(path);
    if (wanted != "/*" && wanted != found) return false;
  }
  return pattern.empty() && path.empty();
}

}  // namespace

std::string sentence_of(std::string_view body, const std::vector<std::string>& secrets) {
  return shortened(shown_text(without(words_of(body.substr(0, kMostRead)), secrets)), kLongest);
}

std::string_view rules_of(std::string_view service, std::string_view method, std::string_view path) {
  path = path.substr(0, path.find('?'));
  const auto rule = std::find_if(std::begin(kRules), std::end(kRules), [&](const Rule& one) {
    return one.service == service && one.method == method && matches(one.path, path);
  });
  return rule == std::end(kRules) ? std::string_view() : rule->names;
}

}  // namespace emplace::openstack
