"""./run again and again: from a clone that nobody has built, beside one that is up, after claims of the user's own, after its script,
its service or its database was killed. No start fails, no line of the log is lost, and what the README says next works; then
`cmake --install` of what ./run built.

usage: demo.py
"""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

from service import ROOT, scratch_directory, skip

BUILD_S = 3600
START_S = 300


class Demo:
    def __init__(self, root, data):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            listen = f"127.0.0.1:{probe.getsockname()[1]}"
        self.root, self.data = root, data
        self.environment = {**os.environ, "EMPLACE_DATA": data, "EMPLACE_LISTEN": listen}
        self.url = f"http://{listen}"
        self.log = os.path.join(data, "emplaced.log")

    def once(self):
        done = subprocess.run(["./run", "--once"], cwd=self.root, env=self.environment, capture_output=True, text=True, timeout=BUILD_S,
                              check=False)
        assert done.returncode == 0, f"{done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def start(self):
        output = os.path.join(self.data, "run.out")
        with open(output, "w", encoding="utf-8") as file:
            process = subprocess.Popen(["./run"], cwd=self.root, env=self.environment, stdout=file, stderr=file, start_new_session=True)
        deadline = time.monotonic() + START_S
        while "running until Ctrl-C" not in open(output, encoding="utf-8").read():
            assert process.poll() is None and time.monotonic() < deadline, open(output, encoding="utf-8").read()
            time.sleep(0.2)
        return process

    def emplace(self, *words):
        command = [os.path.join(self.root, "build/bin/emplace"), "--url", self.url, "--data", self.data, *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout

    def pid(self):
        with open(os.path.join(self.data, "lock"), encoding="utf-8") as file:
            return int(file.read())

    def database_pid(self):
        with open(os.path.join(self.data, "pg/postmaster.pid"), encoding="utf-8") as file:
            return int(file.readline())

    def starts_logged(self):
        with open(self.log, encoding="utf-8") as file:
            return sum("event=ready" in line for line in file)


def gone(pid):
    deadline = time.monotonic() + 60
    while os.path.exists(f"/proc/{pid}"):
        assert time.monotonic() < deadline, pid
        time.sleep(0.1)


def first_run(demo):
    told = demo.once()
    assert "60 agree, 0 differ" in told and "stopped; ./run starts it again" in told, told
    assert len(re.findall(r" (was chosen of|is the only host)", told)) >= 60, told
    assert demo.starts_logged() == 1


def beside_one_that_is_up(demo):
    process = demo.start()
    demo.emplace("place", "--name", "mine", "--vcpus", "1", "--memory", "1GiB", "--claim")
    claim = re.search(r"[0-9a-f-]{36}", demo.emplace("claims"))[0]
    demo.emplace("claims", "confirm", claim)  # libvirt knows of no such vm
    told = demo.once()
    assert "is up already" in told and "all 60 vms are there already" in told and "stopped" not in told, told
    assert demo.starts_logged() == 2
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0
    assert re.search(r"6[01] agree", demo.once())


def after_the_script_was_killed(demo):
    process = demo.start()
    service = demo.pid()
    process.kill()
    process.wait()
    assert os.path.exists(f"/proc/{service}")
    assert "outlived its ./run" in demo.once()
    gone(service)


def after_the_service_was_killed(demo):
    process = demo.start()
    os.kill(demo.pid(), signal.SIGKILL)
    assert process.wait(60) == 1
    demo.once()


def after_the_database_was_killed(demo):
    process = demo.start()
    database = demo.database_pid()
    os.kill(database, signal.SIGKILL)
    gone(database)
    os.kill(demo.pid(), signal.SIGKILL)
    assert process.wait(60) == 1
    demo.once()


def next_steps(demo):
    """What ./run says to try, and what the README installs."""
    process = demo.start()
    with open(os.path.join(demo.data, "run.out"), encoding="utf-8") as file:
        tries = [line.split() for line in file if line.startswith("  build/bin/emplace ")]
    assert len(tries) >= 4, tries
    for words in tries:
        subprocess.run(words, cwd=demo.root, check=True, capture_output=True, timeout=60)
    process.send_signal(signal.SIGINT)
    process.wait(60)
    prefix = os.path.join(demo.data, "installed")
    subprocess.run(["cmake", "--install", "build", "--prefix", prefix], cwd=demo.root, check=True, capture_output=True, timeout=120)
    for program in ("emplace", "emplaced"):
        subprocess.run([os.path.join(prefix, "bin", program), "--version"], check=True, capture_output=True, timeout=60)
    library = os.path.join(prefix, "lib/emplace/plugins/libemplace_affinity.so")
    subprocess.run([os.path.join(prefix, "bin/emplace"), "plugin", "check", library, "--only", "results"], check=True, timeout=120)


def main():
    if not os.path.exists(os.path.join(ROOT, ".git")):
        skip("no clone of the repository can be made here")
    directory = scratch_directory()
    clone = os.path.join(directory, "emplace")
    subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True)
    demo = Demo(clone, os.path.join(directory, "data"))
    try:
        for step in (first_run, beside_one_that_is_up, after_the_script_was_killed, after_the_service_was_killed,
                     after_the_database_was_killed, next_steps):
            step(demo)
            print(f"ok {step.__name__}", flush=True)
    finally:
        with contextlib.suppress(OSError, ValueError):
            os.kill(demo.pid(), signal.SIGTERM)
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
