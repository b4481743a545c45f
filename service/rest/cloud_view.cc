#include "service/rest/cloud_view.h"

#include "service/core/change/change.h"

namespace emplace::http {
namespace {

// The cloud's own hosts are in the picture before their vms, while the first reading is being written.
bool is_of_cloud(const Picture& picture, std::uint32_t host) {
  const std::uint32_t cloud = picture.find_code(kCloudSource);
  return cloud != kNoRow && picture[hosts::source].get(host) == cloud;
}

// Of the hosts that are asked about.
struct Known {
  bool all = true, some = false, cloud = false;
};
Known known_of(const Picture& picture, const std::vector<std::string>* named) {
  Known known;
  const auto count = [&](std::uint32_t host) {
    known.some = true;
    known.cloud |= is_of_cloud(picture, host);
  };
  if (!named) {
    known.all = false;
    for (std::uint32_t host = 0; host < picture.rows(Table::kHosts); ++host) {
      if (picture[hosts::alive][host] != 0) count(host);
    }
    return known;
  }
  for (const std::string& name : *named) {
    const std::uint32_t host = picture.find_host(name);
    host == kNoRow ? void(known.all = false) : count(host);
  }
  return known;
}

}  // namespace

Result<std::string> unread_cloud(const std::optional<CloudView>& cloud, const Picture& picture, AskedHosts asked) {
  if (!cloud || cloud->read_at_us != 0) return std::string();
  const Known known = known_of(picture, asked.named);
  if (known.all && !known.cloud) return std::string();
  if (known.some && !known.cloud && !(asked.named && asked.must_be_known)) {
    return "hosts of the cloud are not among the candidates, since it was never read: " + cloud->missing;
  }
  return fail(ErrorCode::kUnavailable,
              "the cloud of [openstack] was never read, so that its hosts are not known: " + cloud->missing,
              "emplace.cloud.unread", 5);
}

}  // namespace emplace::http
