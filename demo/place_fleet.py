"""Places the demo's fleet through the REST API, one request after the other, and waits until every vm runs. Vms that are there
already, after a restart, are left alone. Prints a table: vm, host, why. The id of the decision with the most objectives and the
widest front goes into DIRECTORY/decision.

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


def number(value):
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def why(ranking):
    """In one line: the objective in which the chosen host leads the others that were named, or what it is a compromise of."""
    chosen, others = ranking[0], ranking[1:]
    if not others:
        return "the only host that fits"
    leads, compromise = [], []
    for objective, cost in chosen["costs"].items():
        rest = [other["costs"].get(objective, {}) for other in others]
        rest = [other for other in rest if other.get("quality") == "ok"]
        if cost["quality"] != "ok" or not rest:
            continue
        least = min(rest, key=lambda other: other["value"])
        lead = (least["value"] - cost["value"]) / max(abs(least["value"]), abs(cost["value"]), 1e-9)
        if lead > 0:
            leads.append((lead, f"least {objective}: {number(cost['value'])} {cost['unit']}, next {number(least['value'])}"))
        best = number(min(least["value"], cost["value"]))
        compromise.append(f"{objective.split('.')[1]} {number(cost['value'])} {cost['unit']} (least {best})")
    return max(leads)[1] if leads else "compromise of " + ", ".join(compromise)


def place(service, vm):
    answer = service.call("POST", "/v1/placements", {"vm": vm, "start": True, "alternates": 7})
    if not answer["ranking"]:
        sys.exit(f"{vm['name']}: no host fits: {answer.get('refused')}")
    refused = answer.get("refused", {}).get("by_filter", {})
    reason = why(answer["ranking"])
    if refused:
        reason += "; refused " + ", ".join(f"{count} by {name}" for name, count in refused.items())
    return {"name": vm["name"], "host": answer["claim"]["host"], "why": reason, "decision": answer["decision_id"],
            "trade_off": (len(answer["ranking"][0]["costs"]), answer["front_size"])}


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
        hardest = max(placed, key=lambda row: row["trade_off"])
        with open(f"{directory}/decision", "w", encoding="utf-8") as file:
            file.write(hardest["decision"])
    else:
        print(f"all {len(fleet)} vms are there already")


if __name__ == "__main__":
    main()
