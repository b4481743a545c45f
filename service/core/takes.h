// Takes: what a vm takes of its host beyond vCPUs, memory, disk and cells, as its plugin worked it out (Consumer in
// rules.h): a list of named amounts, each with how much of it there was for vms that the host does not count itself.
//
//   [["numa/0/cpu/3",1,1],["numa/0/memory_mib",512,2048],["pci/0/product_id=154d,vendor_id=8086",1,4]]
//
// Names are the plugin's own, and mean the same amount of one host for ever. So it can be seen without the plugin
// whether two vms would take the same thing: two are held at once only while their amounts are within the limit.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "service/core/result.h"

namespace emplace {

struct Taken {
  std::string name;
  double amount = 0;
  double limit = 0;  // for all vms that take of it together
};

// kInvalid for a text that is no such list; an empty text is an empty list.
Result<std::vector<Taken>> read_takes(std::string_view json);

}  // namespace emplace
