"""Places the demo's fleet through the REST API, one request after the other, and waits until every vm runs. Vms that are there
already, after a restart, are left alone. Prints a table: vm, and why it went where it went. The id of the decision with the most
objectives and the widest front goes into DIRECTORY/decision. With --verify it asks the hypervisors instead, until they agree
about the fleet.

usage: place_fleet.py [--verify] URL DIRECTORY EMPLACE
"""

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid

DEADLINE_S = 120
ON_THE_WAY = {"claimed", "starting", "migrating"}


class Service:
    def __init__(self, url, directory, program):
        self.url, self.program, self.directory = url, program, directory
        with open(f"{directory}/admin.token", encoding="utf-8") as file:
            self.token = file.read().strip()

    def call(self, method, path, body=None):
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        if method == "POST":
            headers["Idempotency-Key"] = str(uuid.uuid4())
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, headers=headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            sys.exit(f"{method} {path}: {error.code}: {json.load(error).get('detail')}")
        except OSError as error:
            sys.exit(f"{method} {path}: {error}")

    def vms(self, query=""):
        found, path = [], f"/v1/vms?limit=1000{query}"
        while path:
            page = self.call("GET", path)
            found += page["vms"]
            path = page.get("next")
        return found

    def why(self, decision):
        command = [self.program, "--url", self.url, "--data", self.directory, "--json", "explain", decision]
        return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)["why"]


def place(service, vm):
    answer = service.call("POST", "/v1/placements", {"vm": vm, "start": True, "alternates": 7})
    if not answer["ranking"]:
        print(f"{vm['name']}: no host fits: {answer.get('refused')}")
        return None
    return {"name": vm["name"], "decision": answer["decision_id"],
            "trade_off": (len(answer["ranking"][0]["costs"]), answer["front_size"])}


def show(done, total):
    if sys.stdout.isatty():
        bar = "#" * (40 * done // total)
        print(f"\r   [{bar:<40}] {done}/{total}", end="" if done < total else "\n", flush=True)
    elif done % 10 == 0 or done == total:
        print(f"   {done}/{total}", flush=True)


def wait_until(done):
    """done() gives what is still missing, as text; nothing: it is over."""
    deadline = time.monotonic() + DEADLINE_S
    while missing := done():
        if time.monotonic() > deadline:
            sys.exit(missing)
        time.sleep(0.1)


def wait_until_settled(service, names):
    def on_the_way():
        return ", ".join(vm["name"] for vm in service.vms() if vm["name"] in names and vm["state"] in ON_THE_WAY)

    wait_until(lambda: (missing := on_the_way()) and f"not running: {missing}")
    for vm in service.vms():
        if vm["name"] in names and vm["state"] != "running":
            print(f"{vm['name']} is {vm['state']}")


def place_fleet(service, fleet):
    there = {vm["name"] for vm in service.vms() if vm["host"] or vm["state"] in ON_THE_WAY}
    placed = []
    for i, vm in enumerate(fleet, 1):
        if vm["name"] not in there:
            placed.append(place(service, vm))
        show(i, len(fleet))
    wait_until_settled(service, {vm["name"] for vm in fleet})
    placed = [one for one in placed if one]
    if not placed:
        return print(f"all {len(fleet)} vms are there already")
    print(f"{'VM':<16} WHY")
    for one in placed:
        print(f"{one['name']:<16} {service.why(one['decision'])}")
    hardest = max(placed, key=lambda one: one["trade_off"])
    with open(f"{service.directory}/decision", "w", encoding="utf-8") as file:
        file.write(hardest["decision"])
    return None


def verify(service, fleet):
    """Others than the fleet are the user's: what is said about them is shown, and nothing waits for it."""
    names = {vm["name"] for vm in fleet}
    differing = []

    def differ():
        differing[:] = [vm for vm in service.vms("&verify=true") if vm["verified"] and not vm["verified"]["agrees"]]
        return ", ".join(vm["name"] for vm in differing if vm["name"] in names)

    wait_until(lambda: (missing := differ()) and f"libvirt and the service disagree about {missing}")
    vms = service.vms("&verify=true")
    asked = [vm for vm in vms if vm["verified"]]
    print(f"{len(asked) - len(differing)} agree, {len(differing)} differ, {len(vms) - len(asked)} not asked")
    for vm in differing:
        seen = vm["verified"].get("why") or vm["verified"].get("seen")
        print(f"   {vm['name']}: {vm['state']} on {vm['host']}, libvirt: {seen}")


def main():
    act = verify if sys.argv[1] == "--verify" else place_fleet
    service = Service(*sys.argv[-3:])
    with open(f"{service.directory}/fleet.json", encoding="utf-8") as file:
        act(service, json.load(file))


if __name__ == "__main__":
    main()
