"""POST /v1/select_destinations beside the selections and alternates that Nova's own scheduler manager finds, on random clusters.

What Nova has Placement do is done by a filter here: hosts have no room, or they have.
"""

import os
import random
import sys
import unittest
import uuid

os.environ["OS_NOVA_DISABLE_EVENTLET_PATCHING"] = "1"
try:
    import nova.conf
    from nova import context, objects
except ImportError as error:
    print(f"skipped: {error} (apt-get install --no-install-recommends python3-nova)")
    sys.exit(77)

import codec
import managers
from ask import Emplace

CONF = nova.conf.CONF
CASES = 120
VCPUS = 16  # of an instance: hosts whose sizes differ by less never tie
GROUPS = ["ServerGroupAntiAffinityFilter", "ServerGroupAffinityFilter"]


class RoomyHosts(managers.HostManager):
    """Hosts with room as Placement sees it."""

    def get_filtered_hosts(self, hosts, spec_obj, index=0):
        room = [host for host in hosts if host.vcpus_total - host.vcpus_used >= spec_obj.vcpus]
        return super().get_filtered_hosts(room, spec_obj, index)


def case_of(rng, number):
    count = rng.randrange(1, VCPUS)
    sizes = [VCPUS * rng.randrange(5) + i + 1 for i in rng.sample(range(VCPUS - 1), count)]
    return {
        "sizes": {f"c{number}-h{i}": size for i, size in enumerate(sizes)},
        "uuids": [str(uuid.UUID(int=rng.getrandbits(128), version=4)) for _ in range(rng.randrange(1, 6))],
        "policy": rng.choice([None, None, "affinity", "anti-affinity", "soft-affinity"]),
        "at": rng.random() < 0.3,  # the group is somewhere already
        "attempts": rng.randrange(1, 7),
    }


def spec_of(case):
    group = None
    if case["policy"]:
        at = [next(iter(case["sizes"]))] if case["at"] else []
        group = objects.InstanceGroup(policy=case["policy"], policies=[case["policy"]], _rules={}, members=list(case["uuids"]),
                                      hosts=at, uuid=str(uuid.uuid4()))
    flavor = objects.Flavor(vcpus=VCPUS, memory_mb=1, root_gb=0, ephemeral_gb=0, swap=0, name="m1", extra_specs={})
    return objects.RequestSpec(
        context.get_admin_context(), instance_uuid=case["uuids"][0], project_id="p1", user_id="u", num_instances=len(case["uuids"]),
        image=None, availability_zone=None, instance_group=group, numa_topology=None, scheduler_hints={}, ignore_hosts=None,
        force_hosts=None, force_nodes=None, requested_destination=None, flavor=flavor, is_bfv=False,
        pci_requests=objects.InstancePCIRequests(requests=[]))


def of_nova(case):
    hosts = [{"host": name, "node": name, "uuid": str(uuid.uuid4()), "aggregates": [], "instances": {}, "compute": {"vcpus": size}}
             for name, size in case["sizes"].items()]
    states = codec.host_states({"now": "2026-11-21T10:00:00", "aggregates": {}, "hosts": hosts})
    return managers.selected(RoomyHosts(), spec_of(case), states, case["uuids"], case["attempts"] - 1)


class Destinations(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.emplace = Emplace()
        cls.addClassCleanup(cls.emplace.__exit__)
        profile = {"method": "nova", "filters": ["capacity", *GROUPS], "weighers": [{"id": "CPUWeigher"}]}
        assert cls.emplace.service.call("PUT", "/v1/profiles/nova", profile).status == 200
        CONF([], project="nova", default_config_files=[])
        CONF.set_override("enabled_filters", GROUPS, group="filter_scheduler")
        CONF.set_override("weight_classes", ["nova.scheduler.weights.cpu.CPUWeigher"], group="filter_scheduler")

    def of_emplace(self, case):
        inventory = [{"name": name, "vcpus": size, "memory_mib": 65536} for name, size in case["sizes"].items()]
        service = self.emplace.service
        self.assertEqual(service.post("/v1/inventory:import", {"hosts": inventory}).status, 200)
        answer = service.post("/v1/select_destinations", {
            "request_spec": spec_of(case).obj_to_primitive(), "instance_uuids": case["uuids"], "hosts": list(case["sizes"]),
            "alternates": case["attempts"] - 1, "profile": "nova", "reserve": False})
        self.assertEqual(answer.status, 200, answer)
        return [[one["service_host"] for one in selection] for selection in answer.json["selections"]]

    def test_are_novas(self):
        rng = random.Random(7)
        several = 0
        for number in range(CASES):
            case = case_of(rng, number)
            wanted = of_nova(case)
            several += len(wanted) > 1 and len(wanted[0]) > 1
            with self.subTest(case):
                self.assertEqual(self.of_emplace(case), wanted)
        self.assertGreater(several, CASES // 8, "the cases must have something to differ in")


if __name__ == "__main__":
    unittest.main()
