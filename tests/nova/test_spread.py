"""A batch of instances in Nova's own scheduler manager, with the filter and the weigher of clients/nova beside a real emplaced: what
Nova alone spreads over hosts stays spread."""

# pylint: disable=protected-access

import pathlib
import sys
import tempfile
import unittest
import unittest.mock
from collections import Counter

import debian_nova  # noqa: F401

import codec
import managers
import sequences
import test_sequences as asked
from nova import context

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "clients/nova"))
from emplace_nova import options  # noqa: E402

CONF = sequences.CONF


def batch(count):
    """Hosts b1, and five with half of its room each."""
    return asked.case_of([asked.host("b1", 64, 256), *(asked.host(f"b{i}", 32, 128) for i in range(2, 7))], count)


UNREAD = ["supported_instances", "numa_topology", "pci_stats", "metrics", "failed_builds", "cell_uuid", "stats", "num_io_ops", "cpu_info"]


def as_the_cloud_tells(case):
    """What OpenStack's APIs tell of hosts."""
    hosts = sequences.inventory_of(case)["hosts"]
    return {"hosts": [{**host, "nova_state": {"host": host["name"], "unread": UNREAD}} for host in hosts]}


def scheduled(case):
    """The hosts that _schedule selects, where Placement has room everywhere and grants every claim."""
    spec, states = codec.request_spec(case), codec.host_states(case)
    spec._context = context.get_admin_context()
    scheduler = managers.scheduler(managers.HostManager())
    scheduler._get_all_host_states = lambda *_: states
    allocations = {state.uuid: [{"allocations": {}}] for state in states}
    with unittest.mock.patch("nova.scheduler.utils.claim_resources", return_value=True):
        found = scheduler._schedule(spec._context, spec, case["uuids"], allocations, {}, "1.36", True)
    return [selection[0].service_host for selection in found]


class Spread(asked.Asked):
    def setUp(self):
        options.settings()
        token = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()), "token")
        token.write_text(self.emplace.service.token)
        self.addCleanup(self.use, sequences.FILTERS)
        self.configure(url=f"http://{self.emplace.service.address}", token_file=str(token), timeout=20.0, profile="sequences")

    @staticmethod
    def forget_connections():
        for connection in options._client._idle if options._client else ():
            connection.close()
        options._client = None

    @staticmethod
    def configure(**values):
        for name, value in values.items():
            CONF.set_override(name, value, group="emplace")

    def places(self, case, mode=None, **values):
        """Where Nova puts the instances: alone, or in this mode of the hook."""
        sequences.configure(sequences.FILTERS)
        if mode:
            self.configure(mode=mode, **{"weight_multiplier": 1.0, **values})
            scheduler = CONF.filter_scheduler
            added = {"available_filters": [*scheduler.available_filters, "emplace_nova.EmplaceFilter"],
                     "enabled_filters": [*scheduler.enabled_filters, "EmplaceFilter"],
                     "weight_classes": [*scheduler.weight_classes, "emplace_nova.EmplaceWeigher"]}  # fmt: skip
            for name, value in added.items():
                CONF.set_override(name, value, group="filter_scheduler")
        try:
            return scheduled(case)
        finally:
            self.forget_connections()
            CONF.clear_override("available_filters", group="filter_scheduler")

    def tell(self, inventory):
        """To an emplaced without reservations: who asks again, in vain, gives up what was reserved."""
        for vm in self.emplace.service.get("/v1/vms?limit=1000&state=claimed").json["vms"]:
            self.emplace.post("/v1/filter", {"vm": {"id": vm["id"], "vcpus": 1000, "memory_mib": 1}, "hosts": ["b1"], "reserve": True})
        self.emplace.post("/v1/inventory:import", inventory)

    def test_of_a_batch_of_six_is_novas_in_advise(self):
        for multiplier in (0.5, 1.0, 100.0):
            case = batch(6)
            for inventory in (sequences.inventory_of(case), as_the_cloud_tells(case)):
                self.tell(inventory)
                found = self.places(case, "advise", weight_multiplier=multiplier)
                self.assertEqual(self.places(case), ["b1", "b2", "b3", "b4", "b5", "b6"])
                self.assertEqual(sorted(found), ["b1", "b2", "b3", "b4", "b5", "b6"], multiplier)

    def test_goes_on_after_each_host_has_one(self):
        case = batch(14)
        self.tell(as_the_cloud_tells(case))
        alone, found = self.places(case), self.places(case, "advise")
        self.assertEqual(sorted(Counter(found).values()), sorted(Counter(alone).values()))

    def test_leaves_out_hosts_that_emplace_refuses(self):
        case = batch(4)
        self.tell({**as_the_cloud_tells(case), "vms": [{"name": "full", "host": "b2", "vcpus": 32, "memory_mib": 131072}]})
        self.assertIn("b2", self.places(case))
        self.assertNotIn("b2", self.places(case, "advise", profile="default"))

    def test_is_none_where_nova_packs(self):
        case = batch(3)
        group = codec.primitive("InstanceGroup", uuid=case["uuids"][0], name="g", policy="soft-affinity", policies=["soft-affinity"],
                                rules={}, members=list(case["uuids"]), hosts=[])  # fmt: skip
        case["spec"]["instance_group"] = group
        self.tell(sequences.inventory_of(case))
        self.assertEqual(self.places(case, "advise"), self.places(case))


if __name__ == "__main__":
    unittest.main()
