#!/usr/bin/env python3
"""Reads from the binaries and plugins of a release build that a fault in them ends the process and gives nobody control of it:
position-independent code, no executable stack, relocations that are read-only once all are bound, guarded stacks, checked
copies, checked element access of the standard library.

usage: hardening.py BUILD_DIRECTORY

Exit: 0 all of it, 1 something lacks, 77 skipped: a build with sanitizers, which check more and can't have some of it.
"""

import glob
import os
import re
import subprocess
import sys


def readelf(*arguments):
    return subprocess.run(["readelf", "--wide", *arguments], check=True, capture_output=True, text=True).stdout


def faults(path):
    headers, dynamic = readelf("--file-header", "--program-headers", path), readelf("--dynamic", path)
    symbols = readelf("--dyn-syms", path)
    stack = re.search(r"GNU_STACK\s+(?:0x\w+\s+){5}(\S+)", headers)
    if not re.search(r"Type:\s+DYN", headers):
        yield "is not position-independent"
    if not stack or "E" in stack.group(1):
        yield "has an executable stack"
    if "GNU_RELRO" not in headers:
        yield "has relocations that stay writable"
    if not re.search(r"\(FLAGS\).*BIND_NOW|\(BIND_NOW\)|\(FLAGS_1\).*NOW", dynamic):
        yield "binds functions only when they are called, so that their addresses stay writable"
    if "__stack_chk_fail" not in symbols:
        yield "has no guarded stacks (-fstack-protector-strong)"


def all_faults(build):
    programs = [os.path.join(build, "bin", name) for name in ("emplaced", "emplace")]
    plugins = sorted(glob.glob(os.path.join(build, "lib/emplace/plugins/*.so")))
    assert plugins, f"no plugins in {build}"
    for path in programs + plugins:
        yield from (f"{os.path.basename(path)} {fault}" for fault in faults(path))
    for path in programs:
        symbols = readelf("--dyn-syms", path)
        if not re.search(r"\b__\w+_chk@", symbols.replace("__stack_chk", "")):
            yield f"{os.path.basename(path)} has no checked copies (_FORTIFY_SOURCE)"
        if "__glibcxx_assert_fail" not in symbols:
            yield f"{os.path.basename(path)} has no checked access to elements (_GLIBCXX_ASSERTIONS)"


def main():
    build = sys.argv[1]
    with open(os.path.join(build, "CMakeCache.txt"), encoding="utf-8") as cache:
        options = dict(re.findall(r"^(EMPLACE_\w+):\w+=(.*)$", cache.read(), re.MULTILINE))
    if options.get("EMPLACE_SANITIZE") or options.get("EMPLACE_FUZZ") == "ON":
        print("skipped: a build with sanitizers")
        return 77
    found = list(all_faults(build))
    print("\n".join(found) or "all of it")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
