"""emplaced behind PgBouncer: pooling by session works; by transaction or statement it is refused at the start with one line that
says what to do, and, when the pooler is switched later, by every call until it is switched back.

usage: pooled.py BUILD_DIRECTORY
"""

import concurrent.futures
import itertools
import os
import shutil
import signal
import socket
import subprocess
import sys
import time

from database import Database
from service import skip
from storm import Replica, inventory

WHAT_TO_DO = "use pool_mode = session in PgBouncer"
PATIENCE_S = 60


class Bouncer:
    def __init__(self, database):
        self.database = database
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.directory = os.path.join(database.directory, "bouncer")
        os.mkdir(self.directory)
        self.ini = os.path.join(self.directory, "pgbouncer.ini")
        self.process = None

    def write(self, mode):
        users = os.path.join(self.directory, "users")
        with open(users, "w", encoding="ascii") as file:
            file.write('"emplace" ""\n')
        with open(self.ini, "w", encoding="ascii") as file:
            file.write(f"[databases]\npostgres = host={self.database.directory}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n"
                       f"listen_port = {self.port}\nunix_socket_dir =\nauth_type = trust\nauth_file = {users}\npool_mode = {mode}\n"
                       f"logfile = {self.directory}/log\n")
        if self.database.user:
            for path in (self.directory, users, self.ini):
                os.chown(path, self.database.user["user"], self.database.user["group"])

    def start(self, mode):
        self.write(mode)
        self.process = subprocess.Popen(["/usr/sbin/pgbouncer", "-q", self.ini], **self.database.user)
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            except OSError:
                assert time.monotonic() < deadline and self.process.poll() is None, "pgbouncer does not start"
                time.sleep(0.05)

    def switch(self, mode):
        self.write(mode)
        self.process.send_signal(signal.SIGHUP)

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.wait()

    @property
    def url(self):
        return f"host=127.0.0.1 port={self.port} user=emplace dbname=postgres"


def refused(build, bouncer, mode):
    bouncer.start(mode)
    replica = Replica(build, "r", bouncer.url)
    try:
        done = subprocess.run([os.path.join(build, "bin/emplaced"), "--config", replica.config], capture_output=True, text=True,
                              timeout=PATIENCE_S, check=False)
    finally:
        shutil.rmtree(replica.data, ignore_errors=True)
        bouncer.stop()
    lines = [line for line in done.stderr.splitlines() if line.startswith("emplaced: ")]
    assert done.returncode == 2 and len(lines) == 1 and WHAT_TO_DO in lines[0], f"{mode}: {done.returncode} {done.stderr}"


def claim(replica, number):
    return replica.ask("POST", "/v1/placements", {"vm": {"name": f"v{number}", "vcpus": 1, "memory_mib": 1}, "claim": True})


def ready(replica):
    return str(replica.ask("GET", "/readyz"))


def wait_until(what, condition):
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"not {what} within {PATIENCE_S} s"


def switched(bouncer, replica, pool):
    def claims(number):
        """The statuses of sixteen at once."""
        return [status for status, _ in pool.map(lambda i: claim(replica, f"{number}-{i}"), range(16))]

    assert claims("session") == [200] * 16
    bouncer.switch("transaction")
    wait_until("refused", lambda: claims("pooled") and WHAT_TO_DO in ready(replica))
    assert claims("refused") == [503] * 16
    bouncer.switch("session")
    wait_until("ready again", lambda: WHAT_TO_DO not in ready(replica))
    # A session that was in use at the switch finds out at its next act, which is answered 503 and takes nothing.
    rounds = itertools.count()
    wait_until("taking claims again", lambda: claims(f"again-{next(rounds)}") == [200] * 16)


def main():
    if not os.path.exists("/usr/sbin/pgbouncer"):
        skip("pgbouncer is not installed")
    build = os.path.abspath(sys.argv[1])
    with Database() as database:
        bouncer = Bouncer(database)
        for mode in ("transaction", "statement"):
            refused(build, bouncer, mode)
        bouncer.start("session")
        replica = Replica(build, "r", bouncer.url)
        try:
            replica.start()
            replica.call("POST", "/v1/inventory:import", inventory())
            with concurrent.futures.ThreadPoolExecutor(16) as pool:
                switched(bouncer, replica, pool)
            replica.stop()
        except BaseException:
            with open(replica.log, encoding="utf-8", errors="replace") as file:
                print("".join(file.readlines()[-40:]), file=sys.stderr)
            raise
        finally:
            replica.kill()
            bouncer.stop()
            shutil.rmtree(replica.data, ignore_errors=True)
    print("pooling by transaction and by statement refused, at the start and later; by session it works")


if __name__ == "__main__":
    main()
