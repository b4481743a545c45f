#!/usr/bin/python3
"""Random NUMA hosts and guests, each fitted by real Nova (hardware.numa_fit_instance_to_host) in this process and by ours: the same
host cells, page sizes and CPUs, and the same host after the guest is on it (numa_usage_from_instance_numa and PciDeviceStats'
apply_requests). What differs is printed as JSON.

usage: numa_fit.py BUILD_DIRECTORY [--guests N] [--hosts N] [--seed S]

Needs python3-nova (Debian 12: 26.2.2) for /usr/bin/python3; without it the exit code is 77.
"""

import argparse
import json
import pathlib
import random
import subprocess
import sys

import debian_nova  # noqa: F401

import codec
import numa_cases
import reference  # noqa: F401  Nova's log off
from nova import conf, exception
from nova.pci import stats
from nova.virt import hardware

objects = codec.objects
NO_PAGES = "no pages"


def random_guest(rng):
    asked = {"networks": None, "requests": None, "pack": rng.random() < 0.3}
    asked["guest"] = numa_cases.guest(rng)
    if rng.random() < 0.3:
        asked["networks"] = numa_cases.networks(rng).obj_to_primitive()
    if rng.random() < 0.5:
        made = [numa_cases.device_request(rng).obj_to_primitive() for _ in range(rng.choice([1, 1, 2]))]
        asked["requests"] = codec.primitive("InstancePCIRequests", requests=made)
    return asked


def random_host(rng):
    return {"times": rng.choice([1, 2, 3, 5]), "topology": numa_cases.topology(rng), "pools": numa_cases.pools(rng) if rng.random() < 0.85 else None,
            "cpu_ratio": rng.choice([1.0, 1.0, 1.5, 4.0, 0.3]), "ram_ratio": rng.choice([1.0, 1.0, 1.5, 0.9])}  # fmt: skip


def fitted_cell(cell):
    pinning = cell.cpu_pinning
    return {"id": cell.id, "pagesize": cell.pagesize or 0, "cpus": [pinning[vcpu] for vcpu in sorted(pinning)] if pinning else None,
            "reserved": min(cell.cpuset_reserved) if cell.cpuset_reserved else None}  # fmt: skip


def used_host(host, fit):
    """None where Nova can't put on the host what it has fitted."""
    try:
        return hardware.numa_usage_from_instance_numa(host, fit)
    except (exception.CPUPinningUnknown, exception.CPUPinningInvalid, AttributeError):
        return None
    except IndexError:  # cells without pages: Nova has none to count
        return NO_PAGES


def plain_host(used):
    if used in (None, NO_PAGES):
        return used
    return [{"memory_usage": cell.memory_usage, "cpu_usage": cell.cpu_usage, "pinned": sorted(cell.pinned_cpus),
             "mempages": [[p.size_kb, p.used] for p in sorted(cell.mempages, key=lambda p: -p.size_kb)]}
            for cell in used.cells]  # fmt: skip


def nova_says(line):
    """An answer for each time that the guest is put onto what the time before has left of the host."""
    conf.CONF.set_override("packing_host_numa_cells_allocation_strategy", line["pack"], group="compute")
    host = codec.revived(line["topology"])
    pools = stats.PciDeviceStats(host, codec.revived(line["pools"])) if line["pools"] else None
    answers = []
    while len(answers) < line["times"] and host not in (None, NO_PAGES):
        answer, host = fitted(line, host, pools)
        answers.append(answer)
    return answers


def fitted(line, host, pools):
    guest = codec.revived(line["guest"])
    requests = codec.revived(line["requests"]).requests if line["requests"] else None
    limits = objects.NUMATopologyLimits(cpu_allocation_ratio=line["cpu_ratio"], ram_allocation_ratio=line["ram_ratio"])
    if line["networks"]:
        limits.network_metadata = codec.revived(line["networks"])
    fit = hardware.numa_fit_instance_to_host(host, guest, limits, requests, pools)
    if fit is None:
        return {"fits": False}, None
    if pools:
        pools.apply_requests(requests or [], fit.cells)
    used = used_host(host, fit)
    return {"fits": True, "cells": [fitted_cell(cell) for cell in fit.cells], "host": plain_host(used),
            "pools": [pool["count"] for pool in pools.pools] if pools else None}, used  # fmt: skip


def same(nova, ours):
    """Onto a host without pages Nova puts nothing; all that it does differently from there on is not compared."""
    if nova[-1].get("host") != NO_PAGES:
        return nova == ours
    last = len(nova) - 1
    return nova[:last] == ours[:last] and {**nova[last], "host": None} == {**ours[last], "host": None}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("build")
    parser.add_argument("--guests", type=int, default=300)
    parser.add_argument("--hosts", type=int, default=20, help="for each guest")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    program = pathlib.Path(options.build, "bin/nova_numa_lines")
    compared = fits = different = 0
    with subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as ours:
        for seed in range(options.seed, options.seed + options.guests):
            rng = random.Random(seed)
            guest = random_guest(rng)
            for line in [{**guest, **random_host(rng)} for _ in range(options.hosts)]:
                ours.stdin.write(json.dumps(line) + "\n")
                ours.stdin.flush()
                answer = json.loads(ours.stdout.readline())
                expected = nova_says(line)
                compared, fits = compared + 1, fits + expected[0]["fits"]
                if not same(expected, answer):
                    different += 1
                    print(f"seed {seed}: Nova {expected}\nours {answer}\n{json.dumps(line)}\n", flush=True)
        ours.stdin.close()
    print(f"compared={compared} fits={fits} different={different}")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
