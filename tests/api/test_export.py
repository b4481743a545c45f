"""An export, imported where it was made, changes nothing: not a row, not an event, whatever the rows and their states are."""

import base64
import pathlib
import struct
import tempfile
import time
import unittest

import service
from service import vm

NODE = """
<node>
  <cpu><mhz>2000</mhz><model>x</model><active>8</active><nodes>1</nodes><sockets>1</sockets><cores>8</cores><threads>1</threads></cpu>
  <memory>16777216</memory>
  <domain type="test"><name>found</name><uuid>5b0c9f1e-6a34-4b7e-9b8e-000000000001</uuid>
  <memory>262145</memory><vcpu>2</vcpu><os><type>hvm</type></os></domain>
</node>
"""
# libvirt takes no domain without memory.
EMPTY = """<domain type="${domain_type}"><name>${name}</name><uuid>${uuid}</uuid><vcpu>1</vcpu><os><type>hvm</type></os>
<metadata><emplace:vm xmlns:emplace="https://emplace.dev/xmlns/1" claim="${claim}"/></metadata></domain>"""
CONFIG = '[libvirt]\npoll_s = 1\ntemplates = {{ empty = "{empty}" }}\n[[host]]\nname = "t1"\nuri = "test://{node}"\nzone = "z1"\nrack = "r1"\n'
ID = "5b0c9f1e-6a34-4b7e-9b8e-0000000001{:02}"
AT = "2026-11-21T10:00:00.123456Z"
STATIC = {
    "hosts": [
        {"name": "s1", "vcpus": 64, "memory_mib": 262144, "disk_gib": 1000, "cpu_allocation_ratio": 4, "zone": "z1", "rack": "r2",
         "aggregates": ["fast"], "traits": ["SSD"], "numa": [{"vcpus": 32, "memory_mib": 131072}] * 2, "reserved_vcpus": 2,
         "observed": {"cpu_util": 0.1, "power_watts": 180, "observed_at": AT}, "nova_state": {"uuid": "x", "n": 1.5}},
        {"name": "s2", "vcpus": 4, "memory_mib": 4096, "state": "maintenance"},
        {"name": "s3", "vcpus": 4, "memory_mib": 4096, "state": "down"},
    ],
    "aggregates": [{"name": "fast", "metadata": {"ssd": "true"}}, {"name": "empty"}],
    "groups": [{"name": "apart", "policy": "anti-affinity", "max_per_host": 2}, {"name": "p/together", "policy": "soft-affinity"}],
    "vms": [
        {"name": "placed", "host": "s1", "vcpus": 1, "memory_mib": 64, "group": "apart", "project": "p"},
        {"name": "running", "host": "s1", "state": "running", "vcpus": 1, "memory_mib": 64, "disk_gib": 2.5},
        {"name": "stopped", "host": "s1", "state": "stopped", "vcpus": 4, "memory_mib": 64, "numa_nodes": 2},
        {"name": "failed there", "host": "s1", "state": "failed", "vcpus": 1, "memory_mib": 64},
        {"name": "failed nowhere", "state": "failed", "vcpus": 1, "memory_mib": 64},
        {"name": "shelved", "state": "stopped", "vcpus": 1, "memory_mib": 64},
        {"name": "expected", "vcpus": 1, "memory_mib": 64},
        {"name": "expected there", "host": "s2", "state": "expected", "vcpus": 1, "memory_mib": 64},
        {"name": "twin", "id": ID.format(1), "host": "s1", "vcpus": 1, "memory_mib": 64},
        {"name": "twin", "id": ID.format(2), "host": "s2", "vcpus": 1, "memory_mib": 64},
        {"name": "spread", "host": "s1", "vcpus": 1, "memory_mib": 64, "spread": {"by": "rack", "group": "g", "domain": "d"}},
    ],
    "traffic": [{"a": "placed", "b": "running", "bytes_per_s": 1.5e6, "observed_at": AT},
                {"a": "placed", "b": "not here yet", "bytes_per_s": 7}],
    "data_sources": [{"vm": "placed", "source": "volume", "bytes_per_s": 2e6, "observed_at": AT}],
    "source_hosts": [{"source": "volume", "hosts": ["s1", "s2"]}],
    "page_samples": [{"vm": "placed", "pages": 9, "zero_pages": 1, "distinct_pages": 8, "rate": 4,
                      "hashes": base64.b64encode(struct.pack("<2Q", 4, 8)).decode(), "observed_at": AT}],
}
PATIENCE_SECONDS = 60


