#!/usr/bin/env python3
"""Holds api/rest/openapi.yaml against the rules for OpenAPI, makes a TypeScript client of it, and lets that work with a
real emplaced.

    EMPLACED=build/bin/emplaced tests/contract/run.py FOLDER    # npm's packages and what is made go to FOLDER

What package-lock.json names is installed by `npm ci`, once for each lock file. Exit code 77, a test that was skipped:
no node, an old one, or no registry that could be reached.
"""

import hashlib
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
DOCUMENT = ROOT / "api/rest/openapi.yaml"
SKIPPED = 77
OLDEST_NODE = 20

sys.path.insert(0, str(ROOT / "tests/api"))


def skip(why):
    print(f"skipped: {why}")
    sys.exit(SKIPPED)


def check_node():
    if not shutil.which("node") or not shutil.which("npm"):
        skip(f"wanted node {OLDEST_NODE} or newer with npm, found none")
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    if int(version.lstrip("v").split(".")[0]) < OLDEST_NODE:
        skip(f"wanted node {OLDEST_NODE} or newer, found {version}")


def install(folder):
    """The packages of the lock file; scripts of theirs do not run."""
    lock = (HERE / "package-lock.json").read_bytes()
    stamp = folder / "installed"
    wanted = hashlib.sha256(lock).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return
    ping = subprocess.run(["npm", "ping", "--fetch-retries=1", "--fetch-timeout=15000"], cwd=folder, capture_output=True, text=True)
    if ping.returncode != 0:
        skip("npm reaches no registry")
    subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], cwd=folder, check=True)
    stamp.write_text(wanted)


def step(what, command, folder):
    print(f"== {what}", flush=True)
    done = subprocess.run(["npx", "--no-install", *command], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0 or " warning " in done.stdout:
        sys.exit(f"{done.stdout}\n{what}: failed with {done.returncode}")


def work_with_emplaced(folder):
    import service

    print("== the client", flush=True)
    emplace = service.Service()
    try:
        subprocess.run(["node", "out/client.js", f"http://{emplace.address}", emplace.token], cwd=folder, check=True, timeout=120)
        served = emplace.get("/openapi.yaml", token="nobody")
        assert served.text == DOCUMENT.read_text(), "GET /openapi.yaml is another document"
    finally:
        emplace.stop()


def main():
    folder = pathlib.Path(sys.argv[1]).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    check_node()
    for name in ("package.json", "package-lock.json", "tsconfig.json", "client.ts"):
        shutil.copy(HERE / name, folder / name)
    install(folder)
    rules = ROOT / "api/rest"
    step("redocly", ["redocly", "lint", "--config", rules / "redocly.yaml", "--format", "stylish", DOCUMENT], folder)
    step("spectral", ["spectral", "lint", "--fail-severity", "hint", "--ruleset", rules / "spectral.yaml", DOCUMENT], folder)
    step("types", ["openapi-typescript", DOCUMENT, "--output", "emplace.ts"], folder)
    step("tsc --strict", ["tsc", "--project", "."], folder)
    work_with_emplaced(folder)


if __name__ == "__main__":
    main()
