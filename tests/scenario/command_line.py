"""A small cluster by the command line alone: what an operator types, what is answered, and the documented exit codes.

usage: command_line.py BUILD_DIRECTORY
"""

import base64
import hashlib
import json
import os
import pty
import shutil
import signal
import struct
import subprocess
import sys
import time

from service import Service

HOSTS = [{"name": f"h{i}", "vcpus": 8, "memory_mib": 16384, "disk_gib": 100, "zone": f"z{1 + i % 2}", "rack": f"r{i}"}
         for i in range(1, 5)]
INVENTORY = {"hosts": HOSTS, "groups": [{"name": "apart", "policy": "anti-affinity", "max_per_host": 1}]}
DONE, REFUSED, BAD_INPUT, UNREACHABLE, NOT_ALLOWED, NOT_FOUND, FAILED = range(7)
INTERRUPTED = 130


def inventory(service):
    assert "rows" in service.emplace("import", "-", stdin=json.dumps(INVENTORY))
    exported = json.loads(service.emplace("export"))
    assert [host["name"] for host in exported["hosts"]] == ["h1", "h2", "h3", "h4"]
    assert "h3" in service.emplace("hosts")
    assert "rack" in service.emplace("hosts", "h3")
    service.emplace("hosts", "nowhere", status=NOT_FOUND)
    service.emplace("import", "-", stdin=json.dumps({"hosts": [{"name": "h9", "vcpus": 1, "memory_mib": 1024}]}))
    service.emplace("hosts", "remove", "h9")
    service.emplace("hosts", "remove", "h9", status=NOT_FOUND)
    service.emplace("import", "-", stdin='{"hosts":[{"name":"bad","vcpus":-1}]}', status=BAD_INPUT)
    service.emplace("import", "/nonexistent.json", status=BAD_INPUT)
    assert "No such file or directory" in service.complaint("export", "/nonexistent/inventory.json")


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


def refused_arguments(service):
    """What is asked for must be said, and be a number that can be meant; nothing is taken as if it had not been said."""
    def refused(*arguments, told):
        status, text = service.try_emplace("place", *arguments)
        assert status == BAD_INPUT and told in text, (arguments, status, text)

    sizes = ("--vcpus", "1", "--memory", "1GiB")
    refused("--name", "v", "--claim", told="--vcpus and --memory")
    refused("--memory", "1GiB", told="--vcpus is missing")
    refused("--vcpus", "1", told="--memory is missing")
    for option in ("--count", "--ttl", "--deadline-ms", "--vcpus"):
        for wrong in ("0", "-1", "1.5", "1,5", "many", ""):
            given = [option, wrong, "--memory", "1GiB"] + ([] if option == "--vcpus" else ["--vcpus", "1"])
            refused("--name", "v", "--claim", *given, told=f"{option}: wanted a whole number")
    refused(*sizes, "--alternates", "-1", told="--alternates: wanted a whole number")
    refused("--vcpus", "1e9", "--memory", "1GiB", told="--vcpus: wanted a whole number")
    refused("--vcpus", "9999999", "--memory", "1GiB", told="--vcpus: wanted a whole number of 1 to 65536")
    for wrong, told in (("8", "8GiB, or 8MiB"), ("0", "at least 1 MiB"), ("-1GiB", "0 to 2147483648 MiB"), ("1.3MiB", "whole MiB"), ("8GB", "GiB"),
                        ("9999PiB", "2147483648 MiB"), ("", "a size"), ("1 parsec", "a size")):
        refused("--vcpus", "1", "--memory", wrong, told=told)
    for wrong, told in (("500MiB", "whole GiB"), ("20480", "20480MiB, or 20480GiB"), ("99999PiB", "2147483648 GiB")):
        refused(*sizes, "--disk", wrong, told=told)
    for wrong in ("", " ", "\t"):
        refused(*sizes, "--claim", "--name", wrong, told="--name: wanted a name")
    refused(*sizes, "--wait", "--name", "v", "--claim", told="--wait: wanted --start")
    refused("--request", "-", "--vcpus", "1", told="--vcpus: wanted in the file")
    for wrong in ("0", "-1", "soon", "1,5"):
        for command in (("place", *sizes), ("hosts", "drain", "h1"), ("vms", "migrate", "web-0")):
            told = service.complaint(*command, "--timeout", wrong)
            assert f"--timeout: wanted more than 0 seconds, found '{wrong}'" in told, told
    for fine in ("1GiB", "1gib", "1G", "1024", "0.5GiB", "1048576KiB", "1 GiB"):
        service.emplace("place", "--vcpus", "1", "--memory", fine, "--disk", "0.5TiB" if fine == "1G" else "1", "--dry-run",
                        status=REFUSED if fine == "1G" else DONE)
    assert len(json.loads(service.emplace("--json", "claims"))["claims"]) == 4


