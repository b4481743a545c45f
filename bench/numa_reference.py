#!/usr/bin/python3
"""NUMATopologyFilter of real Nova (Debian's python3-nova) beside ours, on the hosts and requests of numa_bench.cc. CPU time, the
least of several runs of each, since other programs can only add to it. Nova's, which grows with the hosts, is timed on fewer.

usage: numa_reference.py BUILD_DIRECTORY [--hosts 10000] [--nova-hosts 500]
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests/nova"))
CORES, CPUS = 16, 32  # of a cell


def host_cell(objects, number, used):
    first = number * CPUS
    cpus = set(range(first, first + CPUS))
    pages = [objects.NUMAPagesTopology(size_kb=4, total=58720256, used=0, reserved=0),
             objects.NUMAPagesTopology(size_kb=2048, total=16384, used=used * 500, reserved=0)]  # fmt: skip
    siblings = [{first + 2 * core, first + 2 * core + 1} for core in range(CORES)]
    return objects.NUMACell(id=number, cpuset=cpus, pcpuset=cpus, memory=262144, cpu_usage=used, memory_usage=used * 4096, socket=number,
                            pinned_cpus=set(range(first, first + used)), siblings=siblings, mempages=pages)  # fmt: skip


def guest(objects, cells, cpus, pagesize):
    made = [objects.InstanceNUMACell(id=i, cpuset=set(), pcpuset=set(range(i * cpus, (i + 1) * cpus)), memory=8192, pagesize=pagesize,
                                     cpu_policy="dedicated", cpu_thread_policy="prefer") for i in range(cells)]  # fmt: skip
    return objects.InstanceNUMATopology(cells=made)


def nova_us_per_host(count):
    """By benchmark."""
    import codec
    import reference  # noqa: F401  Nova's log off
    from nova.scheduler import host_manager
    from nova.scheduler.filters import numa_topology_filter

    objects = codec.objects
    states = []
    for i in range(count):
        state = host_manager.HostState("h", "n", codec.CELL)
        state.cpu_allocation_ratio = state.ram_allocation_ratio = 1.0
        state.numa_topology = objects.NUMATopology(cells=[host_cell(objects, 0, i * 7 % CPUS), host_cell(objects, 1, i * 11 % CPUS)])
        states.append(state)
    found = {}
    for name, asked in (("screen_numa_one_cell", (1, 8, None)), ("screen_numa_two_cells_huge_pages", (2, 4, 2048))):
        spec = objects.RequestSpec(
            flavor=objects.Flavor(extra_specs={"hw:cpu_policy": "dedicated"}), numa_topology=guest(objects, *asked), pci_requests=None,
            image=objects.ImageMeta(properties=objects.ImageMetaProps()), instance_uuid="5b7b8d7e-6d3d-4c2e-9a0a-0c7b1d2e3f40",
        )  # fmt: skip
        runs = []
        for _ in range(3):
            start = time.process_time()
            passed = sum(numa_topology_filter.NUMATopologyFilter().host_passes(state, spec) for state in states)
            runs.append((time.process_time() - start) * 1e6 / count)
        found[name] = (min(runs), passed / count)
    return found


def ours(build, hosts):
    done = subprocess.run(
        [os.path.join(build, "bin/decision_bench"), f"--benchmark_filter=screen_numa.*/{hosts}$", "--benchmark_min_time=0.05",
         "--benchmark_repetitions=10", "--benchmark_format=json"], check=True, capture_output=True, text=True)  # fmt: skip
    found = {}
    for run in json.loads(done.stdout)["benchmarks"]:
        name = run["name"].split("/")[0]
        if run["run_type"] == "iteration":
            found[name] = (min(run["cpu_time"], found.get(name, (float("inf"), 0))[0]), run["kept"] / hosts)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("build")
    parser.add_argument("--hosts", type=int, default=10000)
    parser.add_argument("--nova-hosts", type=int, default=500)
    options = parser.parse_args()
    try:
        nova = nova_us_per_host(options.nova_hosts)
    except ImportError:
        print("skipped: python3-nova is not installed (apt-get install --no-install-recommends python3-nova)")
        return 0
    print(f"| {options.hosts:,} hosts | pass in Nova, ours | Nova | ours | ratio |\n|---|---|---|---|---|")
    for name, (us, kept) in ours(options.build, options.hosts).items():
        nova_us, passed = nova[name]
        print(f"| {name} | {passed:.1%}, {kept:.1%} | {nova_us * options.hosts / 1e3:,.0f} ms | {us:,.0f} µs | {nova_us * options.hosts / us:,.0f} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
