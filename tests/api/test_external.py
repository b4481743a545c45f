"""SAP's contract: the order of the hosts that a scheduler names, and never less than that.

golden/external has what their callers of both generations send and what they must get, byte for byte, on the cluster that lies
beside it. The requests were made from RequestSpecs of ours.
"""

import json
import os
import pathlib
import random
import shutil
import signal
import tempfile
import time
import unittest

import service
from service import hosts

GOLDEN = pathlib.Path(__file__).with_name("golden") / "external"
SAMPLES = service.ROOT.parent / "shared/data/nova_samples"
SPECS = sorted([*SAMPLES.glob("0*.json"), *SAMPLES.glob("real_*create*.json")])
PLUGINS = pathlib.Path(os.environ.get("EMPLACE_TEST_PLUGINS", service.ROOT / "build/tests/plugin/plugins"))
PATH = "/compat/nova/external"
ID = "00000000-0000-4000-8000-{:012}"


def spec(number=1, vcpus=2, memory_mb=2048, hints=None, properties=None, **fields):
    flavor = {"vcpus": vcpus, "memory_mb": memory_mb, "root_gb": 10, "ephemeral_gb": 0, "swap": 0, "extra_specs": {}}
    image = {"nova_object.data": {"id": "i1", "properties": {"nova_object.data": properties or {}}}}
    data = {"instance_uuid": ID.format(number), "num_instances": 1, "flavor": {"nova_object.data": flavor}, "image": image,
            "scheduler_hints": hints or {}, **fields}
    return {"nova_object.name": "RequestSpec", "nova_object.data": data}


def sized(name, vcpus, **fields):
    return {"name": name, "vcpus": vcpus, "memory_mib": 65536, "disk_gib": 500, **fields}


def named(*names):
    return [{"host": name, "hypervisor_hostname": name} for name in names]


class External(unittest.TestCase):
    def setUp(self):
        self.emplace = service.shared()
        self.emplace.reset()

    def load(self, inventory):
        answer = self.emplace.post("/v1/inventory:import", inventory)
        self.assertEqual(answer.status, 200, answer)

    def put_load(self):
        """A profile that prefers hosts with the most room."""
        load = {"filters": ["capacity"], "objectives": [{"id": "resource.load", "resolution": 1e-9}]}
        self.assertEqual(self.emplace.call("PUT", "/v1/profiles/load", load).status, 200)

    def ask(self, body, emplace=None):
        answer = (emplace or self.emplace).post(PATH, body)
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual(list(answer.json), ["hosts"], "no other key")
        return answer

    def order(self, **body):
        return self.ask({"spec": spec(), **body}).json["hosts"]


class Golden(External):
    def test_is_answered_byte_for_byte(self):
        requests = sorted(GOLDEN.glob("*.request.json"))
        self.assertTrue(requests)
        objectives = [{"id": "resource.stranding"}]
        packed = {"method": "lexicographic", "filters": ["capacity", "state"], "objectives": objectives}
        self.assertEqual(self.emplace.call("PUT", "/v1/profiles/packed", packed).status, 200)
        for request in requests:
            with self.subTest(request.name):
                self.emplace.reset()
                self.load(json.loads((GOLDEN / "cluster.json").read_text()))
                answer = self.emplace.post(PATH, request.read_bytes())
                self.assertEqual(answer.status, 200, answer)
                wanted = request.with_name(request.name.replace(".request.", ".answer."))
                self.assertEqual(answer.text.encode(), wanted.read_bytes())
                self.assertEqual(answer.headers["content-type"], "application/json")