def unique_names(service):
    web = ("place", "--name", "once", "--vcpus", "1", "--memory", "1GiB", "--claim", "--ttl", "600")
    first = json.loads(service.emplace("--json", *web))["claim"]
    again = json.loads(service.emplace("--json", *web))["claim"]
    assert (again["id"], again["existing"]) == (first["id"], True), again
    assert "held already" in service.emplace(*web)
    other = ("place", "--name", "once", "--vcpus", "2", "--memory", "1GiB", "--claim")
    status, text = service.try_emplace(*other)
    assert status == REFUSED and "name_taken" in text and first["id"] in text, text
    json.loads(service.emplace("--json", *other, "--allow-duplicate-name"))
    twins = [vm["id"] for vm in service.vms() if vm["name"] == "once"]
    assert len(twins) == 2
    told = service.complaint("vms", "once")
    assert "2 vms are called once" in told and all(vm in told for vm in twins), told
    many = service.emplace("place", "--name", "many", "--count", "2", "--vcpus", "1", "--memory", "1GiB", "--claim")
    assert "many-1" in many and "many-2" in many, many
    assert "many-2" in service.emplace("place", "--name", "many", "--count", "2", "--vcpus", "1", "--memory", "1GiB", "--claim")


def releases(service):
    def held():
        return [claim["vm_name"] for claim in json.loads(service.emplace("--json", "claims"))["claims"] if claim["state"] == "held"]

    service.emplace("claims", "release", status=BAD_INPUT)
    service.emplace("claims", "release", "--older-than", "5", status=BAD_INPUT)
    service.emplace("claims", "release", "--all-of", "nobody", status=NOT_FOUND)
    assert "0 released" in service.emplace("claims", "release", "--older-than", "1h")
    other = ("place", "--name", "once", "--project", "p2", "--vcpus", "1", "--memory", "1GiB", "--claim", "--ttl", "600")
    theirs = json.loads(service.emplace("--json", *other))["claim"]
    told = service.complaint("claims", "release", "--all-of", "once")
    assert "2 projects are called once" in told and theirs["vm"] in told and "project p2" in told, told
    assert held().count("once") == 3
    service.emplace("claims", "release", "--all-of", theirs["vm"])
    assert "2 released" in service.emplace("claims", "release", "--all-of", "once")
    assert "once" not in held() and "many-1" in held()
    service.emplace("claims", "release", "--all-of", "many-1", "--older-than", "1h", status=NOT_FOUND)
    time.sleep(1.1)
    released = json.loads(service.emplace("--json", "claims", "release", "--older-than", "1s"))["released"]
    assert {"many-1", "many-2"} <= {claim["vm_name"] for claim in released}
    assert held() == []


def groups(service):
    service.emplace("groups", "put", "together", "affinity")
    assert "soft-anti-affinity" in service.emplace("groups", "put", "together", "soft-anti-affinity", "--max-per-host", "2")
    assert "together" in service.emplace("groups")
    service.emplace("groups", "put", "together", "closely", status=BAD_INPUT)
    service.emplace("groups", "put", "together", "affinity", "--max-per-host", "0", status=BAD_INPUT)
    service.emplace("groups", "delete", "together")
    service.emplace("groups", "delete", "together", status=NOT_FOUND)


def profiles(service):
    shown = service.emplace("profiles", "show", "default")
    service.emplace("profiles", "put", "mine", "-", stdin=shown.replace('"name":"default"', '"name":"mine"'))
    assert "mine" in service.emplace("profiles")
    assert "is deleted\n" in service.emplace("profiles", "delete", "mine")
    service.emplace("profiles", "show", "mine", status=NOT_FOUND)
    service.emplace("profiles", "put", "default", "-", stdin=shown)
    assert "configuration" in service.emplace("profiles", "delete", "default")
    service.emplace("profiles", "delete", "default", status=REFUSED)


