"""Vms of OpenStack are moved by Nova alone: a made-up Nova is asked, and an answer of ours says no more than Nova does."""

import pathlib
import sys
import tempfile
import time
import unittest

import service
from service import vm

sys.path.append(str(service.ROOT / "tests/openstack"))

import fake_cloud  # noqa: E402

CONFIG = """
[openstack]
auth_url = "{url}/identity"
username = "emplace"
password = "secret"
project = "demo"
sync_s = 1
timeout_s = 5
"""
PATIENCE_SECONDS = 60
UNTIL_ABORTED = ["accepted", "preparing", "running"]


class OpenstackMoves(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.files = tempfile.TemporaryDirectory()
        cls.server = fake_cloud.serve(4, 8)
        cls.cloud = fake_cloud.Handler.cloud
        config = pathlib.Path(cls.files.name, "emplaced.toml")
        config.write_text(CONFIG.format(url=f"http://127.0.0.1:{cls.server.server_address[1]}"))
        cls.emplace = service.Service(["--config", str(config)])
        cls.emplace.post("/v1/inventory:import", {"hosts": [{"name": "s1", "vcpus": 64, "memory_mib": 262144, "disk_gib": 1000}]})
        cls.wait(lambda: len(cls.emplace.items("/v1/vms", "vms")) == 8)

    @classmethod
    def tearDownClass(cls):
        cls.emplace.stop()
        cls.server.shutdown()
        cls.server.server_close()
        cls.files.cleanup()

    @classmethod
    def wait(cls, done):
        """Until it is so; the bound only ends a test that fails."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not (found := done()):
            assert time.monotonic() < deadline, cls.emplace.said()
            time.sleep(0.05)
        return found

    def set(self, **how):
        with self.cloud.lock:
            self.cloud.change({"migration": how})

    def finish(self):
        """What Nova copies now comes to its end."""
        with self.cloud.lock:
            for one in self.cloud.migrations:
                one["steps"] = one["steps"] if one["ended"] else [*one["steps"], "completed"]

    def path(self, i):
        return f"/v1/vms/{fake_cloud.server_id(i)}"

    def vm(self, i):
        return self.emplace.get(self.path(i)).json

    def migrate(self, i, status=202, **body):
        answer = self.emplace.post(self.path(i) + ":migrate", body)
        self.assertEqual(answer.status, status, answer)
        return answer.json

    def claims(self):
        return {claim["id"] for claim in self.emplace.items("/v1/claims", "claims")}

    def told(self, i, moved):
        """The line of the log that ends a move."""
        line = f"event=migrated vm={fake_cloud.server_id(i)}"
        return next((one for one in self.emplace.said().splitlines() if line in one and f"moved={moved}" in one), None)

    def test_a_move_ends_when_nova_says_so(self):
        self.set(steps=UNTIL_ABORTED)
        moving = self.migrate(0, host="n3")
        self.assertEqual((moving["from"], moving["to"]), ("n0", "n3"))
        self.wait(lambda: self.cloud.migrations and self.cloud.status(self.cloud.migrations[-1]) == "running")
        self.assertEqual((self.vm(0)["host"], self.vm(0)["state"]), ("n0", "migrating"))
        self.assertIn(moving["claim"], self.claims())
        self.assertEqual(self.migrate(0, status=409, host="n2")["code"], "emplace.vm.migrating")
        self.assertEqual(self.cloud.asked[-1], {"host": "n3", "block_migration": "auto"})

        self.finish()

        self.wait(lambda: self.told(0, "true"))
        self.wait(lambda: (self.vm(0)["host"], self.vm(0)["state"]) == ("n3", "running"))
        self.assertNotIn(moving["claim"], self.claims())

    def test_the_best_host_is_one_of_novas(self):
        self.set()
        moving = self.migrate(1, options={"copy_storage": "true"})
        self.assertIn(moving["to"], ("n0", "n2", "n3"))
        self.wait(lambda: self.vm(1)["host"] == moving["to"])
        self.assertIs(self.cloud.asked[-1]["block_migration"], True)
        self.wait(lambda: self.told(1, "true"))

    def test_a_failure_has_novas_words_and_gives_the_room_back(self):
        self.set(steps=["accepted", "error"], why="Migration pre-check error: no shared storage")
        moving = self.migrate(2, host="n3")
        line = self.wait(lambda: self.told(2, "false"))
        self.assertIn("ended with error: Migration pre-check error: no shared storage; it is on host n2 (active)", line)
        self.assertNotIn(moving["claim"], self.claims())
        self.wait(lambda: (self.vm(2)["host"], self.vm(2)["state"]) == ("n2", "running"))

        self.set(refuse=[409, "conflictingRequest", "Instance is locked"])
        moving = self.migrate(3, host="n2")
        self.assertIn("Nova refuses it: Instance is locked", self.wait(lambda: self.told(3, "false")))
        self.assertNotIn(moving["claim"], self.claims())

    def test_what_nobody_knows_keeps_its_room(self):
        self.set(steps=UNTIL_ABORTED, abort=[400, "badRequest", "it is running"])
        moving = self.migrate(4, host="n1", options={"timeout_s": "1"})
        self.assertIn("it may still happen (abort: it is running)", self.wait(lambda: self.told(4, "unknown")))
        self.assertIn(moving["claim"], self.claims())
        self.assertEqual(self.vm(4)["host"], "n0")

        with self.cloud.lock:  # it was not lost after all
            self.cloud.servers[4].update(host=1, task=None, updated=time.time())
        self.wait(lambda: self.vm(4)["host"] == "n1" and moving["claim"] not in self.claims())

    def test_nova_owns_its_vms(self):
        refused = self.emplace.call("DELETE", self.path(5))
        self.assertEqual((refused.status, refused.json["code"]), (409, "emplace.vm.nova"), refused)
        self.assertEqual(self.vm(5)["host"], "n1")
        refused = self.emplace.post("/v1/placements", {"vm": vm("new"), "start": True})
        self.assertEqual((refused.status, refused.json["code"]), (409, "emplace.host.not_driven"), refused)
        self.assertIn("Nova", refused.json["detail"])
        self.assertEqual(self.migrate(5, status=409, host="s1")["code"], "emplace.host.not_driven")
        self.assertEqual(self.migrate(5, status=400, host="n1")["code"], "emplace.invalid")

    def test_nova_is_asked_what_runs(self):
        page = self.wait(lambda: (answer := self.emplace.get("/v1/vms?verify=true").json)["verified"]["differ"] == 0 and answer)
        self.assertEqual((page["verified"]["agree"], page["verified"]["unreachable"]), (8, 0), page["verified"])


if __name__ == "__main__":
    unittest.main()