class Order(External):
    def test_is_the_profiles(self):
        self.load({"hosts": [sized(f"h{i}", 4 * (i + 1)) for i in range(5)]})
        self.put_load()
        asked = ["h2", "h0", "h4", "h1", "h3"]
        self.assertEqual(self.order(hosts=named(*asked), weights={"h0": 9.0}, pipeline="load"), ["h4", "h3", "h2", "h1", "h0"])

    def test_of_equal_hosts_is_the_callers_by_weight_then_as_sent(self):
        self.load(hosts(300))
        names = [f"h{i}" for i in range(300)]
        random.Random(7).shuffle(names)
        weights = {name: float(int(name[1:]) % 3) for name in names[:200]}  # the others have none
        wanted = sorted(names, key=lambda name: -weights.get(name, -1.0))
        self.assertEqual(self.order(hosts=named(*names), weights=weights), wanted)

    def test_lists_all_hosts_and_those_beyond_the_ranked_by_weight(self):
        self.load({"hosts": [sized(f"h{i:03}", 100 + i) for i in range(200)]})
        self.put_load()
        names = [f"h{i:03}" for i in range(200)]
        weights = {name: int(name[1:]) % 10 for name in names}
        got = self.order(spec=spec(vcpus=50), hosts=named(*names), weights=weights, pipeline="load")
        self.assertEqual(got[:128], names[:71:-1], "the least load first")
        self.assertEqual(got[128:], sorted(names[:72], key=lambda name: -weights[name]))

    def test_puts_hosts_that_are_not_known_last_by_weight(self):
        self.load({"hosts": [*hosts(2)["hosts"], {"name": "small", "vcpus": 1, "memory_mib": 1}]})
        weights = {"x2": 5, "h0": 2.5, "x1": -1, "h1": 1, "small": 99}
        answer = self.ask({"spec": spec(), "hosts": named("x1", "h1", "x2", "small", "x3", "h0"), "weights": weights})
        self.assertEqual(answer.json["hosts"], ["h0", "h1", "x2", "x1", "x3"])
        self.assertEqual(answer.headers["x-emplace-degraded"], "picture")
        self.assertIn("picture: hosts that are not known: x2, x1, x3", self.emplace.said())

    def test_of_nothing_known_is_the_callers(self):
        self.assertEqual(self.order(hosts=named("a", "b", "c"), weights={"c": 1, "b": 2}), ["b", "c", "a"])
        self.assertEqual(self.order(hosts=[]), [])

    def test_has_a_host_of_several_nodes_once_where_its_best_node_is(self):
        self.load({"hosts": [sized("big", 64), sized("metal/n1", 1), sized("metal/n2", 16), sized("iron/n1", 1)]})
        asked = [{"host": "iron", "hypervisor_hostname": "n1"}, {"host": "metal", "hypervisor_hostname": "n1"},
                 {"host": "metal", "hypervisor_hostname": "n2"}, {"host": "big"}]
        self.put_load()
        self.assertEqual(self.order(hosts=asked, pipeline="load"), ["big", "metal"])

    def test_is_of_the_profile_that_the_pipeline_names_else_the_default(self):
        self.load({"hosts": [sized("h0", 64), sized("h1", 1)]})
        self.assertEqual(self.emplace.call("PUT", "/v1/profiles/anything", {"filters": [], "objectives": []}).status, 200)
        asked = {"hosts": named("h1", "h0"), "weights": {"h1": 1.0, "h0": 0.0}}
        self.assertEqual(self.order(**asked, pipeline="anything"), ["h1", "h0"])
        self.assertEqual(self.order(**asked, pipeline="nova-external-scheduler-kvm"), ["h0"])
        self.assertEqual(self.order(**asked), ["h0"])

    def test_forgets_the_hosts_that_nova_has_chosen_from_already(self):
        self.load(hosts(3))
        asked = {"spec": spec(force_hosts=["h2"], ignore_hosts=["h0"]), "hosts": named("h0", "h1"), "weights": {}}
        self.assertEqual(self.ask(asked).json["hosts"], ["h0", "h1"])

    def test_asks_no_filter_of_hosts_that_are_forced(self):
        self.load({"hosts": [sized("h0", 8, state="disabled", zone="z1"), sized("h1", 8)]})
        forced = {"spec": spec(force_hosts=["h0"], availability_zone="z2"), "hosts": named("h0"), "weights": {}}
        self.assertEqual(self.ask(forced).json["hosts"], ["h0"])
        self.assertEqual(self.ask({**forced, "spec": spec(availability_zone="z2")}).json["hosts"], [])
        self.assertEqual(self.ask({**forced, "spec": spec(vcpus=9, force_hosts=["h0"])}).json["hosts"], [], "Placement is asked")

    def test_keeps_to_the_group_of_the_spec(self):
        self.load(hosts(3))
        group = lambda policy: {"nova_object.data": {"uuid": ID.format(9), "policy": policy, "policies": [policy], "_rules": {},
                                                     "members": [], "hosts": ["h1"]}}
        ask = lambda policy: self.order(spec=spec(instance_group=group(policy)), hosts=named("h0", "h1", "h2"))
        self.assertEqual(sorted(ask("anti-affinity")), ["h0", "h2"])
        self.assertEqual(ask("affinity"), ["h1"])

    def test_is_a_subset_without_repetitions_and_empty_only_when_all_are_refused(self):
        rng = random.Random(20)
        for case in range(30):
            self.emplace.reset()
            sizes = {f"h{i}": rng.choice([1, 2, 8, 64]) for i in range(rng.randrange(8))}
            states = ["enabled", "enabled", "disabled", "maintenance"]
            self.load({"hosts": [sized(name, size, state=rng.choice(states)) for name, size in sizes.items()]})
            asked = [rng.choice([*sizes, "x0", "x1", "x2"]) for _ in range(rng.randrange(12))]
            weights = {name: rng.choice([-1e6, 0, 0.5, 3]) for name in asked if rng.random() < 0.8}
            body = {"spec": spec(vcpus=rng.choice([1, 2, 8])), "hosts": named(*asked), "weights": weights}
            with self.subTest(case=case, body=body):
                question = {"request_spec": body["spec"], "hosts": sorted(set(asked)), "unknown_hosts": "pass"}
                passed = self.emplace.post("/v1/filter", question).json["passed"]
                got = self.ask(body).json["hosts"]
                self.assertEqual(len(got), len(set(got)))
                self.assertEqual(sorted(got), passed)
                self.assertEqual(bool(got), bool(passed))


