#include "cli/session.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

namespace emplace::cli {

std::string Session::token_path() const {
  if (!token_file.empty()) return token_file;
  const std::filesystem::path directory = data.empty() ? "run-data" : data;
  const std::filesystem::path path = directory / "admin.token";
  std::error_code ignored;
  return !data.empty() || std::filesystem::exists(path, ignored) ? path.string() : std::string();
}

Client& Session::client() {
  if (!client_) {
    const std::string path = token_path();
    std::string token = path.empty() ? std::string() : read_file(path);
    while (!token.empty() && (token.back() == '\n' || token.back() == '\r' || token.back() == ' ')) token.pop_back();
    const auto is_of_word = [](char c) { return c > ' ' && c < 127; };
    if (!std::all_of(token.begin(), token.end(), is_of_word)) {
      throw Failure(kNotAllowed,
                    fmt::format("{}: wanted a token, one word of ASCII, and nothing else in the file", path));
    }
    client_ = std::make_unique<Client>(url, token);
  }
  return *client_;
}

std::string read_file(const std::string& path) {
  const std::unique_ptr<FILE, int (*)(FILE*)> opened(path == "-" ? nullptr : std::fopen(path.c_str(), "rb"),
                                                     std::fclose);
  FILE* const file = path == "-" ? stdin : opened.get();
  std::string text;
  char piece[65536];
  while (file) {
    const std::size_t count = std::fread(piece, 1, sizeof piece, file);
    text.append(piece, count);
    if (count == 0) break;
  }
  if (file && !std::ferror(file)) return text;
  throw Failure(kBadInput,
                fmt::format("can't read {}: {}", path == "-" ? "standard input" : path, std::strerror(errno)));
}

void print_json(const Json& document) { fmt::print("{}\n", document.dump()); }

std::vector<Json> list_all(Client& client, const std::string& target, const std::string& member) {
  std::vector<Json> entries;
  std::string next = target;
  while (!next.empty()) {
    const Json page = client.ask({.target = next});
    for (const Json& entry : page.need(member).items()) entries.push_back(entry);
    next = page["next"].string();
  }
  return entries;
}

std::string path_of(const std::string& collection, const std::string& name) {
  return "/v1/" + collection + "/" + percent_encode(name);
}

std::map<std::string, std::string> key_values(const std::vector<std::string>& texts, const std::string& option) {
  std::map<std::string, std::string> result;
  for (const std::string& text : texts) {
    const std::size_t equals = text.find('=');
    if (equals == 0 || equals == std::string::npos) {
      throw Failure(kBadInput, fmt::format("{} wants KEY=VALUE, found '{}'", option, printable(text)));
    }
    result[text.substr(0, equals)] = text.substr(equals + 1);
  }
  return result;
}

}  // namespace emplace::cli
