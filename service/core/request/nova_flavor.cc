#include "service/core/request/nova_flavor.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string_view>

namespace emplace {
namespace {

using Texts = std::map<std::string, std::string, std::less<>>;

constexpr std::string_view kHyperthreading = "HW_CPU_HYPERTHREADING";

// What flavor or image wish for, and the trait of hosts that can.
struct Wish {
  std::string_view flavor_key, image_key, value, trait;
};
constexpr std::array kWishes{
    Wish{"os:secure_boot", "os_secure_boot", "required", "COMPUTE_SECURITY_UEFI_SECURE_BOOT"},
    Wish{"hw:tpm_version", "hw_tpm_version", "1.2", "COMPUTE_SECURITY_TPM_1_2"},
    Wish{"hw:tpm_version", "hw_tpm_version", "2.0", "COMPUTE_SECURITY_TPM_2_0"},
    Wish{"hw:pci_numa_affinity_policy", "hw_pci_numa_affinity_policy", "socket", "COMPUTE_SOCKET_PCI_NUMA_AFFINITY"},
};

std::string text_of(JsonValue value) { return value.is_text() ? std::string(value.text()) : to_json(value); }

// Texts by name; what is none is written as JSON.
Texts texts_of(std::optional<JsonValue> object) {
  Texts texts;
  if (!object) return texts;
  const JsonValue data = data_of(*object);
  for (std::size_t i = 0; data.is_object() && i < data.size(); ++i) {
    if (!data.member(i).is_null()) texts.emplace(data.key(i), text_of(data.member(i)));
  }
  return texts;
}

std::string_view find_text(const Texts& texts, std::string_view key) {
  const auto found = texts.find(key);
  return found == texts.end() ? std::string_view() : std::string_view(found->second);
}

// The flavor's word, else the image's.
std::string_view either(const Texts& flavor, std::string_view flavor_key, const Texts& image,
                        std::string_view image_key) {
  const std::string_view text = find_text(flavor, flavor_key);
  return text.empty() ? find_text(image, image_key) : text;
}

bool is_class_name(std::string_view name) {
  return !name.empty() && name.size() <= 255 &&
         std::ranges::all_of(name, [](char c) { return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; });
}

std::optional<double> amount_of(std::string_view text) {
  std::int64_t amount = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), amount);
  const bool is_whole = status == std::errc() && end == text.data() + text.size() && amount >= 0;
  return is_whole ? std::optional(static_cast<double>(amount)) : std::nullopt;
}

void add_name(std::vector<std::string>& names, std::string_view name) {
  if (std::ranges::find(names, name) == names.end()) names.emplace_back(name);
}

// "resources:PCPU", "resources1:CUSTOM_GPU", "resources_NET:..."; Nova adds up what groups ask for of one class.
void read_resources(const Texts& extra_specs, const std::string& path, VmRequest& vm, JsonErrors& errors) {
  constexpr std::string_view kPrefix = "resources";
  for (auto at = extra_specs.lower_bound(kPrefix); at != extra_specs.end() && at->first.starts_with(kPrefix); ++at) {
    const std::size_t colon = at->first.find(':');
    if (colon == std::string::npos) continue;
    const std::string name = at->first.substr(colon + 1), key = path + '.' + shortened(at->first);
    const auto amount = amount_of(at->second);
    if (!is_class_name(name)) {
      errors.add(key + ": wanted the name of a resource class after the colon, found " + json_text(shortened(name)));
    } else if (!amount) {
      errors.add(key + ": wanted a whole number from 0, found " + json_text(shortened(at->second)));
    } else {
      vm.resources[name] += *amount;
    }
  }
}

void read_traits(const Texts& extra_specs, std::optional<JsonValue> image, VmRequest& vm) {
  constexpr std::string_view kPrefix = "trait:";
  for (auto at = extra_specs.lower_bound(kPrefix); at != extra_specs.end() && at->first.starts_with(kPrefix); ++at) {
    const std::string_view name = std::string_view(at->first).substr(kPrefix.size());
    if (at->second == "required") add_name(vm.traits, name);
    if (at->second == "forbidden") add_name(vm.forbidden_traits, name);
  }
  const auto required = image ? data_of(*image).find("traits_required") : std::nullopt;
  for (std::size_t i = 0; required && required->is_array() && i < required->size(); ++i) {
    if (required->item(i).is_text()) add_name(vm.traits, required->item(i).text());
  }
}

