#include "service/configuration/clouds.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <optional>

#include "service/configuration/cloud.h"
#include "service/configuration/cloud_keys.h"
#include "service/configuration/yaml_tree.h"
#include "service/core/json/json.h"

namespace emplace {
namespace {

namespace fs = std::filesystem;

std::string environment(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? std::string() : value;
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
