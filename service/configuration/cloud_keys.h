// CloudKeys: the keys that openstacksdk knows in a cloud of clouds.yaml, by what becomes of them here.
#pragma once

#include <string>
#include <string_view>

namespace emplace {

struct CloudKey {
  enum class Use {
    kRead,
    kElsewhere,  // of other services, or of what else clients do: nothing is lost
    kUnread,     // it would say how the cloud is reached, and is not done
    kUnknown     // openstacksdk knows none of that name either
  };
  Use use;
  std::string why = {};  // kUnread: a clause
};

// `key` with "_" for "-"; of the cloud itself, or of its "auth".
CloudKey cloud_key(std::string_view key);
CloudKey auth_key(std::string_view key);

}  // namespace emplace
