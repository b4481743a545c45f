// Fitting NUMA cells and taking PCI devices, on small hosts. tests/nova compares them with Nova itself.
#include <gtest/gtest.h>

#include "plugins/nova/numa/numa_fit.h"
#include "plugins/nova/numa/numa_refusal.h"

namespace emplace::nova {
namespace {

using Ids = std::vector<std::int64_t>;
using Cpus = std::vector<Cpu>;

template <typename Read>
auto read(Read reader, const std::string& text) {
  const auto value = parse_json(text);
  return reader(&*value);
}

// Four CPUs on two cores, 4 GiB; `more`: further fields, before these so that they count.
std::string cell(int id, const std::string& more = "") {
  const int first = id * 4;
  const auto cpu = [first](int n) { return std::to_string(first + n); };
  const std::string all = "[" + cpu(0) + "," + cpu(1) + "," + cpu(2) + "," + cpu(3) + "]";
  return "{" + more + (more.empty() ? "" : ",") + R"("id":)" + std::to_string(id) + R"(,"cpuset":)" + all +
         R"(,"pcpuset":)" + all + R"(,"memory":4096,"siblings":[[)" + cpu(0) + "," + cpu(1) + "],[" + cpu(2) + "," +
         cpu(3) + "]]}";
}

NumaTopology host(const std::vector<std::string>& cells) {
  std::string text;
  for (const std::string& one : cells) text += (text.empty() ? "" : ",") + one;
  return *read(numa_topology_of, R"({"nova_object.data":{"cells":[)" + text + "]}}");
}

std::string pages(int size_kb, int total, int used = 0) {
  return R"({"size_kb":)" + std::to_string(size_kb) + R"(,"total":)" + std::to_string(total) + R"(,"used":)" +
         std::to_string(used) + "}";
}

GuestCell dedicated(std::uint32_t cpus, std::int64_t memory_mib = 64, ThreadPolicy threads = ThreadPolicy::kPrefer) {
  GuestCell guest;
  guest.memory_mib = memory_mib, guest.dedicated_count = cpus;
  guest.policy = CpuPolicy::kDedicated, guest.threads = threads;
  return guest;
}

GuestCell shared(std::uint32_t cpus, std::int64_t memory_mib = 64, std::int64_t page_kib = 0) {
  GuestCell guest;
  guest.memory_mib = memory_mib, guest.shared_count = cpus, guest.page_kib = page_kib;
  return guest;
}

NumaRequest request(std::vector<GuestCell> cells) {
  NumaRequest made;
  for (std::size_t i = 0; i < cells.size(); ++i) cells[i].id = static_cast<std::int64_t>(i);
  made.cells = std::move(cells);
  return made;
}

struct Outcome {
  NumaObstacle obstacle;
  Ids cells;
  std::vector<FittedCell> fit;
};

struct Asked {
  std::vector<PciRequest> devices = {};
  std::optional<PciPools> pools = {};
  bool pack = false;
  NumaLimits limits = {};
};

Outcome fit(const NumaTopology& on, const NumaRequest& what, const Asked& asked = {}) {
  NumaFitting fitting(what, asked.devices, asked.pack);
  const NumaObstacle obstacle = fitting.fit(on.cells, asked.pools ? &*asked.pools : nullptr, asked.limits);
  if (obstacle != NumaObstacle::kNone) return {obstacle, {}, {}};
  return {obstacle, fitting.chosen(), fitting.fitted()};
}

NumaObstacle on_one_cell(const std::string& more, GuestCell guest, NumaLimits limits = {}) {
  return fit_cell(host({cell(0, more)}).cells[0], guest, limits, false);
}

Cpus pinned(const std::string& more, const GuestCell& guest) {
  const auto pinning = pin(host({cell(0, more)}).cells[0], guest, false);
  return pinning ? pinning->cpus : Cpus{};
}

TEST(NumaPinning, FillsCoresThatAreFreest) {
  EXPECT_EQ(pinned("", dedicated(2)), (Cpus{0, 1}));
  EXPECT_EQ(pinned(R"("pinned_cpus":[0])", dedicated(2)), (Cpus{2, 3}));
  EXPECT_EQ(pinned(R"("pinned_cpus":[0,3])", dedicated(2)), (Cpus{1, 2}));
  EXPECT_EQ(pinned(R"("pinned_cpus":[0])", dedicated(3)), (Cpus{1, 2, 3}));
}

TEST(NumaPinning, HoldsToTheThreadPolicy) {
  EXPECT_EQ(pinned("", dedicated(2, 64, ThreadPolicy::kIsolate)), (Cpus{0, 2}));
  EXPECT_EQ(pinned("", dedicated(3, 64, ThreadPolicy::kIsolate)), Cpus{});
  EXPECT_EQ(pinned(R"("cpuset":[])", dedicated(1, 64, ThreadPolicy::kIsolate)), Cpus{});
  EXPECT_EQ(pinned(R"("pinned_cpus":[0,3])", dedicated(2, 64, ThreadPolicy::kRequire)), Cpus{});
  EXPECT_EQ(pinned(R"("siblings":[[0],[1],[2],[3]])", dedicated(1, 64, ThreadPolicy::kRequire)), Cpus{});
}

TEST(NumaPinning, KeepsACpuForTheEmulator) {
  const NumaCell on = host({cell(0)}).cells[0];
  EXPECT_EQ(pin(on, dedicated(2), true)->reserved, Cpu{2});
  EXPECT_EQ(pin(on, dedicated(1, 64, ThreadPolicy::kIsolate), true)->reserved, Cpu{2});
  EXPECT_FALSE(pin(on, dedicated(4), true));
  EXPECT_FALSE(pin(on, dedicated(2, 64, ThreadPolicy::kIsolate), true));
}

TEST(NumaCellFit, NamesTheFirstObstacle) {
  EXPECT_EQ(on_one_cell("", dedicated(4, 4096)), NumaObstacle::kNone);
  EXPECT_EQ(on_one_cell("", dedicated(5)), NumaObstacle::kDedicated);
  EXPECT_EQ(on_one_cell(R"("pinned_cpus":[1])", dedicated(4)), NumaObstacle::kFreeCpus);
  EXPECT_EQ(on_one_cell(R"("memory_usage":4000)", dedicated(1, 97)), NumaObstacle::kFreeMemory);
  EXPECT_EQ(on_one_cell("", dedicated(1, 4097)), NumaObstacle::kMemory);
  EXPECT_EQ(on_one_cell("", shared(5), {16, 1}), NumaObstacle::kShared);
  EXPECT_EQ(on_one_cell(R"("cpu_usage":3)", shared(2)), NumaObstacle::kSharedLimit);
  EXPECT_EQ(on_one_cell(R"("cpu_usage":3)", shared(2), {1.25, 1}), NumaObstacle::kNone);
  EXPECT_EQ(on_one_cell(R"("memory_usage":4000)", shared(1, 97)), NumaObstacle::kMemoryLimit);
  EXPECT_EQ(on_one_cell(R"("memory_usage":4000)", shared(1, 97), {1, 1.5}), NumaObstacle::kNone);
}

std::int64_t page_of(GuestCell guest, const std::string& mempages) {
  const NumaCell on = host({cell(0, R"("mempages":[)" + mempages + "]")}).cells[0];
  return fit_cell(on, guest, {}, false) == NumaObstacle::kNone ? guest.page_kib : 0;
}

TEST(NumaPagesFit, ChoosesTheSize) {
  const std::string two = pages(4, 262144) + "," + pages(2048, 16);
  EXPECT_EQ(page_of(shared(1, 32, kPagesAny), two), 2048);
  EXPECT_EQ(page_of(shared(1, 33, kPagesAny), two), 4);
  EXPECT_EQ(page_of(shared(1, 32, kPagesSmall), two), 4);
  EXPECT_EQ(page_of(shared(1, 34, kPagesLarge), two), 0);
  EXPECT_EQ(page_of(shared(1, 32, 2048), two), 2048);
  EXPECT_EQ(page_of(shared(1, 32, 1048576), two), 0);
  EXPECT_EQ(page_of(shared(1, 32, kPagesLarge), pages(2048, 16)), 0);
  EXPECT_EQ(page_of(shared(1, 32, 2048), pages(2048, 16, 1)), 0);
  EXPECT_EQ(on_one_cell(R"("mempages":[{"size_kb":4,"total":262144,"reserved":262143}])", shared(1, 1, 4)),
            NumaObstacle::kPages);
}

TEST(NumaFit, TriesEmptierCellsFirst) {
  const auto on = host({cell(0, R"("memory_usage":512)"), cell(1, R"("cpu_usage":1)"), cell(2)});
  EXPECT_EQ(fit(on, request({shared(1)})).cells, Ids{2});
  EXPECT_EQ(fit(on, request({dedicated(1)})).cells, Ids{1});
  EXPECT_EQ(fit(on, request({shared(1), shared(1)})).cells, (Ids{2, 0}));
  Asked packing;
  packing.pack = true;
  EXPECT_EQ(fit(on, request({shared(1)}), packing).cells, Ids{1});
}

TEST(NumaFit, TakesEachHostCellOnce) {
  const auto on = host({cell(0, R"("pinned_cpus":[0,1])"), cell(1)});
  EXPECT_EQ(fit(on, request({dedicated(2), dedicated(4)})).cells, (Ids{0, 1}));
  EXPECT_EQ(fit(on, request({dedicated(4), dedicated(2)})).cells, (Ids{1, 0}));
  EXPECT_EQ(fit(on, request({dedicated(4), dedicated(4)})).obstacle, NumaObstacle::kTogether);
  EXPECT_EQ(fit(on, request({shared(1), shared(1), shared(1)})).obstacle, NumaObstacle::kFewCells);
}

// As Nova: the size that was chosen on the first cell tried, whose CPUs then do not suffice, is asked of the second
// one.
TEST(NumaFit, KeepsThePageSizeOfACellThatDidNotFit) {
  const std::string small = R"("mempages":[)" + pages(4, 1048576) + "]";
  const std::string large = R"("mempages":[)" + pages(4, 1048576) + "," + pages(2048, 512) + "]";
  const auto full = R"("pcpuset":[],)" + large;
  EXPECT_EQ(fit(host({cell(0, full), cell(1, small)}), request({dedicated(1), dedicated(1)})).obstacle,
            NumaObstacle::kTogether);
  GuestCell any = dedicated(2, 64);
  any.page_kib = kPagesAny;
  const auto on =
      host({cell(0, R"("memory_usage":0,"pinned_cpus":[0,3],)" + large), cell(1, R"("memory_usage":1,)" + small)});
  any.threads = ThreadPolicy::kRequire;
  EXPECT_EQ(fit(on, request({any})).cells, Ids{1});  // the freer one comes first
  Asked packing;
  packing.pack = true;
  EXPECT_EQ(fit(on, request({any}), packing).obstacle, NumaObstacle::kTogether);
}

TEST(NumaFit, GivesUpOnAHostWithTooManyOrders) {
  std::vector<std::string> cells;
  for (int i = 0; i < 16; ++i) cells.push_back(cell(i));
  NumaRequest many = request(std::vector<GuestCell>(8, shared(1)));
  many.cells.back().shared_count = 5;
  for (GuestCell& cell : many.cells) cell.id += 100;
  EXPECT_EQ(fit(host(cells), many).obstacle, NumaObstacle::kTooManyOrders);
}

// Nova remembers pairs of cells by the guest cell's id, which becomes that of the host cell on which it was last tried.
// So it takes a cell that does not fit for another one that did, and the other way round; these are its answers.
TEST(NumaFit, RemembersPairsOfCellsAsNovaDoes) {
  const auto cpus = [](int id, const char* set) { return cell(id, R"("cpuset":)" + std::string(set)); };
  const auto small = host({cpus(0, "[0]"), cpus(1, "[4]"), cpus(2, "[8]")});
  EXPECT_EQ(fit(small, request({shared(1), shared(1), shared(2)})).cells, (Ids{1, 2, 0}));
  const auto roomy = host({cpus(0, "[0]"), cpus(1, "[4,5,6]"), cpus(2, "[8,9]")});
  EXPECT_EQ(fit(roomy, request({shared(2), shared(3)})).obstacle, NumaObstacle::kTogether);
}

TEST(NumaFit, StaysNearItsNetworks) {
  const auto on = host({cell(0), cell(1, R"("network_metadata":{"physnets":["p1"],"tunneled":false})"),
                        cell(2, R"("network_metadata":{"physnets":[],"tunneled":true})")});
  NumaRequest near = request({shared(1)});
  near.physnets = {"p1"};
  EXPECT_EQ(fit(on, near).cells, Ids{1});
  near.physnets = {"unknown here"};
  EXPECT_EQ(fit(on, near).cells, Ids{0});
  near.tunneled = true;
  EXPECT_EQ(fit(on, near).cells, Ids{2});
  near.physnets = {"p1"};
  EXPECT_EQ(fit(on, near).obstacle, NumaObstacle::kNetworks);
}

PciPools pools(const std::string& list) { return *read(pci_pools_of, list); }

std::vector<PciRequest> devices(const std::string& list) {
  return read(pci_requests_of, R"({"requests":)" + list + "}");
}

constexpr auto kCard =
    R"([{"vendor_id":"8086","product_id":"1520","numa_node":1,"count":2,"tags":{"dev_type":"type-VF"}}])";

std::string wanted(int count, const std::string& policy = "") {
  return R"([{"count":)" + std::to_string(count) + R"(,"spec":[{"vendor_id":"8086"}])" +
         (policy.empty() ? "" : R"(,"numa_policy":")" + policy + '"') + "}]";
}

TEST(NumaFit, KeepsCellsWithDevicesForThoseWhoWantThem) {
  const auto on = host({cell(0, R"("memory_usage":64)"), cell(1)});
  Asked asked{{}, pools(kCard)};
  EXPECT_EQ(fit(on, request({shared(1)}), asked).cells, Ids{0});
  asked.devices = devices(wanted(1));
  EXPECT_EQ(fit(on, request({shared(1)}), asked).cells, Ids{1});
}

TEST(NumaFit, HoldsToThePolicyOfDevices) {
  const auto full = host({cell(0), cell(1, R"("cpu_usage":4)"), cell(2, R"("socket":1)")});
  const auto sockets =
      host({cell(0, R"("socket":0)"), cell(1, R"("socket":0,"cpu_usage":4)"), cell(2, R"("socket":1)")});
  const auto place = [&](const NumaTopology& on, const std::string& policy) {
    return fit(on, request({shared(1)}), {devices(wanted(1, policy)), pools(kCard)});
  };
  EXPECT_EQ(place(full, "preferred").cells, Ids{0});
  EXPECT_EQ(place(full, "required").obstacle, NumaObstacle::kDevices);
  EXPECT_EQ(place(full, "legacy").obstacle, NumaObstacle::kDevices);
  EXPECT_EQ(place(full, "").obstacle, NumaObstacle::kDevices);
  EXPECT_EQ(place(full, "socket").obstacle, NumaObstacle::kDevices);  // a cell does not know its socket
  EXPECT_EQ(place(sockets, "socket").cells, Ids{0});
}

bool supports(const std::string& of, const std::string& requests) {
  PciTaking taking;
  return taking.supports(pools(of), devices(requests), {});
}

TEST(PciTaking, CountsWhatEarlierRequestsTook) {
  EXPECT_TRUE(supports(kCard, wanted(2)));
  EXPECT_FALSE(supports(kCard, wanted(3)));
  const std::string once = R"({"count":1,"spec":[{"product_id":"1520"}]})";
  EXPECT_TRUE(supports(kCard, "[" + once + "," + once + "]"));
  EXPECT_FALSE(supports(kCard, "[" + once + "," + once + "," + once + "]"));
}

TEST(PciTaking, KeepsSpecialDevicesForThoseWhoAsk) {
  const auto pool = [](const std::string& tags) {
    return R"([{"vendor_id":"8086","product_id":"1520","numa_node":null,"count":1,"tags":{)" + tags + "}}]";
  };
  const auto ask = [](const std::string& more) { return R"([{"count":1,"spec":[{"vendor_id":"8086")" + more + "}]}]"; };
  for (const auto& [key, value] :
       {std::pair("dev_type", "type-PF"), {"dev_type", "vdpa"}, {"remote_managed", "True"}}) {
    const std::string tag = '"' + std::string(key) + R"(":")" + value + '"';
    EXPECT_FALSE(supports(pool(tag), ask(""))) << tag;
    EXPECT_TRUE(supports(pool(tag), ask("," + tag))) << tag;
  }
}

TEST(PciTaking, ComparesWithoutCaseAndTakesAnAbsentTagAsNone) {
  EXPECT_TRUE(supports(kCard, R"([{"count":1,"spec":[{"dev_type":"TYPE-vf"}]}])"));
  EXPECT_TRUE(supports(kCard, R"([{"count":1,"spec":[{"physical_network":null}]}])"));
  EXPECT_FALSE(supports(kCard, R"([{"count":1,"spec":[{"numa_node":"1"}]}])"));
  EXPECT_FALSE(supports(kCard, R"([{"count":1,"spec":[]}])"));
  EXPECT_FALSE(supports(kCard, R"([{"count":0,"spec":[{"vendor_id":"10de"}]}])"));
  EXPECT_TRUE(supports(kCard, R"([{"count":1,"spec":[{"vendor_id":"10de"},{"vendor_id":"8086"}]}])"));
}

TEST(PciConsume, TakesFromPoolsWithTheFewestTagsFirst) {
  const auto of = pools(R"([{"vendor_id":"8086","product_id":"1","count":2,"tags":{"a":"1"}},
                            {"vendor_id":"8086","product_id":"1","count":1,"tags":{}}])");
  const auto left = consume(of, devices(wanted(2)), {});
  ASSERT_EQ(left->pools.size(), 1u);
  EXPECT_EQ(left->pools[0].count, 1);
  EXPECT_EQ(left->pools[0].properties.size(), 3u);
  EXPECT_FALSE(consume(of, devices(wanted(4)), {}));
}

TEST(NumaConsume, TakesMemoryPagesAndCpus) {
  const auto on = host({cell(0, R"("mempages":[)" + pages(4, 1048576) + "," + pages(2048, 512) + "]")});
  GuestCell guest = dedicated(1, 64, ThreadPolicy::kIsolate);
  guest.page_kib = kPagesAny, guest.policy = CpuPolicy::kMixed, guest.shared_count = 1;
  const auto fitted = fit(on, request({guest}));
  const auto used = consume(on, fitted.fit);
  ASSERT_TRUE(used);
  const NumaCell& after = used->cells[0];
  EXPECT_EQ(after.memory_used_mib, 64);
  EXPECT_EQ(after.cpu_usage, 1);
  EXPECT_EQ(after.pages[0].used, 32);
  EXPECT_EQ(after.free_count, 2u);  // the sibling is gone as well
  EXPECT_EQ(after.cores_with[2], 1);
  EXPECT_EQ(on.cells[0].free_count, 4u);
}

TEST(NumaConsume, RefusesAFitForAnotherHost) {
  const auto fitted = fit(host({cell(0)}), request({dedicated(4)}));
  EXPECT_TRUE(consume(host({cell(0)}), fitted.fit));
  EXPECT_FALSE(consume(host({cell(0, R"("pinned_cpus":[2])")}), fitted.fit));
}

TEST(NumaTopology, NamesWhatCannotBeRead) {
  const auto fault = [](const std::string& text) { return read(numa_topology_of, text)->fault; };
  EXPECT_EQ(fault(R"({"cells":[{"id":0}]})"), "numa_topology.cells[0].memory: wanted a whole number, found none");
  EXPECT_EQ(fault(R"({"cells":[{"id":0,"memory":1,"cpuset":["x"]}]})"),
            "numa_topology.cells[0].cpuset: wanted CPUs from 0 to 16383, found 'x'");
  EXPECT_EQ(fault(R"({"cells":[{"id":0,"memory":99999999999999}]})"),
            "numa_topology.cells[0].memory: wanted a whole number from -68719476736 to 68719476736, found "
            "99999999999999");
  EXPECT_EQ(fault(R"("not JSON")"), "numa_topology: wanted JSON, found another text");
  EXPECT_EQ(fault(R"("{\"cells\":[]}")"), "");
}

TEST(NumaRefusal, NamesTheCellThatGotFurthest) {
  const auto on = host({cell(0, R"("pinned_cpus":[0,1,2])"), cell(1, R"("pinned_cpus":[4,5])")});
  const auto what = request({dedicated(3)});
  const auto refusal = numa_refusal(what, on, {}, NumaObstacle::kTogether);
  EXPECT_EQ(refusal.code, "nova.numa.cpus");
  EXPECT_EQ(refusal.wanted.number, 3);
  EXPECT_EQ(refusal.found.number, 2);
}

}  // namespace
}  // namespace emplace::nova
