// Session: what all commands share: where the service is, the caller's token, and whether a person or a program reads
// the output. The client is made on first use, so that commands without a service need none.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cli/client.h"
#include "cli/failure.h"
#include "cli/table.h"

namespace emplace::cli {

struct Session {
  std::string url = "http://127.0.0.1:8790";
  std::string token_file;
  std::string data;
  bool json = false;
  int exit_code = kDone;  // of a command that answered, where the answer is not "done"

  Client& client();
  // --token-file, else DIR/admin.token of --data, else ./run-data/admin.token; empty: no token is sent.
  std::string token_path() const;

 private:
  std::unique_ptr<Client> client_;
};

std::string read_file(const std::string& path);  // "-": standard input; Failure{kBadInput} naming the path
void print_json(const Json& document);

// All entries of a paged list: GET target, then what `next` names.
std::vector<Json> list_all(Client& client, const std::string& target, const std::string& member);

// One entry of a list of vms, hosts, ... as its path segment.
std::string path_of(const std::string& collection, const std::string& name);

// "KEY=VALUE" options as pairs; Failure{kBadInput} naming the option.
std::map<std::string, std::string> key_values(const std::vector<std::string>& texts, const std::string& option);

}  // namespace emplace::cli
