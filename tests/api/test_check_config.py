"""emplaced --check-config: what a start would refuse is refused, and nothing is started."""

import pathlib
import subprocess
import tempfile
import unittest

import service

PROFILE = """
[[profile]]
name = "{name}"
filters = {filters}
objectives = {objectives}
"""


class CheckConfig(unittest.TestCase):
    def check(self, filters, objectives):
        with tempfile.TemporaryDirectory() as directory:
            file = pathlib.Path(directory) / "emplaced.toml"
            data = pathlib.Path(directory) / "data"
            file.write_text(f'[service]\ndata = "{data}"\n' + PROFILE.format(name="mine", filters=filters, objectives=objectives))
            done = subprocess.run([service.BINARY, "--config", file, "--check-config"], capture_output=True, text=True, timeout=60, check=False)
            self.assertFalse(data.exists())
        return done.returncode, done.stderr

    def test_knows_the_rules_of_plugins_that_it_does_not_load(self):
        self.assertEqual(self.check('["capacity", "ComputeFilter"]', '[{ id = "affinity.memory" }, { id = "resource.load" }]'), (0, ""))

    def test_refuses_a_profile_that_names_what_no_rule_is_called(self):
        for filters, objectives, told in (
            ('["capacty"]', "[]", r'profile "mine": filters\[0\]: wanted one of capacity, .*, found "capacty"'),
            ('["capacity", "capacity"]', "[]", r'profile "mine": filters\[1\]: wanted each rule once'),
            ("[]", '[{ id = "affinity.memry" }]', r'profile "mine": objectives\[0\]\.id: wanted one of .*affinity\.memory.*, found "affinity\.memry"'),
            ("[]", '[{ id = "resource.load", weight = -1.0 }]', r"weight: wanted"),
        ):
            code, said = self.check(filters, objectives)
            self.assertEqual(code, 2, said)
            self.assertRegex(said, told)


if __name__ == "__main__":
    unittest.main()
