"""Names with characters that do not show are refused where they are made, and taken as they are where they come from libvirt."""

import json
import pathlib
import tempfile
import time
import unittest
import urllib.parse

import service
from service import hosts, vm

HIDDEN = ("\u0085", "\u009f", "\u061c", "\u200b", "\u2028", "\u202a", "\u202e", "\u2066", "\u2069", "\ufeff", "\U000e0041")
PEOPLES = ("büro", "中文", "می\u200cخواهم", "family-\U0001f468\u200d\U0001f469")
ODD = "od\u202ed\u200b"
NODE = f"""
<node>
  <domain type="test">
    <name>{ODD}</name><uuid>5b0c9f1e-6a34-4b7e-9b8e-000000000001</uuid><memory>1048576</memory><vcpu>2</vcpu><os><type>hvm</type></os>
  </domain>
  <cpu><mhz>2000</mhz><model>x</model><active>8</active><nodes>1</nodes><sockets>1</sockets><cores>8</cores><threads>1</threads></cpu>
  <memory>16777216</memory>
</node>
"""


class Names(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.files = tempfile.TemporaryDirectory()
        node, config = (pathlib.Path(cls.files.name, name) for name in ("node.xml", "emplaced.toml"))
        node.write_text(NODE)
        config.write_text(f'[[host]]\nname = "t1"\nuri = "test://{node}"\n')
        cls.emplace = service.Service(["--config", str(config)])
        assert cls.emplace.post("/v1/inventory:import", hosts(2)).status == 200

    @classmethod
    def tearDownClass(cls):
        cls.emplace.stop()
        cls.files.cleanup()

    def refused(self, answer, field):
        self.assertEqual(answer.status, 400, answer)
        self.assertIn(f"{field}: wanted a name without control or invisible characters, found ", answer.json["detail"])
        self.assertFalse([c for c in HIDDEN if c in answer.json["detail"]], "the answer shows what is hidden")

    def test_that_hide_something_are_refused_of_every_kind(self):
        before = self.emplace.everything()
        for hidden in HIDDEN:
            name = f"web{hidden}1"
            with self.subTest(hex(ord(hidden))):
                call = self.emplace.call
                self.refused(call("POST", "/v1/inventory:import", hosts(1, name=name)), "hosts[0].name")
                self.refused(call("POST", "/v1/inventory:import", hosts(1, zone=name)), "hosts[0].zone")
                self.refused(call("POST", "/v1/inventory:import", hosts(1, rack=name)), "hosts[0].rack")
                self.refused(call("POST", "/v1/inventory:import", hosts(1, traits=[name])), "hosts[0].traits[0]")
                self.refused(call("POST", "/v1/inventory:import", hosts(1, aggregates=[name])), "hosts[0].aggregates[0]")
                self.refused(call("POST", "/v1/inventory:import", {"aggregates": [{"name": name}]}), "aggregates[0].name")
                self.refused(call("POST", "/v1/inventory:import", {"groups": [{"name": name, "policy": "affinity"}]}), "groups[0].name")
                self.refused(call("POST", "/v1/inventory:import", {"vms": [vm(name, host="h0")]}), "vms[0].name")
                self.refused(call("POST", "/v1/placements", {"vm": vm(name), "claim": True}), "vm.name")
                self.refused(call("POST", "/v1/placements", {"vm": vm("a", project=name), "claim": True}), "vm.project")
                self.refused(call("POST", "/v1/placements", {"vm": vm("a", group=name)}), "vm.group")
                self.refused(call("POST", "/v1/placements", {"vm": vm("a", zone=name)}), "vm.zone")
                self.refused(call("POST", "/v1/placements", {"vm": vm("a"), "profile": name}), "profile")
                quoted = urllib.parse.quote(name)
                self.refused(call("PUT", f"/v1/groups/{quoted}", {"policy": "affinity"}), "name")
                self.refused(call("PUT", f"/v1/aggregates/{quoted}", {"metadata": {}}), "name")
                self.refused(call("PUT", f"/v1/profiles/{quoted}", self.profile()), "name")
        self.assertEqual(self.emplace.everything(), before)

    def profile(self):
        profile = self.emplace.get("/v1/profiles").json["profiles"][0]
        return {key: profile[key] for key in ("method", "filters", "objectives") if key in profile}

    def test_of_people_are_taken(self):
        for name in PEOPLES:
            placed = self.emplace.post("/v1/placements", {"vm": vm(name), "claim": True})
            self.assertEqual(placed.status, 200, placed)
            self.assertEqual(self.emplace.call("DELETE", f"/v1/claims/{placed.json['claim']['id']}").status, 204)

    def test_of_libvirt_are_what_they_are_and_break_nothing(self):
        deadline = time.monotonic() + 60
        while not (found := [one for one in self.emplace.items("/v1/vms", "vms") if one["name"] == ODD]):
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.1)
        self.assertEqual(self.emplace.get(f"/v1/vms/{found[0]['id']}").json["name"], ODD)
        self.assertIn(ODD, [one["name"] for one in self.emplace.get("/v1/inventory:export").json["vms"]])
        connection = self.emplace.connection()
        connection.request("GET", "/v1/events?after=0", headers={"Authorization": f"Bearer {self.emplace.token}"})
        stream, seen = connection.getresponse(), None
        while seen != ODD:
            line = stream.readline().decode()
            if line.startswith("data: "):
                seen = json.loads(line[6:]).get("name")
        connection.close()
        self.assertEqual(self.emplace.call("PATCH", "/v1/hosts/t1", {"state": "disabled"}).status, 200)
        self.assertTrue(self.emplace.get("/readyz").json["ready"])
        self.assertNotIn("\u202e", self.emplace.said())


if __name__ == "__main__":
    unittest.main()
