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
        return self.check_text(PROFILE.format(name="mine", filters=filters, objectives=objectives))

    def check_text(self, text):
        with tempfile.TemporaryDirectory() as directory:
            file = pathlib.Path(directory) / "emplaced.toml"
            data = pathlib.Path(directory) / "data"
            file.write_text(f'[service]\ndata = "{data}"\n' + text)
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

    def test_refuses_an_address_and_a_policy_that_are_none(self):
        for address in ("127.0.0.1", "127.0.0.1:99999", ":8791", "", "unix:"):
            code, said = self.check_text(f'listen = "{address}"')
            self.assertEqual(code, 2, said)
            self.assertIn("listen: wanted", said)
        for address in ("127.0.0.1:8790", "[::1]:0", "unix:/run/emplace"):
            self.assertEqual(self.check_text(f'listen = "{address}"'), (0, ""))
        with tempfile.NamedTemporaryFile("w") as policy:
            policy.write("GET /v1/hots operator\n")
            policy.flush()
            code, said = self.check_text(f'[auth]\npolicy_file = "{policy.name}"')
            self.assertEqual(code, 2, said)
            self.assertIn("/v1/hots", said)

    def test_refuses_values_that_a_start_would_fail_on_later(self):
        host = '[[host]]\nname = "h1"\nuri = "test:///default"\n'
        cloud = '[openstack]\nauth_url = "http://127.0.0.1:9/v3"\nusername = "u"\nproject = "p"\npassword = "s"\n'
        self.assertEqual(self.check_text(host + cloud), (0, ""))
        self.assertEqual(self.check_text('[database]\nurl = "postgresql://u@[::1]:5432,b/d"'), (0, ""))
        for text, told in (
            (host.replace("test:///default", ""), r'host\[0\]\.uri: wanted a URI'),
            (host.replace("test:///default", "h1"), r'host\[0\]\.uri: wanted a URI such as "qemu\+tls://h1/system", found'),
            (host + 'peer_uri = "h1"', r'host\[0\]\.peer_uri: wanted a URI'),
            (host + 'migration_uri = "10.0.0.2"', r'host\[0\]\.migration_uri: wanted a URI such as "tcp://10\.0\.0\.2"'),
            (host.replace("h1", ""), r'host\[0\]\.name: wanted a name that is not blank'),
            (host.replace("h1", " "), r'host\[0\]\.name: wanted a name that is not blank'),
            (PROFILE.format(name="", filters="[]", objectives="[]"), r'profile\[0\]\.name: wanted a name that is not blank'),
            (PROFILE.format(name="x", filters="[]", objectives='[{ id = "" }]'), r"objectives\[0\]\.id: wanted a value"),
            ('[[plugin]]\npath = ""', r"plugin\[0\]\.path: wanted a value"),
            (cloud + 'ca_file = "/nowhere.pem"', r"openstack\.ca_file: wanted a file that can be read"),
            (cloud + 'ca_file = "/tmp"', r"openstack\.ca_file: wanted a file that can be read"),
            (cloud.replace('"u"', '""'), r"openstack\.username: wanted a value"),
            (cloud.replace('"p"', '""'), r"openstack\.project: wanted a value"),
            (cloud + "sync_s = 60\nfull_sync_s = 30", r"openstack\.full_sync_s: wanted sync_s, 60, or more, found 30"),
            ('[database]\nurl = "mysql//u:secret@h/d"', r"database\.url: wanted postgresql://"),
            ('[database]\nurl = "postgresql://u:secret@h:port/d"', r"database\.url: wanted ports from 1 to 65535"),
            ('[database]\nurl = "host=a,b port=5432,0 password=secret"', r"database\.url: wanted ports from 1 to 65535"),
        ):
            code, said = self.check_text(text)
            self.assertEqual(code, 2, (text, said))
            self.assertRegex(said, told)
            self.assertNotIn("secret", said)

    def test_names_a_file_that_can_not_be_read(self):
        for key in ("policy_file", "tokens_file"):
            for path, why in (("/tmp", "Is a directory"), ("/nowhere", "No such file or directory")):
                self.assertEqual(self.check_text(f'[auth]\n{key} = "{path}"'), (1, f"emplaced: {path}: wanted a file that can be read: {why}\n"))

    def test_refuses_a_default_profile_that_is_not_there(self):
        code, said = self.check_text('[decision]\nprofile = "nope"\n' + PROFILE.format(name="mine", filters='["capacity"]', objectives="[]"))
        self.assertEqual(code, 2, said)
        self.assertIn('[decision] profile: wanted one of default, mine, found "nope"', said)
        self.assertEqual(self.check_text('[decision]\nprofile = "mine"\n' + PROFILE.format(name="mine", filters='["capacity"]', objectives="[]")), (0, ""))

    def test_refuses_what_names_no_database_of_novas_and_shows_no_password(self):
        cloud = '[openstack]\nauth_url = "http://k/v3"\nusername = "u"\npassword = "p"\nproject = "p"\n'
        for line, told in (
            ('nova_database = ["postgresql://nova:hunter2@db/nova"]', r"nova_database\[0\]: wanted mysql\+pymysql://.*, found postgresql://"),
            ('nova_database = "mysql://nova:hunter2@db/nova"', r"openstack\.nova_database: wanted an array of strings, found something else"),
            ('nova_database_file = "/nonexistent"', r"nova_database_file: wanted a file with a URL in each line"),
            ('allocation_candidates = "sometimes"', r'allocation_candidates: wanted "never" or "granular" or "always"'),
        ):
            code, said = self.check_text(cloud + line)
            self.assertEqual(code, 2, said)
            self.assertRegex(said, told)
            self.assertNotIn("hunter2", said)
        self.assertEqual(self.check_text(cloud + 'nova_database = ["mysql+pymysql://nova:hunter2@db/nova?charset=utf8"]'), (0, ""))


if __name__ == "__main__":
    unittest.main()
