"""Idempotency-Key: the same key and body get the same answer, another body is refused."""

import concurrent.futures
import unittest

import service
from service import hosts, vm


class IdempotencyKey(unittest.TestCase):
    def setUp(self):
        self.emplace = service.shared()
        self.emplace.reset()
        self.assertEqual(self.emplace.post("/v1/inventory:import", hosts(4)).status, 200)

    def post(self, key, body, path="/v1/placements"):
        return self.emplace.post(path, body, headers={"Idempotency-Key": key})

    def test_gives_the_same_bytes_for_the_same_placement(self):
        body = {"vm": vm("once"), "claim": True}
        first, second = self.post("place-1", body), self.post("place-1", body)
        self.assertEqual((first.status, second.status), (200, 200))
        self.assertEqual(first.text, second.text)
        self.assertEqual(second.headers["idempotency-replayed"], "true")
        self.assertEqual(len(self.emplace.items("/v1/claims", "claims")), 1)

    def test_remembers_that_no_host_fitted(self):
        body = {"vm": vm("huge", vcpus=10_000), "claim": True}
        first, second = self.post("none-1", body), self.post("none-1", body)
        self.assertEqual(first.json["ranking"], [])
        self.assertEqual(first.text, second.text)

    def test_remembers_a_recorded_decision(self):
        body = {"vm": vm("rec"), "record": True}
        first, second = self.post("rec-1", body), self.post("rec-1", body)
        self.assertIsNotNone(first.json["decision_id"])
        self.assertEqual(first.text, second.text)

    def test_remembers_claims_and_imports(self):
        claim = {"vm": vm("named"), "host": "h1"}
        self.assertEqual(self.post("c-1", claim, "/v1/claims").text, self.post("c-1", claim, "/v1/claims").text)
        self.assertEqual(len(self.emplace.items("/v1/claims", "claims")), 1)
        more = {"hosts": [{"name": "more", "vcpus": 1, "memory_mib": 1}]}
        again = [self.post("i-1", more, "/v1/inventory:import") for _ in range(2)]
        self.assertEqual(again[0].text, again[1].text)
        self.assertEqual(again[1].headers["idempotency-replayed"], "true")

    def test_with_another_body_is_422(self):
        self.assertEqual(self.post("place-2", {"vm": vm("a"), "claim": True}).status, 200)
        self.assertEqual(self.post("place-2", {"vm": vm("b"), "claim": True}).status, 422)

    def test_of_a_refused_request_may_be_used_again(self):
        self.assertEqual(self.post("place-3", {"vm": vm("a", group="g9"), "claim": True}).status, 400)
        self.assertEqual(self.post("place-3", {"vm": vm("a"), "claim": True}).status, 200)

    def test_used_by_many_at_once_takes_one_claim(self):
        body = {"vm": vm("race"), "claim": True}
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: self.post("race-1", body), range(8)))
        self.assertEqual({answer.status for answer in answers}, {200}, answers)
        self.assertEqual(len({answer.text for answer in answers}), 1)
        self.assertEqual(len(self.emplace.items("/v1/claims", "claims")), 1)

    def test_that_is_none_is_400(self):
        self.assertEqual(self.post("x" * 300, {"vm": vm("a"), "claim": True}).status, 400)


tearDownModule = service.stop_shared

if __name__ == "__main__":
    unittest.main()
