"""Plugins that go wrong: the service lives, says which one and why, places on, and the worker comes back."""

import os
import pathlib
import shutil
import signal
import tempfile
import time
import unittest

import service
from service import hosts, vm

PLUGINS = pathlib.Path(os.environ.get("EMPLACE_TEST_PLUGINS", service.ROOT / "build/tests/plugin/plugins"))
PATIENCE_SECONDS = 60
PLUGIN = """
[[plugin]]
path = "{directory}/libemplace_{name}.so"
deadline_ms = {deadline_ms}
"""
PROFILE = """
[[profile]]
name = "{name}"
filters = {filters}
objectives = [ {objectives} ]
"""
SEGFAULT = "plugin unruly, unruly.cost: its worker died of signal 11 (Segmentation fault)"


def workers_of(pid):
    """Processes emplace-worker that were started by the process `pid`, but for those that only wait to be reaped."""
    found = []
    for file in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            arguments = file.read_bytes().split(b"\0")
            state = file.with_name("stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if arguments[0].endswith(b"/emplace-worker") and arguments[1] == str(pid).encode() and state != "Z":
            found.append(int(file.parent.name))
    return found


class PluginFaults(unittest.TestCase):
    def setUp(self):
        self.files = tempfile.TemporaryDirectory()
        self.directory = pathlib.Path(self.files.name)
        self.config = self.directory / "emplaced.toml"
        for name in ("unruly", "wrongmajor", "no_symbol", "throwinginitialiser", "good"):
            self.put(name)
        library = self.directory / "libemplace_good.so"
        os.truncate(library, library.stat().st_size // 2)
        self.put("plain")
        (self.directory / "plain.json").write_text('{"id": "plain"}')
        self.write_config(["unruly", "wrongmajor", "no_symbol", "throwinginitialiser", "good", "plain"])
        self.emplace = service.Service(["--config", str(self.config)])
        self.assertEqual(self.emplace.post("/v1/inventory:import", hosts(3)).status, 200)

    def tearDown(self):
        self.emplace.stop()
        self.files.cleanup()

    def put(self, name, called=None):
        """As an operator would: the new file takes the old one's place."""
        for source, target in ((f"libemplace_{name}.so", f"libemplace_{called or name}.so"), (f"{name}.json", f"{called or name}.json")):
            shutil.copy(PLUGINS / source, self.directory / "aside")
            os.rename(self.directory / "aside", self.directory / target)

    def write_config(self, plugins, deadline_ms=200):
        text = "".join(PLUGIN.format(directory=self.directory, name=name, deadline_ms=deadline_ms) for name in plugins)
        text += PROFILE.format(name="default", filters=[], objectives='{ id = "resource.load" }, { id = "unruly.cost" }')
        text += PROFILE.format(name="vital", filters=[], objectives='{ id = "unruly.cost", on_error = "fail" }')
        text += PROFILE.format(name="remembering", filters=[], objectives='{ id = "unruly.cost", on_error = "last_good", max_age_s = 600 }')
        text += PROFILE.format(name="filtered", filters='["unruly.filter"]', objectives='{ id = "resource.load" }')
        for name in plugins[1:]:
            text += PROFILE.format(name=name, filters=[], objectives='{ id = "resource.load" }, { id = "%s.cost" }' % name)
        self.config.write_text(text)

    def place(self, name, profile="default"):
        return self.emplace.post("/v1/placements", {"vm": vm(name), "profile": profile})

    def plugin(self, name="unruly"):
        return next(one for one in self.emplace.get("/v1/plugins").json["plugins"] if one["id"] == name)

    def wait(self, done):
        """Until it is so; the bound only ends a test that fails."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not (found := done()):
            assert time.monotonic() < deadline, "it did not come to pass"
            time.sleep(0.01)
        return found

    def wait_until_back(self):
        self.wait(lambda: self.plugin()["state"] == "running")
        answer = self.place("orderly").json
        self.assertEqual(answer["degraded"], [])
        self.assertIn("unruly.cost", answer["ranking"][0]["costs"])

    def expect_degraded(self, wish, why):
        answer = self.place(wish)
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual(answer.json["degraded"], [{"plugin": "unruly.cost", "why": why}])
        self.assertEqual(len(answer.json["ranking"]), 3, "it places on")
        self.wait_until_back()

    def test_a_call_that_ends_its_worker(self):
        self.expect_degraded("please-crash", SEGFAULT)
        self.expect_degraded("please-hang", "plugin unruly, unruly.cost: its worker was killed: no answer within 400 ms")
        state = self.plugin()
        self.assertEqual((state["isolation"], state["restarts"], state["misses"]), ("worker", 2, 2))
        self.assertEqual(state["last_error"], "its worker was killed: no answer within 400 ms")
        metrics = self.emplace.get("/metrics").text
        self.assertIn('emplace_plugin_restarts_total{plugin="unruly"} 2', metrics)
        for name in ("calls", "errors", "misses", "restarts"):
            self.assertIn(f"# TYPE emplace_plugin_{name}_total counter", metrics)
        self.assertIn('emplace_plugin_running{plugin="unruly"} 1', metrics)
        self.assertIn('emplace_plugin_running{plugin="wrongmajor"} 0', metrics)

    def test_a_call_that_a_plugin_may_not_make(self):
        if service.is_sanitized():
            self.assertNotIn("seccomp", self.plugin()["confinement"])
            self.skipTest("seccomp and limits on memory are left out under a sanitizer")
        self.assertEqual(self.plugin()["confinement"][:4], ["no_new_privs", "rlimits", "seccomp", "parent_death_signal"])
        why = "plugin unruly, unruly.cost: its worker was ended for a system call that plugins may not make: "
        for wish, call in (("please-fork", "clone"), ("please-socket", "socket"), ("please-open", "openat")):
            self.expect_degraded(wish, why + call)

    def test_results_that_are_none(self):
        self.expect_degraded("please-nan", "plugin unruly, unruly.cost: wanted a finite cost for candidate 0, found nan")
        self.expect_degraded("please-short", "plugin unruly, unruly.cost: wanted results for 3 candidates, found 2")
        self.assertEqual(self.plugin()["restarts"], 0)

    def test_texts_that_are_none(self):
        """A plugin's babble is in the answer and in the store as text, and the claim is taken."""
        body = {"vm": vm("please-babble"), "profile": "default", "claim": True}
        answer = self.emplace.post("/v1/placements", body)
        self.assertEqual(answer.status, 200, answer)
        self.assertTrue(answer.json["degraded"][0]["why"].startswith("plugin unruly, unruly.cost: ä\ufffd\ufffd\x01"), answer)
        stored = self.emplace.get(f"/v1/decisions/{answer.json['decision_id']}")
        self.assertEqual(stored.json["decision"]["degraded"], answer.json["degraded"])
        for wish in ("please-refuse", "please-refuse-please-throw"):
            refused = self.emplace.post("/v1/placements", {"vm": vm(wish), "profile": "filtered", "explain": "full"})
            self.assertEqual((refused.status, refused.json["ranking"]), (200, []), refused)

    def test_a_memory_hog(self):
        if service.is_sanitized():
            self.skipTest("seccomp and limits on memory are left out under a sanitizer")
        self.write_config(["unruly"], deadline_ms=20_000)
        self.reload()
        self.expect_degraded("please-hog", "plugin unruly, unruly.cost: its worker ran out of the memory that it may use")

    def test_a_filter_that_fails_keeps_no_host(self):
        answer = self.place("please-filter-please-crash", "filtered").json
        self.assertEqual(answer["ranking"], [])
        self.assertEqual(answer["degraded"][0]["plugin"], "unruly.filter")
        self.wait(lambda: self.plugin()["state"] == "running")
        self.assertEqual(len(self.place("orderly", "filtered").json["ranking"]), 3)

    def test_an_objective_that_must_not_fail(self):
        answer = self.place("please-crash", "vital")
        self.assertEqual((answer.status, answer.json["code"]), (503, "emplace.objective.failed"), answer)
        self.assertIn(SEGFAULT, answer.json["detail"])

    def test_the_last_good_answer(self):
        first = self.place("orderly", "remembering").json
        self.write_config(["unruly"])
        for worker in workers_of(self.emplace.process.pid):
            os.kill(worker, signal.SIGSTOP)
        second = self.place("orderly", "remembering").json
        for one, other in zip(first["ranking"], second["ranking"], strict=True):
            self.assertEqual(one["costs"]["unruly.cost"]["value"], other["costs"]["unruly.cost"]["value"])
            self.assertEqual(other["costs"]["unruly.cost"]["quality"], "stale")
        self.assertRegex(second["degraded"][0]["why"], r"killed: no answer within 400 ms; its last good costs, \d+\.\d s old, used on 3 of 3 hosts")

    def test_a_library_that_cannot_be_loaded(self):
        faults = {
            "wrongmajor": "wanted ABI 1.0 to 1.2, found 99.",
            "no_symbol": "wanted the symbol emplace_plugin_entry, found none",
            "throwinginitialiser": "while it was loaded, its worker",
            "good": "it was cut off",
        }
        for name, why in faults.items():
            with self.subTest(name):
                state = self.plugin(name)
                self.assertEqual(state["state"], "refused")
                self.assertIn(f"libemplace_{name}.so): ", state["why"])
                self.assertIn(why, state["why"])
                answer = self.place("orderly", name).json
                self.assertEqual(len(answer["ranking"]), 3)
                self.assertIn(why, answer["degraded"][0]["why"])
        self.put("good")
        self.reload()
        self.assertEqual(self.plugin("good")["state"], "running")
        self.assertEqual(self.place("orderly", "good").json["degraded"], [])

    def test_a_manifest_that_is_none(self):
        state = self.plugin("plain")
        self.assertEqual((state["state"], state["isolation"], state["version"], state["rules"]), ("refused", "worker", None, []))
        self.assertIn("plain.json: ", state["why"])
        self.assertIn("version: wanted a value, found none", state["why"])
        self.assertIn(f"plugin plain: refused: {state['why']}", self.emplace.get("/readyz").json["warnings"])
        self.assertIn("event=plugin_refused plugin=\"plain\"", self.emplace.said())
        answer = self.place("orderly", "plain").json
        self.assertEqual(len(answer["ranking"]), 3)
        self.assertEqual(answer["degraded"], [{"plugin": "plain.cost", "why": f"plugin plain was refused: {state['why']}"}])
        self.put("plain")
        self.reload()
        self.assertEqual(self.plugin("plain")["state"], "running")
        self.assertEqual(self.place("orderly", "plain").json["degraded"], [])

    def reload(self):
        before = self.emplace.said().count("event=reload")
        self.emplace.process.send_signal(signal.SIGHUP)
        self.wait(lambda: self.emplace.said().count("event=reload") > before)

    def test_a_plugin_is_replaced_between_requests(self):
        self.write_config(["unruly", "plain"])
        self.put("plain")
        self.reload()
        self.assertEqual({one["id"] for one in self.emplace.get("/v1/plugins").json["plugins"]}, {"unruly", "plain"})
        self.assertIn("plain.cost", self.place("orderly", "plain").json["ranking"][0]["costs"])
        self.put("wrongmajor", called="plain")
        self.reload()
        self.assertRegex(self.emplace.said(), r"level=error event=reload error=.*libemplace_plain\.so\): wanted ABI 1\.0 to 1\.2, found 99\.")
        self.assertEqual(self.plugin("plain")["state"], "running", "a bad one changes nothing")

    def test_pictures_that_a_request_brings(self):
        states = [{"host": f"g{i}", "nodename": f"g{i}", "total_usable_ram_mb": 1000, "free_ram_mb": 1000, "vcpus_total": 4} for i in range(3)]
        answer = self.emplace.post("/v1/filter", {"vm": vm("orderly"), "filters": ["unruly.filter"], "host_states": states}, check=False)
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual(answer.json["passed"], ["g0", "g1", "g2"])

    def test_no_worker_outlives_a_service_that_is_killed(self):
        pid = self.emplace.process.pid
        self.assertGreaterEqual(len(workers_of(pid)), 1)
        self.emplace.process.kill()
        self.emplace.process.wait(60)
        self.wait(lambda: not workers_of(pid))
        self.emplace.stop = lambda: None
        self.emplace.process.stdout.close()
        self.emplace.log.close()
        shutil.rmtree(self.emplace.data, ignore_errors=True)
