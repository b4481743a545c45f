// The PostgreSQL that the store's tests share. EMPLACE_TEST_DATABASE says which:
//
//   embedded   as emplaced starts it, the default
//   stock      a cluster as initdb makes it, with its own defaults
//   hostile    the same, where the operator's role has every setting that a statement of ours could stumble over
#pragma once

#include <filesystem>
#include <memory>
#include <string>

namespace emplace::test {

class Server {
 public:
  virtual ~Server() = default;
  virtual std::string connection_string() const = 0;
  // To append to it for what tests ask themselves.
  virtual std::string onlooker() const { return {}; }
};

// In an empty directory. Throws std::runtime_error.
std::unique_ptr<Server> start_server(const std::filesystem::path& directory);

}  // namespace emplace::test
