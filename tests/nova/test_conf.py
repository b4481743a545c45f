"""`emplace config import` beside oslo.config with Nova's own options: random nova.conf files, hostile ones too, mean the same
to both. EMPLACE_TEST_SEED repeats a run."""

import math
import os
import pathlib
import random
import subprocess
import tempfile
import tomllib
import unittest
import warnings

try:
    from nova import conf
    from oslo_config import cfg
except ImportError:
    raise SystemExit(77)  # noqa: B904

CONF = conf.CONF
EMPLACE = pathlib.Path(os.environ["EMPLACED"]).parent / "emplace"
SEED = int(os.environ.get("EMPLACE_TEST_SEED", "20261121"))
CASES = int(os.environ.get("EMPLACE_TEST_CASES", "400"))

warnings.simplefilter("ignore")

# What our plugin reads, and what is only told of.
PLUGIN = {"DEFAULT": ["service_down_time", "default_availability_zone"],
          "compute": ["packing_host_numa_cells_allocation_strategy"],
          "metrics": ["weight_multiplier", "weight_setting", "required", "weight_of_unavailable"]}  # fmt: skip
MULTIPLIERS = {"RAMWeigher": "ram", "CPUWeigher": "cpu", "DiskWeigher": "disk", "IoOpsWeigher": "io_ops", "PCIWeigher": "pci",
               "ServerGroupSoftAffinityWeigher": "soft_affinity", "ServerGroupSoftAntiAffinityWeigher": "soft_anti_affinity",
               "BuildFailureWeigher": "build_failure", "CrossCellWeigher": "cross_cell_move"}  # fmt: skip
TOLD = {"DEFAULT": ["report_interval"], "scheduler": sorted(opt.name for opt in conf.scheduler.scheduler_opts),
        "filter_scheduler": ["host_subset_size", "track_instance_changes", "shuffle_best_same_weighed_hosts"]}  # fmt: skip
RULES = {"filter_scheduler": ["available_filters", "enabled_filters", "weight_classes"]}
PLUGIN["filter_scheduler"] = sorted(opt.name for opt in conf.scheduler.filter_scheduler_opts
                                    if opt.name not in TOLD["filter_scheduler"] + RULES["filter_scheduler"])  # fmt: skip
ALL = [(section, name) for table in (PLUGIN, TOLD, RULES) for section, names in table.items() for name in names]

FILTERS = ["ComputeFilter", "AvailabilityZoneFilter", "NUMATopologyFilter", "JsonFilter", "FooFilter", "EmplaceFilter", "ComputeFilter"]
AVAILABLE = ["nova.scheduler.filters.all_filters", "nova.scheduler.filters.compute_filter.ComputeFilter", "acme.JsonFilter",
             "emplace_nova.EmplaceFilter", "acme.FooFilter"]  # fmt: skip
WEIGHERS = ["nova.scheduler.weights.all_weighers", "nova.scheduler.weights.ram.RAMWeigher", "emplace_nova.EmplaceWeigher",
            "nova.scheduler.weights.cpu.CPUWeigher", "acme.Weigher"]  # fmt: skip


# Of a variable that only Nova's other options could tell.
UNRESOLVED = "warning: [{}] {}: wanted a text, found $".format


def option(section, name):
    return CONF._get_opt_info(name, None if section == "DEFAULT" else section)["opt"]


def value_of(section, name):
    """Nova's value; ValueError where Nova fails."""
    try:
        return getattr(CONF if section == "DEFAULT" else getattr(CONF, section), name)
    except (cfg.Error, ValueError, RecursionError) as error:
        raise ValueError(str(error)) from error


def raised(service_down_time):
    """As nova.servicegroup.api does when it is made."""
    try:
        report_interval = value_of("DEFAULT", "report_interval")
    except ValueError:
        report_interval = standard("DEFAULT", "report_interval")
    return int(report_interval * 2.5) if service_down_time <= report_interval else service_down_time


def standard(section, name):
    opt = option(section, name)
    return [] if opt.default is None and isinstance(opt, cfg.ListOpt) else opt.default


# ---- files