class AnExport(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        files = tempfile.TemporaryDirectory()
        cls.addClassCleanup(files.cleanup)
        node, empty, config = (pathlib.Path(files.name, name) for name in ("node.xml", "empty.xml", "emplaced.toml"))
        node.write_text(NODE)
        empty.write_text(EMPTY)
        config.write_text(CONFIG.format(node=node, empty=empty))
        cls.emplace = service.Service(["--config", str(config)])
        cls.addClassCleanup(cls.emplace.stop)
        cls.wait(lambda: [one for one in cls.emplace.items("/v1/vms", "vms") if one["name"] == "found"])
        cls.emplace.call("PUT", "/v1/aggregates/kept", {"metadata": {}})
        imported = cls.emplace.post("/v1/inventory:import", STATIC)
        assert imported.status == 200, imported
        cls.make_vms_of_libvirt()

    @classmethod
    def make_vms_of_libvirt(cls):
        def place(name, template=None, **wish):
            fields = {"vcpus": 1, "memory_mib": 64, "disk_gib": 0, "only_hosts": ["t1"], "template": template}
            fields = {key: value for key, value in fields.items() if value is not None}
            answer = cls.emplace.post("/v1/placements", {"vm": vm(name, **fields), **wish})
            assert answer.status in (200, 202), answer
            return answer.json["claim"]

        for name, template in (("started", None), ("not started", "empty")):
            operation = place(name, template, start=True)["id"]
            cls.wait(lambda: cls.emplace.get(f"/v1/operations/{operation}").json["state"] != "running")
        place("held", claim=True)
        confirmed = place("confirmed", claim=True)
        answer = cls.emplace.call("PUT", f"/v1/claims/{confirmed['id']}:confirm", {"state": "running"})
        assert answer.status == 200, answer

    @classmethod
    def wait(cls, done):
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not (found := done()):
            assert time.monotonic() < deadline, "it did not come to pass"
            time.sleep(0.05)
        return found

    def export(self):
        return self.emplace.get("/v1/inventory:export").json

    def newest(self):
        lines = self.emplace.get("/metrics").text.splitlines()
        return next(line for line in lines if line.startswith("emplace_picture_event_seq"))

    def test_says_the_state_of_each_vm(self):
        states = {one["name"]: (one["host"], one["state"]) for one in self.export()["vms"]}
        self.assertEqual(states["failed nowhere"], (None, "failed"))
        self.assertEqual(states["shelved"], (None, "stopped"))
        self.assertEqual(states["expected there"], ("s2", "expected"))
        self.assertEqual(states["started"], ("t1", "running"))
        self.assertEqual(states["not started"], (None, "failed"))
        self.assertNotIn("held", states)

    def test_changes_nothing_when_it_is_imported(self):
        exported, before, vms = self.export(), self.newest(), self.emplace.items("/v1/vms", "vms")
        imported = self.emplace.post("/v1/inventory:import", exported)
        self.assertEqual(imported.status, 200, imported)
        after = self.newest()
        self.assertEqual(after, before, [event for event in self.events_after(before)])
        self.assertEqual(self.export(), exported)
        self.assertEqual(self.emplace.items("/v1/vms", "vms"), vms)

    def events_after(self, line):
        text = self.emplace.get(f"/v1/events?after={line.split()[-1]}&follow=false", check=False).text
        return text[:3000]

    def test_is_refused_where_it_says_something_else_of_a_hypervisors_rows(self):
        for field, name, change in (("vms", "started", {"vcpus": 2}), ("hosts", "t1", {"vcpus": 7}), ("vms", "found", {"name": "lost"})):
            exported = self.export()
            next(one for one in exported[field] if one["name"] == name).update(change)
            answer = self.emplace.post("/v1/inventory:import", exported)
            self.assertEqual(answer.status, 400, answer)
            self.assertIn(field + ": wanted of source", answer.json["detail"])

    def test_settles_a_vm_that_nobody_here_moves(self):
        moving = {"name": "moving", "host": "s1", "state": "migrating", "vcpus": 1, "memory_mib": 64}
        self.assertEqual(self.emplace.post("/v1/inventory:import", {"vms": [moving]}).status, 200)
        self.assertEqual([one["state"] for one in self.export()["vms"] if one["name"] == "moving"], ["running"])

    def test_names_vms_of_one_name_only_with_their_ids(self):
        for ids, field in (([{}, {}], "name"), ([{"id": ID.format(7)}, {}], "name"), ([{"id": ID.format(7)}] * 2, "id")):
            rows = [{"name": "double", "vcpus": 1, "memory_mib": 64, **one} for one in ids]
            answer = self.emplace.post("/v1/inventory:import", {"vms": rows})
            self.assertEqual(answer.status, 400, answer)
            self.assertTrue(answer.json["detail"].startswith(f"vms[1].{field}: wanted"), answer)


if __name__ == "__main__":
    unittest.main()
