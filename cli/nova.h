// The commands that read a nova.conf: what of it becomes emplaced.toml, and what it would do beside a running Emplace.
#pragma once

#include "cli/session.h"

namespace emplace::cli {

struct ImportConfOptions {
  std::vector<std::string> files;
  std::string release = "zed";
};
// Prints a piece of emplaced.toml; what can't be honoured goes to standard error. Needs no service.
void import_nova_conf(const ImportConfOptions& options);

struct NovaDoctorOptions {
  std::vector<std::string> files = {"/etc/nova/nova.conf"};
  std::string release;     // empty: the service's
  bool has_url = false;    // the session's, instead of that in [emplace]
  bool has_token = false;  // likewise its token file
};
void examine_nova(Session& session, const NovaDoctorOptions& options);

}  // namespace emplace::cli
