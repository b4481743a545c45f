"""Vms on hosts that a hypervisor drives: libvirt's test driver, two hosts, one of them dead, beside a static one."""

import pathlib
import tempfile
import time
import unittest

import service
from service import vm

NODE = """
<node>
  <cpu><mhz>2000</mhz><model>x</model><active>8</active><nodes>1</nodes><sockets>1</sockets><cores>8</cores><threads>1</threads></cpu>
  <memory>16777216</memory>
</node>
"""
CONFIG = """
[[host]]
name = "t1"
uri = "test://{node}"
zone = "z1"
[[host]]
name = "t2"
uri = "test://{node}"
zone = "z1"
[[host]]
name = "dead"
uri = "qemu+unix:///system?socket=/nonexistent"
"""
PATIENCE_SECONDS = 60


class DrivenHosts(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.files = tempfile.TemporaryDirectory()
        node, config = (pathlib.Path(cls.files.name, name) for name in ("node.xml", "emplaced.toml"))
        node.write_text(NODE)
        config.write_text(CONFIG.format(node=node))
        cls.emplace = service.Service(["--config", str(config)])
        cls.wait(lambda: {"t1", "t2"} <= {host["name"] for host in cls.hosts() if host["state"] == "enabled"})
        cls.emplace.post("/v1/inventory:import", {"hosts": [{"name": "s1", "vcpus": 64, "memory_mib": 262144, "disk_gib": 1000}]})

    @classmethod
    def tearDownClass(cls):
        cls.emplace.stop()
        cls.files.cleanup()

    @classmethod
    def hosts(cls):
        return cls.emplace.items("/v1/hosts", "hosts")

    @classmethod
    def wait(cls, done):
        """Until it is so; the bound only ends a test that fails."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not (found := done()):
            assert time.monotonic() < deadline, "it did not come to pass"
            time.sleep(0.05)
        return found

    def start(self, name, **fields):
        answer = self.emplace.post("/v1/placements", {"vm": vm(name, vcpus=1, memory_mib=64, disk_gib=0, **fields), "start": True})
        self.assertEqual(answer.status, 202, answer)
        self.assertEqual(answer.headers["location"], f"/v1/vms/{answer.json['claim']['vm']}")
        return answer.json

    def wait_for_state(self, path, state):
        return self.wait(lambda: (found := self.emplace.get(path).json).get("state") == state and found)

    def test_start_what_is_placed_and_agree_with_the_hypervisor(self):
        placed = self.start("run-1")
        self.assertIn(placed["claim"]["host"], ("t1", "t2"))
        path = f"/v1/vms/{placed['claim']['vm']}"
        running = self.wait_for_state(path, "running")
        self.assertEqual((running["host"], running["source"]), (placed["claim"]["host"], "libvirt"))
        verified = self.emplace.get("/v1/vms?verify=true").json
        self.assertEqual((verified["verified"]["differ"], verified["verified"]["unreachable"]), (0, 0), verified)
        self.assertGreaterEqual(verified["verified"]["agree"], 1)
        self.assertEqual(self.emplace.call("DELETE", path).status, 204)
        self.assertEqual(self.emplace.get(path).status, 404)

    def test_start_nothing_on_static_hosts(self):
        answer = self.emplace.post("/v1/placements", {"vm": vm("big", vcpus=40, memory_mib=64), "start": True})
        self.assertEqual((answer.status, answer.json["ranking"]), (200, []), answer)

    def test_replay_a_decision_that_started_a_vm(self):
        placed = self.start("replayed")
        self.wait_for_state(f"/v1/vms/{placed['claim']['vm']}", "running")
        again = self.emplace.post(f"/v1/decisions/{placed['decision_id']}:replay", None).json
        self.assertEqual((again["identical"], again["differences"]), (True, []))
        self.emplace.call("DELETE", f"/v1/vms/{placed['claim']['vm']}")

    def test_give_back_a_move_that_fails(self):
        placed = self.start("mover")["claim"]
        path = f"/v1/vms/{placed['vm']}"
        self.wait_for_state(path, "running")
        other = {"t1": "t2", "t2": "t1"}[placed["host"]]
        for wrong, status in (({"host": placed["host"]}, 400), ({"host": "s1"}, 409), ({"speed": 1}, 400)):
            self.assertEqual(self.emplace.post(f"{path}:migrate", wrong).status, status, wrong)
        moving = self.emplace.post(f"{path}:migrate", {})
        self.assertEqual(moving.status, 202, moving)
        self.assertEqual((moving.json["from"], moving.json["to"]), (placed["host"], other))
        # libvirt's test driver can't migrate: the claim goes, the vm stays.
        self.wait(lambda: moving.json["claim"] not in [claim["id"] for claim in self.emplace.items("/v1/claims", "claims")])
        back = self.wait_for_state(path, "running")
        self.assertEqual(back["host"], placed["host"])
        self.assertEqual(self.emplace.call("DELETE", path).status, 204)

    def test_that_are_dead_are_told_and_hold_up_nothing(self):
        ready = self.emplace.get("/readyz")
        self.assertEqual(ready.status, 200)
        self.assertTrue(any("dead" in warning for warning in ready.json["warnings"]), ready)

    def test_are_not_changed_by_an_import(self):
        answer = self.emplace.post("/v1/inventory:import", {"hosts": [{"name": "t1", "vcpus": 1, "memory_mib": 1}]})
        self.assertEqual(answer.status, 400, answer)
        self.assertEqual(self.emplace.call("DELETE", "/v1/hosts/t1").status, 409)


if __name__ == "__main__":
    unittest.main()