def text_for(rng, section, name):
    if name == "available_filters":
        return rng.choice(AVAILABLE)
    if name in ("enabled_filters", "weight_classes"):
        return rng.choice([",", ", ", " ,\n   "]).join(rng.sample(FILTERS if name == "enabled_filters" else WEIGHERS, rng.randint(0, 3)))
    kind = type(option(section, name))
    if rng.random() < 0.05:
        return rng.choice(["", "x", "$", "$$", "a$b", "${", "\\$x", "ä\u00a0", "-1", "1,,2,", "#1", "; a", "[x]", "a\\", "%(x)s", "''", '"'])
    if kind is cfg.IntOpt:
        return rng.choice(["0", "1", "7", " 12 ", "+3", "1_000", "007", "-1", "86400", "1.0", "0x10", "1__0", "_1", "9" * 15, "\t5"])
    if kind is cfg.FloatOpt:
        return rng.choice(["0", "1.5", "-2.25", "1e3", ".5", "5.", "+1E-3", "1_0.5", "nan", "-inf", "Infinity", "0.1", "1e11", "1e13",
                           "3.0000000000000004", "1.", "e5", "0.30000000000000004", "1e", "--1"])  # fmt: skip
    if kind is cfg.BoolOpt:
        return rng.choice(["true", "False", "1", "0", "YES", "no", "On", "off", "t", "2", "enabled"])
    if kind is cfg.ListOpt:
        return rng.choice(["a", "a,b", " a , b ,", "a=1.5,b=-2", '"a,b"', ",", ",,a", "cpu.percent=1.0", "ü,日本", "a\n b\n\tc", "a b,c;d"])
    return rng.choice(["nova", "x86_64", "aarch64", "'quoted'", '"', "a b", "a=b", "a:b", "$my_ip", "${host}-x", "$default_availability_zone",
                       "$filter_scheduler.max_io_ops_per_host", "$nowhere", "line\n  two", "\\$y", "$$z", "a#b", "a ; b", "'a\""])  # fmt: skip


def lines_for(rng, section, name):
    text = text_for(rng, section, name)
    sign = rng.choice(["=", " = ", ":", " : ", "= ", "\t=\t"])
    quote = rng.choice(["", "", "", "'", '"']) if "\n" not in text else ""
    return f"{name}{sign}{quote}{text}{quote}"


def broken_line(rng):
    return rng.choice(["no sign", "= x", "  a line that goes on", "[open", "[]", " : x", "ok = 1\n\n  gone on"])


def file_for(rng):
    lines = ["[DEFAULT]", "my_ip = 10.1.2.3", "host = h1"] if rng.random() < 0.7 else []
    for section, name in sorted(rng.sample(ALL, rng.randint(1, 8))):
        lines.append(f"[{section.upper() if section != 'DEFAULT' and rng.random() < 0.2 else section}]")
        for _ in range(rng.choice([1, 1, 1, 2])):
            lines.append(rng.choice(["", "# comment", "; comment = 1", "unknown_option = 1"]))
            lines.append(lines_for(rng, section, name) + rng.choice(["", "  ", "\t", "\u00a0"]))
    if rng.random() < 0.05:
        lines.insert(rng.randint(0, len(lines)), broken_line(rng))
    return rng.choice(["\n", "\n", "\r\n", "\r"]).join("\n".join(lines).split("\n"))


# ---- what each of them reads


def read_by_oslo(files):
    """False where oslo.config gives up."""
    try:
        CONF([], project="nova", default_config_files=files, default_config_dirs=[])
        return True
    except cfg.ConfigFileParseError:
        return False


