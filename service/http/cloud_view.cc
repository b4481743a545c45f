#include "service/http/cloud_view.h"

#include <algorithm>

namespace emplace::http {
namespace {

bool has_hosts(const Picture& picture) {
  for (std::uint32_t host = 0; host < picture.rows(Table::kHosts); ++host) {
    if (picture[hosts::alive][host] != 0) return true;
  }
  return false;
}

}  // namespace

Result<std::string> unread_cloud(const std::optional<CloudView>& cloud, const Picture& picture, AskedHosts asked) {
  if (!cloud || cloud->read_at_us != 0) return std::string();
  const auto is_known = [&](const std::string& name) { return picture.find_host(name) != kNoRow; };
  const auto* const named = asked.named;
  if (named && std::ranges::all_of(*named, is_known)) return std::string();
  const bool some_known = named ? std::ranges::any_of(*named, is_known) : has_hosts(picture);
  if (some_known && !(named && asked.must_be_known)) {
    return "hosts of the cloud are not among the candidates, since it was never read: " + cloud->missing;
  }
  return fail(ErrorCode::kUnavailable,
              "the cloud of [openstack] was never read, so that its hosts are not known: " + cloud->missing,
              "emplace.cloud.unread", 5);
}

}  // namespace emplace::http