def drain(service):
    service.emplace("import", "-", stdin=json.dumps({"vms": [{"name": "rock", "host": "h2", "vcpus": 1, "memory_mib": 1024}]}))
    text = service.emplace("hosts", "drain", "h2", "--wait", status=FAILED)
    assert "rock" in text and "stays" in text and "maintenance" in text, text
    answer = json.loads(service.emplace("--json", "hosts", "drain", "h2", status=FAILED))
    assert [one["vm_name"] for one in answer["stuck"]] == ["rock"], answer
    service.emplace("hosts", "drain", "nowhere", status=NOT_FOUND)
    service.emplace("hosts", "drain", "h3")
    for host in ("h2", "h3"):
        service.emplace("hosts", "set", host, "enabled")
    service.emplace("vms", "delete", "rock")


def tokens(service):
    path = os.path.join(service.data, "tokens")
    token = service.emplace("tokens", "new", "reader", "ci", "--file", path).strip()
    assert len(token) == 64 and os.stat(path).st_mode & 0o777 == 0o600
    with open(path, "a", encoding="utf-8") as file:
        file.write("# no end of line")
    service.emplace("tokens", "new", "project:shop", "shop", "--file", path)
    with open(path, encoding="utf-8") as file:
        lines = file.read().splitlines()
    assert lines[0] == f"{hashlib.sha256(token.encode()).hexdigest()} reader ci" and lines[1] == "# no end of line", lines
    assert lines[2].split()[1:] == ["project:shop", "shop"] and token not in "".join(lines)
    answer = json.loads(service.emplace("--json", "tokens", "new", "admin", "me"))
    assert answer["line"] == f"{hashlib.sha256(answer['token'].encode()).hexdigest()} admin me", answer
    for wrong in (("king", "me"), ("project:", "me"), ("reader", "two words"), ("reader", "#1")):
        service.emplace("tokens", "new", *wrong, status=BAD_INPUT)
    service.emplace("tokens", "new", "reader", "ci", "--file", os.path.join(service.data, "none", "tokens"), status=BAD_INPUT)


def record(service, *more):
    text = service.emplace("--json", "place", "--name", "kept", "--vcpus", "1", "--memory", "1GiB", "--dry-run", "--record", *more)
    return json.loads(text)["decision_id"]


def decisions(service):
    first = record(service)
    newest = record(service, "--project", "shop")
    placed = service.emplace("place", "--name", "kept", "--vcpus", "1", "--memory", "1GiB", "--dry-run")
    sentence = next(line for line in placed.splitlines() if line.startswith("why "))
    assert "was chosen of 4 hosts that fit: " in sentence, placed
    for named in ("kept", newest, newest[:8], newest[:8].upper()):
        shown = service.emplace("explain", named)
        assert sentence in shown and newest in shown and "asked for   1 vcpus, 1 GiB" in shown and "project shop" in shown, shown
    assert "1 earlier" in service.emplace("explain", "kept")
    assert json.loads(service.emplace("--json", "explain", "kept"))["why"] in sentence
    assert first in service.emplace("explain", first)
    claimed = service.vms()[0]
    assert claimed["name"] in service.emplace("explain", claimed["id"]) and claimed["id"] in service.emplace("explain", claimed["id"][:13])
    assert "identical" in service.emplace("replay", "kept")
    for unknown in ("00000000-0000-4000-8000-000000000000", "no-such-vm", "abc"):
        service.emplace("explain", unknown, status=NOT_FOUND)
    assert newest in service.emplace("decisions", "--project", "shop") and first not in service.emplace("decisions", "--project", "shop")
    times = [row["made_at"] for row in json.loads(service.emplace("--json", "decisions", "--vm", "kept", "--sort", "-time"))["decisions"]]
    assert len(times) == 2 and times == sorted(times, reverse=True), times
    times = [row["made_at"] for row in json.loads(service.emplace("--json", "decisions"))["decisions"]]
    assert len(times) > 2 and times == sorted(times), times


