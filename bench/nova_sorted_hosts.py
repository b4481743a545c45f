#!/usr/bin/env python3
"""SchedulerManager._get_sorted_hosts of real Nova in process, on the cluster of ../shared/testbed/openstack/bench: its default
filters with Nova's ten weighers, and with EmplaceFilter and EmplaceWeigher alone in their place, in turn. CPU time of Nova and of
emplaced together, median and least; what emplaced and its PostgreSQL do between decisions, which is to keep reservations, is told
and counted beside.

usage: nova_sorted_hosts.py BUILD_DIRECTORY [--hosts 1000] [--decisions 200] [--shared DIRECTORY]
"""

import argparse
import os
import pathlib
import statistics
import subprocess
import sys
import time
import uuid

ROOT = pathlib.Path(__file__).resolve().parents[1]
SYSTEM_PYTHON = "/usr/bin/python3"  # the one that python3-nova is installed for
WARM = 5  # the first connect and fill caches
sys.dont_write_bytecode = True
sys.path[:0] = [str(ROOT / "bench"), str(ROOT / "tests/scenario"), str(ROOT / "clients/nova")]


def cpu_ms(pid):
    """Of all its threads so far."""
    total = 0
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        total += int((task / "schedstat").read_text().split()[0])
    return total / 1e6


def family(pid):
    """A process and all that come from it."""
    parents = {}
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rsplit(")", 1)[1].split()[1])
        except OSError:  # it ended meanwhile
            continue
    found = [pid]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found


def inventory(rows):
    hosts = [{"name": row["host"], "vcpus": row["vcpus"], "memory_mib": row["memory_mb"], "disk_gib": row["local_gb"],
              "cpu_allocation_ratio": row["cpu_allocation_ratio"]} for row in rows]
    vms = [{"name": f"used-{row['host']}", "host": row["host"], "vcpus": row["vcpus_used"], "memory_mib": row["memory_mb_used"],
            "disk_gib": row["local_gb"] - row["free_disk_gb"]} for row in rows if row["vcpus_used"]]
    return {"hosts": hosts, "vms": vms}


def cluster_of(bench, hosts, filters, weighers):
    bench.CONF.set_override("weight_classes", weighers, group="filter_scheduler")
    return bench.Bench(hosts, filters, False)


class Side:
    """One way to sort the hosts, with the CPU time that each decision took."""

    def __init__(self, name, cluster, pids):
        self.name, self.cluster, self.pids = name, cluster, pids
        self.took, self.in_service = [], []
        self.spec = cluster.spec("plain")

    def decide(self):
        states = self.cluster.states()
        self.spec.instance_uuid = str(uuid.uuid4())
        service, nova = sum(cpu_ms(pid) for pid in self.pids), time.process_time()
        found = self.cluster.sched._get_sorted_hosts(self.spec, states, 0)  # pylint: disable=protected-access
        nova = (time.process_time() - nova) * 1e3
        self.in_service.append(sum(cpu_ms(pid) for pid in self.pids) - service)
        self.took.append(nova + self.in_service[-1])
        assert len(found) == len(states), (self.name, len(found))


def compare(service, options, bench):
    filters = list(bench.CONF.filter_scheduler.enabled_filters)
    bench.CONF.set_override("available_filters", ["nova.scheduler.filters.all_filters", "emplace_nova.EmplaceFilter"], group="filter_scheduler")
    nova = Side("Nova's ten weighers", cluster_of(bench, options.hosts, filters, ["nova.scheduler.weights.all_weighers"]), [])
    ours = Side("Emplace alone", cluster_of(bench, options.hosts, [*filters, "EmplaceFilter"], ["emplace_nova.EmplaceWeigher"]),
                [service.process.pid])
    assert len(nova.cluster.hm.weighers) == 10 and len(ours.cluster.hm.weighers) == 1
    service.call("POST", "/v1/inventory:import", inventory(ours.cluster.rows))
    all_of_us = family(service.process.pid)
    began = sum(cpu_ms(pid) for pid in all_of_us)
    for _ in range(options.decisions + WARM):
        nova.decide()
        ours.decide()
    beside = (sum(cpu_ms(pid) for pid in all_of_us) - began - sum(ours.in_service)) / len(ours.took)
    assert service.logged("event=filter")[-1].count(f"passed={options.hosts} degraded=0") == 1, service.logged("event=filter")[-1]
    for side in (nova, ours):
        took = side.took[WARM:]
        print(f"{side.name}: median {statistics.median(took):.2f} ms, least {min(took):.2f} ms of CPU")
    print(f"of that in emplaced: median {statistics.median(ours.in_service[WARM:]):.2f} ms; beside decisions, with PostgreSQL: {beside:.2f} ms each")
    ratio = statistics.median(nova.took[WARM:]) / (statistics.median(ours.took[WARM:]) + beside)
    print(f"{options.hosts} hosts, {options.decisions} decisions each: {ratio:.2f} times as fast")


def inside(options):
    """In SYSTEM_PYTHON."""
    from nova_reference import load_bench
    from service import Service
    bench = load_bench(os.path.join(options.shared, "testbed/openstack/bench/nova_sched_bench.py"))
    with Service(options.build) as service:
        conf = pathlib.Path(service.data, "nova.conf")
        conf.write_text(f"[emplace]\nurl = {service.url}\ntoken_file = {service.data}/admin.token\nmode = {options.mode}\n")
        bench.CONF(["--config-file", str(conf)], project="nova")
        bench.objects.register_all()
        bench.CONF.set_override("service_down_time", 10**9)
        compare(service, options, bench)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--hosts", type=int, default=1000)
    parser.add_argument("--decisions", type=int, default=200)
    parser.add_argument("--mode", default="enforce", choices=["shadow", "advise", "enforce"])
    parser.add_argument("--shared", default=os.environ.get("EMPLACE_SHARED", str(ROOT.parent / "shared")))
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        return inside(options)
    if not os.path.exists(options.shared) or subprocess.run([SYSTEM_PYTHON, "-c", "import nova"], capture_output=True, check=False).returncode != 0:
        print("skipped: needs ../shared/testbed/openstack and python3-nova (apt-get install --no-install-recommends python3-nova)")
        return 0
    return subprocess.run([SYSTEM_PYTHON, __file__, "--inside", *sys.argv[1:]], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
