#include "service/configuration/clouds.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <optional>

#include "service/configuration/cloud_keys.h"
#include "service/configuration/yaml_tree.h"
#include "service/core/json/json.h"

namespace emplace {
namespace {

namespace fs = std::filesystem;

constexpr double kLongestTimeoutS = 600;

// ---- files

std::string environment(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? std::string() : value;
}

std::string at_home(const std::string& path) {
  return path.starts_with("~/") ? environment("HOME") + path.substr(1) : path;
}

std::vector<std::string> folders() {
  std::vector<std::string> all = {".", at_home("~/.config/openstack"), "/etc/xdg/openstack", "/etc/openstack"};
  if (const std::string chosen = environment("XDG_CONFIG_HOME"); !chosen.empty()) {
    all.insert(all.begin() + 1, chosen + "/openstack");
  }
  return all;
}

std::vector<std::string> places_of(const char* variable, const std::string& name) {
  std::vector<std::string> places;
  if (const std::string chosen = environment(variable); !chosen.empty()) places.push_back(chosen);
  for (const std::string& folder : folders()) {
    for (const char* ending : {".yaml", ".yml", ".json"})
      places.push_back(fmt::format("{}/{}{}", folder, name, ending));
  }
  return places;
}

std::string first_there(const std::vector<std::string>& places) {
  const auto there = std::find_if(places.begin(), places.end(), [](const std::string& path) {
    std::error_code ignored;
    return fs::is_regular_file(path, ignored) && ::access(path.c_str(), R_OK) == 0;
  });
  return there == places.end() ? std::string() : *there;
}

// The map of that name in the first file that is there; empty where there is none.
Result<YamlTree> load(const std::string& file, std::string_view name) {
  YamlTree none{YamlTree::Kind::kMap};
  if (file.empty()) return none;
  const auto root = read_yaml(file);
  if (!root) return tl::unexpected(root.error());
  const YamlTree* const found = root->find(name);
  return found && found->is_map() ? *found : none;
}

std::string names_of(const YamlTree& map) {
  std::vector<std::string> names;
  for (const auto& [name, unused] : map.members) names.push_back(name);
  return names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", "));
}

std::string shown(const YamlTree& value) {
  if (value.is_text()) return json_text(shortened(value.text));
  return value.is_list() ? "a list" : value.is_map() ? "a map" : "nothing";
}

// ---- one cloud

// A cloud as its files say. The first thing that is wrong is kept; what follows it is read in vain.
class Cloud {
 public:
  Cloud(std::string where, YamlTree tree) : where_(std::move(where)), tree_(std::move(tree)) {}

  // Of the first of the keys that is there; empty: none is.
  std::string text(std::initializer_list<const char*> keys) { return text_in(tree_, "", keys); }
  // In "auth", or beside it, where openstacksdk takes it too.
  std::string login(std::initializer_list<const char*> keys) {
    const YamlTree* const auth = tree_.find("auth");
    if (auth != nullptr) {
      if (std::string found = text_in(*auth, "auth.", keys); !found.empty()) return found;
    }
    return text_in(tree_, "", keys);
  }
  bool flag(const char* key, bool otherwise);
  // With the texts of other keys in the place of "{key}".
  std::string filled(const std::string& key, const std::string& text);

  const YamlTree* find(std::string_view key) const { return tree_.find(key); }
  const YamlTree::Members& members() const { return tree_.members; }

  void wrong(const std::string& key, const std::string& wanted, const std::string& found) {
    if (error_) return;
    error_ = Error{ErrorCode::kInvalid, fmt::format("{}.{}: wanted {}, found {}", where_, key, wanted, found)};
  }
  void note(CloudNote::Level level, const std::string& key, const std::string& what) {
    notes_.push_back({level, fmt::format("{}{}{}", where_, key.empty() ? "" : ".", key), what});
  }
  void warn(const std::string& key, const std::string& what) { note(CloudNote::Level::kWarning, key, what); }