class Acts(External):
    def test_ask_on_a_rebuild_only_what_nova_asks(self):
        self.load({"hosts": [sized("full", 1, state="disabled"), sized("full2", 1)]})
        filters = ["capacity", "state", "ComputeFilter", "IsolatedHostsFilter", "ImagePropertiesFilter"]
        everything = {"method": "nova", "filters": filters, "weighers": [{"id": "RAMWeigher"}]}
        self.assertEqual(self.emplace.call("PUT", "/v1/profiles/everything", everything).status, 200)
        asked = {"hosts": named("full2", "full"), "weights": {"full": 1.0}, "pipeline": "everything"}
        rebuild = {"_nova_check_type": ["rebuild"]}
        for said in ({"rebuild": True, "spec": spec()}, {"spec": spec(hints=rebuild)}, {"spec": spec(hints=rebuild), "live": True}):
            with self.subTest(said):
                self.assertEqual(self.order(**asked, **said), ["full", "full2"], "the host is settled")
                picky = spec(hints=said["spec"]["nova_object.data"]["scheduler_hints"], properties={"hw_architecture": "aarch64"})
                self.assertEqual(self.order(**{**asked, **said, "spec": picky}), [], "the image may not fit it")
        evacuate = {"spec": spec(hints={"_nova_check_type": ["evacuate"]})}
        for said in ({}, {"resize": True}, {"live": True}, {"vmware": True}, evacuate):
            with self.subTest(said):
                self.assertEqual(self.order(**asked, **said), [])

    def test_are_in_the_log_by_hint_or_flag(self):
        for words, intent in (
            ({"live": True}, "live_migrate"),
            ({"resize": True}, "resize"),
            ({}, "create"),
            ({"vmware": True}, "create"),
            ({"resize": True, "spec": spec(hints={"_nova_check_type": ["evacuate"]})}, "evacuate"),
        ):
            answer = self.ask({"spec": spec(), "hosts": named("x"), **words})
            request = answer.headers["x-openstack-request-id"]
            self.assertRegex(self.emplace.said(), rf"event=external request={request} .*intent={intent} ")

    def test_reserve_the_first_host(self):
        self.load(hosts(2, vcpus=2))
        ask = lambda number, **more: self.order(spec=spec(number), hosts=named("h0", "h1"), weights={"h0": 1.0}, **more)
        self.assertEqual(ask(1, rebuild=True), ["h0", "h1"])
        self.assertEqual(ask(1), ["h0", "h1"], "a rebuild reserves nothing")
        self.assertEqual(ask(2), ["h1"], "the first vm fills its host")
        self.assertEqual(ask(3), [])
        self.assertEqual(ask(1), ["h0"], "who asks again has given up what it had")
        self.assertEqual(self.emplace.get("/v1/hosts/h0").json["used"]["vcpus"], 2)

    def test_reserve_nothing_where_the_first_host_is_not_known(self):
        self.load(hosts(1, vcpus=1))
        self.assertEqual(self.order(hosts=named("x0", "h0")), ["x0"])
        self.assertEqual(self.emplace.get("/v1/hosts/h0").json["used"]["vcpus"], 0)


