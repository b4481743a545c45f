#include "cli/simulate/trace.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <sstream>

#include "cli/json.h"
#include "cli/session.h"

namespace emplace::cli {
namespace {

constexpr double kMibPerGb = 1024;
constexpr double kPlentyOfDisk = 1'000'000;  // the Huawei data has no disks

// Rows of a CSV file without quoting, by the names in its header.
class Csv {
 public:
  Csv(const std::string& path, const std::vector<std::string>& wanted) : path_(path), text_(read_file(path)) {
    const std::vector<std::string> header = next();
    for (std::size_t i = 0; i < header.size(); ++i) column_[header[i]] = i;
    for (const std::string& name : wanted) {
      if (!column_.contains(name)) throw Failure(kBadInput, fmt::format("{}:1: no column '{}'", path, name));
    }
  }
  bool advance() {
    do row_ = next();
    while (line_ > 0 && row_.size() == 1 && row_[0].empty());
    return !row_.empty();
  }
  std::string text(const std::string& column) const {
    const auto found = column_.find(column);
    return found != column_.end() && found->second < row_.size() ? row_[found->second] : std::string();
  }
  double number(const std::string& column, double fallback = -1) const {
    const std::string value = text(column);
    if (value.empty() && fallback >= 0) return fallback;
    double number = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (error != std::errc() || end != value.data() + value.size() || !(number >= 0 && number < 1e12)) {
      throw Failure(kBadInput,
                    fmt::format("{}:{}: {}: wanted a number, found '{}'", path_, line_, column, printable(value)));
    }
    return number;
  }
  [[noreturn]] void refuse(const std::string& what) const {
    throw Failure(kBadInput, fmt::format("{}:{}: {}", path_, line_, what));
  }
  int line() const { return line_; }

 private:
  std::vector<std::string> next() {
    std::string line;
    if (!std::getline(text_, line)) return {};
    ++line_;
    if (line.ends_with('\r')) line.pop_back();
    std::vector<std::string> fields(1);
    for (const char c : line) {
      if (c == ',') {
        fields.emplace_back();
      } else {
        fields.back() += c;
      }
    }
    return fields;
  }