  const std::optional<Error>& error() const { return error_; }
  std::vector<CloudNote> take_notes() { return std::move(notes_); }

 private:
  std::string text_in(const YamlTree& map, const char* prefix, std::initializer_list<const char*> keys) {
    for (const char* key : keys) {
      const YamlTree* const found = map.find(key);
      if (found == nullptr || found->kind == YamlTree::Kind::kNothing) continue;
      if (!found->is_text()) wrong(std::string(prefix) + key, "a text", shown(*found));
      if (!found->text.empty()) return found->text;
    }
    return {};
  }

  const std::string where_;
  const YamlTree tree_;
  std::optional<Error> error_;
  std::vector<CloudNote> notes_;
};

bool Cloud::flag(const char* key, bool otherwise) {
  const YamlTree* const found = tree_.find(key);
  if (found == nullptr || found->kind == YamlTree::Kind::kNothing) return otherwise;
  std::string word = found->text;
  std::transform(word.begin(), word.end(), word.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  for (const char* yes : {"true", "yes", "on", "y"}) {
    if (word == yes) return true;
  }
  for (const char* no : {"false", "no", "off", "n"}) {
    if (word == no) return false;
  }
  wrong(key, "true or false", found->is_text() ? shown(*found) : "something else");
  return otherwise;
}

std::string Cloud::filled(const std::string& key, const std::string& text) {
  std::string all;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text[at] == '{' ? text.find('}', at) : std::string::npos;
    if (end == std::string::npos) {
      all += text[at++];
      continue;
    }
    const YamlTree* const value = tree_.find(text.substr(at + 1, end - at - 1));
    if (value == nullptr || !value->is_text()) {
      wrong(key, "keys of this cloud in {}", json_text(shortened(text.substr(at, end + 1 - at))));
      return {};
    }
    all += value->text;
    at = end + 1;
  }
  return all;
}

// ---- login

bool is_web(const std::string& url) {
  return (url.starts_with("http://") || url.starts_with("https://")) && url.find('@') == std::string::npos;
}

void take_auth_url(Cloud& cloud, OpenstackEntry& to) {
  to.auth_url = cloud.filled("auth.auth_url", cloud.login({"auth_url"}));
  if (!is_web(to.auth_url)) {
    cloud.wrong("auth.auth_url", "http:// or https:// and no user or password in it", "something else or none");
  }
  std::string path = to.auth_url;
  while (path.ends_with('/')) path.pop_back();
  if (path.ends_with("/v2.0")) cloud.wrong("auth.auth_url", "Keystone's v3", "its v2.0");
}

// Who, by id or by name within a domain. openstacksdk fills in a domain that is said only once.
void take_user(Cloud& cloud, OpenstackEntry& to) {
  to.username = cloud.login({"username", "user_name"});
  to.user_id = cloud.login({"user_id"});
  to.user_domain_id = cloud.login({"user_domain_id"});
  to.user_domain = cloud.login({"user_domain_name"});
}

void take_project(Cloud& cloud, OpenstackEntry& to) {
  to.project = cloud.login({"project_name", "tenant_name"});
  to.project_id = cloud.login({"project_id", "tenant_id"});
  to.project_domain_id = cloud.login({"project_domain_id"});
  to.project_domain = cloud.login({"project_domain_name"});
}

void fill_domain(const std::string& from_id, const std::string& from_name, std::string& id, std::string& name) {
  if (!id.empty() || !name.empty()) return;
  id = from_id;
  name = from_name;
}

void take_domains(Cloud& cloud, OpenstackEntry& to) {
  const std::string id = cloud.login({"domain_id"}), name = cloud.login({"domain_name"});
  const bool in_project = !to.project.empty() || !to.project_id.empty();
  if (in_project) {
    fill_domain(id, name, to.user_domain_id, to.user_domain);
    fill_domain(id, name, to.project_domain_id, to.project_domain);
  } else {
    to.scope_domain_id = id;
    to.scope_domain = name;
  }
  const std::string default_id = cloud.login({"default_domain_id"}),
                    default_name = cloud.login({"default_domain_name"});
  for (auto* pair : {&to.user_domain_id, &to.project_domain_id}) {
    std::string& its_name = pair == &to.user_domain_id ? to.user_domain : to.project_domain;
    fill_domain(default_id, default_name, *pair, its_name);
    if (pair->empty() && its_name.empty()) its_name = "Default";
  }
}

