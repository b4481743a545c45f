// clouds.yaml: the file in which OpenStack's own clients find how to reach a cloud by its name. Of the files, in the
// order in which openstacksdk looks, the first that exists counts; what secure.yaml says of the cloud wins over it.
//
// Read are auth_type (password, v3applicationcredential), auth, region_name or the first of regions, interface, verify
// and cacert; vendors' profiles are not. No message shows a value of auth but its URL.
#pragma once

#include <string>
#include <vector>

#include "service/config.h"
#include "service/core/result.h"

namespace emplace {

// Files to look for, in order.
struct CloudsPlaces {
  std::vector<std::string> clouds, secure;
};

// $OS_CLIENT_CONFIG_FILE (for secure.yaml $OS_CLIENT_SECURE_FILE), the current directory, ~/.config/openstack,
// /etc/openstack.
CloudsPlaces usual_places();

// Fills in what the cloud named by entry.cloud says; nothing where none is named. kInvalid, with the file, when there
// is no file, no such cloud (the message names those there are), or something that we can't log in with.
Result<void> take_cloud(OpenstackEntry& entry, const CloudsPlaces& places);

}  // namespace emplace