  std::string path_;
  std::istringstream text_;
  int line_ = 0;
  std::map<std::string, std::size_t> column_;
  std::vector<std::string> row_;
};

std::vector<TraceHost> huawei_hosts(const std::string& hosts, const std::string& racks) {
  std::map<std::string, std::string> rack_of;
  for (Csv rows(racks, {"host_id", "rack_id"}); rows.advance();) rack_of[rows.text("host_id")] = rows.text("rack_id");
  std::vector<TraceHost> result;
  for (Csv rows(hosts, {"CPU1", "RAM1", "CPU2", "RAM2"}); rows.advance();) {
    TraceHost host;
    host.name = fmt::format("host-{}", result.size());
    if (!rack_of.contains(host.name)) rows.refuse(fmt::format("{} is in no rack of {}", host.name, racks));
    host.rack = "rack-" + rack_of[host.name];
    for (const char* cell : {"1", "2"}) {
      host.cells.push_back(
          {rows.number(std::string("CPU") + cell), rows.number(std::string("RAM") + cell) * kMibPerGb});
      host.vcpus += host.cells.back().vcpus;
      host.memory_mib += host.cells.back().memory_mib;
    }
    host.disk_gib = kPlentyOfDisk;
    result.push_back(std::move(host));
  }
  return result;
}

void take_group(const Csv& rows, const std::string& strategy, const std::string& group, TraceVm& vm, Trace& trace) {
  if (strategy.empty()) return;
  const std::string name = strategy + "-" + group;
  if (strategy == "fault_domain") {
    vm.spread_group = name;
    vm.spread_domain = "domain-" + rows.text("domain");
  } else if (strategy == "affinity" || strategy == "anti-affinity") {
    vm.group = name;
    trace.groups[name] = strategy;
  } else {
    rows.refuse(
        fmt::format("strategy: wanted affinity, anti-affinity or fault_domain, found '{}'", printable(strategy)));
  }
}

void sort_events(Trace& trace) {
  std::stable_sort(trace.events.begin(), trace.events.end(), [](const TraceEvent& a, const TraceEvent& b) {
    return a.at_s != b.at_s ? a.at_s < b.at_s : a.arrives < b.arrives;
  });
}

TraceHost host_of(const Json& json) {
  TraceHost host{json["name"].string(),
                 json["zone"].string(),
                 json["rack"].string(),
                 json["vcpus"].number(),
                 json["memory_mib"].number(),
                 json["disk_gib"].number(),
                 {}};
  host.vcpus = (host.vcpus - json["reserved_vcpus"].number()) * json["cpu_allocation_ratio"].number(1);
  host.memory_mib = (host.memory_mib - json["reserved_memory_mib"].number()) * json["ram_allocation_ratio"].number(1);
  host.disk_gib = (host.disk_gib - json["reserved_disk_gib"].number()) * json["disk_allocation_ratio"].number(1);
  for (const Json& cell : json["numa"].items()) {
    host.cells.push_back({cell["vcpus"].number() * json["cpu_allocation_ratio"].number(1),
                          cell["memory_mib"].number() * json["ram_allocation_ratio"].number(1)});
  }
  return host;
}

}  // namespace

Trace read_huawei(const std::string& requests, const std::string& hosts, const std::string& racks) {
  Trace trace;
  trace.hosts = huawei_hosts(hosts, racks);
  for (Csv rows(requests, {"flavor_vcpus", "flavor_ram", "numa", "strategy", "group", "domain"}); rows.advance();) {
    TraceVm vm;
    vm.name = fmt::format("vm-{}", trace.vms.size());
    vm.vcpus = rows.number("flavor_vcpus");
    vm.memory_mib = rows.number("flavor_ram") * kMibPerGb;
    vm.numa_nodes = static_cast<int>(rows.number("numa"));
    take_group(rows, rows.text("strategy"), rows.text("group"), vm, trace);
    trace.events.push_back({static_cast<double>(trace.vms.size()), true, trace.vms.size()});
    trace.vms.push_back(std::move(vm));
  }
  return trace;
}

Trace read_csv_trace(const std::string& requests, const std::string& inventory) {
  Trace trace;
  for (const Json& host : Json::parse(read_file(inventory), inventory)["hosts"].items())
    trace.hosts.push_back(host_of(host));
  if (trace.hosts.empty()) throw Failure(kBadInput, fmt::format("{}: no hosts", inventory));
  for (Csv rows(requests, {"vcpus", "memory_mib"}); rows.advance();) {
    TraceVm vm;
    vm.name = rows.text("name").empty() ? fmt::format("vm-{}", trace.vms.size()) : rows.text("name");
    vm.vcpus = rows.number("vcpus");
    vm.memory_mib = rows.number("memory_mib");
    vm.disk_gib = rows.number("disk_gib", 0);
    vm.numa_nodes = static_cast<int>(rows.number("numa_nodes", 0));
    vm.zone = rows.text("zone");
    vm.spread_group = rows.text("spread_group");
    vm.spread_domain = rows.text("spread_domain");
    if (!rows.text("group").empty()) {
      vm.group = rows.text("group");
      const std::string policy = rows.text("policy").empty() ? "anti-affinity" : rows.text("policy");
      if (trace.groups.emplace(vm.group, policy).first->second != policy) {
        rows.refuse(fmt::format("policy: group {} was {} above, found {}", vm.group, trace.groups[vm.group], policy));
      }
    }
    const double arrive_s = rows.number("arrive_s", static_cast<double>(trace.vms.size()));
    trace.events.push_back({arrive_s, true, trace.vms.size()});
    if (!rows.text("depart_s").empty()) {
      const double depart_s = rows.number("depart_s");
      if (depart_s <= arrive_s) rows.refuse("depart_s: wanted a time after arrive_s");
      trace.events.push_back({depart_s, false, trace.vms.size()});
    }
    trace.vms.push_back(std::move(vm));
  }
  sort_events(trace);
  return trace;
}

std::string inventory_of(const Trace& trace) {
  JsonWriter body;
  body.begin_object().key("hosts").begin_array();
  for (const TraceHost& host : trace.hosts) {
    body.begin_object().field("name", host.name).field_if("zone", host.zone).field_if("rack", host.rack);
    body.field("vcpus", host.vcpus).field("memory_mib", host.memory_mib).field("disk_gib", host.disk_gib);
    if (!host.cells.empty()) {
      body.key("numa").begin_array();
      for (const Cell& cell : host.cells) {
        body.begin_object().field("vcpus", cell.vcpus).field("memory_mib", cell.memory_mib).end_object();
      }
      body.end_array();
    }
    body.end_object();
  }
  body.end_array().key("groups").begin_array();
  for (const auto& [name, policy] : trace.groups) {
    body.begin_object().field("name", name).field("policy", policy).end_object();
  }
  return body.end_array().end_object().take();
}

}  // namespace emplace::cli
