#include "host_states.h"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>

#include "python_text.h"
#include "takes.h"

namespace emplace::nova {
namespace {

bool flag(const Value& object, std::string_view key) {
  const Value* value = object.find(key);
  return value && value->truthy();
}

std::optional<std::int64_t> time_of(const Value& object, std::string_view key) {
  const Value* value = object.find(key);
  return value && value->text() ? parse_time_us(*value->text()) : std::nullopt;
}

std::optional<Service> service_of(const Value& attributes) {
  const Value* value = attributes.find("service");
  if (!value || !value->fields().dict()) return std::nullopt;
  const Value& data = value->fields();
  Service service{flag(data, "disabled"), flag(data, "forced_down"), time_of(data, "last_seen_up")};
  if (!service.heartbeat_us) service.heartbeat_us = time_of(data, "created_at");
  return service;
}

std::vector<std::vector<std::string>> supported_of(const Value& attributes) {
  std::vector<std::vector<std::string>> all;
  const Value* value = attributes.find("supported_instances");
  if (!value || !value->list()) return all;
  for (const Value& item : *value->list()) {
    auto& tuple = all.emplace_back();
    if (!item.list()) continue;
    for (const Value& part : *item.list()) tuple.push_back(part.str());
  }
  return all;
}

Value without_compiled(const Value& attributes) {
  Value::Dict kept;
  for (const auto& [key, value] : attributes.dict() ? *attributes.dict() : Value::Dict()) {
    if (key != "numa_topology" && key != "pci_stats") kept.emplace_back(key, value);
  }
  return Value(std::move(kept));
}

std::uint64_t next_version() {
  static std::atomic<std::uint64_t> last{HostState::kNone};
  return ++last;
}

std::optional<std::int64_t> whole_of(const Value& object, std::string_view key) {
  const Value* value = object.find(key);
  return value ? value->whole() : std::nullopt;
}

// An attribute, or what Nova makes it from: a text in stats.
std::optional<std::int64_t> counted(const Value& attributes, std::string_view name, std::string_view stat) {
  if (const auto value = whole_of(attributes, name)) return value;
  const Value* stats = attributes.find("stats");
  const Value* value = stats ? stats->find(stat) : nullptr;
  const auto number = value ? python_int(value->str()) : std::nullopt;
  constexpr double kMost = 9e15;  // what a double counts exactly
  return number ? std::optional(static_cast<std::int64_t>(std::clamp(*number, -kMost, kMost))) : std::nullopt;
}

decltype(HostState::metrics) metrics_of(const Value& attributes) {
  decltype(HostState::metrics) all;
  const Value* listed = attributes.find("metrics");
  if (!listed || !listed->list()) return all;
  for (const Value& item : *listed->list()) {
    const Value* name = item.fields().find("name");
    const Value* value = item.fields().find("value");
    if (name && name->text()) all.emplace_back(*name->text(), value ? value->number() : std::nullopt);
  }
  return all;
}

// Digits from `text`, which become shorter by them.
std::optional<int> take_number(std::string_view& text, std::size_t digits, std::string_view before) {
  if (!text.starts_with(before) || text.size() < before.size() + digits) return std::nullopt;
  int value = 0;
  const char* first = text.data() + before.size();
  const auto [end, status] = std::from_chars(first, first + digits, value);
  if (end != first + digits || status != std::errc() || *first == '-') return std::nullopt;
  text.remove_prefix(before.size() + digits);
  return value;
}

// What is there all the same was told by somebody else; of stats there may be a part.
std::uint32_t unread_of(const Value& attributes) {
  std::uint32_t bits = 0;
  const Value* listed = attributes.find("unread");
  for (const Value& name : listed && listed->list() ? *listed->list() : Value::List()) {
    const auto* text = name.text();
    const auto at = text ? std::ranges::find(kMayBeUnread, *text) : kMayBeUnread.end();
    if (at != kMayBeUnread.end() && (*text == "stats" || !attributes.find(*text)))
      bits |= 1u << (at - kMayBeUnread.begin());
  }
  return bits;
}

std::shared_ptr<const HostState> host_state(const plugin::View& view, std::uint32_t row) {
  const auto text = view.column<std::string_view>("hosts", "nova_state").get(row);
  if (!text || text->empty()) return nullptr;
  const auto attributes = parse_json(*text);
  // A host whose attributes can't be read has none: rules that need one refuse it.
  return attributes && attributes->dict() ? std::make_shared<const HostState>(compile(*attributes)) : nullptr;
}

// What makes a vm's row one that its host does not count.
class UncountedRows {
 public:
  explicit UncountedRows(const plugin::View& view)
      : hosts_(view.column<std::uint32_t>("vms", "host")),
        states_(view.column<std::uint32_t>("vms", "state")),
        claims_(view.column<plugin::Uuid>("vms", "claim")),
        takes_(view.column<std::string_view>("vms", "takes")),
        disk_gib_(view.column<double>("vms", "disk_gib")) {}

