"""Walks all failpoints of the service: at each it is killed, or shown an error, in the middle of claims, starts, moves, deletes
and imports. Afterwards, and after a restart where it was killed, everything that was acknowledged is there, once; everything
that was not is asked for again with its key and given, once; what was half started is finished or released, and libvirt agrees.

usage: failpoints.py BUILD_DIRECTORY [NAME[:kill|error] ...]
"""

import http.client
import os
import re
import shutil
import signal
import sys
import time

from service import ROOT, Service, scratch_directory

NODE = """<node><cpu><nodes>1</nodes><sockets>1</sockets><cores>64</cores><threads>1</threads><active>64</active><mhz>2600</mhz>
<model>x86_64</model></cpu><memory>268435456</memory></node>"""
# A domain that only libvirt can refuse: what Emplace can see, it refuses before it starts anything.
BROKEN = """<domain type="${domain_type}"><name>${name}</name><uuid>${uuid}</uuid><memory unit="nosuch">1</memory><vcpu>1</vcpu>
<metadata><e:vm xmlns:e="https://emplace.dev/xmlns/1" claim="${claim}"/></metadata><os><type>hvm</type></os></domain>"""
# A move whose service died gives its room back by itself: its own time, and what the service adds to it.
MOVE_TIMEOUT_S = 1
MOVE_ENDS_S = 150


def points():
    found = set()
    for directory, _, files in os.walk(os.path.join(ROOT, "service")):
        for name in files:
            if name.endswith(".cc"):
                with open(os.path.join(directory, name), encoding="utf-8") as file:
                    for call in re.findall(r"fail_at\(([^;{]*)\)", file.read()):
                        found.update(re.findall(r'"([a-z.]+)"', call))
    # The vms of moves that are cut off stay "migrating" for a while, so these come last.
    return sorted(found, key=lambda point: (point.startswith("move"), point))


class Walk:
    """One step after the other on one service, each asked for again until it has an answer."""

    def __init__(self, service, name):
        self.service = service
        self.name = name.replace(".", "-").replace(":", "-")
        self.alive = True

    def vm(self, what, **more):
        return {"name": f"{what}-{self.name}", "vcpus": 1, "memory_mib": 512, "disk_gib": 1, **more}

    def until_answered(self, method, path, body=None, done=lambda status: status < 400):
        key = f"{self.name}-{method}-{path}-{(body or {}).get('vm', {}).get('name', '')}"[-100:]
        deadline = time.monotonic() + 60
        while True:
            try:
                status, answer = self.service.ask(method, path, body, key)
                if done(status):
                    return answer
                why = f"{status} {answer}"
            except (OSError, http.client.HTTPException) as error:
                why = str(error)
                self.restart_if_dead()
            assert time.monotonic() < deadline, f"{method} {path}: {why}"
            time.sleep(0.1)

    def restart_if_dead(self):
        time.sleep(0.05)
        status = self.service.process.poll()
        if status is None:
            return
        assert status == -signal.SIGKILL, f"emplaced ended with {status}"
        assert self.alive, "it died twice"
        self.alive = False
        self.service.start()

    def restart_after_failed_start(self, act):
        status = self.service.process.wait()
        assert status == (-signal.SIGKILL if act == "kill" else 1), f"emplaced ended with {status}"
        self.alive = False
        self.service.start()

    def place(self, what, **options):
        wanted = {"vm": self.vm(what, **options.pop("vm", {})), **options}
        answer = self.until_answered("POST", "/v1/placements", wanted)
        assert answer["claim"], answer
        return answer["claim"]

    def state_of(self, vm):
        found = self.until_answered("GET", f"/v1/vms/{vm}", done=lambda status: status in (200, 404))
        return found.get("state", "gone")

    def wait_for_state(self, vm, *states, seconds=60):
        deadline = time.monotonic() + seconds
        while (state := self.state_of(vm)) not in states:
            assert time.monotonic() < deadline, f"vm {vm} is {state} instead of {states}"
            time.sleep(0.1)

    def steps(self):
        """What must be there at the end: held claims, and vms with their state."""
        hosts = [{"name": f"s-{self.name}", "vcpus": 64, "memory_mib": 262144, "disk_gib": 1000}]
        self.until_answered("POST", "/v1/inventory:import", {"hosts": hosts})
        held = self.place("held", claim=True, ttl_s=3000)
        started = self.place("started", start=True)
        self.wait_for_state(started["vm"], "running")
        failed = self.place("failed", start=True, vm={"template": "broken"})
        self.wait_for_state(failed["vm"], "failed")
        deleted = self.place("deleted", start=True)
        self.wait_for_state(deleted["vm"], "running")
        self.until_answered("DELETE", f"/v1/vms/{deleted['vm']}", done=lambda status: status in (204, 404))
        moved = self.place("moved", start=True)
        self.wait_for_state(moved["vm"], "running")
        # The test driver refuses to move; that takes the same way back as any failure.
        options = {"mode": "direct", "timeout_s": str(MOVE_TIMEOUT_S)}
        self.until_answered("POST", f"/v1/vms/{moved['vm']}:migrate", {"options": options},
                            done=lambda status: status == 202 or (status == 409 and not self.alive))  # moving already
        return [held], {started["vm"]: "running", failed["vm"]: "failed", deleted["vm"]: "gone", moved["vm"]: "running"}

    def check(self, held, vms):
        claims = {claim["id"]: claim for claim in self.until_answered("GET", "/v1/claims?limit=1000")["claims"]}
        for claim in held:
            assert claims.get(claim["id"], {}).get("host") == claim["host"], f"claim {claim} is lost: {claims}"
        for vm, state in vms.items():
            self.wait_for_state(vm, state, seconds=MOVE_ENDS_S)
        names = [vm["name"] for vm in self.service.vms() if vm["name"].endswith(self.name)]
        assert len(names) == len(set(names)), f"a vm twice: {sorted(names)}"


