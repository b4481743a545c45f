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
        answer = self.emplace.post("/v1/placements", {"vm": vm(name, **{"vcpus": 1, "memory_mib": 64, "disk_gib": 0, **fields}), "start": True})
        self.assertEqual(answer.status, 202, answer)
        self.assertEqual(answer.headers["location"], f"/v1/operations/{answer.json['claim']['id']}")
        return answer.json

    def ended(self, operation):
        return self.wait(lambda: (found := self.emplace.get(f"/v1/operations/{operation}").json)["state"] != "running" and found)

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
        started = self.ended(placed["claim"]["id"])
        self.assertEqual((started["kind"], started["state"], started["progress"], started["error"]), ("start", "succeeded", 1, None))
        self.assertEqual(self.emplace.call("DELETE", path).status, 204)
        self.assertEqual(self.emplace.get(path).status, 404)

    def test_say_what_is_wrong_with_a_start_before_it_is_taken(self):
        for wrong, field in (
            ({"name": "a/b"}, "vm.name"),
            ({"memory_mib": 0}, "vm.memory_mib"),
            ({"vcpus": 0}, "vm.vcpus"),
            ({"template": "gone"}, "vm.template"),
            ({"parameters": {"nic": "x"}}, "vm.parameters.nic"),
        ):
            request = vm(**{"name": "wrong", "vcpus": 1, "memory_mib": 64, "disk_gib": 0, **wrong})
            answer = self.emplace.post("/v1/placements", {"vm": request, "start": True})
            self.assertEqual(answer.status, 400, (wrong, answer))
            self.assertTrue(answer.json["detail"].startswith(field + ":"), answer)
        self.assertEqual([one for one in self.emplace.items("/v1/vms", "vms") if one["name"] in ("a/b", "wrong")], [])

    def test_start_a_name_once_on_each_host(self):
        first, second = self.start("twin")["claim"], self.start("twin")["claim"]
        self.assertNotEqual(first["host"], second["host"])
        third = self.emplace.post("/v1/placements", {"vm": vm("twin", vcpus=1, memory_mib=64, disk_gib=0), "start": True})
        self.assertEqual((third.status, third.json["code"]), (409, "emplace.vm.name_taken"), third)
        for claim in (first, second):
            self.ended(claim["id"])
            self.assertEqual(self.emplace.call("DELETE", f"/v1/vms/{claim['vm']}").status, 204)

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
        for wrong, status in (({"host": placed["host"]}, 400), ({"host": "s1"}, 409), ({"speed": 1}, 400),
                              ({"options": {"speed": "1"}}, 400), ({"host": other, "options": {"timeout_s": "soon"}}, 400)):
            self.assertEqual(self.emplace.post(f"{path}:migrate", wrong).status, status, wrong)
        moving = self.emplace.post(f"{path}:migrate", {"options": {"mode": "direct"}})
        self.assertEqual(moving.status, 202, moving)
        self.assertEqual(moving.headers["location"], f"/v1/operations/{moving.json['claim']}")
        self.assertEqual((moving.json["from"], moving.json["to"]), (placed["host"], other))
        # libvirt's test driver can't migrate: the claim goes, the vm stays.
        self.wait(lambda: moving.json["claim"] not in [claim["id"] for claim in self.emplace.items("/v1/claims", "claims")])
        back = self.wait_for_state(path, "running")
        self.assertEqual(back["host"], placed["host"])
        moved = self.ended(moving.json["claim"])
        self.assertEqual((moved["kind"], moved["state"], moved["from"], moved["host"]), ("move", "failed", placed["host"], other))
        self.assertTrue(moved["error"], moved)
        self.assertEqual(self.emplace.get(path).json["failure"], moved["error"])
        self.assertEqual(self.emplace.call("DELETE", path).status, 204)
        kinds = {one["kind"]: one["state"] for one in self.emplace.items(f"/v1/operations?vm={placed['vm']}", "operations")}
        self.assertEqual(kinds, {"start": "succeeded", "move": "failed", "delete": "succeeded"})

    def test_name_the_filters_when_a_vm_can_go_nowhere(self):
        placed = self.start("big", vcpus=8)["claim"]
        path = f"/v1/vms/{placed['vm']}"
        self.ended(placed["id"])
        other = {"t1": "t2", "t2": "t1"}[placed["host"]]
        blocker = self.emplace.post("/v1/claims", {"vm": vm("blocker", vcpus=1, memory_mib=64, disk_gib=0), "host": other}).json
        refused = self.emplace.post(f"{path}:migrate", {"options": {"mode": "direct"}})
        self.assertEqual(refused.status, 409, refused)
        self.assertIn(f"capacity refused {other} (capacity.vcpus: wanted 8, found 7", refused.json["detail"])
        self.emplace.call("DELETE", f"/v1/claims/{blocker['id']}")
        self.assertEqual(self.emplace.call("DELETE", path).status, 204)

    def test_refuse_what_operations_are_not(self):
        self.assertEqual(self.emplace.get("/v1/operations?state=lost").status, 400)
        self.assertEqual(self.emplace.get("/v1/operations?vm=web-1").status, 400)
        self.assertEqual(self.emplace.get("/v1/operations/5b0c9f1e-6a34-4b7e-9b8e-999999999999").status, 404)

    def test_are_drained_one_vm_after_the_other(self):
        placed = [self.start(f"drained-{i}", only_hosts=["t1"])["claim"]["vm"] for i in range(2)]
        for vm_id in placed:
            self.wait_for_state(f"/v1/vms/{vm_id}", "running")
        first = self.emplace.post("/v1/hosts/t1:drain", {"options": {"mode": "direct"}})
        self.assertEqual(first.status, 202, first)
        self.assertEqual(([one["vm"] for one in first.json["moving"]], first.json["waiting"]), (placed[:1], 1), first)
        self.assertEqual(first.json["moving"][0]["to"], "t2")
        # libvirt's test driver can't migrate: the claim goes, and the caller goes on with the other vm.
        claim = first.json["moving"][0]["operation"]
        self.wait(lambda: self.emplace.get(f"/v1/claims/{claim}", check=False).status == 404)
        self.wait_for_state(f"/v1/vms/{placed[0]}", "running")
        second = self.emplace.post("/v1/hosts/t1:drain", {"leave": placed[:1], "options": {"mode": "direct"}})
        self.assertEqual([one["vm"] for one in second.json["moving"]], placed[1:], second)
        claim = second.json["moving"][0]["operation"]
        self.wait(lambda: self.emplace.get(f"/v1/claims/{claim}", check=False).status == 404)
        self.assertEqual(self.emplace.get("/v1/hosts/t1").json["state"], "maintenance")
        self.assertEqual(self.emplace.post("/v1/hosts/t1:drain", {"leave": placed}).json["moving"], [])
        self.emplace.call("PATCH", "/v1/hosts/t1", {"state": "enabled"})
        for vm_id in placed:
            self.emplace.call("DELETE", f"/v1/vms/{vm_id}")

    def test_that_are_dead_are_told_and_hold_up_nothing(self):
        ready = self.emplace.get("/readyz")
        self.assertEqual(ready.status, 200)
        self.assertTrue(any("dead" in warning for warning in ready.json["warnings"]), ready)
        dead = next(host for host in self.hosts() if host["name"] == "dead")
        self.assertEqual((dead["state"], dead["hypervisor"]["connected"]), ("unreachable", False), dead)
        self.assertEqual([finding["name"] for finding in dead["findings"]], ["unreachable"])
        self.assertEqual(self.emplace.get("/v1/hosts/dead").json["state"], "unreachable")
        names = [host["name"] for host in self.emplace.get("/v1/hosts?limit=2").json["hosts"]]
        self.assertEqual(names, ["dead", "s1"])
        self.assertIn('emplace_findings{name="unreachable"} 1', self.emplace.get("/metrics").text)

    def test_are_not_changed_by_an_import(self):
        answer = self.emplace.post("/v1/inventory:import", {"hosts": [{"name": "t1", "vcpus": 1, "memory_mib": 1}]})
        self.assertEqual(answer.status, 400, answer)
        self.assertEqual(self.emplace.call("DELETE", "/v1/hosts/t1").status, 409)


