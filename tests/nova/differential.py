#!/usr/bin/python3
"""Random cases, each answered by real Nova's filters and weighers in this process and by a running emplaced: the same hosts
pass, every raw and normalised weight, every multiplier and every sum has the same bits, and the order is the same. Where Nova
raises, which fails its whole request, emplaced must say that the filter or weigher could not answer. A case that differs is made
small and printed as JSON.

usage: differential.py [--cases N] [--seed S] [--rules A,B] [--file CASE.json] [--keep-going]

Needs python3-nova (Debian 12: 26.2.2) for /usr/bin/python3; without it the exit code is 77.
"""

import argparse
import json
import math
import pathlib
import random
import sys
import time

import debian_nova  # noqa: F401

import ask
import cases
import codec
import features  # noqa: F401  registers them
import reference
import shrink

try:
    import numa_cases  # noqa: F401  registers its features
except ImportError:
    pass

MANIFEST = json.loads((pathlib.Path(__file__).resolve().parents[2] / "plugins/nova/nova.json").read_text())
COST_CLASS = {rule["id"]: ("cheap", "medium", "expensive").index(rule["cost_class"]) for rule in MANIFEST["filters"]}


def in_order_of_cost(filters):
    """As emplaced runs them. Which hosts a filter sees depends on those before it, and so whether it raises."""
    return sorted(filters, key=COST_CLASS.get)


def differ(what, nova_says, ours):
    return None if nova_says == ours else f"{what}: Nova {nova_says!r}, emplaced {ours!r}"


def compare_filters(emplace, case):
    spec, states = codec.request_spec(case), codec.host_states(case)
    case = {**case, "filters": in_order_of_cost(case["filters"])}
    answer = emplace.filter(codec.plain_host_states(states), codec.plain_request_spec(spec), case["filters"], **call_of(case))
    degraded = [one["plugin"] for one in answer["degraded"]]
    try:
        kept = [state.host for state in reference.passed(case, states, spec)]
    except reference.Raised as raised:
        return differ(f"raised ({raised})", [raised.rule], degraded)
    return differ(f"degraded {answer['degraded']}", [], degraded) or differ(
        f"passed, refused {answer['refused']}", kept, answer["passed"]
    )


def finite(number):
    return number if math.isfinite(number) else math.copysign(1e300, number)


def same_column(rule, nova_column, ours):
    for what in ("raw", "normalized", "multiplier"):
        found = [one["weighers"][rule][what] if rule in one["weighers"] else None for one in ours]
        wanted = list(map(finite, nova_column[what])) if what == "multiplier" else nova_column[what]
        difference = differ(f"{rule} {what}", wanted, found)
        if difference:
            return difference
    return None


def compare_weighers(emplace, case):
    spec, states = codec.request_spec(case), codec.host_states(case)
    answer = emplace.weigh(codec.plain_host_states(states), codec.plain_request_spec(spec), case["weighers"], **call_of(case))
    final, columns, raised = reference.weighed(case, states, spec)
    difference = differ(f"raised ({raised})", [one.rule for one in raised], [one["plugin"] for one in answer["degraded"]])
    for rule, column in columns.items():
        difference = difference or same_column(rule, column, answer["weights"])
    if difference or final is None or not all(math.isfinite(weight) for weight, _ in final.values()):
        return difference  # of an infinite multiplier Nova makes sums that are no numbers, which JSON cannot say
    ours = [one["weight"] for one in answer["weights"]]
    order = sorted(range(len(ours)), key=lambda i: -ours[i])
    return differ("weights", [final[id(state)][0] for state in states], ours) or differ(
        "order", sorted(range(len(states)), key=lambda i: final[id(states[i])][1]), order
    )


def call_of(case):
    return {"now": case["now"] + "Z", "release": case["release"], "options": case["options"]}


def compare(emplace, case):
    """What differs; None when nothing does."""
    try:
        difference = compare_filters(emplace, case) if case["filters"] else None
        return difference or (compare_weighers(emplace, case) if case["weighers"] else None)
    except ask.Refused as refused:
        return str(refused)


def report(emplace, case, difference):
    same_kind = difference[:50] if difference.startswith("raised") else difference.split(":")[0].split(" ")[0]
    small = shrink.shrink(case, lambda smaller: (compare(emplace, smaller) or "").startswith(same_kind))
    print(f"DIFFERENT: {difference}\nsmall: {compare(emplace, small)}\n{json.dumps(small)}\n", flush=True)


def missing_metric_that_counts_nothing(release):
    """Infinitely often nothing is no number in Python, and so not nothing."""
    case = cases.base_case(random.Random(1))
    metadata = {"metrics_weight_multiplier": "Infinity"}
    hosts = [{**host, "aggregates": ["a"] if i % 2 else []} for i, host in enumerate(case["hosts"])]
    settings = {"weight_setting": ["cpu.frequency=0"], "required": False}
    return {**case, "release": release, "hosts": hosts, "aggregates": {"a": metadata}, "options": {"metrics": settings}, "weighers": ["MetricsWeigher"]}


SELDOM = [missing_metric_that_counts_nothing("zed"), missing_metric_that_counts_nothing("master")]  # random cases have them hardly ever


def run(emplace, options):
    different = 0
    start = time.monotonic()
    for case in SELDOM:
        if difference := compare(emplace, case):
            report(emplace, case, difference)
            return 1
    for seed in range(options.seed, options.seed + options.cases):
        case = cases.random_case(seed, options.rules)
        difference = compare(emplace, case)
        if difference is None:
            continue
        different += 1
        print(f"seed {seed}")
        report(emplace, case, difference)
        if not options.keep_going or different >= options.keep_going:
            break
    print(f"cases={seed - options.seed + 1} first_seed={options.seed} different={different} seconds={time.monotonic() - start:.1f}")
    return 1 if different else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--cases", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rules", type=lambda text: text.split(","), help="only these filters and weighers")
    parser.add_argument("--file", help="a case to run instead of random ones")
    parser.add_argument("--keep-going", type=int, metavar="N", help="stop after N cases that differ, not after the first")
    options = parser.parse_args()
    with ask.Emplace() as emplace:
        if options.file:
            difference = compare(emplace, json.loads(pathlib.Path(options.file).read_text()))
            print(difference or "the same")
            return 1 if difference else 0
        return run(emplace, options)


if __name__ == "__main__":
    sys.exit(main())