  // Nothing: no such row.
  std::optional<std::uint32_t> host(std::uint32_t vm) const {
    return is_pending(vm) || !takes(vm).empty() ? hosts_.get(vm) : std::nullopt;
  }
  bool is_pending(std::uint32_t vm) const { return is_claim(vm) || states_.get(vm) == kClaimed; }
  // An instance that another host lists as well has a row like a claim's, but for its state: its host counts it.
  bool is_claim(std::uint32_t vm) const { return claims_.valid(vm) && states_.get(vm) != kRunning; }
  std::string_view takes(std::uint32_t vm) const { return takes_.get(vm).value_or(""); }
  double disk_gib(std::uint32_t vm) const { return disk_gib_.get(vm).value_or(0); }
  std::uint32_t rows() const { return hosts_.rows(); }

  static constexpr std::uint32_t kClaimed = 1, kRunning = 3;  // of vms.state

 private:
  const plugin::Column<std::uint32_t> hosts_, states_;
  const plugin::Column<plugin::Uuid> claims_;
  const plugin::Column<std::string_view> takes_;
  const plugin::Column<double> disk_gib_;
};

// As Nova's consume_from_request: a vm that is being made is an instance more, and one that reads and writes.
std::shared_ptr<const HostState> with_uncounted(const HostState* told, const Uncounted& uncounted,
                                                const UncountedRows& rows) {
  auto state = std::make_shared<HostState>(told ? *told : HostState());
  TakesCounter counter(*state);
  for (const std::uint32_t vm : uncounted) {
    const auto operations = counter.add(rows.takes(vm));
    if (rows.is_pending(vm)) {
      state->io_ops += operations.value_or(1);
      if (state->instances) ++*state->instances;
      if (state->least_disk_gb) *state->least_disk_gb -= rows.disk_gib(vm);
    }
  }
  counter.finish();
  state->version = next_version();
  return state;
}

// After the host was told anew, or what it does not count changed.
void set_host(Snapshot& snapshot, std::uint32_t row, const UncountedRows& rows) {
  const Uncounted* uncounted = snapshot.uncounted.find(row);
  auto state = snapshot.told.get(row);
  if (uncounted) state = with_uncounted(state.get(), *uncounted, rows);
  snapshot.columns.set(row, state.get());
  snapshot.hosts.set(row, std::move(state));
}

void change_uncounted(Snapshot& snapshot, std::uint32_t host, std::uint32_t vm, bool is) {
  const Uncounted* before = snapshot.uncounted.find(host);
  Uncounted after = before ? *before : Uncounted();
  std::erase(after, vm);
  if (is) after.push_back(vm);
  snapshot.uncounted.set(host, after.empty() ? nullptr : std::make_shared<const Uncounted>(std::move(after)));
}

std::shared_ptr<const Metadata> metadata(const plugin::View& view, std::uint32_t row) {
  const auto text = view.column<std::string_view>("aggregates", "metadata").get(row);
  const auto object = text ? parse_json(*text) : std::nullopt;
  if (!object || !object->dict() || object->dict()->empty()) return nullptr;
  auto made = std::make_shared<Metadata>();
  for (const auto& [key, value] : *object->dict()) made->emplace_back(key, value.str());
  return made;
}

using RowList = std::span<const std::uint32_t>;

// What the aggregates say, for all hosts.
void set_multipliers(Snapshot& snapshot, const plugin::View& view) {
  std::vector<const Metadata*> aggregates;
  for (std::uint32_t row = 0; row < view.table("aggregates").rows(); ++row) {
    aggregates.push_back(snapshot.aggregates.find(row));
  }
  snapshot.multipliers.start(aggregates);
  if (!snapshot.multipliers.any()) return;
  const auto memberships = view.column<RowList>("hosts", "aggregates");
  for (std::uint32_t row = 0; row < memberships.rows(); ++row) {
    snapshot.multipliers.set(row, memberships.get(row).value_or(RowList()));
  }
}

void set_memberships(Snapshot& snapshot, const plugin::Column<RowList>& memberships, std::uint32_t row) {
  snapshot.memberships.set(row, memberships.get(row).value_or(RowList()));
}

std::optional<Instances::Placed> instance(const plugin::View& view, std::uint32_t row) {
  const auto id = view.column<plugin::Uuid>("vms", "id").get(row);
  const auto host = view.column<std::uint32_t>("vms", "host").get(row);
  return id && host ? std::optional(Instances::Placed{*id, *host}) : std::nullopt;
}

std::optional<Instances::Placed> claimed(const plugin::View& view, std::uint32_t row) {
  if (!view.column<plugin::Uuid>("vms", "claim").valid(row)) return std::nullopt;
  const auto state = view.column<std::uint32_t>("vms", "state").get(row);
  return state == UncountedRows::kRunning ? std::nullopt : instance(view, row);
}

using FindPlaced = std::optional<Instances::Placed> (*)(const plugin::View&, std::uint32_t vm);

Instances instances_of(const plugin::View& view, FindPlaced find) {
  std::vector<Instances::Placed> placed;
  for (std::uint32_t row = 0; row < view.table("vms").rows(); ++row) {
    if (const auto is = find(view, row)) placed.push_back(*is);
  }
  return Instances::of(placed);
}

void follow(Instances& instances, FindPlaced find, const plugin::View& before, const plugin::View& after,
            const std::vector<std::uint32_t>& vms) {
  for (const std::uint32_t row : vms) {
    const auto was = find(before, row), is = find(after, row);
    if (was == is) continue;
    if (was) instances.change(was->id, was->host, -1);
    if (is) instances.change(is->id, is->host, +1);
  }
}

void make_distinct(std::vector<std::uint32_t>& rows) {
  std::ranges::sort(rows);
  rows.erase(std::unique(rows.begin(), rows.end()), rows.end());
}

std::vector<std::uint32_t> changed(const plugin::Changes& changes, std::string_view table,
                                   std::initializer_list<const char*> columns) {
  std::vector<std::uint32_t> rows;
  for (const char* column : columns) {
    const auto more = changes.rows(table, column);
    rows.insert(rows.end(), more.begin(), more.end());
  }
  make_distinct(rows);
  return rows;
}

// Hosts of which other rows are uncounted, or take something else.
std::vector<std::uint32_t> follow_uncounted(Snapshot& snapshot, const UncountedRows& before, const UncountedRows& after,
                                            const plugin::Changes& changes) {
  std::vector<std::uint32_t> touched;
  for (const std::uint32_t vm : changed(changes, "vms", {"host", "state", "claim", "takes", "disk_gib"})) {
    const auto was = before.host(vm), is = after.host(vm);
    if (was) change_uncounted(snapshot, *was, vm, false), touched.push_back(*was);
    if (is) change_uncounted(snapshot, *is, vm, true), touched.push_back(*is);
  }
  return touched;
}

}  // namespace

std::optional<std::int64_t> parse_time_us(std::string_view text) {
  using namespace std::chrono;
  const auto y = take_number(text, 4, ""), mo = take_number(text, 2, "-"), d = take_number(text, 2, "-");
  const auto h = take_number(text, 2, "T"), mi = take_number(text, 2, ":"), s = take_number(text, 2, ":");
  if (!y || !mo || !d || !h || !mi || !s) return std::nullopt;
  const year_month_day date(year(*y), month(static_cast<unsigned>(*mo)), day(static_cast<unsigned>(*d)));
  if (!date.ok()) return std::nullopt;
  const auto micros = text.starts_with('.') ? take_number(text, 6, ".") : std::optional(0);
  if (!micros || !(text.empty() || text == "Z")) return std::nullopt;
  const auto at = sys_days(date) + hours(*h) + minutes(*mi) + seconds(*s) + microseconds(*micros);
  return duration_cast<microseconds>(at.time_since_epoch()).count();
}

HostState compile(const Value& attributes) {
  HostState state;
  state.version = next_version();
  state.attributes = without_compiled(attributes);
  state.service = service_of(attributes);
  state.supported_instances = supported_of(attributes);
  state.hypervisor_version = whole_of(attributes, "hypervisor_version").value_or(0);
  state.io_ops = counted(attributes, "num_io_ops", "io_workload").value_or(0);
  state.failed_builds = counted(attributes, "failed_builds", "failed_builds").value_or(0);
  state.instances = counted(attributes, "num_instances", "num_instances");
  if (const auto least = whole_of(attributes, "disk_available_least"))
    state.least_disk_gb = static_cast<double>(*least);
  if (const Value* host = attributes.find("host"); host && host->text()) state.host = *host->text();
  state.metrics = metrics_of(attributes);
  state.numa = numa_topology_of(attributes.find("numa_topology"));
  state.pci = pci_pools_of(attributes.find("pci_stats"));
  state.unread = unread_of(attributes);
  return state;
}

bool HostState::is_unread(std::string_view attribute) const {
  const auto at = std::ranges::find(kMayBeUnread, attribute);
  return at != kMayBeUnread.end() && (unread >> (at - kMayBeUnread.begin()) & 1u) != 0;
}

std::vector<std::uint32_t> Instances::hosts(const plugin::Uuid& id) const {
  std::vector<std::uint32_t> found;
  const ShardBlock* block = shards_.find(shard_of(id));
  const auto shard = block ? (*block)[shard_of(id) % kBlockRows] : nullptr;
  if (!shard) return found;
  for (const Entry& entry : *shard) {
    if (entry.id == id) found.push_back(entry.host);
  }
  return found;
}

void Instances::change(Shard& shard, const plugin::Uuid& id, std::uint32_t host, std::int32_t count) {
  const auto at = std::ranges::find_if(shard, [&](const Entry& entry) { return entry.id == id && entry.host == host; });
  if (at == shard.end()) {
    shard.push_back({id, host, count});
  } else if ((at->count += count) == 0) {
    shard.erase(at);
  }
}

void Instances::change(const plugin::Uuid& id, std::uint32_t host, std::int32_t count) {
  auto& shard = shards_.open(shard_of(id))[shard_of(id) % kBlockRows];
  auto next = shard ? std::make_shared<Shard>(*shard) : std::make_shared<Shard>();
  change(*next, id, host, count);
  shard = std::move(next);
}

Instances Instances::of(const std::vector<Placed>& all) {
  std::vector<std::shared_ptr<Shard>> shards(kShards);
  for (const Placed& placed : all) {
    auto& shard = shards[shard_of(placed.id)];
    if (!shard) shard = std::make_shared<Shard>();
    change(*shard, placed.id, placed.host, +1);
  }
  Instances made;
  for (std::uint32_t i = 0; i < kShards; ++i) {
    if (shards[i]) made.shards_.open(i)[i % kBlockRows] = std::move(shards[i]);
  }
  return made;
}

std::shared_ptr<const Snapshot> HostStates::first(const plugin::View& after) const {
  auto made = std::make_shared<Snapshot>();
  const UncountedRows uncounted(after);
  for (std::uint32_t vm = 0; vm < uncounted.rows(); ++vm) {
    if (const auto host = uncounted.host(vm)) change_uncounted(*made, *host, vm, true);
  }
  for (std::uint32_t row = 0; row < after.table("hosts").rows(); ++row) {
    made->told.set(row, host_state(after, row));
    set_host(*made, row, uncounted);
  }
  made->columns.finish();
  for (std::uint32_t row = 0; row < after.table("aggregates").rows(); ++row) {
    if (auto data = metadata(after, row)) made->aggregates.set(row, std::move(data));
  }
  const auto memberships = after.column<RowList>("hosts", "aggregates");
  for (std::uint32_t row = 0; row < memberships.rows(); ++row) set_memberships(*made, memberships, row);
  set_multipliers(*made, after);
  made->instances = instances_of(after, instance);
  made->claimed = instances_of(after, claimed);
  return made;
}

std::shared_ptr<const Snapshot> HostStates::next(const Snapshot& index, const plugin::View& before,
                                                 const plugin::View& after, const plugin::Changes& changes) const {
  auto made = std::make_shared<Snapshot>(index);
  std::vector<std::uint32_t> touched = changed(changes, "hosts", {"nova_state"});
  for (const std::uint32_t row : touched) made->told.set(row, host_state(after, row));
  const UncountedRows is(after);
  const auto more = follow_uncounted(*made, UncountedRows(before), is, changes);
  touched.insert(touched.end(), more.begin(), more.end());
  make_distinct(touched);
  for (const std::uint32_t row : touched) set_host(*made, row, is);
  made->columns.finish();
  const auto aggregates = changed(changes, "aggregates", {"metadata"});
  for (const std::uint32_t row : aggregates) made->aggregates.set(row, metadata(after, row));
  const auto memberships = after.column<RowList>("hosts", "aggregates");
  for (const std::uint32_t row : changed(changes, "hosts", {"aggregates"})) {
    set_memberships(*made, memberships, row);
    if (aggregates.empty()) made->multipliers.set(row, memberships.get(row).value_or(RowList()));
  }
  if (!aggregates.empty()) set_multipliers(*made, after);
  const auto moved = changed(changes, "vms", {"id", "host", "claim"});
  follow(made->instances, instance, before, after, moved);
  follow(made->claimed, claimed, before, after, moved);
  return made;
}

}  // namespace emplace::nova
