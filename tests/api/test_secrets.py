"""Parameters and the template of a vm may be secret: readers do not see them, unless the policy says so."""

import hashlib
import pathlib
import tempfile
import unittest

from service import Service, hosts, vm

SECRET = "hunter2-7f3a"
ROLES = ("reader", "planner", "operator", "admin")


def start(folder, policy=""):
    lines = [f"{hashlib.sha256(role.encode()).hexdigest()} {role} {role}" for role in ROLES]
    pathlib.Path(folder, "tokens").write_text("\n".join(lines) + "\n")
    pathlib.Path(folder, "policy").write_text(policy)
    config = pathlib.Path(folder, "emplaced.toml")
    config.write_text(f'[auth]\ntokens_file = "{folder}/tokens"\npolicy_file = "{folder}/policy"\n')
    emplace = Service(["--config", str(config)])
    assert emplace.post("/v1/inventory:import", hosts(2)).status == 200
    return emplace


def place(emplace):
    body = {"vm": vm("secretive", template="windows", parameters={"password": SECRET}), "claim": True}
    answer = emplace.post("/v1/placements", body)
    assert answer.status == 200, answer
    return answer.json["decision_id"], body


class Secrets(unittest.TestCase):
    def run_with(self, policy):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        emplace = start(folder.name, policy)
        self.addCleanup(emplace.stop)
        return emplace

    def test_are_hidden_from_readers_wherever_they_look(self):
        emplace = self.run_with("")
        decision, body = place(emplace)
        shown = emplace.get(f"/v1/decisions/{decision}", token="reader")
        self.assertEqual(shown.json["hidden"], ["vm.template", "vm.parameters"])
        self.assertEqual(shown.json["request"]["request"]["vm"], vm("secretive"))
        for path in (f"/v1/decisions/{decision}", f"/v1/decisions/{decision}?explain=full", "/v1/decisions", "/v1/vms", "/v1/claims",
                     "/v1/hosts", "/metrics"):
            self.assertNotIn(SECRET, emplace.get(path, token="reader").text, path)
        self.assertNotIn(SECRET, emplace.post(f"/v1/decisions/{decision}:replay", None, token="reader").text)
        self.assertNotIn(SECRET, emplace.said())

        connection = emplace.connection()
        connection.request("GET", "/v1/events?after=0", headers={"Authorization": "Bearer reader"})
        stream, seen = connection.getresponse(), b""
        while decision.encode() not in seen and b"secretive" not in seen:
            seen += stream.readline()
        self.assertNotIn(SECRET.encode(), seen)
        connection.close()

        for role in ("planner", "operator", "admin"):
            shown = emplace.get(f"/v1/decisions/{decision}", token=role)
            self.assertEqual(shown.json["request"]["request"], body, role)
            self.assertNotIn("hidden", shown.json)

    def test_are_shown_to_whom_the_policy_says(self):
        emplace = self.run_with("SEE vm.parameters reader\nSEE vm.template admin\n")
        decision, body = place(emplace)
        for role, hidden in (("reader", ["vm.template"]), ("operator", ["vm.template"]), ("admin", None)):
            shown = emplace.get(f"/v1/decisions/{decision}", token=role).json
            self.assertEqual(shown.get("hidden"), hidden, role)
            self.assertEqual(shown["request"]["request"]["vm"]["parameters"], body["vm"]["parameters"])
            self.assertTrue(emplace.post(f"/v1/decisions/{decision}:replay", None, token=role).json["identical"])


if __name__ == "__main__":
    unittest.main()
