"""What instances leave to those after them: POST /v1/select_destinations beside Nova's own scheduler manager on random requests
(sequences.py), and what reservations and claims count.

    EMPLACE_TEST_CASES, EMPLACE_TEST_SEED  how many random requests, and the first one's seed
"""

import concurrent.futures
import json
import os
import pathlib
import tempfile
import unittest
import uuid

import debian_nova  # noqa: F401

import ask
import cases
import codec
import sequences

CASES = int(os.environ.get("EMPLACE_TEST_CASES", "600"))
SEED = int(os.environ.get("EMPLACE_TEST_SEED", "1"))


def configuration():
    lines = ["[[plugin]]", 'path = "libemplace_nova.so"']
    for section, options in sequences.OPTIONS.items():
        lines += [f"[plugin.config.{section}]", *(f"{name} = {json.dumps(value)}" for name, value in options.items())]
    return "\n".join(lines)


def host(name, vcpus=64, memory_gib=64, **compute):
    return {"host": name, "node": name, "uuid": str(uuid.uuid4()), "aggregates": [], "instances": {},
            "compute": {"vcpus": vcpus, "memory_mb": memory_gib * 1024, "free_ram_mb": memory_gib * 1024, **compute}}  # fmt: skip


def pinning_host(name):
    cell = codec.objects.NUMACell(
        id=0, cpuset=set(), pcpuset={0, 1}, memory=4096, memory_usage=0, cpu_usage=0, pinned_cpus=set(), siblings=[{0}, {1}], socket=0,
        mempages=[codec.objects.NUMAPagesTopology(size_kb=4, total=1048576, used=0, reserved=0)])
    return host(name, numa_topology=codec.objects.NUMATopology(cells=[cell]).obj_to_primitive())


def device_host(name, count):
    pool = codec.objects.PciDevicePool(vendor_id="8086", product_id="154d", numa_node=None, tags={"dev_type": "type-VF"}, count=count)
    return host(name, pci_device_pools=codec.objects.PciDevicePoolList(objects=[pool]).obj_to_primitive())


def case_of(hosts, count, **spec):
    """Instances of 2 vCPUs and 2 GiB."""
    case = sequences.case_of(0)
    case["uuids"] = [cases.uuid_of(sequences.random.Random(f"{hosts[0]['host']}{i}")) for i in range(count)]
    case["hosts"], case["alternates"] = hosts, 0
    case["spec"].update({"instance_uuid": case["uuids"][0], "num_instances": count, "instance_group": None, "numa_topology": None,
                         "scheduler_hints": {}, "pci_requests": codec.primitive("InstancePCIRequests", requests=[]), **spec})  # fmt: skip
    case["spec"].pop("network_metadata", None)
    return case


def two_dedicated_cpus():
    cell = codec.objects.InstanceNUMACell(id=0, cpuset=set(), pcpuset={0, 1}, cpu_policy="dedicated", memory=512, pagesize=None)
    return codec.primitive("InstanceNUMATopology", cells=[cell.obj_to_primitive()])


def one_device():
    request = codec.objects.InstancePCIRequest(count=1, spec=[{"vendor_id": "8086", "product_id": "154d"}], request_id=cases.uuid_of(
        sequences.random.Random(1)))  # fmt: skip
    return codec.primitive("InstancePCIRequests", requests=[request.obj_to_primitive()])