// What the token is to be for: exactly one thing.
void take_scope(Cloud& cloud, OpenstackEntry& to) {
  take_project(cloud, to);
  take_domains(cloud, to);
  to.trust_id = cloud.login({"trust_id"});
  const std::string system = cloud.login({"system_scope"});
  if (!system.empty() && system != "all") cloud.wrong("auth.system_scope", "\"all\"", json_text(shortened(system)));
  to.system_scope = !system.empty();
  std::vector<std::string> scopes;
  if (!to.project.empty() || !to.project_id.empty()) scopes.emplace_back("a project");
  if (!to.scope_domain.empty() || !to.scope_domain_id.empty()) scopes.emplace_back("a domain");
  if (!to.trust_id.empty()) scopes.emplace_back("trust_id");
  if (to.system_scope) scopes.emplace_back("system_scope");
  if (scopes.empty()) cloud.wrong("auth.project_name", "a value", "none");
  if (scopes.size() > 1) {
    cloud.wrong("auth", "one of a project, a domain, trust_id and system_scope",
                fmt::format("{}", fmt::join(scopes, ", ")));
  }
}

void want_user(Cloud& cloud, const OpenstackEntry& to) {
  if (to.username.empty() && to.user_id.empty()) cloud.wrong("auth.username", "a value", "none");
}

void take_application_credential(Cloud& cloud, OpenstackEntry& to) {
  to.application_credential_id = cloud.login({"application_credential_id"});
  to.application_credential_secret = cloud.login({"application_credential_secret"});
  if (to.application_credential_id.empty()) {
    to.application_credential_name = cloud.login({"application_credential_name"});
    if (to.application_credential_name.empty()) cloud.wrong("auth.application_credential_id", "a value", "none");
    take_user(cloud, to);
    take_domains(cloud, to);
    want_user(cloud, to);
  }
  if (to.application_credential_secret.empty()) cloud.wrong("auth.application_credential_secret", "a value", "none");
  for (const char* key : {"project_name", "project_id", "tenant_name", "tenant_id", "trust_id", "system_scope"}) {
    if (cloud.login({key}).empty()) continue;
    cloud.warn(std::string("auth.") + key, "is not read: an application credential has its own project");
  }
}

void take_password(Cloud& cloud, OpenstackEntry& to) {
  take_user(cloud, to);
  to.password = cloud.login({"password"});
  want_user(cloud, to);
  if (to.password.empty()) cloud.wrong("auth.password", "a value", "none");
  take_scope(cloud, to);
}

void take_login(Cloud& cloud, OpenstackEntry& to) {
  if (const YamlTree* const auth = cloud.find("auth"); auth && !auth->is_map())
    cloud.wrong("auth", "a map", shown(*auth));
  take_auth_url(cloud, to);
  std::string type = cloud.text({"auth_type", "auth_plugin"});
  const bool has_credential = !cloud.login({"application_credential_id", "application_credential_name"}).empty();
  if (type.empty()) type = has_credential ? "v3applicationcredential" : "password";
  if (type == "v3applicationcredential") {
    take_application_credential(cloud, to);
  } else if (type == "password" || type == "v3password") {
    take_password(cloud, to);
    if (has_credential) cloud.warn("auth_type", "is " + type + ": the application credential is not read");
  } else {
    cloud.wrong("auth_type", "password or v3applicationcredential", json_text(shortened(type)));
  }
}

// ---- endpoints

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

// ---- what is left