def lists(service):
    def names(kind, *arguments):
        return [row["name"] for row in json.loads(service.emplace("--json", kind, *arguments))[kind]]

    service.emplace("hosts", "set", "h2", "disabled")
    assert names("hosts", "--sort", "-name") == ["h4", "h3", "h2", "h1"]
    assert names("hosts", "--state", "disabled") == ["h2"]
    service.emplace("hosts", "set", "h2", "enabled")
    host = service.vms()[0]["host"]
    assert names("vms", "--host", host) == [vm["name"] for vm in service.vms() if vm["host"] == host]
    assert names("vms", "--group", "apart", "--sort", "name") == sorted(vm["name"] for vm in service.vms())
    assert names("vms", "--project", "nobody's") == []
    assert names("vms") == sorted(vm["name"] for vm in service.vms())
    service.emplace("vms", "--state", "asleep", status=BAD_INPUT)
    service.emplace("hosts", "--sort", "size", status=BAD_INPUT)


def explained_usage(service):
    """Help and examples for every command, and a suggestion for what is none."""
    def commands(path):
        text = service.emplace("help", *path)
        assert "Examples:" in text and service.emplace(*path, "--help").endswith(text[text.index("Examples:"):]), path
        for line in text.partition("Subcommands:\n")[2].splitlines():
            if line.startswith("  ") and line[2] != " ":
                yield [*path, line.split()[0]]
                yield from commands([*path, line.split()[0]])
            if not line.strip():
                break

    seen = list(commands([]))
    assert ["vms", "migrate"] in seen and ["help"] in seen, seen
    script = service.emplace("completion", "bash")
    assert all(f"'{' '.join(path)}')" in script for path in seen)
    for words, meant in ((["hots"], "'hosts'"), (["place", "--vcpu", "1"], "'--vcpus'"), (["vms", "migrat", "web-1", "--to", "h2"], "'migrate'"),
                         (["hosts", "sett", "h1", "enabled"], "'set'"), (["help", "vms", "migrat"], "'vms migrate'")):
        assert f"did you mean {meant}?" in service.complaint(*words), words


def words_too_many(service):
    """A word that a command has no place for ends it, before anything is changed."""
    first, second = "first", "second"
    service.emplace("import", "-", stdin=json.dumps({"vms": [{"name": name, "host": "h1", "vcpus": 1, "memory_mib": 64} for name in (first, second)]}))
    before = service.vms(), service.call("GET", "/v1/hosts")["hosts"]
    for words, told in ((["vms", "delete", first, second], f"unexpected word '{second}' of 'vms delete'"),
                        (["vms", second, "delete", first], f"unexpected word '{second}' of 'vms delete'"),
                        (["vms", "migrate", first, "h4"], "unexpected word 'h4' of 'vms migrate'"),
                        (["hosts", "set", "h1", "maintenance", "h2"], "unexpected word 'h2' of 'hosts set'"),
                        (["hosts", "drain", "h1", "h2"], "unexpected word 'h2' of 'hosts drain'"),
                        (["hosts", "h1", "set", "maintenance"], "unexpected word 'h1' of 'hosts set'"),
                        (["claims", "confirm", "a", "b"], "unexpected word 'b' of 'claims confirm'")):
        assert told in service.complaint(*words), (words, service.complaint(*words))
    for words, told in ((["vms", "--host", "h1", "delete", first], "unknown option '--host' of 'vms delete'"),
                        (["hosts", "--state", "enabled", "set", "h1", "maintenance"], "unknown option '--state' of 'hosts set'"),
                        (["vms", first, "--host", "h4"], "--host: wanted none"),
                        (["vms", first, "--verify"], "--verify: wanted none"),
                        (["hosts", "h1", "--state", "disabled"], "--state: wanted none"),
                        (["vms", ""], "VM: wanted a word"), (["hosts", " "], "NAME: wanted a word"), (["explain", ""], "wanted a word"),
                        (["hosts", "drain", "h1", "--at-once", "1.5"], "--at-once: wanted a whole number from 1 to 100, found '1.5'"),
                        (["plugin", "check", "x", "--seed", "-7"], "--seed: wanted a whole number from 0 to"),
                        (["plugin", "check", "x", "--budget-us", "0"], "--budget-us: wanted a whole number from 1 to")):
        assert told in service.complaint(*words), (words, service.complaint(*words))
    assert (service.vms(), service.call("GET", "/v1/hosts")["hosts"]) == before
    for name in (first, second):
        service.emplace("vms", "delete", name)


