"""POST /v1/select_destinations: Nova's own verb."""

import json
import unittest

import service

SAMPLES = service.ROOT.parent / "shared/data/nova_samples"
SPECS = sorted([*SAMPLES.glob("0*.json"), *SAMPLES.glob("real_*create*.json")])
PATH = "/v1/select_destinations"
IDS = [f"00000000-0000-4000-8000-{i:012}" for i in range(9)]


def spec(vcpus=2, instances=1, **fields):
    flavor = {"vcpus": vcpus, "memory_mb": 1024, "root_gb": 10, "ephemeral_gb": 0, "swap": 0, "extra_specs": {}}
    data = {"instance_uuid": IDS[0], "num_instances": instances, "flavor": {"nova_object.data": flavor}, "image": None}
    return {"nova_object.name": "RequestSpec", "nova_object.data": {**data, "scheduler_hints": {}, **fields}}


def sized(name, vcpus, **fields):
    return {"name": name, "vcpus": vcpus, "memory_mib": 65536, "disk_gib": 500, **fields}


def group(policy, members=(), at=()):
    data = {"policy": policy, "policies": [policy], "members": list(members), "hosts": list(at), "uuid": IDS[8]}
    return {"nova_object.data": {**data, "_rules": {}}}


def names(answer):
    return [[one["service_host"] for one in selection] for selection in answer.json["selections"]]


class Destinations(unittest.TestCase):
    def setUp(self):
        self.emplace = service.shared()
        self.emplace.reset()

    def import_hosts(self, *inventory):
        self.assertEqual(self.emplace.post("/v1/inventory:import", {"hosts": list(inventory)}).status, 200)

    def load(self, *sizes):
        """Hosts h0, h1, ... of so many vcpus; the profile "load" prefers those with the most room."""
        self.import_hosts(*(sized(f"h{i}", size, zone="z1") for i, size in enumerate(sizes)))
        self.put("load", filters=["capacity", "state"], objectives=[{"id": "resource.load", "resolution": 1e-9}])

    def put(self, name, **profile):
        self.assertEqual(self.emplace.call("PUT", f"/v1/profiles/{name}", profile).status, 200)

    def ask(self, spec, **more):
        answer = self.emplace.post(PATH, {"request_spec": spec, **more})
        self.assertEqual(answer.status, 200, answer)
        return answer

    def used(self):
        return {one["name"]: one["used"]["vcpus"] for one in self.emplace.items("/v1/hosts", "hosts") if one["used"]["vcpus"]}


