// The body of POST /v1/inventory:import as changes, strictly checked: unknown fields, duplicate keys, wrong types,
// amounts out of range, cells that don't sum to their host, hashes that are not sorted or not 0 mod rate are errors
// that name the field
// ("hosts[3].numa"). References between rows are checked by the store.
#pragma once

#include <string_view>
#include <vector>

#include "service/core/base/result.h"
#include "service/core/change/change.h"
#include "service/core/json/json.h"

namespace emplace {

inline constexpr Range kNumaNodes{0, 32};  // that a vm may want

// now_us: when observed values and samples count as observed. known: rows that repeat what it has of another source
// than imports are left out; so an export can be imported where it was made, whatever the sources of its rows.
Result<std::vector<Change>> parse_inventory(std::string_view json, std::int64_t now_us, const Picture* known = nullptr);
// Whether the row is another source's in the picture and says what the picture does, but for what is observed.
bool repeats(const Picture& picture, const HostRow& host);
bool repeats(const Picture& picture, const VmRow& vm);
// One document that parse_inventory reads back: GET /v1/inventory:export.
std::string inventory_json(const Picture& picture);

// One change of a what-if: {"kind":"host", ...fields of the import...}, likewise "vm", "group", "aggregate", "traffic",
// "data_source", "source_hosts", and {"kind":"vm_removed","id":...}, {"kind":"host_removed","name":...} and so on. A
// host takes what it does not name from the picture, where there is one that knows it.
std::optional<Change> read_change(JsonValue value, const std::string& path, const Picture* picture, JsonErrors& errors);
void read_spread(JsonValue value, const std::string& path, Spread& spread, JsonErrors& errors);
void read_group(JsonFields& fields, GroupRow& group);  // all but the name
void read_aggregate(JsonFields& fields, AggregateRow& aggregate);

}  // namespace emplace