# How each shell is asked what may follow a line; zsh's compadd and _files are what its completion calls.
COMPLETIONS = {
    "bash": """source "$1"; read -ra COMP_WORDS <<<"$2"; [[ $2 == *' ' ]] && COMP_WORDS+=(''); COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_emplace; printf '%s\n' "${COMPREPLY[@]}" """,
    "fish": "source $argv[1]; complete -C $argv[2] | string replace -r '\\t.*' ''; true",
    "zsh": """compdef() { }; _files() { }; compadd() { shift; print -l -- ${(M)@:#$PREFIX*} }
source $1; words=("${(@s: :)2}"); CURRENT=$#words; PREFIX=$words[-1]; _emplace""",
}


def completions(service):
    """Each shell that is here completes commands and, after a '-', options; where neither may follow it is left to files."""
    for shell, ask in COMPLETIONS.items():
        if not shutil.which(shell):
            continue
        script = os.path.join(service.data, "completion." + shell)
        with open(script, "w", encoding="utf-8") as file:
            file.write(service.emplace("completion", shell))

        def offered(line):
            options = {"bash": ["--norc", "-c", ask, "bash"], "fish": ["--no-config", "-c", ask], "zsh": ["-f", "-c", ask, "zsh"]}[shell]
            done = subprocess.run([shell, *options, script, line], capture_output=True, text=True, timeout=60, check=True, cwd=service.data)
            assert not done.stderr, done.stderr
            return set(done.stdout.split())

        assert {"vms", "hosts", "completion"} <= offered("emplace "), shell
        assert offered("emplace pl") == {"place", "plugin", "plugins"}, shell
        assert offered("emplace --url http://x vms ") == {"migrate", "delete"}, shell
        assert {"--to", "--wait", "--json"} <= offered("emplace vms migrate web-1 --"), shell
        assert "--group" not in offered("emplace vms migrate web-1 --"), shell
        assert offered("emplace completion ") == {"bash", "zsh", "fish"}, shell
        assert "--help" not in offered("emplace import "), shell


def whole_output(service):
    """A reader who leaves is no fault, a full disk is one."""
    conf = os.path.join(service.data, "nova.conf")
    with open(conf, "w", encoding="utf-8") as file:
        file.write("[DEFAULT]\n")
    for words in (["hosts"], ["--json", "hosts"], ["vms"], ["status"], ["doctor"], ["claims"], ["decisions"], ["explain", "kept"], ["export"],
                  ["profiles"], ["groups"], ["plugins"], ["plugin", "list"], ["plugin", "columns"], ["events"], ["--json", "events"],
                  ["config", "import", conf], ["completion", "bash"], ["help"], ["place", "--help"], ["--version"],
                  ["place", "--vcpus", "1", "--memory", "1GiB", "--dry-run"]):
        with open("/dev/full", "w", encoding="utf-8") as full:
            done = service.run(*words, stdout=full)
        assert done.returncode != 0 and "No space left on device" in done.stderr, (words, done)
        reading, writing = os.pipe()
        os.close(reading)
        done = service.run(*words, stdout=writing)
        os.close(writing)
        assert done.returncode in (0, 141, -signal.SIGPIPE) and (not done.stderr or words[0] == "config"), (words, done)
    many = [{"name": f"vm-with-a-name-that-is-as-long-as-names-of-vms-are-in-some-clouds-{i}", "vcpus": 1, "memory_mib": 1, "host": "h1",
             "group": "apart" * 9} for i in range(2)]
    service.emplace("import", "-", stdin=json.dumps({"groups": [{"name": "apart" * 9, "policy": "soft-affinity"}], "vms": many}))
    listed = service.emplace("vms")
    assert all(vm["name"] in listed for vm in many) and "…" not in listed


def numbers(service):
    """They are read the same whatever the locale."""
    locales = os.path.join(service.data, "locales")
    os.mkdir(locales)
    for name in ("de_DE", "tr_TR"):
        made = subprocess.run(["localedef", "-i", name, "-f", "UTF-8", f"{locales}/{name}.UTF-8"], capture_output=True, check=False)
        if not os.path.isdir(f"{locales}/{name}.UTF-8"):
            return print(f"   no locale {name} here: {made.stderr[:200]}")
        local = {"LC_ALL": f"{name}.UTF-8", "LOCPATH": locales}
        words = ["--json", "place", "--memory", "1.5GiB", "--vcpus", "2.0", "--dry-run", "--record"]
        done = service.run(*words, environment=local)
        assert done.returncode == DONE, done
        request = json.loads(service.emplace("--json", "explain", json.loads(done.stdout)["decision_id"]))["request"]["request"]
        assert request["vm"]["memory_mib"] == 1536 and request["vm"]["vcpus"] == 2, request
        service.complaint("place", "--vcpus", "1,5", "--memory", "1GiB", "--dry-run", environment=local)
    return None


