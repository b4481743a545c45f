"""Stored decisions and their replay."""

import json
import unittest

import service
from service import hosts, vm


class Decisions(unittest.TestCase):
    def setUp(self):
        self.emplace = service.shared()
        self.emplace.reset()
        inventory = hosts(12)
        for i, host in enumerate(inventory["hosts"]):
            host["vcpus"] = 4 + i
        inventory["groups"] = [{"name": "g", "policy": "anti-affinity"}]
        self.assertEqual(self.emplace.post("/v1/inventory:import", inventory).status, 200)

    def place(self, **body):
        answer = self.emplace.post("/v1/placements", body)
        self.assertEqual(answer.status, 200, answer)
        return answer.json

    def replay(self, decision):
        answer = self.emplace.post(f"/v1/decisions/{decision}:replay", None)
        self.assertEqual(answer.status, 200, answer)
        return answer.json

    def test_replay_gives_the_same_after_the_world_moved_on(self):
        placed = self.place(vm=vm("a", group="g"), claim=True)
        for i in range(5):
            self.place(vm=vm(f"b{i}", group="g"), claim=True)
        self.emplace.call("PATCH", "/v1/hosts/h3", {"state": "disabled"})
        again = self.replay(placed["decision_id"])
        self.assertEqual((again["identical"], again["differences"], again["rules_changed"]), (True, [], False))
        self.assertEqual(again["decision"]["ranking"], placed["ranking"])

    def test_replay_of_a_recorded_dry_run(self):
        placed = self.place(vm=vm("a", zone="z1"), record=True, alternates=11)
        self.assertTrue(self.replay(placed["decision_id"])["identical"])

    def test_replay_of_a_what_if(self):
        placed = self.place(vm=vm("a"), record=True, what_if=[{"kind": "host", "name": "h11", "state": "disabled"}])
        self.emplace.call("PATCH", "/v1/hosts/h10", {"state": "disabled"})
        self.assertTrue(self.replay(placed["decision_id"])["identical"])

    def test_replay_of_several_vms(self):
        placed = self.place(vm=vm("w", group="g"), count=4, claim=True)
        again = self.replay(placed["decision_id"])
        self.assertEqual((again["identical"], again["differences"]), (True, []))

    def test_are_kept_with_what_was_asked(self):
        body = {"vm": vm("kept", group="g"), "claim": True}
        placed = self.place(**body)
        stored = self.emplace.get(f"/v1/decisions/{placed['decision_id']}").json
        self.assertEqual(stored["request"]["request"], body)
        self.assertEqual(stored["vm"], placed["claim"]["vm"])
        self.assertEqual(stored["decision"]["ranking"], placed["ranking"])
        self.assertIn(placed["decision_id"], [one["id"] for one in self.emplace.items("/v1/decisions?limit=2", "decisions")])

    def test_explain_themselves_in_full_later(self):
        placed = self.place(vm=vm("big", vcpus=10), claim=True)
        full = self.emplace.get(f"/v1/decisions/{placed['decision_id']}?explain=full").json["decision"]
        self.assertEqual(len(full["hosts"]), placed["refused"]["count"])
        self.assertEqual(len(full["hosts"]) + len(full["passed"]), 12)
        self.assertEqual(full["hosts"][0]["code"], "capacity.vcpus")

    def test_tell_nothing_of_other_vms(self):
        self.place(vm=vm("secret-of-somebody", project="them", group="g"), claim=True)
        answer = self.emplace.post("/v1/placements", {"vm": vm("mine", project="me", group="g"), "explain": "full"})
        self.assertEqual(answer.json["refused"]["by_filter"], {"group": 1})
        self.assertNotIn("secret-of-somebody", answer.text)
        self.assertNotIn("them", json.dumps(answer.json["hosts"]))

    def test_of_the_same_request_are_the_same_bytes(self):
        body = {"vm": vm("same", id="5b0c9f1e-6a34-4b7e-9b8e-111111111111"), "explain": "full"}
        answers = [self.emplace.post("/v1/placements", body).json for _ in range(2)]
        for answer in answers:
            del answer["took_us"]
        self.assertEqual(*[json.dumps(answer) for answer in answers])


tearDownModule = service.stop_shared

if __name__ == "__main__":
    unittest.main()
