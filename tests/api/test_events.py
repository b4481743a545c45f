"""The event stream: server-sent, in order, and it resumes."""

import datetime
import json
import time
import unittest

import service
from service import hosts, vm


class Stream:
    def __init__(self, emplace, path="/v1/events", headers=None):
        self.contract = emplace.contract
        self.connection = emplace.connection(timeout=30)
        self.connection.request("GET", path, headers={"Authorization": f"Bearer {emplace.token}", **(headers or {})})
        self.response = self.connection.getresponse()

    def next(self):
        """The next event; heartbeats are skipped."""
        event = {}
        while True:
            line = self.response.readline().decode()
            if not line:
                raise EOFError("the stream ended")
            line = line.rstrip("\n")
            if line.startswith(":"):
                continue
            if not line and event:
                self.contract.check_event(event["event"], json.loads(event["data"]))
                return event
            if line:
                key, _, value = line.partition(": ")
                event[key] = value

    def until(self, kind):
        seen = []
        while not seen or seen[-1]["event"] != kind:
            seen.append(self.next())
        return seen

    def close(self):
        self.connection.close()


class Events(unittest.TestCase):
    def setUp(self):
        self.emplace = service.shared()
        self.emplace.reset()
        self.streams = []

    def tearDown(self):
        for stream in self.streams:
            stream.close()

    def open(self, **more):
        self.streams.append(Stream(self.emplace, **more))
        self.assertEqual(self.streams[-1].response.status, 200)
        self.assertEqual(self.streams[-1].response.getheader("content-type"), "text/event-stream")
        return self.streams[-1]

    def test_come_live_and_in_order(self):
        stream = self.open()
        self.emplace.post("/v1/inventory:import", hosts(3))
        events = [stream.next() for _ in range(3)]
        self.assertEqual([event["event"] for event in events], ["host"] * 3)
        self.assertEqual([json.loads(event["data"])["name"] for event in events], ["h0", "h1", "h2"])
        ids = [int(event["id"]) for event in events]
        self.assertEqual(ids, list(range(ids[0], ids[0] + 3)))

    def test_resume_after_the_last_id(self):
        first = self.open()
        self.emplace.post("/v1/inventory:import", hosts(3))
        seen = [first.next() for _ in range(3)]
        first.close()
        self.emplace.call("PUT", "/v1/groups/g", {"policy": "affinity"})
        resumed = self.open(headers={"Last-Event-ID": seen[0]["id"]})
        again = [resumed.next() for _ in range(3)]
        self.assertEqual(again[:2], seen[1:])
        self.assertEqual(again[2]["event"], "group")
        by_query = self.open(path=f"/v1/events?after={seen[1]['id']}")
        self.assertEqual(by_query.next(), seen[2])

    def test_tell_of_claims_and_vms(self):
        self.emplace.post("/v1/inventory:import", hosts(1))
        stream = self.open()
        claim = self.emplace.post("/v1/placements", {"vm": vm("seen"), "claim": True}).json["claim"]
        self.assertIn("seen", stream.next()["data"])
        self.emplace.call("PUT", f"/v1/claims/{claim['id']}:confirm")
        self.assertTrue(any(json.loads(event["data"]).get("state") == "placed" for event in [stream.next(), stream.next()]))

    def test_are_as_the_contract_says(self):
        stream = self.open()
        self.emplace.post("/v1/inventory:import", {
            "hosts": [{"name": "full", "vcpus": 8, "memory_mib": 8192, "disk_gib": 100, "reserved_vcpus": 1, "reserved_memory_mib": 512,
                       "reserved_disk_gib": 5, "zone": "z", "rack": "r", "aggregates": ["a"], "traits": ["T"],
                       "numa": [{"vcpus": 8, "memory_mib": 8192}], "nova_state": {"x": 1},
                       "observed": {"cpu_util": 0.5, "memory_used_mib": 7, "power_watts": 80, "observed_at": "2026-01-02T03:04:05Z"}}],
            "groups": [{"name": "g", "policy": "soft-affinity"}],
            "vms": [vm("one", host="full", group="g", project="p", numa_nodes=1, cells=[0], spread={"by": "rack", "group": "s", "domain": "d"}),
                    vm("two", host="full", state="running")],
            "traffic": [{"a": "one", "b": "two", "bytes_per_s": 1.5, "observed_at": "2026-01-02T03:04:05Z"}],
            "data_sources": [{"vm": "one", "source": "ds", "bytes_per_s": 2}],
            "source_hosts": [{"source": "ds", "hosts": ["full"]}],
            "page_samples": [{"vm": "one", "pages": 4, "zero_pages": 1, "distinct_pages": 2, "rate": 1, "hashes": "AQAAAAAAAAA="}],
        })
        claim = self.emplace.post("/v1/placements", {"vm": vm("three", project="p"), "claim": True}).json["claim"]
        self.emplace.call("DELETE", f"/v1/claims/{claim['id']}")
        one = self.emplace.get("/v1/vms?name_prefix=one").json["vms"][0]
        self.emplace.call("DELETE", f"/v1/vms/{one['id']}")
        self.emplace.call("DELETE", "/v1/groups/g")
        self.emplace.call("PUT", "/v1/profiles/default", self.emplace.get("/v1/profiles/default").json)
        self.emplace.call("DELETE", "/v1/vms/" + self.emplace.get("/v1/vms").json["vms"][0]["id"])
        self.emplace.call("DELETE", "/v1/hosts/full")
        self.emplace.call("DELETE", "/v1/aggregates/a")
        seen = {}
        while "aggregate_removed" not in seen:
            event = stream.next()
            seen.setdefault(event["event"], []).append(json.loads(event["data"]))
        self.assertEqual(set(seen), {"host", "group", "vm", "aggregate", "traffic", "data_source", "source_hosts", "page_sample",
                                     "vm_removed", "group_removed", "profile", "host_removed", "aggregate_removed"})
        host = seen["host"][0]
        self.assertEqual((host["reserved_vcpus"], host["reserved_memory_mib"], host["reserved_disk_gib"]), (1, 512, 5))
        self.assertEqual(host["observed"]["observed_at"], "2026-01-02T03:04:05.000000Z")
        self.assertEqual(seen["traffic"][0]["observed_at"], "2026-01-02T03:04:05.000000Z")
        self.assertEqual([gone["project"] for gone in seen["vm_removed"] if "project" in gone], ["p", "p"])

    def test_go_on_where_a_list_ends(self):
        self.emplace.post("/v1/inventory:import", hosts(2))
        claim = self.emplace.post("/v1/placements", {"vm": vm("known"), "claim": True}).json["claim"]
        lists = {key: self.emplace.get(f"/v1/{key}").json for key in ("hosts", "vms", "claims", "groups", "aggregates", "decisions")}
        self.emplace.call("PUT", "/v1/groups/new", {"policy": "affinity"})
        for key, listed in lists.items():
            event = self.open(path=f"/v1/events?after={listed['event_seq']}").next()
            self.assertEqual((event["event"], json.loads(event["data"])["name"]), ("group", "new"), key)
        seen = self.emplace.get("/v1/claims").json
        self.emplace.call("DELETE", f"/v1/claims/{claim['id']}")
        self.assertEqual([one["id"] for one in seen["claims"]], [claim["id"]])
        self.assertEqual(self.open(path=f"/v1/events?after={seen['event_seq']}").next()["event"], "vm_removed")

    def test_reach_many_streams(self):
        streams = [self.open() for _ in range(20)]
        self.emplace.post("/v1/inventory:import", hosts(1))
        self.assertEqual({stream.next()["event"] for stream in streams}, {"host"})

    def test_say_when_and_by_whom(self):
        stream = self.open()
        self.emplace.post("/v1/inventory:import", hosts(1))
        event = stream.next()
        self.assertEqual(event["actor"], "token admin")
        at = datetime.datetime.fromisoformat(event["at"].replace("Z", "+00:00"))
        self.assertLess(abs(at.timestamp() - time.time()), 60)

    def test_say_at_once_that_an_id_is_ahead_of_the_store(self):
        self.emplace.post("/v1/inventory:import", hosts(1))
        newest = self.emplace.post("/v1/placements", {"vm": vm(), "dry_run": True}).json["picture"]["event_seq"]
        ahead = self.open(headers={"Last-Event-ID": str(newest + 1000)})
        gap = ahead.next()
        self.assertEqual(gap["event"], "gap")
        self.assertEqual(json.loads(gap["data"]), {"after": newest + 1000, "next": newest + 1})
        self.emplace.post("/v1/inventory:import", hosts(2))
        self.assertEqual(int(ahead.next()["id"]), newest + 1)

    def test_wait_for_a_client_that_reads_late(self):
        late = self.open()
        count = 3000
        for first in range(0, count, 1000):
            names = [f"{'late' * 50}{i:05}" for i in range(first, first + 1000)]
            body = {"hosts": [{"name": name, "vcpus": 1, "memory_mib": 1024, "disk_gib": 1} for name in names]}
            self.assertEqual(self.emplace.post("/v1/inventory:import", body).status, 200)
        events = [late.next() for _ in range(count)]
        ids = [int(event["id"]) for event in events]
        self.assertEqual(ids, list(range(ids[0], ids[0] + count)))

    def test_refuse_an_id_that_is_none(self):
        for path, headers in (("/v1/events?after=x", {}), ("/v1/events", {"Last-Event-ID": "-1"})):
            self.assertEqual(self.emplace.get(path, headers=headers).status, 400)


tearDownModule = service.stop_shared

if __name__ == "__main__":
    unittest.main()
