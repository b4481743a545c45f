"""Figures of the whole service, over REST on loopback: start-up, memory, dry runs and durable claims per second. Client and service
share the machine's cores. Prints a Markdown table for docs/benchmarks.md.

usage: rest_bench.py BUILD_DIRECTORY [--hosts 1000] [--seconds 5]
"""

import argparse
import json
import os
import subprocess
import sys
import urllib.parse

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tests/scenario"))
from service import Service  # noqa: E402  (the path is set above)

IMPORT_AT_ONCE = 1000


def hosts(count):
    return [{"name": f"h{i:06}", "vcpus": 64 + 16 * (i % 5), "memory_mib": 262144, "disk_gib": 4000, "cpu_allocation_ratio": 4.0,
             "zone": f"z{i % 3}", "rack": f"r{i % 40}"} for i in range(count)]


def vms(count, host_count):
    return [{"name": f"old-{i}", "host": f"h{i % host_count:06}", "vcpus": 1 + i % 4, "memory_mib": 1024 * (1 + i % 8),
             "disk_gib": 10, "project": f"p{i % 50}"} for i in range(count)]


def fill(service, host_count):
    rows = [("hosts", row) for row in hosts(host_count)] + [("vms", row) for row in vms(10 * host_count, host_count)]
    for at in range(0, len(rows), IMPORT_AT_ONCE):
        body = {}
        for kind, row in rows[at:at + IMPORT_AT_ONCE]:
            body.setdefault(kind, []).append(row)
        service.call("POST", "/v1/inventory:import", body, timeout=120)


def load(service, connections, seconds, body, rate=0):
    path = os.path.join(service.data, "body.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump(body, file)
    url = urllib.parse.urlparse(service.url)
    done = subprocess.run(
        [os.path.join(service.build, "bin/rest_load"), url.hostname, str(url.port), str(connections), str(seconds), "POST",
         "/v1/placements", os.path.join(service.data, "admin.token"), path, str(rate)],
        capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout)


def memory_mib(process):
    """Resident memory of emplaced, shared pages counted; PostgreSQL is another process."""
    with open(f"/proc/{process.pid}/status", encoding="ascii") as file:
        fields = dict(line.split(":", 1) for line in file)
    return int(fields["VmRSS"].split()[0]) / 1024


def cpu_seconds(process):
    """What emplaced and all its children (PostgreSQL) used so far."""
    parents, used = {}, {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
                fields = file.read().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(pid)] = int(fields[1])
        used[int(pid)] = sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")

    def belongs(pid):
        while pid > 1 and pid != process.pid:
            pid = parents.get(pid, 0)
        return pid == process.pid

    own = used[process.pid]
    return own, sum(used[pid] for pid in used if belongs(pid)) - own


def measure(what, service, connections, seconds, body, rate=0):
    """CPU time per answer tells what the same work takes on a machine that does nothing else."""
    before = cpu_seconds(service.process)
    result = load(service, connections, seconds, body, rate)
    own, store = (after - start for after, start in zip(cpu_seconds(service.process), before))
    result["cpu"] = [used / max(result["answers"], 1) * 1e6 for used in (own, store, result["cpu_s"])]
    row(what, result)
    return result


def row(what, result):
    bad = {status: count for status, count in result["statuses"].items() if not status.startswith("2")}
    print(f"| {what} | {result['per_s']:,} /s | {result['p50_ms']:.2f} ms | {result['p99_ms']:.2f} ms | "
          f"{' + '.join(f'{used:.0f}' for used in result['cpu'])} µs |"
          f"{f' other statuses: {bad}' if bad else ''}", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--hosts", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=5)
    options = parser.parse_args()
    vm = {"name": "load-@N@", "vcpus": 1, "memory_mib": 64, "disk_gib": 1, "project": "bench"}
    dry_run = {"vm": {**vm, "name": "load"}, "dry_run": True}
    with Service(os.path.abspath(options.build)) as service:
        first_start_s = service.start_s
        fill(service, options.hosts)
        service.stop()
        service.start()
        print(f"{options.hosts:,} hosts, {10 * options.hosts:,} vms, {os.cpu_count()} cores\n")
        print(f"first start {first_start_s:.2f} s; start with this store {service.start_s:.2f} s; "
              f"resident {memory_mib(service.process):.0f} MiB\n")
        print("| what | rate | p50 | p99 | CPU each: service + PostgreSQL + client |\n|---|---|---|---|---|")
        load(service, 8, 1, dry_run)  # warm
        measure("dry run, 16 connections", service, 16, options.seconds, dry_run)
        measure("dry run at 2,500 /s", service, 16, options.seconds, dry_run, 2500)
        for connections in (1, 32, 128):
            body = {"vm": vm, "claim": True, "ttl_s": 3600, "alternates": 0, "explain": "none"}
            measure(f"durable claim, {connections} clients", service, connections, options.seconds, body)
        print(f"\nresident afterwards {memory_mib(service.process):.0f} MiB")


if __name__ == "__main__":
    main()