class Selections(Destinations):
    def test_have_two_alternates_by_default_and_what_is_known_of_hosts(self):
        self.load(4, 64, 16, 8)
        answer = self.ask(spec(), profile="load")
        self.assertEqual(names(answer), [["h1", "h2", "h3"]])
        known = {"host": "h1", "service_host": "h1", "availability_zone": "z1", "limits": {}}
        self.assertEqual(answer.json["selections"][0][0], known)
        self.assertEqual([one["host"] for one in answer.json["decision"]["ranking"]], ["h1", "h2", "h3"])
        self.assertEqual(answer.json["degraded"], [])
        self.assertEqual(names(self.ask(spec(), profile="load", alternates=0)), [["h1"]])
        self.assertEqual(names(self.ask(spec(), profile="load", alternates=99)), [["h1", "h2", "h3", "h0"]])

    def test_of_several_instances_see_each_other(self):
        self.load(2, 2, 2, 2)
        answer = self.ask(spec(), instance_uuids=IDS[1:4], alternates=3)
        firsts = [selection[0] for selection in names(answer)]
        self.assertEqual(len(set(firsts)), 3, "each fills a host")
        rest = ({"h0", "h1", "h2", "h3"} - set(firsts)).pop()
        self.assertEqual([selection[1:] for selection in names(answer)], [[rest]] * 3, "a selected host is nobody's alternate")
        self.assertEqual([one["vm"] for one in answer.json["decision"]["placements"]], IDS[1:4])

    def test_take_alternates_with_room_after_all_are_in_place(self):
        self.load(64, 5, 3)  # where three go to h0 it is still the best, and no alternate
        self.assertEqual(names(self.ask(spec(), instance_uuids=IDS[1:4], profile="load")), [["h0", "h1", "h2"]] * 3)
        answer = self.ask(spec(4), instance_uuids=IDS[1:4], profile="load")
        self.assertEqual(names(answer), [["h0", "h1"]] * 3, "h2 was refused for the first one")

    def test_are_as_many_as_there_are_uuids_whatever_the_request_was_first_made_for(self):
        self.load(64)
        self.assertEqual(len(names(self.ask(spec(instances=5), instance_uuids=IDS[1:3]))), 2)
        self.assertEqual(len(names(self.ask(spec(instances=3)))), 3)
        self.assertEqual(len(names(self.ask(spec(instances=1), instance_uuids=IDS[1:5]))), 4)

    def test_are_none_when_one_instance_finds_no_host(self):
        self.load(4, 4)
        answer = self.ask(spec(3), instance_uuids=IDS[1:4], explain="full")
        self.assertEqual(answer.json["selections"], [])
        last = answer.json["decision"]["placements"][-1]
        self.assertEqual(last["ranking"], [])
        self.assertEqual(last["refused"], {"count": 1, "by_filter": {"capacity": 1}}, "the other was refused before")
        self.assertEqual({one["code"] for one in last["hosts"]}, {"capacity.vcpus"})
        self.assertEqual(self.used(), {}, "nothing is reserved")
        self.assertEqual(self.ask(spec(99)).json["decision"]["refused"]["count"], 2)

    def test_are_among_the_hosts_that_are_named_or_forced(self):
        self.load(64, 32, 16, 8)
        self.assertEqual(names(self.ask(spec(), hosts=["h3", "h2"], profile="load")), [["h2", "h3"]])
        self.assertEqual(names(self.ask(spec(force_hosts=["h3"]))), [["h3"]])
        self.assertEqual(names(self.ask(spec(force_hosts=["h3", "h1"]), hosts=["h3", "h2"])), [["h3"]])
        self.assertEqual(names(self.ask(spec(force_hosts=["h1"]), hosts=["h3"])), [])
        self.assertEqual(names(self.ask(spec(ignore_hosts=["h0"]), alternates=0, profile="load")), [["h1"]])

    def test_keep_to_the_group_of_the_spec_by_the_default_profile(self):
        self.load(8, 8, 8)
        ask = lambda policy, **more: self.ask(spec(instance_group=group(policy, **more)), reserve=False)
        for at in ("h0", "h1", "h2"):
            apart = ask("anti-affinity", at=[at])
            self.assertEqual(sorted(names(apart)[0]), sorted({"h0", "h1", "h2"} - {at}))
            self.assertEqual(apart.json["not_considered"], [])
            self.assertEqual(names(ask("affinity", at=[at])), [[at]])
        batch = lambda policy: names(self.ask(spec(instance_group=group(policy, IDS[1:4])), instance_uuids=IDS[1:4], alternates=0, reserve=False))
        self.assertEqual(len({first for first, in batch("anti-affinity")}), 3)
        self.assertEqual(len({first for first, in batch("affinity")}), 1)

    def test_name_what_no_rule_read(self):
        self.load(64)
        answer = self.ask(spec(novelty_of_a_later_release=["n1"]))
        self.assertEqual(answer.json["not_considered"], ["request_spec.novelty_of_a_later_release"])
        self.assertEqual(answer.json["decision"]["not_considered"], ["request_spec.novelty_of_a_later_release"])


class NovaRules(Destinations):
    def setUp(self):
        super().setUp()
        groups = ["ServerGroupAntiAffinityFilter", "ServerGroupAffinityFilter"]
        filters = ["capacity", *groups, "ComputeFilter", "ImagePropertiesFilter"]
        self.put("nova", method="nova", filters=filters, weighers=[{"id": "CPUWeigher"}])

    def test_keep_the_instances_of_a_group_apart(self):
        self.load(64, 32, 16)
        apart = spec(instance_group=group("anti-affinity", IDS[1:4]))
        answer = self.ask(apart, instance_uuids=IDS[1:4], profile="nova", reserve=False)
        self.assertEqual(names(answer), [["h0"], ["h1"], ["h2"]])
        answer = self.ask(spec(instances=3, instance_group=group("anti-affinity")), profile="nova")
        self.assertEqual(names(answer), [["h0"], ["h1"], ["h2"]], "without uuids, too")

    def test_keep_the_instances_of_a_group_together(self):
        self.load(8, 7, 6)
        together = spec(instance_group=group("affinity", IDS[1:4]))
        ask = lambda asked, **more: names(self.ask(asked, profile="nova", reserve=False, **more))
        self.assertEqual(ask(together, instance_uuids=IDS[1:4]), [["h0"]] * 3)
        self.assertEqual(ask(together, instance_uuids=IDS[1:6]), [], "five do not fit on one")
        self.assertEqual(ask(spec(instance_group=group("affinity", at=["h2"]))), [["h2"]])

    def test_are_not_asked_of_forced_hosts_but_capacity_is(self):
        self.import_hosts(sized("h0", 8, state="disabled"))
        self.assertEqual(names(self.ask(spec(), profile="nova")), [], "ComputeFilter")
        self.assertEqual(names(self.ask(spec(force_hosts=["h0"]), profile="nova")), [["h0"]])
        self.assertEqual(names(self.ask(spec())), [], "state")
        self.assertEqual(names(self.ask(spec(force_hosts=["H0"], availability_zone="other"))), [["h0"]])
        self.assertEqual(names(self.ask(spec(9, force_hosts=["h0"]))), [])
        self.assertEqual(names(self.ask(spec(9, force_hosts=["h0"]), profile="nova")), [])
        checked = spec(force_hosts=["h0"], scheduler_hints={"_nova_check_type": ["live_migrate"]})
        self.assertEqual(names(self.ask(checked, profile="nova")), [], "an act that Nova checks has its filters asked")

    def test_of_a_rebuild_are_those_that_nova_asks_and_nothing_is_reserved(self):
        self.load(1)
        image = lambda **properties: {"nova_object.data": {"id": "i", "properties": {"nova_object.data": properties}}}
        rebuild = lambda **fields: spec(force_hosts=["h0"], scheduler_hints={"_nova_check_type": ["rebuild"]}, **fields)
        self.assertEqual(names(self.ask(rebuild(), profile="nova")), [["h0"]])
        self.assertEqual(self.used(), {})
        self.assertEqual(names(self.ask(rebuild(image=image(hw_architecture="aarch64")), profile="nova")), [])


