"""The filter and the weigher of clients/nova in Nova's own host manager, loaded by name from a nova.conf, beside a real emplaced.

EMPLACE_TEST_GREEN=1: all of it in eventlet's threads, as Zed's nova-scheduler runs.
"""

# pylint: disable=protected-access

import os

if os.environ.get("EMPLACE_TEST_GREEN"):
    try:
        import eventlet
    except ImportError as missing:
        print(f"skipped: {missing} (apt-get install --no-install-recommends python3-nova)")
        raise SystemExit(77) from missing
    eventlet.monkey_patch()

import ast
import contextlib
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import types
import unittest
import unittest.mock
import uuid

ROOT = pathlib.Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "clients/nova/emplace_nova"
sys.path.insert(0, str(PACKAGE.parent))
os.environ["OS_NOVA_DISABLE_EVENTLET_PATCHING"] = "1"
try:
    import nova.conf
    from nova import context as nova_context
    from nova import objects
    from nova.scheduler import manager, weights
except ImportError as error:
    print(f"skipped: {error} (apt-get install --no-install-recommends python3-nova)")
    sys.exit(77)

import cases
import codec
import features  # noqa: F401  registers them
import managers
import numa_cases  # noqa: F401  likewise
from ask import Emplace, Refused
from emplace_nova import client, hook, options

CONF = nova.conf.CONF
LOG = "emplace_nova.hook"
NOVA_CONF = """
[filter_scheduler]
available_filters = nova.scheduler.filters.all_filters
available_filters = emplace_nova.EmplaceFilter
enabled_filters = ComputeFilter,EmplaceFilter
weight_classes = nova.scheduler.weights.all_weighers,emplace_nova.EmplaceWeigher
shuffle_best_same_weighed_hosts = false
[emplace]
url = {url}
token_file = {token_file}
timeout = 20
breaker = 3600
"""
# Nova sees four equal hosts; Emplace has no room on `small` and has never heard of `stranger`.
INVENTORY = {
    "hosts": [
        {"name": "small", "vcpus": 1, "memory_mib": 256, "disk_gib": 1},
        {"name": "half", "vcpus": 64, "memory_mib": 65536, "disk_gib": 2000},
        {"name": "big", "vcpus": 64, "memory_mib": 262144, "disk_gib": 2000},
    ],
    "vms": [{"name": "v1", "host": "half", "vcpus": 30, "memory_mib": 30000, "disk_gib": 40}],
}
KNOWN = ["small", "half", "big"]


def states(names, nodes=None):
    now = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
    hosts = [{"host": name, "node": node, "uuid": str(uuid.uuid4()), "aggregates": [], "instances": {}}
             for name, node in zip(names, nodes or names)]
    return codec.host_states({"now": now, "aggregates": {}, "hosts": hosts})


def spec(context=None, vcpus=2, memory_mb=2048, **fields):
    flavor = objects.Flavor(vcpus=vcpus, memory_mb=memory_mb, root_gb=10, ephemeral_gb=0, swap=0, name="m1", extra_specs={})
    none = objects.InstancePCIRequests(requests=[])
    given = {"instance_uuid": str(uuid.uuid4()), "project_id": "p1", "user_id": "u", "num_instances": 1, "image": None,
             "availability_zone": None, "instance_group": None, "numa_topology": None, "scheduler_hints": {}, "pci_requests": none,
             "ignore_hosts": None, "force_hosts": None, "force_nodes": None, "requested_destination": None, "flavor": flavor}
    return objects.RequestSpec(context, **{**given, **fields})


def names(hosts):
    return [host.host for host in hosts]


class Silent:
    """A server that takes questions and sends one byte after the other, never a whole answer. It ends at last, so that a client that waits is told from one
    that gives up."""

    def __init__(self, start, byte):
        self.start, self.byte = start, byte
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._serve)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *unused):
        self.over.set()
        self.thread.join()
        self.listener.close()

    def _serve(self):
        connection, _ = self.listener.accept()
        with connection, contextlib.suppress(OSError):
            connection.sendall(self.start)
            for _ in range(1000):
                if self.over.wait(0.01):
                    break
                connection.sendall(self.byte)


