#include "canonical.h"

#include <algorithm>
#include <span>

#include "emplace/view.hpp"

namespace emplace::nova {
namespace {

constexpr std::string_view kArchitectures[] = {
    "alpha",    "armv6",      "armv7l",       "armv7b",    "aarch64", "cris",   "i686",     "ia64",     "lm32",
    "m68k",     "microblaze", "microblazeel", "mips",      "mipsel",  "mips64", "mips64el", "openrisc", "parisc",
    "parisc64", "ppc",        "ppcle",        "ppc64",     "ppc64le", "ppcemb", "s390",     "s390x",    "sh4",
    "sh4eb",    "sparc",      "sparc64",      "unicore32", "x86_64",  "xtensa", "xtensaeb"};
constexpr std::string_view kHypervisors[] = {
    "baremetal", "bhyve", "docker", "fake", "hyperv", "ironic", "kqemu", "kvm",    "lxc", "lxd", "openvz",
    "parallels", "phyp",  "qemu",   "test", "uml",    "vbox",   "vz",    "vmware", "xen", "zvm", "prsm"};
constexpr std::string_view kVmModes[] = {"hvm", "xen", "uml", "exe"};

struct Alias {
  std::string_view alias;
  std::string_view name;
};
constexpr Alias kArchitectureAliases[] = {{"i386", "i686"},   {"i486", "i686"},    {"i586", "i686"},
                                          {"x86_32", "i686"}, {"x86_32p", "i686"}, {"amd64", "x86_64"}};
constexpr Alias kHypervisorAliases[] = {{"xapi", "xen"}};
constexpr Alias kVmModeAliases[] = {{"pv", "xen"}, {"hv", "hvm"}, {"baremetal", "hvm"}};

std::string canonical(std::string_view name, std::span<const Alias> aliases, std::span<const std::string_view> known,
                      const char* what) {
  std::string lower(name);
  std::ranges::transform(lower, lower.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; });
  const auto alias = std::ranges::find(aliases, std::string_view(lower), &Alias::alias);
  if (alias != aliases.end()) lower = alias->name;
  if (std::ranges::find(known, std::string_view(lower)) == known.end()) {
    throw plugin::Error(std::string(what) + " name '" + std::string(name) + "' is not valid");
  }
  return lower;
}

}  // namespace

std::string canonical_architecture(std::string_view name) {
  return canonical(name, kArchitectureAliases, kArchitectures, "architecture");
}
std::string canonical_hypervisor(std::string_view name) {
  return canonical(name, kHypervisorAliases, kHypervisors, "hypervisor");
}
std::string canonical_vm_mode(std::string_view name) { return canonical(name, kVmModeAliases, kVmModes, "vm mode"); }

}  // namespace emplace::nova