void note_key(Cloud& cloud, const std::string& path, const CloudKey& key, std::vector<std::string>& elsewhere) {
  switch (key.use) {
    case CloudKey::Use::kRead:
      return;
    case CloudKey::Use::kElsewhere:
      return elsewhere.push_back(path);
    case CloudKey::Use::kUnread:
      return cloud.warn(path, "is not read: " + key.why);
    case CloudKey::Use::kUnknown:
      return cloud.warn(path, "is not read: it is no key that OpenStack's clients know");
  }
}

void note_keys(Cloud& cloud) {
  std::vector<std::string> elsewhere;
  for (const auto& [name, unused] : cloud.members()) note_key(cloud, shortened(name), cloud_key(name), elsewhere);
  if (const YamlTree* const auth = cloud.find("auth")) {
    for (const auto& [name, unused] : auth->members) {
      note_key(cloud, "auth." + shortened(name), auth_key(name), elsewhere);
    }
  }
  if (elsewhere.empty()) return;
  cloud.note(CloudNote::Level::kNote, "",
             fmt::format("{} {} not about what Emplace reads", fmt::join(elsewhere, ", "),
                         elsewhere.size() == 1 ? "is" : "are"));
}

// ---- layers

// Below what the cloud says itself: its profile, of which auth is merged and all else replaced.
YamlTree laid_over(YamlTree below, const YamlTree& above) {
  for (const auto& [key, value] : above.members) {
    YamlTree& at = below.members[key];
    at = key == "auth" ? merged(std::move(at), value) : value;
  }
  return below;
}

struct Region {
  std::string name;
  YamlTree values{YamlTree::Kind::kMap};
};

std::optional<Region> region_of(const YamlTree& item) {
  if (item.is_text()) return Region{item.text};
  const YamlTree *const name = item.find("name"), *const values = item.find("values");
  const bool more = item.members.size() > (values ? 2U : 1U);
  const bool good = item.is_map() && name && name->is_text() && !more && (!values || values->is_map());
  if (!good) return std::nullopt;
  Region region{name->text};
  if (values) region.values = *values;
  return region;
}

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> parts(1);
  for (const char c : text) c == ',' ? static_cast<void>(parts.emplace_back()) : parts.back().push_back(c);
  return parts;
}

// What a cloud calls its regions, whatever the form.
YamlTree region_list(const YamlTree& cloud) {
  YamlTree list{YamlTree::Kind::kList};
  const YamlTree *const regions = cloud.find("regions"), *const name = cloud.find("region_name");
  if (regions && !(regions->is_list() && regions->items.empty())) return *regions;
  if (name && name->is_list()) return *name;
  if (!name || !name->is_text()) return list;
  for (std::string& part : split(name->text)) list.items.push_back({YamlTree::Kind::kText, std::move(part)});
  return list;
}

struct Layers {
  YamlTree profile{YamlTree::Kind::kMap}, cloud;
};

// The first region, as openstacksdk takes where it is asked for none.
Result<Region> first_region(const Layers& layers, Cloud& notes) {
  YamlTree list = region_list(layers.cloud);
  if (list.is_list() && list.items.empty()) list = region_list(layers.profile);
  std::vector<Region> regions;
  for (const YamlTree& item : list.items) {
    auto region = region_of(item);
    if (!region) notes.wrong("regions", "names, or maps of name and values", shown(item));
    if (region) regions.push_back(*std::move(region));
  }
  if (!list.is_list()) notes.wrong("regions", "a list", shown(list));
  if (notes.error()) return tl::unexpected(*notes.error());
  if (regions.empty()) return Region{};
  std::vector<std::string> names;
  for (const Region& region : regions) names.push_back(region.name);
  const std::string& first = names.front();
  const bool listed = layers.cloud.find("regions") != nullptr;
  if (names.size() > 1) {
    notes.warn(listed ? "regions" : "region_name", fmt::format("has {}: the first is taken", fmt::join(names, ", ")));
  }
  const YamlTree* const named = layers.cloud.find("region_name");
  if (listed && named && named->is_text() && named->text != first) {
    notes.warn("region_name", "is not read beside regions");
  }
  return std::move(regions.front());
}

