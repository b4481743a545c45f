"""Places the demo's fleet through the REST API, one request after the other, and waits until every vm runs. Vms that are there
already, after a restart, are left alone. Prints a table: vm, host, why. The last decision's id goes into DIRECTORY/decision.

usage: place_fleet.py URL DIRECTORY
"""

import json
import sys
import time
import urllib.error
import urllib.request
import uuid

DEADLINE_S = 120


class Service:
    def __init__(self, url, token):
        self.url, self.token = url, token

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

    def all(self, kind):
        found, path = [], f"/v1/{kind}?limit=1000"
        while path:
            page = self.call("GET", path)
            found += page[kind]
            path = page.get("next")
        return found


def number(cost):
    return f"{cost['value']:.4g} {cost['unit']}"


def why(ranking):
    """The objective in which the chosen host is most ahead of the other hosts that were named."""
    chosen, others = ranking[0], ranking[1:]
    best, reason = 0.0, "no better host"
    for objective, cost in chosen["costs"].items():
        rest = [o["costs"][objective] for o in others if o["costs"].get(objective, {}).get("quality") == "ok"]
        if cost.get("quality") != "ok" or not rest:
            continue
        mean = sum(r["value"] for r in rest) / len(rest)
        ahead = (mean - cost["value"]) / max(abs(mean), abs(cost["value"]), 1e-9)
        if ahead > best:
            next_best = min(rest, key=lambda r: r["value"])
            best, reason = ahead, f"{objective} {number(cost)}, others {number(next_best)} or more"
    return reason if others else "the only host that fits"


def place(service, vm):
    answer = service.call("POST", "/v1/placements", {"vm": vm, "start": True, "alternates": 7})
    if not answer["ranking"]:
        sys.exit(f"{vm['name']}: no host fits: {answer.get('refused')}")
    refused = answer.get("refused", {}).get("by_filter", {})
    reason = why(answer["ranking"])
    if refused:
        reason += "; refused: " + ", ".join(f"{count} by {name}" for name, count in refused.items())
    return {"name": vm["name"], "host": answer["claim"]["host"], "why": reason, "decision": answer.get("decision_id")}


def show(done, total):
    if sys.stdout.isatty():
        bar = "#" * (40 * done // total)
        print(f"\r   [{bar:<40}] {done}/{total}", end="" if done < total else "\n", flush=True)
    elif done % 10 == 0 or done == total:
        print(f"   {done}/{total}", flush=True)


def wait_until_running(service, names):
    deadline = time.monotonic() + DEADLINE_S
    while True:
        states = {v["name"]: v["state"] for v in service.all("vms") if v["name"] in names}
        waiting = {name: state for name, state in states.items() if state != "running"}
        if len(states) == len(names) and not waiting:
            return
        failed = [name for name, state in waiting.items() if state == "failed"]
        if failed or time.monotonic() > deadline:
            sys.exit(f"not running: {', '.join(failed or waiting) or 'vms are missing'}")
        time.sleep(0.1)


def main():
    url, directory = sys.argv[1], sys.argv[2]
    with open(f"{directory}/admin.token", encoding="utf-8") as file:
        service = Service(url, file.read().strip())
    with open(f"{directory}/fleet.json", encoding="utf-8") as file:
        fleet = json.load(file)
    there = {v["name"] for v in service.all("vms") if v["host"]}
    placed = []
    for i, vm in enumerate(fleet, 1):
        if vm["name"] not in there:
            placed.append(place(service, vm))
        show(i, len(fleet))
    wait_until_running(service, {v["name"] for v in fleet})
    if placed:
        print(f"{'VM':<16} {'HOST':<5} WHY")
        for row in placed:
            print(f"{row['name']:<16} {row['host']:<5} {row['why']}")
        decisions = [row["decision"] for row in placed if row["name"].startswith("desk-")]
        with open(f"{directory}/decision", "w", encoding="utf-8") as file:
            file.write((decisions or [placed[-1]["decision"]])[-1] or "")
    else:
        print(f"all {len(fleet)} vms are there already")


if __name__ == "__main__":
    main()
