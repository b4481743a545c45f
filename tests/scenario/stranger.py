"""A stranger writes a plugin: everything from an installed Emplace, nothing from its sources. `emplace plugin new`, a build of its
own, its tests, `emplace plugin check`, and a service that decides with it, in each isolation.

The same plugin with a defect, in a worker, spoils one answer and no more.

usage: stranger.py BUILD_DIRECTORY
"""

import json
import os
import shutil
import subprocess
import sys

from service import ROOT, Service, scratch_directory

ISOLATIONS = ["in-process", "worker"]
# What the objective does for a vm of that size, beside its work.
TROUBLE_MIB = 666
FAULTS = {"crash": "__builtin_trap();", "hang": "for (volatile bool on = true; on;) {}"}
NAME = "temperature"
# With the vm and what must stay free, 4,096 MiB are exactly enough.
HOSTS = [{"name": f"h{i}", "vcpus": 16, "memory_mib": memory_mib, "disk_gib": 100}
         for i, memory_mib in enumerate([3072, 4096, 8192, 16384], start=1)]


def run(*command, status=0, cwd=None):
    # What a stranger's shell does not have must not help: no variable of this build.
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("CMAKE", "EMPLACE"))}
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=environment, timeout=500, check=False)
    assert done.returncode == status, f"{command}: {done.returncode} instead of {status}\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def write_and_build(prefix, directory):
    """The path of the plugin's library."""
    emplace = os.path.join(prefix, "bin/emplace")
    assert "is a plugin" in run(emplace, "plugin", "new", NAME, cwd=directory)
    run(emplace, "plugin", "new", NAME, cwd=directory, status=2)
    source = os.path.join(directory, NAME)
    run("cmake", "-B", "build", f"-DCMAKE_PREFIX_PATH={prefix}", cwd=source)
    run("cmake", "--build", "build", cwd=source)
    told = run("ctest", "--test-dir", "build", "--output-on-failure", cwd=source)
    assert "100% tests passed" in told and f"{NAME}_contract" in told, told
    library = os.path.join(source, "build", f"libemplace_{NAME}.so")
    told = run(emplace, "plugin", "check", library, "--config", '{"minimum_free_mib": 4096}', "--only", "results")
    assert told.split()[:2] == ["passed", "results"], told
    listed = run(emplace, "plugin", "list", os.path.join(source, "build"))
    assert f"{NAME}.fill" in listed, listed
    return library


def build_example(prefix, directory):
    """The worked example of docs/plugins.md, as somebody who copied it."""
    source = os.path.join(directory, "example")
    shutil.copytree(os.path.join(ROOT, "docs/examples/temperature"), source)
    run("cmake", "-B", "build", f"-DCMAKE_PREFIX_PATH={prefix}", cwd=source)
    run("cmake", "--build", "build", cwd=source)
    run(os.path.join(prefix, "bin/emplace"), "plugin", "check", os.path.join(source, "build/temperature.json"), "--only", "results")


def configuration(library, isolation):
    return f"""
[[plugin]]
path = "{library}"
isolation = "{isolation}"
config = {{ minimum_free_mib = 2048 }}

[[profile]]
name = "default"
filters = ["capacity", "state", "zone", "traits", "group", "spread", "{NAME}.room"]
objectives = [{{ id = "{NAME}.fill" }}, {{ id = "resource.load" }}]
"""


def decide(prefix, library, isolation):
    with Service(prefix, config=configuration(library, isolation)) as service:
        service.emplace("import", "-", stdin=json.dumps({"hosts": HOSTS}))
        answer = service.call("POST", "/v1/placements", {"vm": {"name": "vm", "vcpus": 1, "memory_mib": 2048}, "dry_run": True,
                                                         "explain": "full"})
        assert answer["degraded"] == [], answer
        costs = {host["host"]: host["costs"][f"{NAME}.fill"]["value"] for host in answer["ranking"]}
        assert costs == {"h4": 12.5, "h3": 25, "h2": 50}, costs
        refused = {host["name"]: host["code"] for host in answer["hosts"]}
        assert refused == {"h1": f"{NAME}.room.full"}, refused
        plugin = plugin_of(service)
        assert plugin["isolation"] == isolation and plugin["state"] == "running", plugin


def write_faulty(prefix, directory, fault):
    """The same plugin, but with a defect."""
    source = os.path.join(directory, fault)
    shutil.copytree(os.path.join(directory, NAME), source, ignore=shutil.ignore_patterns("build"))
    path = os.path.join(source, f"{NAME}.cc")
    with open(path, encoding="utf-8") as file:
        before, objective, after = file.read().partition("const auto capacity")
    assert objective, f"{path}: no objective that reads the capacity"
    with open(path, "w", encoding="utf-8") as file:
        file.write(f'{before}if (call.request().column<double>("memory_mib").get(0) == {TROUBLE_MIB}.0) {{ {FAULTS[fault]} }}\n'
                   f"    {objective}{after}")
    run("cmake", "-B", "build", f"-DCMAKE_PREFIX_PATH={prefix}", cwd=source)
    run("cmake", "--build", "build", cwd=source)
    return os.path.join(source, "build", f"libemplace_{NAME}.so")


def ask(service, memory_mib):
    return service.call("POST", "/v1/placements", {"vm": {"name": "vm", "vcpus": 1, "memory_mib": memory_mib}, "dry_run": True})


def plugin_of(service):
    return next(plugin for plugin in service.call("GET", "/v1/plugins")["plugins"] if plugin["id"] == NAME)


def degrade_one_answer(prefix, library):
    """The answer that met the defect says so and still ranks; those before and after it are whole."""
    with Service(prefix, config=configuration(library, "worker")) as service:
        service.emplace("import", "-", stdin=json.dumps({"hosts": HOSTS}))
        assert ask(service, 2048)["degraded"] == []
        hit = ask(service, TROUBLE_MIB)
        assert [one["plugin"] for one in hit["degraded"]] == [f"{NAME}.fill"] and len(hit["ranking"]) > 0, hit
        service.wait_for("the worker is back", lambda: plugin_of(service)["state"] == "running")
        whole = ask(service, 2048)
        assert whole["degraded"] == [] and f"{NAME}.fill" in whole["ranking"][0]["costs"], whole
        assert plugin_of(service)["restarts"] == 1, plugin_of(service)
        return hit["degraded"][0]["why"]


def main():
    build = os.path.abspath(sys.argv[1])
    directory = scratch_directory()
    try:
        prefix = os.path.join(directory, "prefix")
        run("cmake", "--install", build, "--prefix", prefix)
        library = write_and_build(prefix, directory)
        build_example(prefix, directory)
        for isolation in ISOLATIONS:
            decide(prefix, library, isolation)
            print(f"{isolation}: {NAME} took part in a decision")
        for fault in FAULTS:
            print(f"{fault}: one answer said: {degrade_one_answer(prefix, write_faulty(prefix, directory, fault))}")
    finally:
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
