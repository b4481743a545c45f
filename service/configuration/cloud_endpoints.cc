#include "service/configuration/cloud.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string>
#include <string_view>

#include "service/configuration/cloud_keys.h"
#include "service/core/json/json.h"

namespace emplace {
namespace {

constexpr double kLongestTimeoutS = 600;

std::string interface_of(Cloud& cloud, const std::string& prefix) {
  const std::string old_name = prefix + "endpoint_type", name = prefix + "interface";
  const std::string given = cloud.text({old_name.c_str(), name.c_str()});
  std::string interface = given;
  if (interface.ends_with("URL")) interface.resize(interface.size() - 3);
  if (!interface.empty() && interface != "public" && interface != "internal" && interface != "admin") {
    const std::string key = cloud.text({old_name.c_str()}).empty() ? name : old_name;
    cloud.wrong(key, "public, internal or admin", json_text(shortened(given)));
  }
  return interface;
}

// "2.90" is a microversion, which openstacksdk then asks in; "2.0" and "2.1" are no more than the API's.
void check_version(Cloud& cloud, const std::string& key, std::string_view major, std::string_view ours) {
  const std::string version = cloud.text({key.c_str()});
  const std::string_view digits = std::string_view(version).substr(version.starts_with('v') ? 1 : 0);
  if (digits.empty() || digits == "latest" || digits == major || digits == std::string(major) + ".0") return;
  if (major == "2" && digits == "2.1") return;
  if (digits.starts_with(std::string(major) + '.')) {
    return cloud.warn(key, fmt::format("is not read: Emplace asks in {}", ours));
  }
  cloud.wrong(key, std::string(major), json_text(shortened(version)));
}

ServiceEntry service_of(Cloud& cloud, const std::string& service) {
  const std::string prefix = service + '_';
  const auto text = [&](const char* option) { return cloud.text({(prefix + option).c_str()}); };
  ServiceEntry entry{interface_of(cloud, prefix), text("region_name"), text("service_type"), text("service_name")};
  for (const char* option : {"endpoint", "endpoint_override"}) {
    if (const std::string url = text(option); !url.empty()) entry.url = cloud.filled(prefix + option, url);
    if (!entry.url.empty() && !is_web(entry.url)) {
      cloud.wrong(prefix + option, "http:// or https:// and no user or password in it", "something else");
    }
  }
  return entry;
}

void take_certificates(Cloud& cloud, OpenstackEntry& to) {
  to.ca_file = at_home(cloud.text({"cacert"}));
  to.verify = cloud.flag("verify", true) && !cloud.flag("insecure", false);
  to.cert_file = at_home(cloud.text({"cert"}));
  to.key_file = at_home(cloud.text({"key"}));
  if (!to.verify && !to.ca_file.empty()) cloud.warn("cacert", "is not read: certificates are not verified");
  if (to.cert_file.empty() && !to.key_file.empty()) cloud.wrong("key", "a certificate beside it, in cert", "none");
}

// openstacksdk renames whatever ends so: one connection, one time.
void take_timeout(Cloud& cloud, OpenstackEntry& to) {
  std::string key = "api_timeout";
  for (const auto& [name, unused] : cloud.members()) {
    if (name.ends_with("_timeout") && name != key && cloud_key(name).use == CloudKey::Use::kRead) key = name;
  }
  const std::string text = cloud.text({key.c_str()});
  if (text.empty() || to.timeout_given) return;
  double seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc() || end != text.data() + text.size() || !(seconds > 0)) {
    return cloud.wrong(key, "a number of seconds", json_text(shortened(text)));
  }
  if (seconds > kLongestTimeoutS) cloud.warn(key, "is longer than 600 seconds, which are taken");
  to.timeout_s = static_cast<std::uint32_t>(std::ceil(std::min(seconds, kLongestTimeoutS)));
}

}  // namespace

void take_endpoints(Cloud& cloud, OpenstackEntry& to) {
  to.interface = interface_of(cloud, "");
  if (to.interface.empty()) to.interface = "public";
  to.region = cloud.text({"region_name"});
  to.compute = service_of(cloud, "compute");
  to.placement = service_of(cloud, "placement");
  check_version(cloud, "compute_api_version", "2", "Nova's microversion 2.73");
  check_version(cloud, "placement_api_version", "1", "Placement's microversion 1.19");
  check_version(cloud, "identity_api_version", "3", "Keystone's version 3");
  take_certificates(cloud, to);
  take_timeout(cloud, to);
}

}  // namespace emplace