// Of a mixed instance Nova's API has worked out which cores are dedicated.
double dedicated_cores(JsonFields& spec) {
  const auto topology = spec.value("numa_topology");
  const auto cells = topology && !topology->is_null() ? data_of(*topology).find("cells") : std::nullopt;
  double cores = 0;
  for (std::size_t i = 0; cells && cells->is_array() && i < cells->size(); ++i) {
    const JsonValue cell = data_of(cells->item(i));
    const auto pinned = cell.is_object() ? cell.find("pcpuset") : std::nullopt;
    if (pinned && pinned->is_array()) cores += static_cast<double>(pinned->size());
  }
  return cores;
}

void dedicate(double cores, const Texts& flavor, VmRequest& vm) {
  const double emulator = find_text(flavor, "hw:emulator_threads_policy") == "isolate" ? 1 : 0;
  vm.resources["PCPU"] = cores + emulator;
  vm.resources["VCPU"] = vm.vcpus - cores;
}

// One class of CPUs stands for the flavor's number of them.
void complete(VmRequest& vm) {
  if (vm.resources.contains("VCPU") || vm.resources.contains("PCPU")) vm.resources.emplace("VCPU", 0);
}

void read_pinning(JsonFields& spec, const Texts& flavor, const Texts& image, VmRequest& vm) {
  // Classes that a flavor names stay as they are; conflicts with a policy were refused by Nova's API.
  const std::string_view policy = either(flavor, "hw:cpu_policy", image, "hw_cpu_policy");
  if (policy == "dedicated") dedicate(vm.vcpus, flavor, vm);
  if (policy == "mixed") dedicate(dedicated_cores(spec), flavor, vm);
  const std::string_view threads = either(flavor, "hw:cpu_thread_policy", image, "hw_cpu_thread_policy");
  if (threads == "isolate") add_name(vm.forbidden_traits, kHyperthreading);
  if (threads == "require") add_name(vm.traits, kHyperthreading);
}

void read_wishes(const Texts& flavor, const Texts& image, VmRequest& vm) {
  for (const Wish& wish : kWishes) {
    if (either(flavor, wish.flavor_key, image, wish.image_key) == wish.value) add_name(vm.traits, wish.trait);
  }
}

}  // namespace

JsonValue data_of(JsonValue value) {
  if (!value.is_object()) return value;
  return value.find("nova_object.data").value_or(value);
}

void read_flavor(JsonFields& spec, const std::string& root, VmRequest& vm, JsonErrors& errors) {
  bool boots_from_volume = false;
  if (spec.has("is_bfv")) spec.flag("is_bfv", boots_from_volume);
  spec.require("flavor");
  const auto value = spec.value("flavor");
  if (!value) return;
  JsonFields flavor(data_of(*value), root + ".flavor", errors);
  double root_gib = 0, ephemeral_gib = 0, swap_mib = 0;
  flavor.require("vcpus");
  flavor.require("memory_mb");
  flavor.whole("vcpus", vm.vcpus);
  flavor.whole("memory_mb", vm.memory_mib);
  flavor.whole("root_gb", root_gib);
  flavor.whole("ephemeral_gb", ephemeral_gib);
  flavor.whole("swap", swap_mib);
  if (flavor.has("name")) flavor.text("name", vm.flavor, kMaxName);
  // As Nova asks Placement for DISK_GB: a volume's size is not the host's, and swap counts in whole GiB.
  vm.disk_gib = (boots_from_volume ? 0 : root_gib) + ephemeral_gib + std::ceil(swap_mib / 1024);
  const auto image = spec.value("image");
  const auto properties =
      image && !image->is_null() && data_of(*image).is_object() ? data_of(*image).find("properties") : std::nullopt;
  const Texts extra_specs = texts_of(flavor.value("extra_specs")), of_image = texts_of(properties);
  read_resources(extra_specs, root + ".flavor.extra_specs", vm, errors);
  read_traits(extra_specs, properties, vm);
  read_pinning(spec, extra_specs, of_image, vm);
  read_wishes(extra_specs, of_image, vm);
  complete(vm);
}

ResourceAmounts flavor_resources(std::optional<JsonValue> extra_specs, double vcpus) {
  JsonErrors unread;  // a server that runs is none the less for them
  VmRequest vm;
  vm.vcpus = vcpus;
  const Texts texts = texts_of(extra_specs);
  read_resources(texts, "extra_specs", vm, unread);
  if (find_text(texts, "hw:cpu_policy") == "dedicated") dedicate(vcpus, texts, vm);
  complete(vm);
  return std::move(vm.resources);
}

}  // namespace emplace
