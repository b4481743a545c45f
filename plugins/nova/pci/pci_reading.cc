// Pools and requests from Nova's primitives.
#include <algorithm>
#include <map>

#include "numa/numa_reading.h"
#include "pci/pci_pools.h"

namespace emplace::nova {
namespace {

constexpr std::string_view kRemoteManaged = "remote_managed";

std::string lower(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

// As oslo's bool_from_string.
bool is_true(const Value& value) {
  std::string text = lower(value.str());
  constexpr std::string_view kBlanks = " \t\n\r\f\v";
  text.erase(0, text.find_first_not_of(kBlanks));
  text.erase(text.find_last_not_of(kBlanks) + 1);
  return text == "1" || text == "t" || text == "true" || text == "on" || text == "y" || text == "yes";
}

void set(PciProperties& properties, const std::string& key, const Value& value) {
  const auto text = value.is_none() ? std::nullopt : std::optional(lower(value.str()));
  const auto at = std::ranges::find(properties, key, &PciProperties::value_type::first);
  if (at != properties.end()) {
    at->second = text;
  } else {
    properties.emplace_back(key, text);
  }
}

bool is_type(const std::string& key, const Value& value, std::string_view type) {
  return key == "dev_type" && value.text() && *value.text() == type;
}

void read_property(PciPool& pool, const std::string& key, const Value& value) {
  if (key == "dev_type") {
    pool.is_physical_function = is_type(key, value, "type-PF");
    pool.is_vdpa = is_type(key, value, "vdpa");
  }
  if (key == kRemoteManaged) pool.is_remote_managed = is_true(value);
  set(pool.properties, key, value);
}

// A pool as an object has its tags apart; as a plain dict it has them among its other keys.
PciPool pool_of(const Value& item, const Reading& reading) {
  PciPool pool;
  const Value::Dict* fields = item.fields().dict();
  if (!fields) reading.refuse("count", "a PciDevicePool", &item);
  for (const auto& [key, value] : *fields) {
    if (key == "count" || key == "numa_node") continue;
    if (key != "tags") {
      read_property(pool, key, value);
    } else if (const Value::Dict* tags = value.dict()) {
      for (const auto& [tag, tagged] : *tags) read_property(pool, tag, tagged);
    }
  }
  pool.count = reading.whole("count");
  pool.numa_node = reading.whole_or_none("numa_node");
  return pool;
}

const Value::List& pools_in(const Value& value) {
  if (value.list()) return *value.list();
  return Reading(value, "pci_stats").list("objects");
}

PciNumaPolicy numa_policy_of(const Reading& request) {
  const std::string policy = request.text("numa_policy");
  if (policy.empty() || policy == "legacy") return PciNumaPolicy::kLegacy;
  if (policy == "required") return PciNumaPolicy::kRequired;
  if (policy == "preferred") return PciNumaPolicy::kPreferred;
  if (policy != "socket") {
    request.refuse("numa_policy", "required, preferred, legacy or socket", request.find("numa_policy"));
  }
  return PciNumaPolicy::kSocket;
}

void read_spec(PciRequest& request, const Value::Dict& spec) {
  auto& properties = request.specs.emplace_back();
  for (const auto& [key, value] : spec) {
    request.wants_physical_function = request.wants_physical_function || is_type(key, value, "type-PF");
    request.wants_vdpa = request.wants_vdpa || is_type(key, value, "vdpa");
    request.wants_remote_managed = request.wants_remote_managed || (key == kRemoteManaged && is_true(value));
    set(properties, key, value);
  }
}

PciRequest request_of(const Reading& reading) {
  PciRequest request;
  request.count = reading.whole("count");
  request.policy = numa_policy_of(reading);
  for (const Value& spec : reading.list("spec")) {
    if (!spec.dict()) reading.refuse("spec", "a list of objects", &spec);
    read_spec(request, *spec.dict());
  }
  return request;
}

}  // namespace

// Nova keeps pools sorted by how many keys they have, those with the fewest first.
std::optional<PciPools> pci_pools_of(const Value* value) {
  if (!value || value->is_none()) return std::nullopt;
  if (value->text()) {
    const auto parsed = parse_json(*value->text());
    return parsed ? pci_pools_of(&*parsed) : PciPools{{}, "pci_stats: wanted JSON, found another text"};
  }
  try {
    PciPools pools;
    const auto& list = pools_in(*value);
    for (std::size_t i = 0; i < list.size(); ++i) {
      pools.pools.push_back(pool_of(list[i], {list[i], "pci_stats[" + std::to_string(i) + ']'}));
    }
    std::ranges::stable_sort(pools.pools, {}, [](const PciPool& pool) { return pool.properties.size(); });
    for (std::uint32_t i = 0; i < pools.pools.size(); ++i) pools.pools[i].place = i;
    return pools;
  } catch (const plugin::Error& error) {
    return PciPools{{}, error.what()};
  }
}

std::vector<PciRequest> pci_requests_of(const Value* value) {
  std::vector<PciRequest> requests;
  if (!value || value->is_none()) return requests;
  const Reading reading(*value, "request_spec.pci_requests");
  for (std::size_t i = 0; i < reading.list("requests").size(); ++i) {
    requests.push_back(request_of(reading.item("requests", i)));
  }
  return requests;
}

std::string describe(const PciRequest& request) {
  std::string text = std::to_string(request.count) + " of ";
  for (std::size_t i = 0; i < request.specs.size(); ++i) {
    text += i == 0 ? "" : " or ";
    for (std::size_t j = 0; j < request.specs[i].size(); ++j) {
      const auto& [key, wanted] = request.specs[i][j];
      text += (j == 0 ? "" : ",") + key + '=' + wanted.value_or("none");
    }
  }
  return text;
}

std::vector<std::string> keys_of(const PciPools& pools) {
  std::vector<std::string> keys;
  std::map<std::string, int> seen;
  for (const PciPool& pool : pools.pools) {
    PciProperties properties = pool.properties;
    std::ranges::sort(properties);
    std::string key = pool.numa_node ? std::to_string(*pool.numa_node) : "-";
    for (const auto& [name, value] : properties) key += ',' + name + '=' + value.value_or("");
    keys.push_back(std::to_string(seen[key]++) + '/' + key);
  }
  return keys;
}

}  // namespace emplace::nova
