#include "service/plugins/library.h"

#include <dlfcn.h>
#include <elf.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <fstream>

#include "service/plugins/configuration.h"
#include "service/plugins/texts.h"

namespace emplace {
namespace {

tl::unexpected<Error> refuse(const Manifest& manifest, const std::string& why) {
  return fail(ErrorCode::kInvalid, fmt::format("plugin {} ({}): {}", manifest.id, manifest.library.string(), why));
}

Result<void> check_entry(const Manifest& manifest, const emplace_entry& entry) {
  if (entry.abi_major != EMPLACE_ABI_MAJOR || entry.abi_minor > EMPLACE_ABI_MINOR) {
    return refuse(manifest, fmt::format("wanted ABI {}.0 to {}.{}, found {}.{}", EMPLACE_ABI_MAJOR, EMPLACE_ABI_MAJOR,
                                        EMPLACE_ABI_MINOR, entry.abi_major, entry.abi_minor));
  }
  if (entry.size < sizeof(emplace_entry)) {
    return refuse(manifest, fmt::format("emplace_plugin_entry: wanted at least {} bytes, found {}",
                                        sizeof(emplace_entry), entry.size));
  }
  if (!entry.id || manifest.id != entry.id || !entry.version || manifest.version != entry.version) {
    return refuse(manifest, fmt::format("wanted {} {} as its manifest says, found {} {}", manifest.id, manifest.version,
                                        text_at(entry.id, "no id"), text_at(entry.version, "no version")));
  }
  if (!entry.create || !entry.get_extension || !entry.destroy) {
    return refuse(manifest, "emplace_plugin_entry: wanted create, get_extension and destroy, found a null");
  }
  return {};
}

// The table of sections is what linkers write last: where it is not within the file, the file was cut off. Loading one
// can succeed all the same, or kill the process at the first touch of what is missing.
Result<void> check_file(const Manifest& manifest, const std::filesystem::path& copy) {
  std::ifstream file(copy, std::ios::binary | std::ios::ate);
  const auto bytes = static_cast<std::uint64_t>(std::max<std::streamoff>(file.tellg(), 0));
  Elf64_Ehdr header{};
  file.seekg(0);
  if (!file.read(reinterpret_cast<char*>(&header), sizeof header) ||
      std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64) {
    return refuse(manifest, fmt::format("wanted a 64-bit ELF shared object, found another file, of {} bytes", bytes));
  }
  const std::uint64_t end = header.e_shoff + std::uint64_t{header.e_shnum} * header.e_shentsize;
  if (end < header.e_shoff || end > bytes) {
    return refuse(manifest, fmt::format("wanted a whole shared object of at least {} bytes, found {}: it was cut off",
                                        end, bytes));
  }
  return {};
}

}  // namespace

Result<PluginLibrary> PluginLibrary::open(const Manifest& manifest, const std::filesystem::path& copy) {
  if (const auto checked = check_file(manifest, copy); !checked) return tl::unexpected(checked.error());
  // RTLD_NOW: a symbol that is missing is found here and not in the middle of a decision.
  void* handle = dlopen(copy.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle) return refuse(manifest, fmt::format("cannot be loaded: {}", to_utf8(dlerror(), kLongestPluginText)));
  const auto* entry = static_cast<const emplace_entry*>(dlsym(handle, "emplace_plugin_entry"));
  if (!entry) return refuse(manifest, "wanted the symbol emplace_plugin_entry, found none");
  if (const auto checked = check_entry(manifest, *entry); !checked) return tl::unexpected(checked.error());
  return PluginLibrary(*entry);
}

Result<std::unique_ptr<PluginInstance>> PluginLibrary::create(const Manifest& manifest,
                                                              const std::string& configuration) const {
  ConfigurationTable table(configuration);
  if (const auto filled = table.fill(); !filled) return tl::unexpected(filled.error());
  void* made = nullptr;
  emplace_error error{sizeof(emplace_error), {}};
  if (entry_->create(&table.raw(), &made, &error) != EMPLACE_OK || !made) {
    return refuse(manifest, "create failed: " + text_in(error));
  }
  auto instance = std::make_unique<PluginInstance>(*entry_, made);
  if (const auto checked = instance->check_extensions(manifest); !checked) return tl::unexpected(checked.error());
  return instance;
}

Result<void> PluginInstance::check_extensions(const Manifest& manifest) const {
  Result<void> checked;
  const auto check = [&](const char* id, const std::string& rule, std::size_t size) {
    if (checked) checked = check_extension(id, rule, size);
  };
  for (const auto& rule : manifest.filters) check(EMPLACE_FILTER, rule.id, sizeof(emplace_filter));
  for (const auto& rule : manifest.objectives) check(EMPLACE_OBJECTIVE, rule.id, sizeof(emplace_objective));
  for (const auto& rule : manifest.weighers) check(EMPLACE_WEIGHER, rule.id, sizeof(emplace_weigher));
  if (manifest.has_observer) check(EMPLACE_OBSERVER, "", sizeof(emplace_observer));
  if (manifest.has_consumer) check(EMPLACE_CONSUMER, "", sizeof(emplace_consumer));
  return checked ? checked : refuse(manifest, checked.error().message);
}

Result<void> PluginInstance::check_extension(const char* id, const std::string& rule, std::size_t size) const {
  const void* found = entry_.get_extension(instance_, id, rule.c_str());
  if (!found) {
    return fail(ErrorCode::kInvalid, fmt::format("wanted {} \"{}\" as its manifest says, found none", id, rule));
  }
  std::uint32_t found_size = 0;  // every struct starts with its size
  std::memcpy(&found_size, found, sizeof found_size);
  if (found_size < size) {
    return fail(ErrorCode::kInvalid,
                fmt::format("{} \"{}\": wanted at least {} bytes, found {}", id, rule, size, found_size));
  }
  return {};
}

}  // namespace emplace
