#!/usr/bin/env python3
"""How many claims several replicas of one database take, beside one replica with as many clients, in turn. Each client claims a host
and gives it back, so that the cluster never fills. Replicas, PostgreSQL and clients share the machine's cores, so that the CPU
time of a claim says more than the rate. Prints Markdown tables for docs/benchmarks.md.

usage: replicas.py BUILD_DIRECTORY [--replicas 3] [--clients 33] [--seconds 5] [--turns 4] [--hosts 1000]
                   [--database stock|embedded|both]

Takes about 2 x turns x (seconds + 4) for each database. "embedded" is a server that is set as emplaced sets its own.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
import urllib.parse

from rest_bench import fill

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tests/scenario"))
from database import Database  # noqa: E402  (the path is set above)
from storm import TOKEN, Replica  # noqa: E402

BODY = {"vm": {"name": "load-@N@", "vcpus": 1, "memory_mib": 64, "disk_gib": 1, "project": "bench"}, "claim": True, "ttl_s": 3600,
        "alternates": 0, "explain": "none"}
WARM_S = 1


def cpu_s(roots):
    """What these processes and all below them used so far, by root."""
    parents, used = {}, {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
                fields = file.read().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(pid)] = int(fields[1])
        used[int(pid)] = sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
    total = dict.fromkeys(roots, 0.0)
    for pid, seconds in used.items():
        at = pid
        while at > 1 and at not in total:
            at = parents.get(at, 0)
        if at in total:
            total[at] += seconds
    return total


def batches(replicas):
    return sum(replica.metrics()["emplace_store_committed_batches_total"] for replica in replicas)


def load(replicas, options, seconds):
    """Runs the clients, as many at each replica; what each saw."""
    started = []
    for i, replica in enumerate(replicas):
        paths = [os.path.join(replica.data, name) for name in ("client.token", "body.json")]
        for path, text in zip(paths, (TOKEN, json.dumps(BODY))):
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
        url = urllib.parse.urlparse(replica.url)
        clients = options.clients * (i + 1) // len(replicas) - options.clients * i // len(replicas)
        started.append(subprocess.Popen(
            [os.path.join(options.build, "bin/rest_load"), url.hostname, str(url.port), str(clients), str(seconds), "POST",
             "/v1/placements", *paths, "0", "release"], stdout=subprocess.PIPE, text=True))
    results = []
    for process in started:
        text, _ = process.communicate()
        assert process.returncode == 0, "rest_load failed"
        results.append(json.loads(text))
    return results


def measure(replicas, database, options):
    load(replicas, options, WARM_S)
    roots = [replica.process.pid for replica in replicas] + [database.process.pid]
    cpu, committed = cpu_s(roots), batches(replicas)
    began = time.monotonic()
    results = load(replicas, options, options.seconds)
    took = time.monotonic() - began
    used = {pid: seconds - cpu[pid] for pid, seconds in cpu_s(roots).items()}
    statuses = {}
    for result in results:
        for status, count in result["statuses"].items():
            statuses[status] = statuses.get(status, 0) + count
    claims = statuses.get("200", 0)
    store = used.pop(database.process.pid)
    return {"per_s": sum(result["per_s"] for result in results), "p50_ms": max(result["p50_ms"] for result in results),
            "p99_ms": max(result["p99_ms"] for result in results), "service_us": sum(used.values()) / claims * 1e6,
            "store_us": store / claims * 1e6, "client_us": sum(result["cpu_s"] for result in results) / claims * 1e6,
            "acts": (claims + statuses.get("204", 0)) / max(batches(replicas) - committed, 1),
            "commits_per_s": (batches(replicas) - committed) / took,
            "others": {status: count for status, count in statuses.items() if status not in ("200", "204")}}


def turn(count, database, options):
    replicas = [Replica(options.build, f"r{i}", database.url) for i in range(count)]
    try:
        for replica in replicas:
            replica.start()
        return measure(replicas, database, options)
    finally:
        for replica in replicas:
            if replica.process and replica.process.poll() is None:
                replica.kill()
            shutil.rmtree(replica.data, ignore_errors=True)


def row(kind, count, turns):
    median = {key: statistics.median(turn[key] for turn in turns) for key in turns[0] if key != "others"}
    others = [turn["others"] for turn in turns if turn["others"]]
    print(f"| {kind}, {count} | {median['per_s']:,.0f} /s | {min(turn['per_s'] for turn in turns):,.0f} to "
          f"{max(turn['per_s'] for turn in turns):,.0f} | {median['p50_ms']:.0f} ms | {median['p99_ms']:.0f} ms | "
          f"{median['service_us']:.0f} + {median['store_us']:.0f} + {median['client_us']:.0f} µs | "
          f"{median['commits_per_s']:.0f} /s of {median['acts']:.1f} acts |{f' other statuses: {others}' if others else ''}",
          flush=True)
    return median


def compare(kind, options):
    with Database(kind) as database:
        first = Replica(options.build, "r0", database.url)
        first.start()
        fill(first, options.hosts)
        first.stop()
        shutil.rmtree(first.data)
        turns = {1: [], options.replicas: []}
        for _ in range(options.turns):
            for count, done in turns.items():
                done.append(turn(count, database, options))
        medians = [row(kind, count, done) for count, done in turns.items()]
    ratios = [many["per_s"] / one["per_s"] for one, many in zip(*turns.values())]
    cpu = [sum(median[key] for key in ("service_us", "store_us", "client_us")) for median in medians]
    return f"{kind}: {statistics.median(ratios):.2f} times the claims ({min(ratios):.2f} to {max(ratios):.2f}), " \
           f"{cpu[1] / cpu[0]:.2f} times the CPU of each"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--replicas", type=int, default=3)
    parser.add_argument("--clients", type=int, default=33)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--turns", type=int, default=4)
    parser.add_argument("--hosts", type=int, default=1000)
    parser.add_argument("--database", choices=["stock", "embedded", "both"], default="both")
    options = parser.parse_args()
    options.build = os.path.abspath(options.build)
    print(f"{options.hosts:,} hosts, {10 * options.hosts:,} vms, {options.clients} clients in all, medians of {options.turns} turns of "
          f"{options.seconds:.0f} s\n")
    print("| PostgreSQL, replicas | claims | from, to | p50 | p99 | CPU each: services + PostgreSQL + clients | commits |\n"
          "|---|---|---|---|---|---|---|")
    ratios = [compare(kind, options) for kind in (["stock", "embedded"] if options.database == "both" else [options.database])]
    print("\n" + "\n".join(ratios))


if __name__ == "__main__":
    main()