class Reservations(Destinations):
    def test_are_made_of_each_first_host(self):
        self.load(4, 4)
        self.assertEqual(len(names(self.ask(spec(4), instance_uuids=IDS[1:3], reserve=False))), 2)
        self.assertEqual(self.used(), {})
        self.assertEqual(sorted(names(self.ask(spec(4), instance_uuids=IDS[1:3]))), [["h0"], ["h1"]])
        self.assertEqual(self.used(), {"h0": 4, "h1": 4})
        self.assertEqual(names(self.ask(spec(4), instance_uuids=IDS[3:4])), [])
        answer = self.ask(spec(4), instance_uuids=IDS[1:3])
        self.assertEqual(len(names(answer)), 2, "who asks again has given up what it had")

    def test_are_none_without_a_uuid(self):
        self.load(4)
        self.assertEqual(names(self.ask(spec(1, instance_uuid=None))), [["h0"]])
        self.assertEqual(self.used(), {})


class Bodies(Destinations):
    def test_are_read_strictly(self):
        self.load(4)
        for wrong, detail in (
            ({"request_spec": None}, "^request_spec: wanted a value"),
            ({"request_spec": {}}, "^request_spec: wanted a RequestSpec"),
            ({"instance_uuids": []}, "^instance_uuids: wanted 1 to 1000"),
            ({"instance_uuids": IDS[:1] * 2}, r"^instance_uuids\[1\]: wanted each uuid once"),
            ({"instance_uuids": ["x"]}, r"^instance_uuids\[0\]: wanted a uuid"),
            ({"instance_uuids": 1}, "^instance_uuids: wanted a list"),
            ({"hosts": ["h9"]}, r"^hosts\[0\]: wanted the name of a host"),
            ({"hosts": []}, "^hosts: wanted at least one"),
            ({"alternates": -1}, "^alternates: wanted"),
            ({"alternates": "2"}, "^alternates: wanted"),
            ({"profile": "nobody"}, "^profile: wanted"),
            ({"reserve": 1}, "^reserve: wanted"),
            ({"explain": "much"}, "^explain: wanted"),
            ({"ttl_s": 0}, "^ttl_s: wanted"),
            ({"claim": True}, "^claim: wanted no such field"),
            ({"request_spec": spec("x")}, r"^request_spec\.flavor\.vcpus: wanted"),
        ):
            with self.subTest(wrong):
                answer = self.emplace.post(PATH, {"request_spec": spec(), **wrong})
                self.assertEqual(answer.status, 400, answer)
                self.assertRegex(answer.json["detail"], detail)
        self.assertEqual(self.used(), {})

    @unittest.skipUnless(SPECS, f"no RequestSpec samples at {SAMPLES}")
    def test_with_real_specs_are_all_answered(self):
        self.import_hosts(*(sized(f"cmp{i:05}", 64, zone=zone) for i, zone in enumerate(["az1", "az-real"] * 4)))
        for path in SPECS:
            sample = json.loads(path.read_text())
            with self.subTest(path.name):
                selections = names(self.ask(sample, reserve=False))
                data = sample["nova_object.data"]
                forced = data["force_hosts"] or [(data["requested_destination"] or {}).get("nova_object.data", {}).get("host")]
                there = forced[0] is None or forced[0].startswith("cmp")
                self.assertEqual(len(selections), data["num_instances"] if there else 0)


tearDownModule = service.stop_shared

if __name__ == "__main__":
    unittest.main()