// Of clouds-public.yaml; those that openstacksdk brings along are its own.
Result<YamlTree> profile_of(const YamlTree& cloud, const CloudsPlaces& places, Cloud& notes) {
  const char* const key = cloud.find("profile") ? "profile" : "cloud";
  const std::string name = notes.text({key});
  const std::string file = first_there(places.vendors);
  if (name.empty()) return YamlTree{YamlTree::Kind::kMap};
  const auto clouds = load(file, "public-clouds");
  if (!clouds) return tl::unexpected(clouds.error());
  const YamlTree* const found = clouds->find(name);
  if (found && found->is_map()) return with_underscores(*found);
  notes.wrong(key,
              file.empty() ? "a profile of a clouds-public.yaml, of which there is none"
                           : fmt::format("one of the profiles of {} ({})", file, names_of(*clouds)),
              json_text(shortened(name)));
  return tl::unexpected(*notes.error());
}

// All that is said of the cloud, as openstacksdk puts it together.
Result<YamlTree> put_together(const YamlTree& own, const CloudsPlaces& places, Cloud& notes) {
  Layers layers{.cloud = own};
  auto profile = profile_of(own, places, notes);
  if (!profile) return tl::unexpected(profile.error());
  layers.profile = *std::move(profile);
  auto region = first_region(layers, notes);
  if (!region) return tl::unexpected(region.error());
  YamlTree all = laid_over(laid_over(layers.profile, own), region->values);
  all.members.insert_or_assign("region_name", YamlTree{YamlTree::Kind::kText, region->name});
  return all;
}

struct Named {
  std::string where;
  YamlTree cloud;
};

Result<Named> find_cloud(const std::string& name, const CloudsPlaces& places) {
  const std::string file = first_there(places.clouds), secure = first_there(places.secure);
  if (file.empty() && secure.empty()) {
    return fail(ErrorCode::kInvalid,
                fmt::format("openstack.cloud: wanted a clouds.yaml, found none of {}", fmt::join(places.clouds, ", ")));
  }
  const auto open = load(file, "clouds"), secret = load(secure, "clouds");
  if (!open) return tl::unexpected(open.error());
  if (!secret) return tl::unexpected(secret.error());
  const YamlTree clouds = merged(*open, *secret);
  const std::string& shown_file = file.empty() ? secure : file;
  if (clouds.members.empty()) return fail(ErrorCode::kInvalid, shown_file + ": wanted a map \"clouds\", found none");
  const YamlTree* const found = clouds.find(name);
  if (!found || !found->is_map()) {
    return fail(ErrorCode::kInvalid, fmt::format("openstack.cloud: wanted one of the clouds of {} ({}), found {}",
                                                 shown_file, names_of(clouds), json_text(shortened(name))));
  }
  return Named{shown_file + ": clouds." + name, with_underscores(*found)};
}

}  // namespace

CloudsPlaces usual_places() {
  return {places_of("OS_CLIENT_CONFIG_FILE", "clouds"), places_of("OS_CLIENT_SECURE_FILE", "secure"),
          places_of("", "clouds-public")};
}

Result<void> take_cloud(OpenstackEntry& entry, const CloudsPlaces& places) {
  if (entry.cloud.empty()) return {};
  const auto named = find_cloud(entry.cloud, places);
  if (!named) return tl::unexpected(named.error());
  Cloud own(named->where, named->cloud);
  auto all = put_together(named->cloud, places, own);
  if (!all) return tl::unexpected(all.error());
  Cloud cloud(named->where, *std::move(all));
  take_login(cloud, entry);
  take_endpoints(cloud, entry);
  note_keys(cloud);
  if (cloud.error()) return tl::unexpected(*cloud.error());
  entry.notes = own.take_notes();
  for (CloudNote& note : cloud.take_notes()) entry.notes.push_back(std::move(note));
  return {};
}

}  // namespace emplace
