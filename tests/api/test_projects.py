"""The token of a project: its holder sees and places only what is in the project, as if there were nothing else."""

import hashlib
import json
import pathlib
import tempfile
import unittest

import service
from service import hosts, vm
from test_contract import ID, METHODS
from test_events import Stream

RED, BLUE, READER = "red's token", "blue's token", "a reader's token"
ORDER = ("anyone", "reader", "planner", "operator", "admin")


def sha256(token):
    return hashlib.sha256(token.encode()).hexdigest()


class Projects(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="emplace-api-")
        cls.addClassCleanup(folder.cleanup)
        tokens = pathlib.Path(folder.name, "tokens")
        tokens.write_text(f"{sha256(RED)} project:red r\n{sha256(BLUE)} project:blue b\n{sha256(READER)} reader x\n")
        config = pathlib.Path(folder.name, "emplaced.toml")
        config.write_text(f'[auth]\ntokens_file = "{tokens}"\n')
        cls.emplace = service.Service(["--config", str(config)])
        cls.addClassCleanup(cls.emplace.stop)

    def setUp(self):
        self.emplace.reset()
        self.emplace.post("/v1/inventory:import", {
            **hosts(3),
            "groups": [{"name": "red/web", "policy": "anti-affinity"}, {"name": "blue/web", "policy": "anti-affinity"},
                       {"name": "web", "policy": "anti-affinity"}, {"name": "reddish/web", "policy": "affinity"}],
            "vms": [vm("blue-1", host="h0", project="blue", group="blue/web"), vm("red-1", host="h1", project="red", group="red/web"),
                    vm("nobodys", host="h2")],
        })

    def call(self, method, path, body=None, token=RED, **more):
        return self.emplace.call(method, path, body, token=token, **more)

    def place(self, token=RED, **body):
        return self.call("POST", "/v1/placements", body, token)

    def names(self, path, key, token=RED):
        answer = self.call("GET", path, token=token)
        self.assertEqual(answer.status, 200, answer)
        return [one.get("name", one.get("vm_name")) for one in answer.json[key]]

    def blues(self):
        """Blue has a vm, a claim, a decision and a group."""
        claim = self.place(BLUE, vm=vm("blue-2", group="blue/web"), claim=True)
        self.assertEqual(claim.status, 200, claim)
        listed = self.call("GET", "/v1/vms?name_prefix=blue-1", token=BLUE).json["vms"][0]
        return {"vm": listed["id"], "claim": claim.json["claim"]["id"], "claimed": claim.json["claim"]["vm"],
                "decision": claim.json["decision_id"], "host": claim.json["claim"]["host"]}

    def test_open_only_the_routes_that_the_contract_says(self):
        for template, path in self.emplace.contract.document["paths"].items():
            url = template.replace("{id}", ID).replace("{name}", "nobody")
            for method in set(path) & set(METHODS):
                operation = path[method]
                if operation["operationId"] == "events":
                    continue
                answer = self.call(method.upper(), url, None if method == "get" else "{}")
                may = operation["x-role"] == "anyone" or operation.get("x-project") and ORDER.index(operation["x-role"]) <= ORDER.index("planner")
                with self.subTest(operation["operationId"]):
                    if may:
                        named = operation["operationId"] in ("put_group",)  # whose name is not the project's
                        self.assertTrue(answer.status != 403 or named, answer)
                    else:
                        self.assertEqual(answer.status, 403, answer)

    def test_show_only_what_is_in_the_project(self):
        blue = self.blues()
        self.assertEqual(self.names("/v1/vms", "vms"), ["red-1"])
        self.assertEqual(self.names("/v1/groups", "groups"), ["red/web"])
        self.assertEqual(self.names("/v1/claims", "claims"), [])
        self.assertNotIn("blue-2", self.names("/v1/decisions", "decisions"))
        self.assertEqual(sorted(self.names("/v1/vms", "vms", BLUE)), ["blue-1", "blue-2"])
        for path in (f"/v1/vms/{blue['vm']}", f"/v1/vms/{blue['claimed']}", f"/v1/claims/{blue['claim']}", f"/v1/decisions/{blue['decision']}",
                     f"/v1/decisions/{blue['decision']}?explain=full", "/v1/groups/blue%2Fweb", "/v1/groups/web"):
            answer = self.call("GET", path)
            unknown = self.call("GET", path.replace(blue["vm"], ID).replace(blue["claimed"], ID).replace(blue["claim"], ID)
                                .replace(blue["decision"], ID).replace("blue%2Fweb", "red%2Fnone").replace("/web", "/red%2Fnone"))
            self.assertEqual((answer.status, answer.json["code"]), (404, unknown.json["code"]), answer)
        for method, path in (("DELETE", f"/v1/claims/{blue['claim']}"), ("PUT", f"/v1/claims/{blue['claim']}:confirm"),
                             ("POST", f"/v1/decisions/{blue['decision']}:replay"), ("DELETE", "/v1/groups/blue%2Fweb")):
            self.assertEqual(self.call(method, path).status, 404, path)
        self.assertEqual(self.call("GET", f"/v1/claims/{blue['claim']}", token=BLUE).json["state"], "held")

    def test_place_only_in_the_project(self):
        for body, status, detail in (
            ({"vm": vm("x", project="blue")}, 403, '^vm.project: wanted "red" or none, found "blue"'),
            ({"vm": vm("x", group="blue/web")}, 400, "^vm.group: wanted the name of a group"),
            ({"vm": vm("x", group="red/none")}, 400, "^vm.group: wanted the name of a group"),
            ({"vm": vm("x", group="web")}, 400, "^vm.group: wanted the name of a group"),
            ({"vm": vm("x", spread={"by": "rack", "group": "s", "domain": "d"})}, 400, '^vm.spread.group: .* begins with "red/"'),
            ({"vm": vm("x", parameters={"disk": "/dev/sda"}), "start": True}, 403, "^vm.parameters: "),
            ({"vm": vm("x", template="<domain/>")}, 403, "^vm.template: "),
            ({"vm": vm("x"), "what_if": [{"kind": "host_removed", "name": "h1"}]}, 403, "^what_if: "),
            ({"request_spec": {"nova_object.data": {"flavor": {"nova_object.data": {"vcpus": 1, "memory_mb": 64}}}}}, 403, "^request_spec: "),
        ):
            answer = self.place(**body)
            self.assertEqual(answer.status, status, answer)
            self.assertRegex(answer.json["detail"], detail)
        for project in ({}, {"project": None}, {"project": "red"}):
            claim = self.place(vm=vm("x", **project), claim=True).json["claim"]
            self.assertEqual(claim["project"], "red")
            self.assertEqual(self.call("DELETE", f"/v1/claims/{claim['id']}").status, 204)
        taken = self.call("POST", "/v1/claims", {"vm": vm("y"), "host": "h2"})
        self.assertEqual((taken.status, taken.json["project"]), (201, "red"))
        self.assertEqual(self.call("PUT", f"/v1/claims/{taken.json['id']}:confirm").status, 200)
        self.assertIn("y", self.names("/v1/vms", "vms"))
        self.assertEqual(self.call("POST", "/v1/claims", {"vm": vm("y", project="blue"), "host": "h2"}).status, 403)

    def test_take_nothing_from_another_project(self):
        blue = self.blues()
        for id in (blue["vm"], blue["claimed"]):
            for answer in (self.call("POST", "/v1/claims", {"vm": vm("x", id=id), "host": "h2"}), self.place(vm=vm("x", id=id), claim=True)):
                self.assertEqual(answer.status, 400, answer)
                self.assertRegex(answer.json["detail"], "^vm.id: wanted a new one")
                self.assertNotIn("blue", answer.text)
        for method, path, body in (("DELETE", f"/v1/vms/{blue['vm']}", None), ("POST", f"/v1/vms/{blue['vm']}:migrate", {})):
            self.assertEqual(self.call(method, path, body).status, 403, path)

    def test_keep_groups_by_name(self):
        self.assertEqual(self.call("PUT", "/v1/groups/blue%2Fnew", {"policy": "affinity"}).status, 403)
        self.assertEqual(self.call("PUT", "/v1/groups/new", {"policy": "affinity"}).status, 403)
        self.assertEqual(self.call("PUT", "/v1/groups/red%2Fnew", {"policy": "affinity"}).status, 201)
        self.assertEqual(self.names("/v1/groups?sort=-name", "groups"), ["red/web", "red/new"])
        self.emplace.post("/v1/inventory:import", {"vms": [vm("foreign", host="h2", project="blue", group="red/web")]})
        members = self.call("GET", "/v1/groups/red%2Fweb").json["members"]
        self.assertEqual(members, [one["id"] for one in self.call("GET", "/v1/vms").json["vms"]])
        self.assertEqual(self.call("GET", "/v1/vms?group=blue/web").status, 400)
        self.assertEqual(self.call("DELETE", "/v1/groups/red%2Fnew").status, 204)

    def test_tell_nothing_of_others_in_an_explanation(self):
        self.blues()
        self.emplace.post("/v1/inventory:import", {"vms": [vm("big", host="h2", project="blue", vcpus=16)]})
        spread = {"by": "rack", "group": "red/s", "domain": "d1"}
        answer = self.place(vm=vm("x", vcpus=8, group="red/web", spread=spread), explain="full", record=True)
        self.assertEqual(answer.status, 200, answer)
        stored = self.call("GET", f"/v1/decisions/{answer.json['decision_id']}?explain=full")
        for refusals in (answer.json["hosts"], stored.json["decision"]["hosts"]):
            self.assertEqual({one["name"]: one["code"] for one in refusals}, {"h1": "group.anti_affinity", "h2": "capacity.vcpus"})
            self.assertEqual({(one["wanted"], one["found"], one["unit"]) for one in refusals}, {(None, None, None)})
        for text in (answer.text, stored.text):
            self.assertNotIn("blue", text)
            self.assertNotIn("big", text)
        seen_by_all = self.emplace.get(f"/v1/decisions/{answer.json['decision_id']}?explain=full").json["decision"]["hosts"]
        self.assertIn(16, {one["wanted"] for one in seen_by_all} | {one["found"] for one in seen_by_all} | {16})
        self.assertNotIn(None, {one["found"] for one in seen_by_all})
        conflict = self.call("POST", "/v1/claims", {"vm": vm("z", vcpus=8), "host": "h2"})
        self.assertEqual((conflict.status, conflict.json["detail"]), (409, "capacity.vcpus"))
        self.assertTrue(self.call("POST", f"/v1/decisions/{answer.json['decision_id']}:replay").json["identical"])

    def test_hide_what_others_asked_what_if(self):
        asked = {"vm": vm("red-9", project="red"), "record": True}
        plain = self.emplace.post("/v1/placements", asked).json["decision_id"]
        what_if = [{"kind": "vm", "name": "blue-9", "id": ID, "vcpus": 1, "memory_mib": 1}]
        hidden = self.emplace.post("/v1/placements", {**asked, "what_if": what_if}).json["decision_id"]
        self.assertEqual(self.call("GET", f"/v1/decisions/{plain}").status, 200)
        self.assertEqual(self.call("GET", f"/v1/decisions/{hidden}").status, 404)

    def test_refuse_lists_of_other_projects(self):
        for path in ("/v1/vms", "/v1/claims", "/v1/decisions"):
            answer = self.call("GET", f"{path}?project=blue")
            self.assertEqual(answer.status, 403, answer)
            self.assertEqual(self.call("GET", f"{path}?project=red").status, 200)
            self.assertEqual(self.call("GET", f"{path}?project=blue", token=READER).status, 200)
        self.assertEqual(self.call("GET", "/v1/vms?verify=true").status, 403)

    def test_stream_only_what_is_in_the_project(self):
        class AsRed:
            contract, token, connection = self.emplace.contract, RED, self.emplace.connection

        stream = Stream(AsRed)
        self.addCleanup(stream.close)
        blue = self.blues()
        self.call("PUT", "/v1/groups/red%2Ffirst", {"policy": "affinity"})
        self.call("DELETE", f"/v1/claims/{blue['claim']}", token=BLUE)
        self.emplace.call("DELETE", f"/v1/vms/{blue['vm']}")
        self.emplace.call("PATCH", "/v1/hosts/h0", {"state": "disabled"})
        claim = self.place(vm=vm("red-2"), claim=True).json["claim"]
        self.call("DELETE", f"/v1/claims/{claim['id']}")
        self.call("DELETE", "/v1/groups/red%2Ffirst")
        seen = [stream.next() for _ in range(4)]
        self.assertEqual([event["event"] for event in seen], ["group", "vm", "vm_removed", "group_removed"])
        self.assertNotIn("blue", json.dumps(seen))

    def test_list_claims_while_they_see_only_their_own(self):
        self.blues()
        for name in ("red-b", "red-a"):
            self.place(vm=vm(name), claim=True)
        page = self.call("GET", "/v1/claims?sort=name&limit=1").json
        self.assertEqual([claim["vm_name"] for claim in page["claims"]], ["red-a"])
        self.assertEqual(self.names(page["next"], "claims"), ["red-b"])


if __name__ == "__main__":
    unittest.main()
