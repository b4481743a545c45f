"""Real input: the 4,998 requests of each trace of ../shared/data/huawei_topology go through the REST API with claims, onto
1,710 servers. `emplace simulate` checks every rule from the stored claims and runs first fit and best fit beside it. Fails when a
rule is broken, when the reference figures of first and best fit are not those that the reading of the data gives, or when the
service places fewer than both.

usage: huawei.py BUILD_DIRECTORY [C1 C2 C3 C4] [--clients N]
"""

import argparse
import json
import os
import sys

from service import SHARED, Service, skip

DATA = os.path.join(SHARED, "data/huawei_topology")
REFERENCE = {"C1": (4569, 4558), "C2": (4516, 4504), "C3": (4503, 4483), "C4": (4487, 4508)}
REQUESTS = 4998
PROFILE = {
    "name": "packing",
    "method": "lexicographic",
    "filters": ["capacity", "state", "zone", "traits", "group", "spread"],
    "objectives": [{"id": "group.fit"}, {"id": "resource.stranding"}],
}


def replay(build, trace, clients):
    with Service(build) as service:
        service.call("PUT", "/v1/profiles/packing", PROFILE)
        text = service.emplace(
            "--json", "simulate", f"{DATA}/VM_data_{trace}.csv", "--hosts", f"{DATA}/PM_res.csv", "--format", "huawei",
            "--profile", "packing", "--clients", str(clients))
    return {outcome["policy"]: outcome for outcome in json.loads(text)["outcomes"]}


def check(trace, outcomes, clients):
    first, best, ours = outcomes["first-fit"], outcomes["best-fit"], outcomes["service:packing"]
    assert (first["placed"], best["placed"]) == REFERENCE[trace], f"{trace}: first and best fit: {first}, {best}"
    assert ours["violations"] == [], f"{trace}: {ours['violations'][:10]}"
    assert ours["placed"] + ours["refused"] == REQUESTS
    # With several clients the order of the requests, and so the outcome, is not the file's; then only the rules must hold.
    if clients == 1:
        assert ours["placed"] > max(REFERENCE[trace]), f"{trace}: placed {ours['placed']}, not more than {REFERENCE[trace]}"


def show(trace, outcomes):
    for policy, outcome in outcomes.items():
        rate = f"{REQUESTS / outcome['seconds']:6.0f}/s  p50 {outcome['p50_ms']:.2f} ms  p99 {outcome['p99_ms']:.2f} ms" \
            if "p50_ms" in outcome else ""
        print(f"{trace}  {policy:<16} placed {outcome['placed']}  refused {outcome['refused']:4}  "
              f"hosts {outcome['hosts_used']:5}  stranded vcpus {100 * outcome['stranded_vcpus']:4.1f} %  "
              f"violations {len(outcome['violations'])}  {rate}", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("traces", nargs="*", default=[])
    parser.add_argument("--clients", type=int, default=1)
    options = parser.parse_args()
    if not os.path.exists(f"{DATA}/PM_res.csv"):
        skip("../shared/data/huawei_topology is not there")
    for trace in options.traces or sorted(REFERENCE):
        outcomes = replay(os.path.abspath(options.build), trace, options.clients)
        show(trace, outcomes)
        check(trace, outcomes, options.clients)
    return 0


if __name__ == "__main__":
    sys.exit(main())