def read_by_emplace(files):
    done = subprocess.run([EMPLACE, "config", "import", *files], capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout, done.stderr.splitlines()


def beyond(name, value):
    """What Nova takes and emplaced.toml can't have."""
    if isinstance(value, float):
        return not abs(value) <= 1e12
    return name == "service_down_time" and not 1 <= value <= 86400


class Same(unittest.TestCase):
    maxDiff = None

    def check_plugin(self, config, told):
        for section, names in PLUGIN.items():
            for name in names:
                found = config.get(section, {}).get(name, standard(section, name))
                said = [line for line in told if f": [{section}] {name}: " in line and "Nova takes 2.5 times that" not in line]
                try:
                    wanted = value_of(section, name)
                except ValueError:
                    wanted = None
                    self.assertTrue(said and said[0].startswith(("error: ", UNRESOLVED(section, name))), (section, name, told))
                if said and said[0].startswith(UNRESOLVED(section, name)) and said[0].split("$")[1].startswith(("host,", "my_ip,")):
                    wanted = None
                if name == "service_down_time" and wanted is not None:
                    wanted = raised(wanted)
                elif name == "service_down_time" and not beyond(name, raised(standard(section, name))):
                    self.assertEqual(found, raised(standard(section, name)))
                    continue
                if wanted is None or beyond(name, wanted):
                    wanted = standard(section, name)
                    if not (wanted is None and not said):
                        self.assertTrue(said, (section, name))
                else:
                    self.assertEqual(said, [], (section, name))
                self.assertEqual(found, wanted, (section, name))
                if isinstance(wanted, float):
                    self.assertEqual(math.copysign(1, found), math.copysign(1, wanted), (section, name))

    def check_told(self, told):
        for section, names in TOLD.items():
            for name in names:
                said = [line for line in told if f": [{section}] {name}: " in line]
                try:
                    differs = value_of(section, name) != standard(section, name)
                except ValueError:
                    differs = True
                if name == "query_placement_for_availability_zone":  # may also be told of for the lack of a filter
                    self.assertGreaterEqual(len(said), differs, (section, name, said))
                else:
                    self.assertEqual(len(said), differs, (section, name, said))

    def rules(self, name):
        try:
            return value_of("filter_scheduler", name)
        except ValueError:
            return standard("filter_scheduler", name)

    def check_filters(self, profile):
        own = {"ComputeFilter", "AvailabilityZoneFilter", "NUMATopologyFilter", "JsonFilter", "ComputeCapabilitiesFilter",
               "ImagePropertiesFilter", "ServerGroupAntiAffinityFilter", "ServerGroupAffinityFilter"}  # fmt: skip
        source = {}
        for path in self.rules("available_filters"):
            source.update(dict.fromkeys(own, True) if path.endswith(".all_filters") else {path.split(".")[-1]: path.startswith("nova.scheduler.filters.")})
        wanted = [name for name in dict.fromkeys(self.rules("enabled_filters")) if source.get(name) and name in own]
        self.assertEqual(profile["filters"], wanted)

    def check_weighers(self, profile):
        wanted = {}
        for path in self.rules("weight_classes"):
            if path.endswith(".all_weighers"):
                wanted.update(dict.fromkeys([*MULTIPLIERS, "MetricsWeigher"]))
            elif path.startswith("nova.scheduler.weights."):
                wanted[path.split(".")[-1]] = None
        found = {one["id"]: one["multiplier"] for one in profile["weighers"]}
        self.assertEqual(set(found), set(wanted))
        for weigher, multiplier in found.items():
            where = ("metrics", "weight_multiplier") if weigher == "MetricsWeigher" else ("filter_scheduler", f"{MULTIPLIERS[weigher]}_weight_multiplier")
            try:
                value = value_of(*where)
            except ValueError:
                value = None
            value = standard(*where) if value is None or beyond(where[1], value) else value
            self.assertEqual(multiplier, -value if weigher == "BuildFailureWeigher" else value, weigher)

    def check(self, files):
        code, printed, told = read_by_emplace(files)
        if not read_by_oslo(files):
            self.assertEqual((code, printed), (2, ""))
            return "broken"
        self.assertEqual(code, 0, told)
        document = tomllib.loads(printed)
        (plugin,), (profile,) = document["plugin"], document["profile"]
        self.check_plugin(plugin["config"], told)
        self.check_told(told)
        self.check_filters(profile)
        self.check_weighers(profile)
        return "read"

    def test_random_files_mean_the_same(self):
        rng = random.Random(SEED)
        seen = {"broken": 0, "read": 0}
        with tempfile.TemporaryDirectory() as directory:
            for number in range(CASES):
                files = [os.path.join(directory, f"{i}.conf") for i in range(rng.choice([1, 1, 2, 3]))]
                texts = [file_for(rng) for _ in files]
                for path, text in zip(files, texts):
                    pathlib.Path(path).write_bytes(text.encode())
                try:
                    seen[self.check(files)] += 1
                except AssertionError as error:
                    raise AssertionError(f"case {number} of seed {SEED}: {error}\n" + "\n-----\n".join(texts)) from error
        self.assertGreater(min(seen.values()), CASES // 100, seen)

    def test_no_file_sets_anything(self):
        with tempfile.NamedTemporaryFile(suffix=".conf") as empty:
            self.assertEqual(self.check([empty.name]), "read")

    def test_master_has_options_of_its_own(self):
        with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
            file.write("[filter_scheduler]\nnum_instances_weight_multiplier = -2\nenabled_filters = AvailabilityZoneFilter\n")
            file.flush()
            done = subprocess.run([EMPLACE, "config", "import", "--release", "master", file.name], capture_output=True, text=True, timeout=60, check=True)
        document = tomllib.loads(done.stdout)
        self.assertEqual(document["nova"], {"release": "master"})
        self.assertEqual(document["plugin"][0]["config"], {"release": "master", "filter_scheduler": {"num_instances_weight_multiplier": -2}})
        self.assertIn({"id": "NumInstancesWeigher", "multiplier": -2.0}, document["profile"][0]["weighers"])
        self.assertEqual(len(document["profile"][0]["weighers"]), 13)
        self.assertEqual(document["profile"][0]["filters"], [])
        self.assertIn("AvailabilityZoneFilter", done.stderr)


if __name__ == "__main__":
    unittest.main()