def refused_url():
    """Where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


class ClientTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.emplace = Emplace()
        cls.service = cls.emplace.service
        cls.addClassCleanup(cls.emplace.__exit__)
        answer = cls.service.post("/v1/inventory:import", INVENTORY)
        assert answer.status == 200, answer
        cls.scratch = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        (cls.scratch / "token").write_text(cls.service.token + "\n")
        (cls.scratch / "nova.conf").write_text(NOVA_CONF.format(url=f"http://{cls.service.address}", token_file=cls.scratch / "token"))
        CONF(["--config-file", str(cls.scratch / "nova.conf")], project="nova")
        cls.manager = types.SimpleNamespace(host_manager=managers.HostManager())

    def setUp(self):
        options.settings()
        for one in self.reserved():  # who asks again, in vain, gives up what was reserved
            self.emplace.post("/v1/filter", {"vm": {"id": one["id"], "vcpus": 1000, "memory_mib": 1}, "hosts": ["small"], "reserve": True})
        self.addCleanup(self.configure)
        self.configure()

    def configure(self, **values):
        """[emplace] with these values; a process that has not asked yet."""
        for option in options.OPTIONS:
            CONF.clear_override(option.name, group="emplace")
        for name, value in values.items():
            CONF.set_override(name, value, group="emplace")
        if options._client:
            for connection in options._client._idle:
                connection.close()
        options._client = None

    def filter(self, hosts, request):
        return self.manager.host_manager.get_filtered_hosts(hosts, request)

    def sort(self, hosts, request, index=0):
        """As Nova's scheduler does: filter, weigh, order."""
        return names(manager.SchedulerManager._get_sorted_hosts(self.manager, request, hosts, index))

    def weights(self, hosts, request):
        return {one.obj.host: one.weight for one in self.manager.host_manager.get_weighed_hosts(hosts, request)}

    @staticmethod
    def scores(hosts, request):
        """What the weigher gives them."""
        return hook.EmplaceWeigher().weigh_objects([weights.WeighedHost(host, 0.0) for host in hosts], request)

    def logged(self, level="INFO"):
        return self.assertLogs(LOG, level)

    def asked(self):
        """How many questions emplaced has answered."""
        log = pathlib.Path(f"/proc/self/fd/{self.service.log.fileno()}").read_bytes()
        return log.count(b"event=filter")

    def reserved(self):
        return [vm for vm in self.service.get("/v1/vms?limit=1000").json["vms"] if vm["state"] == "claimed"]

    @contextlib.contextmanager
    def questions(self):
        """Those that are asked meanwhile."""
        asked, ask = [], client.Client.ask

        def record(asking, question, request=""):
            asked.append(question)
            return ask(asking, question, request)

        with unittest.mock.patch.object(client.Client, "ask", record):
            yield asked

    # ---- modes

    def test_shadow_changes_nothing_and_says_what_it_would_do(self):
        hosts = states(KNOWN)
        with self.logged() as log:
            passed = self.filter(hosts, spec())
        self.assertEqual(names(passed), KNOWN)
        self.assertEqual(len(set(self.weights(passed, spec()).values())), 1)
        self.assertIn("(shadow)", log.output[0])
        self.assertRegex(log.output[0], "of 3 hosts 2 pass, first (big|half).*refused: 1 for capacity")

    def test_advise_orders_and_refuses_none(self):
        self.configure(mode="advise", weight_multiplier=2.0)
        request = spec()
        scores = self.emplace.post("/v1/filter", {
            "request_spec": request.obj_to_primitive(), "hosts": KNOWN, "scores": True})["scores"]
        hosts = self.filter(states(KNOWN), request)
        weights = self.weights(hosts, request)
        self.assertEqual(names(hosts), KNOWN)
        self.assertEqual(sorted(scores), ["big", "half"])
        self.assertAlmostEqual(weights["big"] - weights["half"], 2 * (scores["big"] - scores["half"]))
        self.assertAlmostEqual(weights["half"] - weights["small"], 2 * scores["half"])
        self.assertEqual(self.sort(states(KNOWN), request), sorted(KNOWN, key=lambda name: -scores.get(name, 0)))

    def test_enforce_orders_and_refuses(self):
        self.configure(mode="enforce")
        request = spec()
        with self.logged("DEBUG") as log:
            found = self.sort(states(KNOWN), request)
        self.assertEqual(sorted(found), ["big", "half"])
        self.assertEqual(found, self.sort(states(KNOWN[::-1]), request))
        self.assertRegex("\n".join(log.output), "host small refused by .*: capacity.*, wanted .*, found ")

    def test_profile_is_the_one_that_is_named(self):
        profile = {"method": "weighted_sum", "filters": [], "objectives": [{"id": "resource.load"}]}
        self.assertEqual(self.service.call("PUT", "/v1/profiles/open", profile).status, 200)
        self.configure(mode="enforce", profile="open")
        self.assertEqual(sorted(self.sort(states(KNOWN), spec())), sorted(KNOWN))
        self.configure(mode="enforce", profile="nowhere")
        with self.logged("WARNING") as log:
            self.assertEqual(sorted(self.sort(states(KNOWN), spec())), sorted(KNOWN))
        self.assertIn("nowhere", log.output[0])

    def test_enforce_refuses_all_when_none_fits(self):
        self.configure(mode="enforce")
        self.assertEqual(self.sort(states(KNOWN), spec(memory_mb=10**7)), [])

    def test_one_host_is_judged_though_nova_weighs_none(self):
        self.configure(mode="enforce")
        self.assertEqual(self.sort(states(["big"]), spec()), ["big"])
        self.assertEqual(self.sort(states(["small"]), spec()), [])

    def test_nodes_of_one_host_share_its_verdict(self):
        self.configure(mode="enforce")
        hosts = self.filter(states(["big", "small", "big"], ["n1", "n2", "n3"]), spec())
        self.assertEqual([host.nodename for host in hosts], ["n1", "n3"])

    def test_unknown_host_passes_with_a_neutral_score(self):
        self.configure(mode="enforce")
        request = spec()
        with self.logged() as log:
            hosts = self.filter(states(["stranger", "big", "small"]), request)
        self.assertEqual(names(hosts), ["stranger", "big"])
        self.assertEqual(self.scores(hosts, request), [0.5, 1.0])
        self.assertRegex("\n".join(log.output), "WARNING.*stranger.* is not known")

    def test_unknown_host_is_refused_if_wanted_in_enforce_alone(self):
        self.configure(mode="enforce", refuse_unknown_hosts=True)
        self.assertEqual(names(self.filter(states(["stranger", "big"]), spec())), ["big"])
        self.configure(mode="advise", refuse_unknown_hosts=True)
        self.assertEqual(names(self.filter(states(["stranger", "big"]), spec())), ["stranger", "big"])

    def test_shortlist_leaves_nova_the_first_ones_in_enforce_alone(self):
        self.configure(mode="enforce", shortlist=1)
        request = spec()
        best = self.sort(states(KNOWN), request)
        self.assertEqual(len(best), 1)
        self.assertEqual(request.emplace_scores[best[0]], 1.0)
        self.assertEqual(names(self.filter(states(["big", "big", "small"], ["n1", "n2", "n3"]), spec())), ["big", "big"])
        self.configure(mode="enforce", shortlist=1, refuse_unknown_hosts=True)
        self.assertEqual(names(self.filter(states(["stranger", "half", "small"]), spec())), ["half"])
        self.configure(mode="enforce", shortlist=2)
        self.assertEqual(names(self.filter(states(KNOWN), spec())), [name for name in KNOWN if name != "small"])
        self.configure(mode="advise", shortlist=1)
        self.assertEqual(names(self.filter(states(KNOWN), spec())), KNOWN)

    # ---- when it is asked

    def test_rebuild_and_forced_hosts_do_not_ask(self):
        self.configure(mode="enforce")
        before = self.asked()
        rebuild = spec(scheduler_hints={"_nova_check_type": ["rebuild"]})
        self.assertEqual(names(self.filter(states(["small", "big"]), rebuild)), ["small", "big"])
        self.assertEqual(names(self.filter(states(["small", "big"]), spec(force_hosts=["small"]))), ["small"])
        self.assertEqual(self.asked(), before)

    def test_each_instance_of_a_multi_create_is_asked_once(self):
        self.configure(mode="enforce")
        before = self.asked()
        hosts = states(KNOWN)
        for index in range(3):
            self.assertEqual(len(self.sort(hosts, spec(num_instances=3), index)), 2)
        self.assertEqual(self.asked(), before + 3)

    # ---- reservations

    def test_advise_and_enforce_reserve_and_shadow_does_not(self):
        for mode, wanted in (("shadow", None), ("advise", True), ("enforce", True)):
            self.configure(mode=mode)
            with self.questions() as asked:
                self.sort(states(KNOWN), spec())
            self.assertEqual([question.get("reserve") for question in asked], [wanted], mode)
        self.assertEqual(len(self.reserved()), 2)

    def test_requests_find_taken_what_was_reserved_before(self):
        self.configure(mode="enforce")
        taken = [self.sort(states(["big", "half"]), spec(vcpus=1, memory_mb=20000))[0] for _ in range(14)]
        self.assertEqual((taken.count("big"), taken.count("half")), (13, 1))
        self.assertEqual(sorted(one["host"] for one in self.reserved()), sorted(taken))
        self.assertEqual(self.sort(states(["big", "half"]), spec(vcpus=1, memory_mb=20000)), [])

    def test_hosts_to_fall_back_on_are_asked_for_without_reserving(self):
        self.configure(mode="enforce")
        request, last = spec(num_instances=2), str(uuid.uuid4())
        with self.questions() as asked:
            self.sort(states(KNOWN), request)
            request.instance_uuid = last
            self.sort(states(KNOWN), request, 1)
            self.sort(states(KNOWN), request, 1)
        self.assertEqual([question.get("reserve") for question in asked], [True, True, None])
        self.assertEqual(len(self.reserved()), 2)

    def test_reschedule_reserves_anew(self):
        self.configure(mode="enforce")
        same = str(uuid.uuid4())
        self.sort(states(["half"]), spec(instance_uuid=same))
        self.sort(states(["big"]), spec(instance_uuid=same))
        deadline = time.monotonic() + 60  # the first may come back from the store after the second was decided
        while [(one["id"], one["host"]) for one in self.reserved()] != [(same, "big")]:
            self.assertLess(time.monotonic(), deadline, self.reserved())

    def test_request_without_an_instance_reserves_nothing(self):
        self.configure(mode="enforce")
        request = spec()
        del request._obj_instance_uuid
        with self.questions() as asked:
            self.assertEqual(len(self.sort(states(KNOWN), request)), 2)
        self.assertNotIn("reserve", asked[0])

    def test_score_of_the_instance_before_does_not_survive(self):
        self.configure(mode="enforce")
        request = spec()
        hosts = self.filter(states(KNOWN), request)
        self.assertEqual(sorted(self.scores(hosts, request)), [0.5, 1.0])
        self.configure(mode="enforce", url=refused_url())
        hosts = self.filter(hosts, request)
        self.assertEqual(self.scores(hosts, request), [0.5, 0.5])

    def test_request_id_reaches_the_log_of_emplaced(self):
        context = nova_context.RequestContext("u", "p1", request_id=f"req-{uuid.uuid4()}", global_request_id=f"req-{uuid.uuid4()}")
        self.filter(states(KNOWN), spec(context))
        self.assertIn(f"global={context.global_request_id}", self.service.said())
        context = nova_context.RequestContext("u", "p1", request_id=f"req-{uuid.uuid4()}")
        self.filter(states(KNOWN), spec(context))
        self.assertIn(f"global={context.request_id}", self.service.said())

    def test_sixteen_threads_get_their_own_answers(self):
        self.configure(mode="enforce")
        failures = []

        def ask(count):
            same = str(uuid.uuid4())  # each thread reserves for one instance, or the hosts were full
            for _ in range(8):
                given = [KNOWN, ["big", "small"], ["half"], ["small"]][count % 4]
                found = names(self.filter(states(given), spec(instance_uuid=same, vcpus=1, memory_mb=512)))
                if found != [name for name in given if name != "small"]:
                    failures.append((given, found))

        threads = [threading.Thread(target=ask, args=(count,)) for count in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])

    # ---- when it does not answer

    def all_pass(self, message):
        """The request's hosts, as if there were no filter; and why."""
        request = spec()
        with self.logged("WARNING") as log:
            hosts = self.filter(states(KNOWN), request)
        self.assertEqual(names(hosts), KNOWN)
        self.assertEqual(set(self.scores(hosts, request)), {0.5})
        self.assertRegex("\n".join(log.output), message)
        return "\n".join(log.output)

    def test_dead_service_lets_all_pass(self):
        self.configure(mode="enforce", url=refused_url())
        self.all_pass("refused|ECONNREFUSED")
        self.all_pass("not asked for now, since .*(refused|ECONNREFUSED)")

    def test_stopped_service_costs_one_time_out_and_is_asked_again_later(self):
        self.configure(mode="enforce", timeout=0.2, breaker=3600)
        self.assertEqual(len(self.filter(states(KNOWN), spec())), 2)
        self.service.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.service.process.pid, os.WSTOPPED)  # all its threads
        try:
            self.all_pass(": no whole answer within 0.2 s|: timed out")
            self.all_pass("not asked for now, since ")
        finally:
            self.service.process.send_signal(signal.SIGCONT)
        self.all_pass("not asked for now, since ")
        options.client()._breaker._until = 0.0  # its time is over
        self.assertEqual(len(self.until_asked()), 2)
        self.assertEqual(len(self.filter(states(KNOWN), spec())), 2)

    def until_asked(self):
        """The machine may be slow to wake emplaced; each try here is one after the breaker's time."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            hosts = self.filter(states(KNOWN), spec())
            if len(hosts) < len(KNOWN):
                return hosts
            options.client()._breaker._until = 0.0
        self.fail("it was not asked again")

    def test_service_that_trickles_costs_one_time_out(self):
        for start, byte in ((b"HTTP/1.1 200 OK\r\nX-Long: ", b"a"), (b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", b" ")):
            with Silent(start, byte) as server:
                self.configure(mode="enforce", url=server.url, timeout=0.3)
                self.all_pass("no whole answer within 0.3 s|timed out")
                self.all_pass("not asked for now, since ")

    def test_idle_connection_that_was_closed_is_replaced(self):
        self.configure(mode="enforce")
        self.filter(states(KNOWN), spec())
        idle = options.client()._idle
        self.assertEqual(len(idle), 1)
        idle[0].sock.socket.shutdown(socket.SHUT_RDWR)
        self.assertEqual(len(self.filter(states(KNOWN), spec())), 2)

    def test_question_that_is_refused_does_not_stop_the_next(self):
        self.configure(mode="enforce")
        with self.logged("WARNING") as log:
            hosts = self.filter(states(["x" * 100000]), spec())
        self.assertEqual(len(hosts), 1)
        with self.assertRaises(Refused):
            self.emplace.post("/v1/filter", {"request_spec": spec().obj_to_primitive(), "hosts": ["x" * 100000],
                                              "unknown_hosts": "pass"})
        self.assertRegex(log.output[0], "status 4..")
        self.assertEqual(len(self.filter(states(KNOWN), spec())), 2)

    # ---- tokens

    def test_wrong_token_lets_all_pass_and_is_not_told(self):
        for text, message in (("not-the-token", "status 401"), ("two\nnot-the-token", "wanted one word"), ("", "wanted one word")):
            (self.scratch / "wrong").write_text(text)
            self.configure(mode="enforce", token_file=str(self.scratch / "wrong"))
            with self.assertLogs(level="DEBUG") as everything:
                self.all_pass(message)
            self.assertNotIn("not-the-token", "\n".join(everything.output))

    def test_missing_token_file_is_named(self):
        self.configure(mode="enforce", token_file="/nowhere/token")
        self.all_pass("/nowhere/token")

    def test_right_token_is_not_told(self):
        self.configure(mode="enforce")
        with self.assertLogs(level="DEBUG") as everything:
            self.filter(states(KNOWN), spec())
        self.assertNotIn(self.service.token, "\n".join(everything.output))

    # ---- defects

    def test_answer_of_another_shape_lets_all_pass(self):
        whole = {"refused": [], "degraded": [], "unknown": [], "scores": {}}
        for answer in (whole, {**whole, "scores": {"big": "much"}}, {**whole, "scores": {"big": 1.5}}, {**whole, "refused": [1]}):
            self.configure(mode="enforce")
            with unittest.mock.patch.object(client.Client, "_exchange", lambda *_, found=answer: (200, client.json.dumps(found))):
                self.all_pass("did not judge")
        for body in ("[]", "", "{}", "<html>"):
            self.configure(mode="enforce")
            with unittest.mock.patch.object(client.Client, "_exchange", lambda *_, found=body: (200, found.encode())):
                self.all_pass("wanted an object|an answer without")


class BreakerTest(unittest.TestCase):
    def test_lets_one_try_when_its_time_is_over(self):
        now = [0.0]
        breaker = client.Breaker(30, lambda: now[0])
        breaker.enter()
        breaker.failed("it hangs")
        now[0] = 29.9
        self.assertRaisesRegex(client.NoAnswer, "it hangs", breaker.enter)
        now[0] = 30.0
        breaker.enter()
        self.assertRaises(client.NoAnswer, breaker.enter)
        breaker.worked()
        breaker.enter()
        breaker.enter()


class PrimitiveTest(unittest.TestCase):
    """Of the specs that the rules are compared with."""

    def without_changes(self, value):
        if isinstance(value, list):
            return [self.without_changes(one) for one in value]
        if isinstance(value, dict):
            return {key: self.without_changes(one) for key, one in value.items() if key != "nova_object.changes"}
        return value

    def test_is_what_nova_makes_without_the_changes(self):
        specs = [codec.request_spec(cases.random_case(seed)) for seed in range(300)]
        for request in specs:
            self.assertEqual(hook.primitive(request), self.without_changes(request.obj_to_primitive()))
        self.assertTrue(any(request.numa_topology for request in specs) and any(request.instance_group for request in specs))


class ImportTest(unittest.TestCase):
    def test_names_no_thread_library_but_threading(self):
        for file in PACKAGE.glob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                found = [one.name for one in node.names] if isinstance(node, ast.Import) else []
                found += [node.module] if isinstance(node, ast.ImportFrom) else []
                self.assertFalse([one for one in found if one.split(".")[0] in ("eventlet", "greenlet")], file)

    def test_client_brings_neither_eventlet_nor_nova(self):
        load = (f"import importlib.util as u, sys; s = u.spec_from_file_location('c', {str(PACKAGE / 'client.py')!r});"
                "m = u.module_from_spec(s); s.loader.exec_module(m);"
                "sys.exit(bool({'eventlet', 'greenlet', 'nova'} & set(sys.modules)))")
        self.assertEqual(subprocess.run([sys.executable, "-c", load], check=False).returncode, 0)


if __name__ == "__main__":
    unittest.main()