class Bodies(External):
    def test_may_have_fields_that_nobody_knows(self):
        self.load(hosts(1))
        body = {
            "spec": spec(a_new_field={"x": [1]}),
            "hosts": [{"host": "h0", "hypervisor_hostname": None, "uuid": ID.format(9)}],
            "weights": {"h0": 1, "other": 2},
            "context": {"roles": [], "request_id": "req-1", "new": 1},
            "options": {"read_only": True},
            "pipeline": None,
            "tomorrow": 1,
        }
        self.assertEqual(self.ask(body).json["hosts"], ["h0"])
        self.assertEqual(self.ask({**body, "context": None, "weights": None}).json["hosts"], ["h0"])

    def test_with_wrong_types_are_refused_by_name(self):
        self.load(hosts(1))
        good = {"spec": spec(), "hosts": named("h0"), "weights": {"h0": 1.0}}
        self.ask(good)
        no_flavor = {"nova_object.data": {"num_instances": 1}}
        for wrong, detail in (
            ({"spec": None}, "^spec: wanted a value"),
            ({"spec": 1}, "^spec: wanted a RequestSpec primitive"),
            ({"spec": no_flavor}, r"^spec\.flavor: wanted a value"),
            ({"spec": spec(vcpus="x")}, r"^spec\.flavor\.vcpus: wanted"),
            ({"hosts": None}, "^hosts: wanted a value"),
            ({"hosts": {}}, "^hosts: wanted a list"),
            ({"hosts": ["h0"]}, r"^hosts\[0\]: wanted an object"),
            ({"hosts": [{}]}, r"^hosts\[0\]\.host: wanted a value"),
            ({"hosts": [{"host": 1}]}, r"^hosts\[0\]\.host: wanted a name"),
            ({"hosts": [{"host": "h0", "hypervisor_hostname": []}]}, r"^hosts\[0\]\.hypervisor_hostname: wanted"),
            ({"weights": []}, "^weights: wanted an object"),
            ({"weights": {"h0": "1"}}, r"^weights\.h0: wanted a number"),
            ({"rebuild": 1}, "^rebuild: wanted true or false"),
            ({"vmware": "no"}, "^vmware: wanted"),
            ({"context": []}, "^context: wanted an object"),
            ({"context": {"request_id": 1}}, r"^context\.request_id: wanted"),
            ({"pipeline": 1}, "^pipeline: wanted"),
        ):
            with self.subTest(wrong):
                answer = self.emplace.post(PATH, {**good, **wrong})
                self.assertEqual(answer.status, 400, answer)
                self.assertRegex(answer.json["detail"], detail)

    @unittest.skipUnless(SPECS, f"no RequestSpec samples at {SAMPLES}")
    def test_with_real_specs_are_all_answered(self):
        self.load({"hosts": [sized(f"cmp{i:05}", 64, zone=zone) for i, zone in enumerate(["az1", "az-real"] * 3)]})
        names = [f"cmp{i:05}" for i in range(6)] + ["cmp99999"]
        for path in SPECS:
            with self.subTest(path.name):
                got = self.order(spec=json.loads(path.read_text()), hosts=named(*names))
                self.assertEqual(got[-1], "cmp99999")
                self.assertGreater(len(got), 1, "the group of some is bound to one host")


