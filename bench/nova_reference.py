#!/usr/bin/env python3
"""A decision by real Nova beside ours, in one run: Nova's ten weighers with its default filters, and with 19 on hosts with NUMA
cells (Debian's python3-nova), in process, on the clusters of ../shared/testbed/openstack/bench, and those of decision_bench. CPU
time, the least of several runs of each, since other programs can only add to it.

usage: nova_reference.py BUILD_DIRECTORY [--hosts 1000 10000] [--shared DIRECTORY]
"""

import argparse
import importlib.util
import json
import logging
import os
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SYSTEM_PYTHON = "/usr/bin/python3"  # the one that python3-nova is installed for


def load_bench(path):
    spec = importlib.util.spec_from_file_location("nova_sched_bench", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def least_ms(decide, seconds=3):
    times = []
    while len(times) < 3 or sum(times) < seconds * 1e3:
        start = time.process_time()
        decide()
        times.append((time.process_time() - start) * 1e3)
    return min(times)


def time_nova(path, sizes):
    """In SYSTEM_PYTHON: prints {benchmark: [ms, hosts that pass]} as JSON."""
    bench = load_bench(path)
    bench.CONF([], project="nova", default_config_files=[])
    bench.objects.register_all()
    bench.CONF.set_override("service_down_time", 10**9)
    logging.disable()  # a warning for each host and key, which nova-scheduler writes, would count as Nova's time
    default = list(bench.CONF.filter_scheduler.enabled_filters)
    result = {}
    for hosts in sizes:
        for filters, numa, requests in ((default, False, {"decide_nova": "plain"}),
                                        (bench.FULL_FILTERS, True, {"decide_nova_19": "plain", "decide_nova_19_pinned": "numa"})):
            cluster = bench.Bench(hosts, filters, numa)
            states = cluster.states()
            for name, kind in requests.items():
                spec = cluster.spec(kind)
                took = least_ms(lambda: cluster.sched._get_sorted_hosts(spec, states, 0))
                result[f"{name}/{hosts}"] = took, len(list(cluster.hm.get_filtered_hosts(states, spec, 0)))
    print(json.dumps(result))


def time_ours(build, benchmarks):
    done = subprocess.run(
        [os.path.join(build, "bin/decision_bench"), f"--benchmark_filter=^({'|'.join(benchmarks)})$",
         "--benchmark_min_time=0.05", "--benchmark_repetitions=15", "--benchmark_format=json"],
        check=True, capture_output=True, text=True)
    found = {}
    for run in json.loads(done.stdout)["benchmarks"]:
        if run["run_type"] == "iteration":
            least, _ = found.get(run["name"], (float("inf"), 0))
            found[run["name"]] = min(least, run["cpu_time"] / 1e3), run["kept"]
    return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--hosts", type=int, nargs="+", default=[1000, 10000])
    parser.add_argument("--shared", default=os.path.join(ROOT, "../shared"))
    parser.add_argument("--time-nova", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    path = os.path.join(options.shared, "testbed/openstack/bench/nova_sched_bench.py")
    if options.time_nova:
        return time_nova(path, options.hosts)
    if not os.path.exists(path):
        print(f"skipped: no {os.path.normpath(path)}")
        return 0
    if subprocess.run([SYSTEM_PYTHON, "-c", "import nova"], capture_output=True, check=False).returncode != 0:
        print("skipped: python3-nova is not installed (apt-get install --no-install-recommends python3-nova)")
        return 0
    done = subprocess.run([SYSTEM_PYTHON, __file__, options.build, "--time-nova", "--shared", options.shared, "--hosts",
                           *map(str, options.hosts)], check=True, stdout=subprocess.PIPE, text=True)
    nova = json.loads(done.stdout.splitlines()[-1])
    ours = time_ours(options.build, nova)
    print("| benchmark/hosts | pass in Nova, ours | Nova | ours | ratio |\n|---|---|---|---|---|")
    for name, (theirs, passed) in nova.items():
        took, kept = ours[name]
        print(f"| {name} | {passed:,}, {kept:,.0f} | {theirs:,.1f} ms | {took * 1e3:,.0f} µs | {theirs / took:,.0f} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
