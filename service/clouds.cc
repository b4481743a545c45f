#include "service/clouds.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "service/core/json.h"

namespace emplace {
namespace {

namespace fs = std::filesystem;

std::string environment(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? std::string() : value;
}

std::string at_home(const std::string& path) {
  return path.starts_with("~/") ? environment("HOME") + path.substr(1) : path;
}

std::vector<std::string> places_of(const char* variable, const std::string& name) {
  std::vector<std::string> places;
  if (const std::string chosen = environment(variable); !chosen.empty()) places.push_back(chosen);
  for (const char* folder : {".", "~/.config/openstack", "/etc/openstack"}) {
    for (const char* ending : {".yaml", ".yml"})
      places.push_back(at_home(fmt::format("{}/{}{}", folder, name, ending)));
  }
  return places;
}

std::string first_there(const std::vector<std::string>& places) {
  const auto there = std::find_if(places.begin(), places.end(), [](const std::string& path) {
    std::error_code ignored;
    return fs::is_regular_file(path, ignored);
  });
  return there == places.end() ? std::string() : *there;
}

// The clouds of a file. yaml-cpp's messages have places, no contents.
Result<YAML::Node> load(const std::string& file) {
  try {
    const YAML::Node root = YAML::LoadFile(file);
    const YAML::Node clouds = root.IsMap() ? root["clouds"] : YAML::Node(YAML::NodeType::Undefined);
    if (clouds && clouds.IsMap()) return clouds;
  } catch (const YAML::Exception& error) {
    return fail(ErrorCode::kInvalid, fmt::format("{}:{}: {}", file, error.mark.line + 1, error.msg));
  }
  return fail(ErrorCode::kInvalid, file + ": wanted a map \"clouds\", found none");
}

std::string names_of(const YAML::Node& clouds) {
  std::vector<std::string> names;
  for (const auto& entry : clouds) names.push_back(entry.first.Scalar());
  std::sort(names.begin(), names.end());
  return names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", "));
}

// One cloud as its files say, the strongest first.
class Cloud {
 public:
  Cloud(std::string file, std::string name, std::vector<YAML::Node> layers)
      : where_(file + ": clouds." + name), layers_(std::move(layers)) {}

  std::string text(const char* key) const {
    const YAML::Node found = find(key);
    return found && found.IsScalar() ? found.Scalar() : std::string();
  }
  // In "auth", or beside it, where openstacksdk takes it too.
  std::string secret(const char* key) const {
    for (const YAML::Node& layer : layers_) {
      const YAML::Node& auth = layer["auth"];
      if (auth && auth.IsMap() && auth[key] && auth[key].IsScalar()) return auth[key].Scalar();
    }
    return text(key);
  }
  std::string region() const {
    const std::string named = text("region_name");
    const YAML::Node all = find("regions");
    if (!named.empty() || !all || !all.IsSequence() || all.size() == 0) return named;
    const YAML::Node first = all[0];
    if (first.IsMap()) return first["name"] && first["name"].IsScalar() ? first["name"].Scalar() : "";
    return first.IsScalar() ? first.Scalar() : "";
  }
  Result<bool> flag(const char* key, bool otherwise) const {
    const YAML::Node found = find(key);
    bool value = otherwise;
    if (!found || found.IsNull() || YAML::convert<bool>::decode(found, value)) return value;
    return wrong(key, "true or false", found.IsScalar() ? json_text(shortened(found.Scalar())) : "something else");
  }
  tl::unexpected<Error> wrong(const std::string& key, const std::string& wanted, const std::string& found) const {
    return fail(ErrorCode::kInvalid, fmt::format("{}.{}: wanted {}, found {}", where_, key, wanted, found));
  }

 private:
  YAML::Node find(const char* key) const {
    for (const YAML::Node& layer : layers_) {
      if (layer[key]) return layer[key];
    }
    return YAML::Node(YAML::NodeType::Undefined);
  }

  const std::string where_;
  const std::vector<YAML::Node> layers_;
};