def wait_until_libvirt_agrees(service):
    deadline = time.monotonic() + 60
    while differing := [vm for vm in service.vms(verify=True) if vm["verified"] and not vm["verified"]["agrees"]]:
        assert time.monotonic() < deadline, f"libvirt does not agree: {differing}"
        time.sleep(0.2)


def walk(build, point, act, data):
    service = Service(build, data, program="emplaced-failpoints")
    run = Walk(service, f"{point}:{act}")
    try:
        service.start(EMPLACE_FAIL_AT=f"{point}:{act}")
    except RuntimeError:
        run.restart_after_failed_start(act)
    with service:
        expected = run.steps()
        # What the point is in may come after the answer.
        if act == "kill":
            service.wait_for(f"{point} is reached", lambda: run.restart_if_dead() or not run.alive)
        if point.startswith("move"):
            return expected[1]
        run.check(*expected)
        wait_until_libvirt_agrees(service)
        return {}


def main():
    build = os.path.abspath(sys.argv[1])
    asked = sys.argv[2:] or [f"{point}:{act}" for point in points() for act in ("kill", "error")]
    data = scratch_directory()
    try:
        node = os.path.join(data, "node.xml")
        with open(node, "w", encoding="utf-8") as file:
            file.write(NODE)
        broken = os.path.join(data, "broken.xml")
        with open(broken, "w", encoding="utf-8") as file:
            file.write(BROKEN)
        hosts = "".join(f'[[host]]\nname = "t{i}"\nuri = "test://{node}"\ndisk_gib = 1000\ncpu_allocation_ratio = 16.0\n' for i in (1, 2))
        with open(os.path.join(data, "emplaced.toml"), "w", encoding="utf-8") as file:
            file.write(f'[service]\nlisten = "127.0.0.1:0"\ndata = "{data}"\n[libvirt]\npoll_s = 1\n'
                       f'templates = {{ broken = "{broken}" }}\n{hosts}')
        later = {}
        for one in asked:
            point, _, act = one.partition(":")
            if point == "migration.commit":
                shutil.rmtree(os.path.join(data, "pg"), ignore_errors=True)  # the way up of a new database
            began = time.monotonic()
            later.update(walk(build, point, act or "kill", data))
            print(f"{one}: nothing lost, nothing twice ({time.monotonic() - began:.1f} s)", flush=True)
        if later:
            with Service(build, data, program="emplaced-failpoints") as service:
                Walk(service, "later").check([], later)
                wait_until_libvirt_agrees(service)
            print("the moves that were cut off have ended")
    finally:
        shutil.rmtree(data, ignore_errors=True)


if __name__ == "__main__":
    main()