class Asked(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with tempfile.NamedTemporaryFile("w", suffix=".toml", delete=False) as file:
            file.write(configuration())
        cls.addClassCleanup(pathlib.Path(file.name).unlink)
        cls.emplace = ask.Emplace(["--config", file.name])
        cls.addClassCleanup(cls.emplace.__exit__)
        cls.use(sequences.FILTERS)

    @classmethod
    def use(cls, filters):
        """Nova and emplaced from here on have these filters."""
        assert cls.emplace.service.call("PUT", "/v1/profiles/sequences", sequences.profile(filters)).status == 200
        sequences.configure(filters)

    def put(self, case):
        self.emplace.post("/v1/inventory:import", sequences.inventory_of(case))

    def select(self, case, **more):
        self.put(case)
        answer = self.emplace.post("/v1/select_destinations", sequences.question_of(case, **more))
        self.assertEqual(answer["degraded"], [])
        return [[one["service_host"] for one in selection] for selection in answer["selections"]]

    def firsts(self, case):
        return [selection[0] for selection in self.select(case)]


class Sequences(Asked):
    def compare(self, features, count):
        placed = several = 0
        for seed in range(SEED, SEED + count):
            case = sequences.case_of(seed, features)
            wanted = sequences.of_nova(case)
            placed += bool(wanted)
            several += len({selection[0] for selection in wanted}) > 1
            with self.subTest(seed=seed):
                self.assertEqual(self.select(case), wanted)
        self.assertGreater(placed, count // 3, "the cases must have something to differ in")
        self.assertGreater(several, count // 6)

    def test_are_novas(self):
        self.compare(sequences.USUAL, CASES)

    def test_with_isolated_threads_are_novas(self):
        self.compare(sequences.ISOLATING, CASES // 3)

    def test_that_the_host_cannot_hold_are_novas(self):
        self.addCleanup(self.use, sequences.FILTERS)
        self.use(sequences.FEWER_FILTERS)
        self.compare(sequences.USUAL, CASES // 3)

    def test_memory_that_is_taken_makes_the_next_host_better(self):
        case = case_of([host("A1", 64, 64), host("A2", 32, 32)], 4)
        self.assertEqual(self.firsts(case), [selection[0] for selection in sequences.of_nova(case)])

    def test_operations_spread_instances_over_hosts(self):
        case = case_of([host("b1", 64, 256), *(host(f"b{i}", 32, 128) for i in range(2, 7))], 6)
        wanted = [selection[0] for selection in sequences.of_nova(case)]
        self.assertEqual(sorted(self.firsts(case)), sorted(wanted))
        self.assertGreater(len(set(wanted)), 1)

    def test_dedicated_cpus_are_given_once(self):
        case = case_of([pinning_host("B1")], 3, numa_topology=two_dedicated_cpus())
        self.assertEqual(self.firsts(case), [])
        self.assertEqual(self.firsts({**case, "uuids": case["uuids"][:1]}), ["B1"])

    def test_devices_are_given_once(self):
        case = case_of([device_host("C1", 1)], 3, pci_requests=one_device())
        self.assertEqual(self.firsts(case), [])
        self.assertEqual(self.firsts({**case, "uuids": case["uuids"][:1]}), ["C1"])

    def test_operations_are_counted_against_the_limit(self):
        case = case_of([host("D1", stats={"io_workload": "7"})], 3)
        self.assertEqual(self.firsts(case), [])
        self.assertEqual(self.firsts({**case, "uuids": case["uuids"][:1]}), ["D1"])


class Names(Asked):
    def test_of_forced_and_ignored_hosts_are_matched_without_case(self):
        hosts = [host("cmp0", 64, 64), host("cmp1", 64, 63)]
        for wish in ({"ignore_hosts": ["CMP0"]}, {"force_hosts": ["CMP1"]}, {"ignore_hosts": ["Cmp0"], "force_hosts": ["cmp1"]}):
            with self.subTest(wish):
                case = case_of(hosts, 1, **wish)
                self.assertEqual(self.firsts(case), ["cmp1"])
                self.assertEqual(sequences.of_nova(case), [["cmp1"]])


class Reservations(Asked):
    def ask(self, case, uuid, **more):
        """Which of the hosts Nova's hook would be told, and which one is reserved."""
        spec = codec.plain_request_spec(codec.request_spec({**case, "spec": {**case["spec"], "instance_uuid": uuid, "num_instances": 1}}))
        answer = self.emplace.post("/v1/filter", {
            "request_spec": spec, "hosts": [one["host"] for one in case["hosts"]], "profile": "sequences", "reserve": True, **more})
        self.assertEqual(answer["degraded"], [])
        return answer["passed"], answer["reserved"]

    def reserve_all(self, case):
        self.put(case)
        return [self.ask(case, uuid)[1] for uuid in case["uuids"]]

    def test_count_dedicated_cpus(self):
        self.assertEqual(self.reserve_all(case_of([pinning_host("E1")], 3, numa_topology=two_dedicated_cpus())), ["E1", None, None])

    def test_count_devices(self):
        self.assertEqual(self.reserve_all(case_of([device_host("F1", 2)], 3, pci_requests=one_device())), ["F1", "F1", None])

    def test_count_operations(self):
        self.assertEqual(self.reserve_all(case_of([host("G1", stats={"io_workload": "6"})], 3)), ["G1", "G1", None])

    def test_ask_again_for_the_same_instance(self):
        case = case_of([pinning_host("H1")], 1, numa_topology=two_dedicated_cpus())
        self.put(case)
        self.assertEqual([self.ask(case, case["uuids"][0])[1] for _ in range(2)], ["H1", "H1"])

    def test_of_destinations_count_too(self):
        case = case_of([device_host("I1", 1)], 1, pci_requests=one_device())
        self.assertEqual(self.select(case, reserve=True), [["I1"]])
        self.assertEqual(self.ask(case, cases.uuid_of(sequences.random.Random(99))), ([], None))

    def test_first_host_of_an_empty_affinity_group_is_that_of_all(self):
        case = case_of([host("n1", 64, 64), host("n2", 64, 63), host("n3", 64, 62)], 3)
        group = codec.primitive("InstanceGroup", uuid=case["uuids"][0], name="g", policy="affinity", policies=["affinity"], rules={},
                                members=list(case["uuids"]), hosts=[])  # fmt: skip
        self.put(case)
        case["spec"]["instance_group"] = group
        self.assertEqual({self.ask(case, uuid)[1] for uuid in case["uuids"]}, {"n1"})


class Claims(Asked):
    def claim(self, case):
        """A durable claim of an instance on the first of the hosts: its document, or None."""
        name = case["hosts"][0]["host"]
        spec = {**case["spec"], "instance_uuid": str(uuid.uuid4()), "num_instances": 1, "force_hosts": [name]}
        answer = self.emplace.service.post("/v1/placements", {
            "request_spec": codec.plain_request_spec(codec.request_spec({**case, "spec": spec})), "profile": "sequences", "claim": True})
        self.assertIn(answer.status, (200, 409), answer)
        return answer.json["claim"] if answer.status == 200 else None

    def test_of_dedicated_cpus_are_held_once(self):
        case = case_of([pinning_host("J1")], 1, numa_topology=two_dedicated_cpus())
        self.put(case)
        claims = [self.claim(case) for _ in range(3)]
        self.assertEqual([claim is not None for claim in claims], [True, False, False])

    def test_of_devices_are_held_as_often_as_there_are_devices(self):
        case = case_of([device_host("K1", 2)], 1, pci_requests=one_device())
        self.put(case)
        self.assertEqual([self.claim(case) is not None for _ in range(3)], [True, True, False])

    def test_that_are_given_back_make_room(self):
        case = case_of([pinning_host("L1")], 1, numa_topology=two_dedicated_cpus())
        self.put(case)
        claim = self.claim(case)
        self.assertIsNone(self.claim(case))
        answer = self.emplace.service.call("DELETE", f"/v1/claims/{claim['id']}")
        self.assertLess(answer.status, 300, answer)
        self.assertIsNotNone(self.claim(case))

    def test_that_are_confirmed_go_on_holding(self):
        case = case_of([device_host("M1", 1)], 1, pci_requests=one_device())
        self.put(case)
        claim = self.claim(case)
        answer = self.emplace.service.call("PUT", f"/v1/claims/{claim['id']}:confirm", {})
        self.assertLess(answer.status, 300, answer)
        self.assertIsNone(self.claim(case))

    def test_that_arrive_together_never_hold_the_same(self):
        case = case_of([device_host("N1", 3)], 1, pci_requests=one_device())
        self.put(case)
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            claims = list(pool.map(lambda _: self.claim(case), range(8)))
        self.assertEqual(sum(claim is not None for claim in claims), 3)


if __name__ == "__main__":
    unittest.main()