Result<void> take_login(const Cloud& cloud, OpenstackEntry& to) {
  const auto take = [&](std::string& into, const char* key) {
    if (std::string value = cloud.secret(key); !value.empty()) into = std::move(value);
  };
  take(to.auth_url, "auth_url");
  const bool is_web = to.auth_url.starts_with("http://") || to.auth_url.starts_with("https://");
  if (!is_web || to.auth_url.find('@') != std::string::npos) {
    return cloud.wrong("auth.auth_url", "http:// or https:// and no user or password in it", "something else or none");
  }
  std::string type = cloud.text("auth_type");
  take(to.application_credential_id, "application_credential_id");
  take(to.application_credential_secret, "application_credential_secret");
  if (type.empty()) type = to.application_credential_id.empty() ? "password" : "v3applicationcredential";
  if (type == "v3applicationcredential") {
    if (to.application_credential_id.empty()) return cloud.wrong("auth.application_credential_id", "a value", "none");
    if (!to.application_credential_secret.empty()) return {};
    return cloud.wrong("auth.application_credential_secret", "a value", "none");
  }
  if (type != "password" && type != "v3password") {
    return cloud.wrong("auth_type", "password or v3applicationcredential", json_text(shortened(type)));
  }
  to.application_credential_id.clear();
  take(to.username, "username"), take(to.user_id, "user_id"), take(to.password, "password");
  take(to.user_domain, "user_domain_name"), take(to.user_domain_id, "user_domain_id");
  take(to.project, "tenant_name"), take(to.project, "project_name"), take(to.project_id, "project_id");
  take(to.project_domain, "project_domain_name"), take(to.project_domain_id, "project_domain_id");
  if (to.username.empty() && to.user_id.empty()) return cloud.wrong("auth.username", "a value", "none");
  if (to.password.empty()) return cloud.wrong("auth.password", "a value", "none");
  if (to.project.empty() && to.project_id.empty()) return cloud.wrong("auth.project_name", "a value", "none");
  return {};
}

Result<void> take_endpoints(const Cloud& cloud, OpenstackEntry& to) {
  std::string interface = cloud.text("interface");
  if (interface.empty()) interface = "public";
  if (interface.ends_with("URL")) interface.resize(interface.size() - 3);
  if (interface != "public" && interface != "internal" && interface != "admin") {
    return cloud.wrong("interface", "public, internal or admin", json_text(shortened(interface)));
  }
  to.interface = interface;
  to.region = cloud.region();
  to.ca_file = at_home(cloud.text("cacert"));
  const auto verify = cloud.flag("verify", true);
  if (!verify) return tl::unexpected(verify.error());
  to.verify = *verify;
  return {};
}

}  // namespace

CloudsPlaces usual_places() {
  return {places_of("OS_CLIENT_CONFIG_FILE", "clouds"), places_of("OS_CLIENT_SECURE_FILE", "secure")};
}

Result<void> take_cloud(OpenstackEntry& entry, const CloudsPlaces& places) {
  if (entry.cloud.empty()) return {};
  const std::string file = first_there(places.clouds), secure = first_there(places.secure);
  if (file.empty()) {
    return fail(ErrorCode::kInvalid,
                fmt::format("openstack.cloud: wanted a clouds.yaml, found none of {}", fmt::join(places.clouds, ", ")));
  }
  const auto clouds = load(file);
  if (!clouds) return tl::unexpected(clouds.error());
  const YAML::Node named = (*clouds)[entry.cloud];
  if (!named || !named.IsMap()) {
    return fail(ErrorCode::kInvalid, fmt::format("openstack.cloud: wanted one of the clouds of {} ({}), found {}", file,
                                                 names_of(*clouds), json_text(shortened(entry.cloud))));
  }
  std::vector<YAML::Node> layers;
  if (!secure.empty()) {
    const auto secrets = load(secure);
    if (!secrets) return tl::unexpected(secrets.error());
    if (const YAML::Node more = (*secrets)[entry.cloud]; more && more.IsMap()) layers.push_back(more);
  }
  layers.push_back(named);
  const Cloud cloud(file, entry.cloud, std::move(layers));
  return take_login(cloud, entry).and_then([&] { return take_endpoints(cloud, entry); });
}

}  // namespace emplace