CONFIG = """
[[plugin]]
path = "{directory}/libemplace_unruly.so"
deadline_ms = 200

[[profile]]
name = "filtered"
filters = ["capacity", "unruly.filter"]
objectives = [ {{ id = "resource.load" }} ]

[[profile]]
name = "vital"
filters = ["capacity"]
objectives = [ {{ id = "resource.load" }}, {{ id = "unruly.cost", on_error = "fail" }} ]
"""


class Failures(unittest.TestCase):
    """A plugin that fails costs its say, and no host."""

    def setUp(self):
        self.files = tempfile.TemporaryDirectory()
        directory = pathlib.Path(self.files.name)
        for name in ("libemplace_unruly.so", "unruly.json"):
            shutil.copy(PLUGINS / name, directory / name)
        config = directory / "emplaced.toml"
        config.write_text(CONFIG.format(directory=directory))
        self.emplace = service.Service(["--config", str(config)])
        inventory = {"hosts": [*hosts(3)["hosts"], sized("small", 1)]}
        self.assertEqual(self.emplace.post("/v1/inventory:import", inventory).status, 200)

    def tearDown(self):
        self.emplace.stop()
        self.files.cleanup()

    def worker(self):
        for file in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
            try:
                arguments = file.read_bytes().split(b"\0")
            except OSError:
                continue
            if arguments[0].endswith(b"/emplace-worker") and arguments[1] == str(self.emplace.process.pid).encode():
                return int(file.parent.name)
        return None

    def test_empty_no_answer(self):
        asked = {"spec": spec(), "hosts": named("h2", "small", "h0", "h1"), "weights": {"h1": 3.0, "h2": 2.0, "h0": 1.0}}
        for profile, rule in (("filtered", "unruly.filter"), ("vital", "unruly.cost")):
            with self.subTest(profile):
                deadline = time.monotonic() + 60
                while not (pid := self.worker()) and time.monotonic() < deadline:
                    time.sleep(0.01)
                os.kill(pid, signal.SIGSTOP)  # it will be found hanging
                answer = self.emplace.post(PATH, {**asked, "pipeline": profile})
                self.assertEqual((answer.status, answer.json), (200, {"hosts": ["h1", "h2", "h0"]}), "capacity is still asked")
                self.assertEqual(answer.headers["x-emplace-degraded"], rule)
                self.assertRegex(self.emplace.said(), rf'event=external .*degraded="{rule}: plugin unruly')


class Tokens(unittest.TestCase):
    def test_are_wanted_unless_the_policy_says_otherwise(self):
        body = {"spec": spec(), "hosts": named("x")}
        self.assertEqual(service.shared().post(PATH, body, token="").status, 401)
        with tempfile.TemporaryDirectory() as directory:
            policy, config = pathlib.Path(directory, "policy"), pathlib.Path(directory, "emplaced.toml")
            policy.write_text(f"POST {PATH} anyone\n")
            config.write_text(f'[auth]\npolicy_file = "{policy}"\n')
            emplace = service.Service(["--config", str(config)])
            try:
                self.assertEqual(emplace.post(PATH, body, token="").json, {"hosts": ["x"]})
                self.assertEqual(emplace.post("/v1/filter", {}, token="").status, 401)
            finally:
                emplace.stop()


tearDownModule = service.stop_shared

if __name__ == "__main__":
    unittest.main()
