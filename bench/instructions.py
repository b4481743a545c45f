#!/usr/bin/env python3
"""Counts the instructions of one decision, stage by stage, and compares them with those in instructions.json: unlike times
they are the same on a busy machine. More than 5 % away, either way, is a failure that names the stage.

usage: instructions.py BUILD_DIRECTORY [--renew]     --renew writes what it counts to instructions.json; commit that file
                                                     with the change that explains it

The file holds for g++ 12 on Debian 12, in a release build. Exit: 0 as recorded, 1 not, 77 skipped (no valgrind).
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
RECORD = os.path.join(HERE, "instructions.json")
TOLERANCE = 0.05
CASES = [("default", 1000), ("default", 10000), ("nova", 1000), ("nova", 10000)]
# Which function is which stage; those of other signatures (overloads) don't count.
STAGES = {
    "bind": r"emplace::bind\(",
    "screen": r"emplace::screen\(emplace::Rules",
    "evaluate": r"emplace::evaluate\(emplace::Rules",
    "pareto_front": r"emplace::pareto_front\(emplace::CostTable",
    "rank": r"emplace::rank(_by_weight)?\(emplace::Rules",
    "all": r"emplace::decide_once\(",
}


def count(build, case, hosts):
    """Instructions per stage, its callees included."""
    with tempfile.TemporaryDirectory() as directory:
        out = os.path.join(directory, "callgrind.out")
        subprocess.run(
            ["valgrind", "--tool=callgrind", "--collect-atstart=no", "--toggle-collect=emplace::decide_once*",
             f"--callgrind-out-file={out}", os.path.join(build, "bin/straight_line"), case, str(hosts)],
            check=True, capture_output=True, text=True)
        report = subprocess.run(["callgrind_annotate", "--inclusive=yes", "--threshold=100", out], check=True,
                                capture_output=True, text=True).stdout
    counts = {}
    for line in report.splitlines():
        found = re.match(r"\s*([\d,]+)\s+\(\s*[\d.]+%\)\s+(.*)", line)
        for stage, function in STAGES.items() if found else ():
            if re.search(r":" + function, found.group(2)):
                counts[stage] = max(counts.get(stage, 0), int(found.group(1).replace(",", "")))
    return counts


def changes(name, found, wanted):
    for stage in STAGES:
        now, then = found.get(stage, 0), wanted.get(stage, 0)
        if abs(now - then) > TOLERANCE * max(then, 1):
            yield f"{name}: {stage} {'grew' if now > then else 'shrank'} from {then:,} to {now:,} instructions"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--renew", action="store_true")
    options = parser.parse_args()
    if not shutil.which("valgrind") or not shutil.which("callgrind_annotate"):
        print("skipped: valgrind is not installed")
        return 77
    found = {f"{case}/{hosts}": count(options.build, case, hosts) for case, hosts in CASES}
    for name, counts in found.items():
        print(f"{name:14}", "  ".join(f"{stage} {number:,}" for stage, number in counts.items()))
    if options.renew:
        with open(RECORD, "w", encoding="utf-8") as file:
            json.dump(found, file, indent=2)
            file.write("\n")
        return 0
    with open(RECORD, encoding="utf-8") as file:
        wanted = json.load(file)
    lines = [line for name, counts in found.items() for line in changes(name, counts, wanted.get(name, {}))]
    if lines:
        print(*lines, "meant? then: bench/instructions.py BUILD_DIRECTORY --renew, and commit instructions.json", sep="\n")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
