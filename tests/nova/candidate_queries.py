#!/usr/bin/python3
"""What Placement is asked for random RequestSpecs, by real Nova (ResourceRequest of nova/scheduler/utils.py) and by ours: the same
parameters, also of the second query that Nova makes for dedicated cores. What differs is printed.

usage: candidate_queries.py BUILD_DIRECTORY [--specs N] [--seed S]

Needs python3-nova (Debian 12: 26.2.2) for /usr/bin/python3; without it the exit code is 77.
"""

import argparse
import json
import pathlib
import random
import subprocess
import sys
from urllib.parse import parse_qsl

import debian_nova  # noqa: F401

import cases
import codec
import reference  # noqa: F401  Nova's log off
from nova import exception
from nova.scheduler import utils

CLASSES = ["VCPU", "PCPU", "MEMORY_MB", "DISK_GB", "VGPU", "CUSTOM_FPGA", "NET_BW_EGR_KILOBIT_PER_SEC"]
TRAITS = ["HW_CPU_X86_AVX2", "CUSTOM_FAST", "HW_CPU_HYPERTHREADING", "CUSTOM_NET"]
SUFFIXES = ["", "", "1", "2", "_GPU", "-net_0"]


def some(rng, items, most=2):
    return rng.sample(items, rng.randint(0, min(most, len(items))))


def extra_specs(rng):
    specs = {}
    for _ in range(rng.randrange(5)):
        suffix = rng.choice(SUFFIXES)
        if rng.random() < 0.6:
            specs[f"resources{suffix}:{rng.choice(CLASSES)}"] = str(rng.choice([0, 1, 2, 8]))
        else:
            specs[f"trait{suffix}:{rng.choice(TRAITS)}"] = rng.choice(["required", "forbidden"])
    if rng.random() < 0.3:
        specs["group_policy"] = rng.choice(["none", "isolate", "other"])
    if rng.random() < 0.3 and not any("CPU" in key for key in specs if key.startswith("resources")):
        specs["hw:cpu_policy"] = "dedicated"
        if rng.random() < 0.5:
            specs["hw:cpu_thread_policy"] = rng.choice(["prefer", "isolate", "require"])
        if rng.random() < 0.3:
            specs["hw:emulator_threads_policy"] = "isolate"
    if rng.random() < 0.1:
        specs["os:secure_boot"] = "required"
    specs["hw:numa_nodes"] = "1"
    return specs


def group(rng, number):
    return codec.primitive(
        "RequestGroup", requester_id=f"port-{number}", resources={rng.choice(CLASSES[4:]): rng.randint(1, 1000)},
        required_traits=set(some(rng, TRAITS)), forbidden_traits=set(some(rng, ["CUSTOM_SLOW"])), use_same_provider=True,
        aggregates=[[cases.uuid_of(rng) for _ in range(rng.randint(1, 2))] for _ in range(rng.randrange(2))],
        forbidden_aggregates=set(cases.uuid_of(rng) for _ in range(rng.randrange(2))),
        in_tree=cases.uuid_of(rng) if rng.random() < 0.2 else None)  # fmt: skip


def random_spec(rng):
    case = cases.base_case(rng)
    spec = case["spec"]
    spec["flavor"] = cases.flavor(vcpus=rng.choice([1, 2, 8]), memory_mb=rng.choice([512, 4096]), root_gb=rng.choice([0, 10]),
                                  ephemeral_gb=rng.choice([0, 5]), swap=rng.choice([0, 512, 1024, 1025]), extra_specs=extra_specs(rng))
    spec["is_bfv"] = rng.random() < 0.2
    spec["request_level_params"] = codec.primitive(
        "RequestLevelParams", root_required=set(some(rng, TRAITS)), root_forbidden=set(some(rng, ["COMPUTE_STATUS_DISABLED"])),
        same_subtree=[["port-0", "port-1"]] if rng.random() < 0.1 else [])
    spec["requested_resources"] = [group(rng, number) for number in range(rng.randrange(3))]
    if rng.random() < 0.3:
        spec["image"] = cases.image({"traits_required": some(rng, TRAITS)})
    return case


def parameters(query):
    return sorted((name, value) for name, value in parse_qsl(query, keep_blank_values=True) if value)


def asked_by_nova(spec):
    """Its queries, or None for a flavor that its API would have refused."""
    queries = []
    try:
        for translate in (True, False):
            request = utils.ResourceRequest.from_request_spec(spec, enable_pinning_translate=translate)
            # As resources_from_request_spec, which asks the database besides.
            if request.get_num_of_suffixed_groups() >= 2 and not request.group_policy:
                request.group_policy = "none"
            queries.append(parameters(request.to_querystring()))
            if not request.cpu_pinning_requested:
                break
    except exception.NovaException:
        return None
    return queries


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--specs", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    wanted, lines = [], []
    while len(lines) < options.specs:
        spec = codec.request_spec(random_spec(rng))
        queries = asked_by_nova(spec)
        if queries is None:
            continue
        wanted.append(queries)
        lines.append(json.dumps(spec.obj_to_primitive(), default=lambda value: sorted(value) if isinstance(value, set) else str(value)))
    program = pathlib.Path(options.build) / "bin/nova_candidate_queries"
    answers = subprocess.run([program], input="\n".join(lines) + "\n", capture_output=True, text=True, check=True).stdout.splitlines()
    assert len(answers) == len(lines), f"{len(answers)} answers to {len(lines)}"
    differ = 0
    for line, nova_says, answer in zip(lines, wanted, answers):
        first, _, second = answer.partition(" ")
        ours = [parameters(first)] + ([parameters(second)] if second != "-" else [])
        if ours != nova_says:
            differ += 1
            if differ <= 3:
                print(json.dumps({"spec": json.loads(line)["nova_object.data"].get("flavor"), "nova": nova_says, "ours": ours or answer}, indent=1))
    print(f"{len(lines)} specs, {sum(len(one) == 2 for one in wanted)} with dedicated cores: {differ} differ")
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main())
