"""RequestSpec primitives, some captured from a live nova-scheduler, are all accepted and answered.

They lie beside the tree, in ../shared/data/nova_samples, and are not part of it."""

import json
import unittest

import service
from service import hosts

SAMPLES = service.ROOT.parent / "shared/data/nova_samples"
SPECS = sorted([*SAMPLES.glob("0*.json"), *SAMPLES.glob("real_*create*.json")])


@unittest.skipUnless(SPECS, f"no RequestSpec samples at {SAMPLES}")
class NovaSamples(unittest.TestCase):
    def setUp(self):
        self.emplace = service.shared()
        self.emplace.reset()
        inventory = hosts(6)
        for i, host in enumerate(inventory["hosts"]):
            host.update(name=f"cmp{i:05}", zone="az1")
        self.assertEqual(self.emplace.post("/v1/inventory:import", inventory).status, 200)

    @staticmethod
    def specs():
        return [(path.name, json.loads(path.read_text())) for path in SPECS]

    def test_are_all_accepted_and_answered(self):
        for name, spec in self.specs():
            with self.subTest(name):
                answer = self.emplace.post("/v1/placements", {"request_spec": spec, "explain": "full"})
                self.assertEqual(answer.status, 200, answer)

    def test_have_what_nobody_read_named(self):
        body = {"filters": ["capacity"], "objectives": [{"id": "resource.load"}]}
        self.assertEqual(self.emplace.call("PUT", "/v1/profiles/bare", body).status, 200)
        expected = {
            "03_boot_numa_pinned_aggr_extra_specs.json": "request_spec.flavor.extra_specs.hw:cpu_policy",
            "04_boot_volume_sriov_port.json": "request_spec.pci_requests",
            "05_reschedule_soft_anti_affinity_hints.json": "request_spec.scheduler_hints.different_host",
        }
        for name, spec in self.specs():
            with self.subTest(name):
                answer = self.emplace.post("/v1/placements", {"request_spec": spec, "profile": "bare"})
                self.assertEqual(answer.status, 200, answer)
                if name in expected:
                    self.assertIn(expected[name], answer.json["not_considered"])
                self.assertNotIn("request_spec.flavor.vcpus", answer.json["not_considered"])

    def test_can_be_claimed(self):
        spec = json.loads((SAMPLES / "02_boot_az_antiaffinity_x3.json").read_text())
        answer = self.emplace.post("/v1/placements", {"request_spec": spec, "claim": True})
        self.assertEqual(answer.status, 200, answer)
        vms = [placement["claim"]["vm"] for placement in answer.json["placements"]]
        self.assertEqual(vms[0], spec["nova_object.data"]["instance_uuid"])
        self.assertEqual(len(set(vms)), 3)


tearDownModule = service.stop_shared

if __name__ == "__main__":
    unittest.main()
