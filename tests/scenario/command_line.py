"""A small cluster by the command line alone: what an operator types, what is answered, and the documented exit codes.

usage: command_line.py BUILD_DIRECTORY
"""

import json
import os
import subprocess
import sys

from service import Service

HOSTS = [{"name": f"h{i}", "vcpus": 8, "memory_mib": 16384, "disk_gib": 100, "zone": f"z{1 + i % 2}", "rack": f"r{i}"}
         for i in range(1, 5)]
INVENTORY = {"hosts": HOSTS, "groups": [{"name": "apart", "policy": "anti-affinity", "max_per_host": 1}]}
DONE, REFUSED, BAD_INPUT, UNREACHABLE, NOT_ALLOWED, NOT_FOUND = range(6)


def inventory(service):
    assert "rows" in service.emplace("import", "-", stdin=json.dumps(INVENTORY))
    exported = json.loads(service.emplace("export"))
    assert [host["name"] for host in exported["hosts"]] == ["h1", "h2", "h3", "h4"]
    assert "h3" in service.emplace("hosts")
    assert "rack" in service.emplace("hosts", "h3")
    service.emplace("hosts", "nowhere", status=NOT_FOUND)
    service.emplace("import", "-", stdin='{"hosts":[{"name":"bad","vcpus":-1}]}', status=BAD_INPUT)
    service.emplace("import", "/nonexistent.json", status=BAD_INPUT)


def placements(service):
    hosts = set()
    for i in range(4):
        text = service.emplace("--json", "place", "--name", f"web-{i}", "--vcpus", "2", "--memory", "4GiB", "--group", "apart", "--claim")
        hosts.add(json.loads(text)["claim"]["host"])
    assert hosts == {"h1", "h2", "h3", "h4"}, hosts
    refused = service.emplace("place", "--name", "web-5", "--vcpus", "2", "--memory", "4GiB", "--group", "apart", "--dry-run",
                              "--explain", "full", status=REFUSED)
    assert "no host fits" in refused and "group" in refused, refused
    service.emplace("place", "--vcpus", "1", "--memory", "1GiB", "--group", "unknown", status=BAD_INPUT)


def decisions(service):
    answer = json.loads(service.emplace("--json", "place", "--name", "kept", "--vcpus", "1", "--memory", "1GiB", "--dry-run", "--record"))
    assert "candidates" in service.emplace("explain", answer["decision_id"])
    assert "identical" in service.emplace("replay", answer["decision_id"])
    service.emplace("explain", "00000000-0000-4000-8000-000000000000", status=NOT_FOUND)


def claims(service):
    listed = json.loads(service.emplace("--json", "claims"))["claims"]
    assert len(listed) == 4
    service.emplace("claims", "confirm", listed[0]["id"])
    service.emplace("claims", "release", listed[1]["id"])
    service.emplace("claims", "release", listed[1]["id"], status=NOT_FOUND)
    names = {vm["name"]: vm["state"] for vm in service.vms()}
    assert sorted(names.values()) == ["claimed", "claimed", "placed"], names
    service.emplace("vms", "delete", next(name for name, state in names.items() if state == "placed"))
    assert len(service.vms()) == 2


def host_states(service):
    service.emplace("hosts", "set", "h1", "maintenance")
    answer = json.loads(service.emplace("--json", "place", "--vcpus", "1", "--memory", "1GiB", "--dry-run", "--alternates", "10"))
    assert "h1" not in [entry["host"] for entry in answer["ranking"]]
    service.emplace("hosts", "set", "h1", "asleep", status=BAD_INPUT)
    service.emplace("hosts", "set", "h1", "enabled")


def others(service):
    assert "database" in service.emplace("doctor")
    assert "hosts    4" in service.emplace("status")
    assert "default" in service.emplace("profiles")
    assert "apart" in service.emplace("groups")
    assert "host" in service.emplace("events")
    service.emplace("plugins")
    assert "affinity.memory" in service.emplace("plugin", "list")


def without_service(build, service):
    def code(*arguments):
        command = [os.path.join(build, "bin/emplace"), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd="/")
        assert len(done.stderr.strip().splitlines()) <= 2, done.stderr
        return done.returncode

    assert code("--url", "http://127.0.0.1:1", "status") == UNREACHABLE
    assert code("--url", service.url, "hosts") == NOT_ALLOWED
    assert code("no-such-command") == BAD_INPUT
    for shell in ("bash", "zsh", "fish"):
        assert code("completion", shell) == DONE


def main():
    build = os.path.abspath(sys.argv[1])
    with Service(build) as service:
        for step in (inventory, placements, decisions, claims, host_states, others):
            step(service)
            print(f"ok {step.__name__}")
        without_service(build, service)
        print("ok without_service")


if __name__ == "__main__":
    main()
