// The file with a token that another program sends: who may read it, and whether it holds one. The token is never
// shown.
#pragma once

#include <string>

namespace emplace::cli {

struct TokenFile {
  std::string token;    // empty: not to be had
  std::string fault;    // why the other program can't use it; empty: it can
  std::string readers;  // "owner nova, group nova"
  bool everybody = false;
  bool hidden = false;  // from the user who asks; then nothing is known of what is in it
};
TokenFile inspect_token_file(const std::string& path);

}  // namespace emplace::cli
