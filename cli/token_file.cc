#include "cli/token_file.h"

#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

namespace emplace::cli {
namespace {

std::string user_name(uid_t id) {
  const passwd* const user = ::getpwuid(id);
  return user ? user->pw_name : std::to_string(id);
}
std::string group_name(gid_t id) {
  const group* const group = ::getgrgid(id);
  return group ? group->gr_name : std::to_string(id);
}

std::string readers_of(const struct stat& file) {
  std::string readers;
  const auto add = [&](const std::string& who) { readers += (readers.empty() ? "" : ", ") + who; };
  if (file.st_mode & S_IRUSR) add("owner " + user_name(file.st_uid));
  if (file.st_mode & S_IRGRP) add("group " + group_name(file.st_gid));
  if (file.st_mode & S_IROTH) add("everybody");
  return readers.empty() ? "root alone" : readers;
}

std::string trimmed(const std::string& text) {
  const char* const kBlank = " \t\r\n\v\f";
  const std::size_t start = text.find_first_not_of(kBlank);
  return start == std::string::npos ? std::string() : text.substr(start, text.find_last_not_of(kBlank) - start + 1);
}

// What the other program asks of it.
bool is_token(const std::string& token) {
  return !token.empty() && std::ranges::all_of(token, [](char c) { return c >= '!' && c <= '~'; });
}

}  // namespace

TokenFile inspect_token_file(const std::string& path) {
  TokenFile found;
  struct stat file {};
  if (::stat(path.c_str(), &file) != 0) {
    found.hidden = errno == EACCES;
    if (!found.hidden) found.fault = std::strerror(errno);
    return found;
  }
  found.readers = readers_of(file);
  found.everybody = (file.st_mode & S_IROTH) != 0;
  if (!S_ISREG(file.st_mode)) {
    found.fault = "wanted a file, found something else";
    return found;
  }
  std::ifstream content(path, std::ios::binary);
  found.hidden = !content;
  if (found.hidden) return found;
  const std::string token = trimmed(std::string(std::istreambuf_iterator<char>(content), {}));
  if (is_token(token)) {
    found.token = token;
  } else {
    found.fault = "wanted one word of ASCII, found something else";
  }
  return found;
}

}  // namespace emplace::cli
