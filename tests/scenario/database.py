"""A private PostgreSQL for several emplaced: unix socket only, as an unprivileged user when we are root. It has PostgreSQL's own
defaults ("stock") or is set as emplaced sets the one that it embeds. Use as a context manager."""

import glob
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time

PATIENCE_S = 300  # recovery after a kill reads up to max_wal_size of log, which takes a minute on a busy disk
SETTINGS = {
    "stock": [],
    "embedded": ["shared_buffers=64MB", "max_wal_size=512MB", "checkpoint_timeout=15min", "wal_level=minimal", "max_wal_senders=0",
                 "autovacuum_naptime=20s", "timezone=UTC"],  # service/store/embedded.cc
}


def programs():
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/postgres"))
    assert found, "PostgreSQL is not installed"
    return os.path.dirname(found[-1])


class Database:
    def __init__(self, kind="stock"):
        self.settings = [word for setting in SETTINGS[kind] for word in ("-c", setting)]
        self.directory = tempfile.mkdtemp(prefix="emplace-pg-", dir="/tmp")
        self.data = os.path.join(self.directory, "data")
        self.user = {}
        if os.geteuid() == 0:
            entry = pwd.getpwnam("postgres")
            os.chown(self.directory, entry.pw_uid, entry.pw_gid)
            self.user = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
        self.url = f"host={self.directory} user=emplace dbname=postgres"
        self.process = None
        self.away, self.away_since = 0, None

    def __enter__(self):
        self._run("initdb", "-D", self.data, "-U", "emplace", "-A", "trust", "--no-sync")
        self.start()
        return self

    def __exit__(self, *_):
        self.resume()
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _run(self, program, *arguments):
        subprocess.run([os.path.join(programs(), program), *arguments], check=True, stdout=subprocess.DEVNULL, **self.user)

    def start(self):
        with open(os.path.join(self.directory, "log"), "ab") as log:
            self.process = subprocess.Popen(
                [os.path.join(programs(), "postgres"), "-D", self.data, "-c", "listen_addresses=",
                 "-c", f"unix_socket_directories={self.directory}", *self.settings], stdout=log, stderr=log, **self.user)
        deadline = time.monotonic() + PATIENCE_S
        while subprocess.run([os.path.join(programs(), "pg_isready"), "-q", "-h", self.directory], check=False).returncode != 0:
            assert time.monotonic() < deadline and self.process.poll() is None, "PostgreSQL does not start"
            time.sleep(0.05)
        if self.away_since is not None:
            self.away, self.away_since = self.away_s(), None

    def away_s(self):
        """How long it was stopped, dead or starting since it first started, in all."""
        return self.away + (0 if self.away_since is None else time.monotonic() - self.away_since)

    def stop(self):
        """Fast shutdown: connections are ended."""
        self.away_since = time.monotonic()
        self.process.send_signal(signal.SIGINT)
        self.process.wait(PATIENCE_S)

    def kill(self):
        """The postmaster with kill -9; its children see that and leave."""
        self.away_since = time.monotonic()
        children = self._children()
        self.process.kill()
        self.process.wait()
        deadline = time.monotonic() + PATIENCE_S
        while any(os.path.exists(f"/proc/{pid}") for pid in children):
            assert time.monotonic() < deadline, "PostgreSQL outlives its postmaster"
            time.sleep(0.05)

    def _children(self):
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children", encoding="ascii") as file:
            return [int(pid) for pid in file.read().split()]

    def _signal_all(self, number):
        for pid in [self.process.pid, *self._children()]:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass

    def pause(self):
        self._signal_all(signal.SIGSTOP)

    def resume(self):
        if self.process and self.process.poll() is None:
            self._signal_all(signal.SIGCONT)

    def rows(self, query):
        """Text of each field."""
        done = subprocess.run(
            [os.path.join(programs(), "psql"), "-XAtq", "-F", "\t", "-h", self.directory, "-U", "emplace", "-d", "postgres",
             "-v", "ON_ERROR_STOP=1", "-c", query], check=True, capture_output=True, text=True)
        return [line.split("\t") for line in done.stdout.splitlines()]
