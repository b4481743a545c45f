"""Holds the layout that .clang-format describes.

usage: formatting.py ROOT    names each file that clang-format would lay out otherwise; exits with 1 when there is one

Exit 77, skipped: no clang-format, or another version of it, which lays out otherwise.
"""

import os
import re
import subprocess
import sys

VERSION = "14"  # Debian 12's
TOPS = ("api", "bench", "cli", "demo", "plugins", "service", "tests")


def sources(root):
    for top in TOPS:
        for folder, _, names in os.walk(os.path.join(root, top)):
            yield from (os.path.join(folder, name) for name in sorted(names) if name.endswith((".h", ".hpp", ".cc")))


def version():
    try:
        told = subprocess.run(["clang-format", "--version"], check=True, capture_output=True, text=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return "none"
    found = re.search(r"version (\d+)", told)
    return found.group(1) if found else "an unknown one"


def main():
    found = version()
    if found != VERSION:
        print(f"skipped: wanted clang-format {VERSION}, found {found}")
        return 77
    root = sys.argv[1]
    files = list(sources(root))
    assert files, f"no sources in {root}"
    told = subprocess.run(["clang-format", "--dry-run", *files], check=True, capture_output=True, text=True).stderr
    odd = sorted({os.path.relpath(line.split(":")[0], root) for line in told.splitlines() if "-Wclang-format" in line})
    print("\n".join(f"{path}: run clang-format -i" for path in odd) or f"{len(files)} files are laid out as .clang-format says")
    return 1 if odd else 0


if __name__ == "__main__":
    sys.exit(main())
