"""nova.conf, told to a real emplaced: by `emplace config import`, by [nova] of emplaced.toml, and what `emplace nova doctor` says."""

import json
import pathlib
import re
import signal
import subprocess
import tempfile
import time
import unittest

import service
from service import hosts, vm

EMPLACE = service.BINARY.parent / "emplace"
PATIENCE_SECONDS = 60
NOVA_CONF = """
[DEFAULT]
transport_url = rabbit://nova:rabbit-secret@controller
[filter_scheduler]
max_instances_per_host = 2
ram_weight_multiplier = 0.30000000000000004
isolated_hosts = h0,
available_filters = nova.scheduler.filters.all_filters
available_filters = emplace_nova.EmplaceFilter
enabled_filters = ComputeFilter, NumInstancesFilter, EmplaceFilter
weight_classes = nova.scheduler.weights.all_weighers, emplace_nova.EmplaceWeigher
[metrics]
required = no
"""


def run(*arguments):
    done = subprocess.run([EMPLACE, *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout, done.stderr


class WithFiles(unittest.TestCase):
    def setUp(self):
        files = tempfile.TemporaryDirectory()
        self.addCleanup(files.cleanup)
        self.directory = pathlib.Path(files.name)
        self.conf = self.write("nova.conf", NOVA_CONF)

    def write(self, name, text):
        """By another file renamed: who reads meanwhile has the old one or the new one, never half of it."""
        path = self.directory / name
        half = self.directory / "half"
        half.write_text(text)
        half.rename(path)
        return path

    def start(self, toml):
        emplace = service.Service(["--config", str(self.write("emplaced.toml", toml))])
        self.addCleanup(emplace.stop)
        return emplace

    def check_config(self, toml):
        done = subprocess.run([service.BINARY, "--config", self.write("checked.toml", toml), "--check-config"], capture_output=True, text=True,
                              timeout=60, check=False)  # fmt: skip
        return done.returncode, done.stderr

    def from_conf(self, more=""):
        return f'[nova]\nconfig = "{self.conf}"\n{more}'


def configuration(emplace):
    """Of the plugin nova, without the sections that say nothing."""
    (plugin,) = [one for one in emplace.get("/v1/plugins").json["plugins"] if one["id"] == "nova"]
    return {key: value for key, value in plugin["configuration"].items() if value != {}}


class Import(WithFiles):
    def test_makes_a_configuration_that_runs(self):
        code, toml, said = run("config", "import", self.conf)
        self.assertEqual(code, 0)
        self.assertRegex(said, r"^note: \[filter_scheduler\]: Nova's APIs do not tell .*PCIWeigher \(pci_stats\)\n$")
        self.assertEqual(self.check_config(toml), (0, ""))
        emplace = self.start(toml)
        self.assertEqual(configuration(emplace), {
            "release": "zed",
            "filter_scheduler": {"max_instances_per_host": 2, "ram_weight_multiplier": 0.30000000000000004, "isolated_hosts": ["h0"]},
            "metrics": {"required": False},
        })  # fmt: skip
        profile = emplace.get("/v1/profiles/nova").json
        self.assertEqual((profile["method"], profile["filters"]), ("nova", ["ComputeFilter", "NumInstancesFilter"]))
        self.assertEqual(len(profile["weighers"]), 10)
        multipliers = {one["id"]: one["multiplier"] for one in profile["weighers"]}
        self.assertEqual((multipliers["RAMWeigher"], multipliers["BuildFailureWeigher"]), (0.30000000000000004, -1e6))

    def test_tells_what_a_file_lacks(self):
        self.assertEqual(run("config", "import", self.directory / "none.conf")[0], 2)
        code, toml, said = run("config", "import", self.write("broken.conf", "[a]\nb\n"))
        self.assertEqual((code, toml), (2, ""))
        self.assertIn("broken.conf:2: wanted ':' or '='", said)

    def test_never_repeats_a_secret(self):
        self.assertNotIn("rabbit-secret", "".join(map(str, run("config", "import", self.conf))))


class NovaSection(WithFiles):
    def wait_for(self, emplace, wanted):
        deadline = time.monotonic() + PATIENCE_SECONDS
        while configuration(emplace) != wanted and time.monotonic() < deadline:
            time.sleep(0.02)
        self.assertEqual(configuration(emplace), wanted)

    def wait_for_line(self, emplace, pattern):
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not re.search(pattern, emplace.said()) and time.monotonic() < deadline:
            time.sleep(0.02)
        self.assertRegex(emplace.said(), pattern)

    def test_gives_its_options_to_the_rules(self):
        emplace = self.start(self.from_conf())
        crowd = [vm(f"v{i}", host="h1") for i in range(2)]
        self.assertEqual(emplace.post("/v1/inventory:import", {**hosts(2), "vms": crowd}).status, 200)
        asked = {"vm": vm(), "hosts": ["h0", "h1"], "filters": ["NumInstancesFilter"]}
        answer = emplace.post("/v1/filter", asked).json
        self.assertEqual(answer["passed"], ["h0"], answer)
        self.assertEqual(answer["refused"][0]["wanted"], 2)

    def test_is_read_again_on_sighup_and_a_bad_file_changes_nothing(self):
        emplace = self.start(self.from_conf())
        before = configuration(emplace)
        self.assertEqual(before["filter_scheduler"]["max_instances_per_host"], 2)
        self.write("nova.conf", "[filter_scheduler]\nmax_instances_per_host = 3\n")
        emplace.process.send_signal(signal.SIGHUP)
        self.wait_for(emplace, {"release": "zed", "filter_scheduler": {"max_instances_per_host": 3}})
        for text, why in (
            ("[filter_scheduler]\nmax_instances_per_host = 0\n", r"max_instances_per_host: wanted at least 1, found 0"),
            ("[filter_scheduler\n", r"nova\.conf:1: wanted '\]'"),
        ):
            self.write("nova.conf", text)
            emplace.process.send_signal(signal.SIGHUP)
            self.wait_for_line(emplace, "event=reload error=.*" + why)
        self.wait_for(emplace, {"release": "zed", "filter_scheduler": {"max_instances_per_host": 3}})

    def test_gives_way_to_the_plugins_own_entry(self):
        emplace = self.start(self.from_conf('release = "zed"\n[[plugin]]\npath = "libemplace_nova.so"\n'
                                            'config = { release = "master", metrics = { required = true } }\n'))  # fmt: skip
        found = configuration(emplace)
        self.assertEqual((found["release"], found["metrics"]), ("master", {"required": True}))
        self.assertEqual(found["filter_scheduler"]["max_instances_per_host"], 2)

    def test_names_the_release_alone(self):
        self.assertEqual(configuration(self.start('[nova]\nrelease = "master"\n')), {"release": "master"})

    def test_is_refused_at_start_with_file_and_option(self):
        self.assertEqual(self.check_config(self.from_conf()), (0, ""))
        for text, why in (
            ("[filter_scheduler]\nmax_io_ops_per_host = many\n", r"nova\.config: .*nova\.conf: \[filter_scheduler\] max_io_ops_per_host: wanted a whole number"),
            ("[a]\nb\n", r"nova\.config: .*nova\.conf:2: wanted ':' or '='"),
        ):
            self.conf.write_text(text)
            code, said = self.check_config(self.from_conf())
            self.assertEqual(code, 2)
            self.assertRegex(said, r"checked\.toml: " + why)
        for toml, why in (
            ('[nova]\nconfig = "/nowhere/nova.conf"\n', r'nova\.config: wanted a file to read, found "/nowhere/nova\.conf"'),
            ('[nova]\nconfig = "/dev/zero"\n', r"wanted a file to read"),
            ('[nova]\nrelease = "yoga"\n', r'nova\.release: wanted "zed" or "master"'),
            ('[nova]\n[[plugin]]\npath = "libemplace_affinity.so"\n', r"nova: wanted a \[\[plugin\]\] libemplace_nova\.so, found none"),
        ):
            code, said = self.check_config(toml)
            self.assertEqual(code, 2)
            self.assertRegex(said, why)

    def test_logs_what_is_not_honoured(self):
        self.conf.write_text("[filter_scheduler]\nhost_subset_size = 2\n")
        self.wait_for_line(self.start(self.from_conf()), r'event=nova_conf file=.* option="\[filter_scheduler\] host_subset_size"')


class Doctor(WithFiles):
    def doctor(self, text, *more):
        """{about: level and text} of each line, and the exit code."""
        conf = self.write("asking.conf", text)
        code, printed, said = run("--json", "nova", "doctor", "--conf", conf, *more)
        self.assertEqual(said, "")
        findings = {}
        for one in json.loads(printed)["findings"]:
            findings.setdefault(one["about"], []).append(f'{one["level"]} {one["text"]}')
        return code, findings, printed

    def conf_for(self, emplace, more=""):
        token = self.write("emplace.token", emplace.token + "\n")
        token.chmod(0o400)
        return NOVA_CONF + f"[emplace]\nurl = http://{emplace.address}\ntoken_file = {token}\n{more}"

    def test_finds_nothing_wrong_where_all_is_well(self):
        _, toml, _ = run("config", "import", self.conf)
        emplace = self.start(toml)
        self.assertEqual(emplace.post("/v1/inventory:import", hosts(3)).status, 200)
        code, findings, printed = self.doctor(self.conf_for(emplace, "mode = enforce\nprofile = nova\nshortlist = 16\n"))
        self.assertEqual(code, 0, findings)
        self.assertIn("only the 16 hosts", findings["[emplace] shortlist"][0])
        levels = {line.split()[0] for lines in findings.values() for line in lines}
        self.assertEqual(levels, {"ok", "note"}, findings)
        self.assertIn("the same as Nova's", findings["profile nova, filters"][0])
        self.assertIn("Emplace runs with those", findings["options"][0])
        self.assertIn("Emplace knows 3", findings["hosts"][0])
        self.assertNotIn(emplace.token, printed)
        self.assertNotIn("rabbit-secret", printed)
        code, findings, _ = self.doctor(self.conf_for(emplace, "profile = nowhere\n"))
        self.assertEqual(code, 6)
        self.assertRegex(findings["profile nowhere"][0], "^error Emplace has none of that name")
        _, findings, _ = self.doctor(self.conf_for(emplace, "shortlist = 16\n"))
        self.assertIn("which mode shadow does not look at", findings["[emplace] shortlist"][0])

    def test_names_what_differs(self):
        emplace = self.start('[nova]\nrelease = "master"\n')
        conf = self.conf_for(emplace).replace("NumInstancesFilter, EmplaceFilter", "EmplaceFilter, JsonFilter")
        pathlib.Path(self.directory, "emplace.token").chmod(0o444)
        code, findings, _ = self.doctor(conf, "--release", "zed")
        self.assertEqual(code, 0, findings)
        self.assertEqual(findings["[filter_scheduler] max_instances_per_host"], ["warning nova.conf says 2, Emplace runs with 50"])
        self.assertRegex(findings["release"][0], "^warning .*master.*zed")
        self.assertRegex(findings["[filter_scheduler] enabled_filters"][0], "^warning EmplaceFilter before JsonFilter")
        self.assertRegex(findings["[emplace] token_file"][0], "^warning .*everybody")
        self.assertRegex(findings["profile default"][0], "^note orders hosts by chebyshev")
        self.assertRegex(findings["hosts"][0], "^warning Emplace knows none")

    def test_warns_of_the_rules_of_a_fork_as_import_does(self):
        emplace = self.start("")
        conf = self.conf_for(emplace).replace("NumInstancesFilter, EmplaceFilter", "VmwareFilter, EmplaceFilter")
        conf = conf.replace("emplace_nova.EmplaceWeigher", "emplace_nova.EmplaceWeigher, nova.scheduler.weights.bcpc.BcpcWeigher")
        conf = conf.replace("[DEFAULT]", "[DEFAULT]\nreport_interval = 100")
        code, findings, _ = self.doctor(conf)
        self.assertEqual(code, 0, findings)
        _, _, said = run("config", "import", self.write("fork.conf", conf))
        for about, text in (
            ("[filter_scheduler] enabled_filters: VmwareFilter", "warning none of Nova's own filters"),
            ("[filter_scheduler] weight_classes: nova.scheduler.weights.bcpc.BcpcWeigher", "warning none of Nova's own weighers"),
            ("[filter_scheduler]", "note Nova's APIs do not tell what these need, so they judge no host that [openstack] reads"),
            ("[DEFAULT] service_down_time", "note 60 is not above report_interval 100: Nova takes 2.5 times that, 250"),
        ):
            self.assertIn(text, findings[about][0])
            level, words = text.split(" ", 1)
            self.assertIn(f"{level}: {about}: {words}", said)

    def test_says_that_a_file_says_nothing(self):
        _, findings, _ = self.doctor("")
        nothing = "says nothing: Nova's defaults hold"
        self.assertIn(f"note {nothing}", findings["nova.conf"])
        self.assertIn(f"note: nova.conf: {nothing}", run("config", "import", self.write("empty.conf", ""))[2])

    def test_fails_without_service_or_token(self):
        code, findings, _ = self.doctor("[emplace]\nurl = http://user:hunter2@127.0.0.1:1\nmode = loud\n")
        self.assertEqual(code, 6)
        self.assertRegex(findings["service"][0], "^error no answer from http://127.0.0.1:1")
        self.assertRegex(findings["[emplace] token_file"][0], "^error none")
        self.assertRegex(findings["[emplace] mode"][-1], "^error wanted one of shadow, advise, enforce")
        self.assertRegex(findings["[filter_scheduler] enabled_filters"][0], "^warning without EmplaceFilter")
        self.assertNotIn("hunter2", str(findings))
        self.assertEqual(run("nova", "doctor", "--conf", self.directory / "none.conf")[0], 6)
        _, printed, _ = run("nova", "doctor", "--conf", self.conf, "--url", "http://127.0.0.1:1")
        for line in printed.splitlines():
            self.assertRegex(line, r"^(ok|note|warning|error) +\S.*: ")

    def test_tries_the_token(self):
        emplace = self.start("")
        conf = self.conf_for(emplace)
        for token, about, why in (
            ("wrong", "token", "^error Emplace does not accept it"),
            ("two words", "[emplace] token_file", "^error .*wanted one word of ASCII"),
        ):
            path = pathlib.Path(self.directory, "emplace.token")
            path.chmod(0o600)
            path.write_text(token)
            code, findings, printed = self.doctor(conf)
            self.assertEqual(code, 6)
            self.assertRegex(findings[about][0], why)
            self.assertNotIn(f'"{token}"', printed)


if __name__ == "__main__":
    unittest.main()
