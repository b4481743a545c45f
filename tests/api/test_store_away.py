"""The database stops answering: reads go on from the picture and say so, claims are refused for now, all recovers by itself."""

import os
import pathlib
import signal
import tempfile
import time
import unittest
import unittest.mock

import service
from service import hosts, vm

PATIENCE_SECONDS = 90


def processes_of(data):
    """The private PostgreSQL of this service: its postmaster and all that it forked."""
    postmaster = int(pathlib.Path(data, "pg/postmaster.pid").read_text().split()[0])
    children = []
    for status in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == postmaster:
            children.append(int(status.parent.name))
    return [postmaster, *children]


class StoreAway(unittest.TestCase):
    def setUp(self):
        self.config = tempfile.NamedTemporaryFile("w", prefix="emplace-api-", suffix=".toml")
        self.addCleanup(self.config.close)
        suppressions = pathlib.Path(__file__).with_name("lost_connection.supp")
        with unittest.mock.patch.dict(os.environ, LSAN_OPTIONS=f"suppressions={suppressions}:print_suppressions=0"):
            self.emplace = service.Service(["--config", self.config.name])
        self.assertEqual(self.emplace.post("/v1/inventory:import", hosts(2)).status, 200)
        self.stopped = []

    def tearDown(self):
        self.let_go()
        self.emplace.stop()

    def hold(self):
        self.stopped = processes_of(self.emplace.data)
        for pid in self.stopped:
            os.kill(pid, signal.SIGSTOP)

    def let_go(self):
        for pid in self.stopped:
            try:
                os.kill(pid, signal.SIGCONT)
            except ProcessLookupError:
                pass
        self.stopped = []

    def claim(self, name):
        return self.emplace.post("/v1/placements", {"vm": vm(name), "claim": True, "deadline_ms": 1000})

    def wait(self, done):
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not (found := done()):
            assert time.monotonic() < deadline, "it did not come to pass"
            time.sleep(0.1)
        return found

    def test_marks_reads_refuses_claims_and_recovers(self):
        for name in ("before", "another"):
            self.assertEqual(self.claim(name).status, 200)
        self.hold()
        refused = self.claim("during")
        self.assertIn(refused.status, (503, 504), refused)
        if refused.status == 503:
            self.assertIn("retry-after", refused.headers)
        listed = self.wait(lambda: (found := self.emplace.get("/v1/hosts").json)["stale"] and found)
        self.assertEqual([host["name"] for host in listed["hosts"]], ["h0", "h1"])
        self.assertGreaterEqual(listed["age_s"], 0)
        dry = self.emplace.post("/v1/placements", {"vm": vm("dry")})
        self.assertEqual((dry.status, dry.json["stale"], len(dry.json["ranking"])), (200, True, 2), dry)
        claims = self.emplace.get("/v1/claims?sort=name")
        self.assertEqual((claims.status, claims.json["stale"]), (200, True), claims)
        self.assertEqual([claim["vm_name"] for claim in claims.json["claims"]], ["another", "before"])
        for query, wanted in (("limit=1", 2), ("limit=1&sort=-name", 2), ("name_prefix=be", 1), ("host=h0&limit=1&project=nobody", 0)):
            self.assertEqual(len(self.emplace.items(f"/v1/claims?{query}", "claims")), wanted, query)
        page = self.emplace.get("/v1/claims?limit=1&sort=-name").json
        self.assertEqual([claim["vm_name"] for claim in page["claims"]], ["before"])
        ready = self.emplace.get("/readyz")
        self.assertEqual(ready.status, 503)
        self.assertTrue(ready.json["reasons"][0].startswith("store: "), ready)

        self.let_go()
        self.wait(lambda: self.claim("after").status == 200)
        self.wait(lambda: not self.emplace.get("/v1/hosts").json["stale"])
        self.assertEqual(self.emplace.get("/readyz").status, 200)

    def test_a_reload_that_waits_for_the_store_keeps_nothing_else_waiting(self):
        self.hold()
        began = time.monotonic()
        self.emplace.process.send_signal(signal.SIGHUP)
        time.sleep(0.2)
        self.emplace.process.send_signal(signal.SIGTERM)
        self.wait(lambda: "event=draining" in self.emplace.said())
        self.assertLess(time.monotonic() - began, 4)
        self.wait(lambda: "event=reload error=" in self.emplace.said())
        self.assertLess(time.monotonic() - began, 20)
        self.let_go()

    def test_reloads_that_are_asked_for_again_and_again_take_one_thread(self):
        self.hold()
        for _ in range(100):
            self.emplace.process.send_signal(signal.SIGHUP)
            time.sleep(0.02)
        page = self.emplace.get("/metrics").text
        busy = next(line for line in page.splitlines() if line.startswith("emplace_line_threads_busy "))
        self.assertLessEqual(int(busy.split()[1]), 4, "two reloads, and what the service does by itself")
        self.assertEqual(self.emplace.post("/v1/placements", {"vm": vm("dry")}).status, 200)
        self.let_go()
        self.wait(lambda: "event=reload file=" in self.emplace.said())


if __name__ == "__main__":
    unittest.main()
