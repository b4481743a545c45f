// Takes: what a vm takes of its host beyond vCPUs, memory, disk and cells, as its plugin worked it out (Consumer in
// rules.h): a list of named amounts, each with how much of it there was for vms that the host does not count itself.
//
//   [["numa/0/cpu/3",1,1],["numa/0/memory_mib",512,2048],["pci/0/product_id=154d,vendor_id=8086",1,4]]
//
// Names are the plugin's own, and mean the same amount of one host for ever. So it can be seen without the plugin
// whether two vms would take the same thing: two are held at once only while their amounts are within the limit.
//
// Names that begin with "resource/" are Emplace's: amounts of Placement's resource classes ("resource/PCPU",
// "resource/CUSTOM_GPU"). "resource/VCPU", "resource/MEMORY_MB" and "resource/DISK_GB" stand there where a vm counts
// otherwise than its vCPUs, memory and disk say: one with dedicated cores takes no VCPU.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "service/core/base/result.h"

namespace emplace {

inline constexpr std::string_view kResourceTake = "resource/";

struct Taken {
  std::string name;
  double amount = 0;
  double limit = 0;  // for all vms that take of it together
};

inline bool is_resource(const Taken& take) { return take.name.starts_with(kResourceTake); }

// By resource class.
using ResourceAmounts = std::map<std::string, double, std::less<>>;

// kInvalid for a text that is no such list; an empty text is an empty list.
Result<std::vector<Taken>> read_takes(std::string_view json);
std::string write_takes(const std::vector<Taken>& takes);

// The resource classes among them, and the list without or with those of another.
ResourceAmounts resources_in(std::string_view takes);
std::string with_resources_of(std::string_view takes, std::string_view resources);

// What a vm counts for at its host.
struct Counted {
  double vcpus = 0, memory_mib = 0, disk_gib = 0;
};
Counted counted(const Counted& amounts, std::string_view takes);

// "CUSTOM_GPU 2;PCPU 40", as hosts.resources_used has them: without those that are 0.
std::string to_text(const ResourceAmounts& amounts);
ResourceAmounts resource_amounts(std::string_view text);

}  // namespace emplace
