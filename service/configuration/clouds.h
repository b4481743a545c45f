// clouds.yaml: the file in which OpenStack's own clients find how to reach a cloud by its name. Of the files, in the
// order in which openstacksdk looks, the first that can be read counts; what secure.yaml says of the cloud wins over
// it, and what clouds-public.yaml says of the cloud's profile is laid below.
//
// Every key that openstacksdk knows is honoured, refused by name, or named in a note; so is one that nobody knows.
// docs/configuration.md lists them. No message shows a value of auth but those of auth_type and system_scope.
#pragma once

#include <string>
#include <vector>

#include "service/configuration/config.h"
#include "service/core/base/result.h"

namespace emplace {

// Files to look for, in order.
struct CloudsPlaces {
  std::vector<std::string> clouds, secure, vendors = {};
};

// $OS_CLIENT_CONFIG_FILE (for secure.yaml $OS_CLIENT_SECURE_FILE), the current directory, $XDG_CONFIG_HOME/openstack,
// ~/.config/openstack, /etc/xdg/openstack, /etc/openstack.
CloudsPlaces usual_places();

// Fills in what the cloud named by entry.cloud says; nothing where none is named. kInvalid, with the file, the cloud
// and the key, when there is no file, no such cloud (the message names those there are), or something that we can't log
// in with.
Result<void> take_cloud(OpenstackEntry& entry, const CloudsPlaces& places);

}  // namespace emplace