DOMAIN = """<domain type="test"><name>double</name><uuid>5b0c9f1e-6a34-4b7e-9b8e-000000000001</uuid>
<memory>262144</memory><vcpu>2</vcpu><os><type>hvm</type></os></domain>"""


class HostsWithTheSameVm(unittest.TestCase):
    def test_count_it_on_both_and_say_so_once(self):
        with tempfile.TemporaryDirectory() as directory:
            node, config = (pathlib.Path(directory, name) for name in ("node.xml", "emplaced.toml"))
            node.write_text(NODE.replace("</node>", DOMAIN + "</node>"))
            hosts = "".join(f'[[host]]\nname = "{name}"\nuri = "test://{node}"\n' for name in ("d1", "d2"))
            config.write_text("[libvirt]\npoll_s = 1\n" + hosts)
            emplace = service.Service(["--config", str(config)])
            try:
                found = DrivenHosts.wait(lambda: (all_hosts := emplace.items("/v1/hosts", "hosts"))
                                         and all(host["findings"] for host in all_hosts) and len(all_hosts) == 2 and all_hosts)
                self.assertEqual([[one["name"] for one in host["findings"]] for host in found], [["duplicate_vm"]] * 2)
                found = DrivenHosts.wait(lambda: (all_hosts := emplace.items("/v1/hosts", "hosts"))
                                         and all(host["used"]["vcpus"] == 2 for host in all_hosts) and all_hosts)
                self.assertEqual(sorted(one["source"] for one in emplace.items("/v1/vms", "vms")), ["duplicate", "found"])
                warnings = emplace.get("/readyz").json["warnings"]
                self.assertEqual(len([one for one in warnings if "duplicate_vm" in one]), 2, warnings)
                before = self.newest(emplace)
                time.sleep(3)  # three polls, which must write nothing
                self.assertEqual(self.newest(emplace), before)
            finally:
                emplace.stop()

    @staticmethod
    def newest(emplace):
        lines = emplace.get("/metrics").text.splitlines()
        return next(line for line in lines if line.startswith("emplace_picture_event_seq"))


class HostsThatAreOneLibvirtd(unittest.TestCase):
    def test_are_counted_once(self):
        with tempfile.TemporaryDirectory() as directory:
            config = pathlib.Path(directory, "emplaced.toml")
            hosts = "".join(f'[[host]]\nname = "{name}"\nuri = "test:///default"\n' for name in ("o1", "o2"))
            config.write_text("[libvirt]\npoll_s = 1\n" + hosts)
            emplace = service.Service(["--config", str(config)])
            try:
                # Each finding comes with its host's own next poll, and what follows from it after that.
                found = DrivenHosts.wait(
                    lambda: (hosts := emplace.items("/v1/hosts", "hosts"))
                    and [[one["name"] for one in host["findings"]] for host in hosts] == [["same_hypervisor"]] * 2
                    and "down" in [host["state"] for host in hosts] and hosts)
                self.assertEqual([(host["name"], host["state"]) for host in found], [("o1", "enabled"), ("o2", "down")])
                DrivenHosts.wait(lambda: [one["host"] for one in emplace.items("/v1/vms", "vms")] == ["o1"])
            finally:
                emplace.stop()


if __name__ == "__main__":
    unittest.main()
