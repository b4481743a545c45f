"""A running emplaced for scenario tests: its own data directory, a free port, the real binaries. Use as a context manager; the
service is stopped at the end and its log printed when the test failed."""

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import uuid

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SHARED = os.path.join(os.path.dirname(ROOT), "shared")
SKIPPED = 77  # ctest's SKIP_RETURN_CODE
READY_S = 60


def skip(why):
    print(f"skipped: {why}")
    sys.exit(SKIPPED)


def scratch_directory():
    """Below /tmp and searchable: as root, the database runs as another user."""
    directory = tempfile.mkdtemp(prefix="emplace-scenario-", dir="/tmp")
    os.chmod(directory, 0o711)
    return directory


class Service:
    def __init__(self, build, directory=None, config="", program="emplaced"):
        self.build = build
        self.program = program
        self.own_directory = directory is None
        self.data = directory or scratch_directory()
        self.config = os.path.join(self.data, "emplaced.toml")
        if config or not os.path.exists(self.config):
            with open(self.config, "w", encoding="utf-8") as file:
                file.write(f'[service]\nlisten = "127.0.0.1:0"\ndata = "{self.data}"\n{config}')
        self.log = os.path.join(self.data, "emplaced.log")
        self.process = None
        self.url = None
        self.start_s = None

    def __enter__(self):
        if not self.process:
            self.start()
        return self

    def __exit__(self, kind, value, trace):
        self.stop()
        if kind is not None and kind is not SystemExit:
            with open(self.log, encoding="utf-8", errors="replace") as file:
                print("".join(["--- emplaced.log\n", *file.readlines()[-60:]]), file=sys.stderr)
        if self.own_directory:
            shutil.rmtree(self.data, ignore_errors=True)

    def start(self, **environment):
        began = time.monotonic()
        if self.process:
            self.process.stdout.close()
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [os.path.join(self.build, "bin", self.program), "--config", self.config],
                stdout=subprocess.PIPE, stderr=log, text=True, env={**os.environ, **environment})
        readable, _, _ = select.select([self.process.stdout], [], [], READY_S)
        line = self.process.stdout.readline() if readable else ""
        if not line.startswith("emplaced ready url="):
            raise RuntimeError(f"emplaced did not say that it is ready, but {line!r}")
        self.url = line.split("url=")[1].split()[0]
        self.start_s = time.monotonic() - began

    def stop(self):
        """SIGTERM must end it with 0."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            status = self.process.wait(timeout=60)
            assert status == 0, f"emplaced ended with {status} after SIGTERM"

    def kill(self):
        self.process.kill()
        self.process.wait()

    def token(self):
        with open(os.path.join(self.data, "admin.token"), encoding="utf-8") as file:
            return file.read().strip()

    def ask(self, method, path, body=None, key=None, timeout=60):
        """The status and what came with it. OSError or http.client.HTTPException: no answer."""
        headers = {"Authorization": f"Bearer {self.token()}", "Content-Type": "application/json"}
        if method == "POST":
            headers["Idempotency-Key"] = key or str(uuid.uuid4())
        data = body.encode() if isinstance(body, str) else None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, headers=headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                status, text = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            status, text = error.code, error.read()
        return status, json.loads(text) if text else None

    def call(self, method, path, body=None, timeout=60):
        status, answer = self.ask(method, path, body, timeout=timeout)
        if status >= 400:
            raise RuntimeError(f"{method} {path}: {status}: {answer}")
        return answer

    def metrics(self):
        """Values by name and labels, as they are written."""
        request = urllib.request.Request(self.url + "/metrics", headers={"Authorization": f"Bearer {self.token()}"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            lines = answer.read().decode().splitlines()
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if not line.startswith("#"))}

    def vms(self, verify=False):
        found, path = [], "/v1/vms?limit=1000" + ("&verify=true" if verify else "")
        while path:
            page = self.call("GET", path)
            found += page["vms"]
            path = page.get("next")
        return found

    def wait_for(self, what, condition, timeout=60):
        deadline = time.monotonic() + timeout
        while True:
            found = condition()
            if found:
                return found
            assert time.monotonic() < deadline, f"never happened: {what}"
            time.sleep(0.05)

    def command(self, *arguments):
        return [os.path.join(self.build, "bin/emplace"), "--url", self.url, "--data", self.data, *arguments]

    def run(self, *arguments, stdin=None, stdout=subprocess.PIPE, environment=None):
        return subprocess.run(self.command(*arguments), stdout=stdout, stderr=subprocess.PIPE, text=True, input=stdin, timeout=600,
                              env={**os.environ, **(environment or {})}, check=False)

    def start_command(self, *arguments):
        return subprocess.Popen(self.command(*arguments), stdout=subprocess.PIPE, text=True)

    def emplace(self, *arguments, status=0, stdin=None):
        """Runs the command line; returns what it printed. Its exit code must be `status`."""
        done = self.run(*arguments, stdin=stdin)
        assert done.returncode == status, f"{arguments}: {done.returncode} instead of {status}\n{done.stdout}{done.stderr}"
        return done.stdout

    def try_emplace(self, *arguments):
        """Runs the command line; its exit code and what it complained of."""
        done = self.run(*arguments)
        return done.returncode, done.stderr

    def complaint(self, *arguments, **more):
        """Runs the command line, which must fail with one line."""
        done = self.run(*arguments, **more)
        assert done.returncode != 0 and len(done.stderr.splitlines()) == 1, (arguments, done)
        return done.stderr

    def logged(self, text):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return [line for line in file if text in line]
