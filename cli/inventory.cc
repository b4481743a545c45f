#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "cli/commands.h"

namespace emplace::cli {

void import_inventory(Session& session, const std::string& path) {
  const std::string body = read_file(path);
  Json::parse(body, path);  // a mistake is found here with the file's name, before anything is sent
  const Json answer = session.client().ask(
      {.method = "POST", .target = "/v1/inventory:import", .body = body, .headers = {{"Idempotency-Key", new_key()}}},
      120);
  if (session.json) return print_json(answer);
  fmt::print("imported {}: {} rows\n", printable(path), answer["changes"].text());
}

void export_inventory(Session& session, const std::string& path) {
  const Answer answer = session.client().send({.target = "/v1/inventory:export"}, 120);
  if (!answer.is_ok()) raise(answer);
  if (path.empty() || path == "-") {
    fmt::print("{}\n", answer.body);
    return;
  }
  std::ofstream file(path, std::ios::binary);
  file << answer.body << "\n";
  if (!file.flush()) {
    throw Failure(kFailed, fmt::format("can't write {}: {}", printable(path), std::strerror(errno)));
  }
}

}  // namespace emplace::cli