def events(service):
    """All of them, also while more come."""
    service.emplace("import", "-", stdin=json.dumps({"hosts": [{"name": f"n{i}", "vcpus": 1, "memory_mib": 1} for i in range(9000)]}))
    head = service.call("GET", "/v1/hosts?limit=1")["event_seq"]
    reader = service.start_command("--json", "events")
    for i in range(20):
        service.call("PUT", f"/v1/groups/more-{i}", {"policy": "affinity"})
    text, _ = reader.communicate(timeout=120)
    seen = [json.loads(line) for line in text.splitlines()]
    assert [event["seq"] for event in seen][:head] == list(range(1, head + 1)), (len(seen), head)
    line = service.emplace("events", "--after", str(head)).splitlines()[0]
    assert "group" in line and "more-0" in line and line.split()[1].endswith("Z"), line
    assert service.emplace("events", "--after", str(10**9)) == ""
    pages = base64.b64encode(b"".join(struct.pack("<Q", i << 40) for i in range(1, 1025))).decode()
    sample = {"vm": service.vms()[0]["name"], "pages": 2048, "zero_pages": 0, "distinct_pages": 2048, "rate": 1, "hashes": pages}
    head = service.call("GET", "/v1/hosts?limit=1")["event_seq"]
    service.emplace("import", "-", stdin=json.dumps({"page_samples": [sample]}))
    line = service.emplace("events", "--after", str(head)).splitlines()[0]
    assert "page_sample" in line and pages in line, "a program reads all of it"
    terminal, its_end = pty.openpty()
    service.run("events", "--after", str(head), stdout=its_end)
    os.close(its_end)
    shown = os.read(terminal, 65536).decode().splitlines()[0]
    os.close(terminal)
    assert len(shown) <= 120 and shown.endswith("…"), shown
    assert pages in service.emplace("--json", "events", "--after", str(head))


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

    new = ("tokens", "new", "reader", "ci")
    assert code(*new) == DONE
    assert code("--url", "http://127.0.0.1:1", "status") == UNREACHABLE
    assert code("--url", service.url, "hosts") == NOT_ALLOWED
    assert code("no-such-command") == BAD_INPUT
    for url in ("127.0.0.1:8790", "localhost:8790", ""):
        assert code("--url", url, "status") == BAD_INPUT, url
    for shell in ("bash", "zsh", "fish"):
        assert code("completion", shell) == DONE


def interrupted_simulation(build):
    """What a simulation claimed is given back on Ctrl-C and on SIGTERM."""
    with Service(build) as service:
        trace, hosts = (os.path.join(service.data, name) for name in ("trace.csv", "hosts.json"))
        with open(trace, "w", encoding="utf-8") as file:
            file.write("vcpus,memory_mib\n" + "1,1\n" * 20000)
        with open(hosts, "w", encoding="utf-8") as file:
            json.dump({"hosts": [{"name": f"h{i}", "vcpus": 10000, "memory_mib": 100000} for i in range(3)]}, file)
        for how in (signal.SIGINT, signal.SIGTERM):
            with subprocess.Popen([os.path.join(build, "bin/emplace"), "--url", service.url, "--data", service.data, "simulate", trace,
                                   "--hosts", hosts, "--policy", "service", "--clients", "4"],
                                  stderr=subprocess.PIPE, text=True) as process:
                service.wait_for("a claim", lambda: service.call("GET", "/v1/claims?limit=1")["claims"])
                process.send_signal(how)
                _, told = process.communicate(timeout=60)
            assert process.returncode == INTERRUPTED and "given back" in told, (process.returncode, told)
            assert service.call("GET", "/v1/claims?limit=1")["claims"] == []


def main():
    build = os.path.abspath(sys.argv[1])
    with Service(build) as service:
        for step in (inventory, placements, refused_arguments, decisions, lists, claims, unique_names, releases, groups, profiles,
                     drain, tokens, host_states, others, explained_usage, words_too_many, completions, whole_output, numbers,
                     events):
            step(service)
            print(f"ok {step.__name__}")
        without_service(build, service)
        print("ok without_service")
    interrupted_simulation(build)
    print("ok interrupted_simulation")


if __name__ == "__main__":
    main()
