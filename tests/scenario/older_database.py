"""The database is replaced by an older copy of itself, as after a restore from a base backup or a failover to a replica that lacked
the newest commits: every replica sees it within a second of the database's answering, loads its picture anew
and says so. Once with a shorter history than before, once with another one that has grown longer meanwhile.

usage: older_database.py BUILD_DIRECTORY
"""

import os
import shutil
import signal
import subprocess
import sys
import time

from database import Database, programs
from storm import Replica, inventory

WITHIN_S = 1.5  # one second, and what it takes to ask
PATIENCE_S = 60


def wait_until(what, condition, seconds=PATIENCE_S):
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, f"not {what} within {seconds} s"
        time.sleep(0.02)
    return time.monotonic() - began


def place(replica, names):
    for name in names:
        status, answer = replica.ask("POST", "/v1/placements", {"vm": {"name": name, "vcpus": 1, "memory_mib": 1024}, "claim": True,
                                                                "ttl_s": 3600})
        assert status == 200 and answer["claim"], answer


def claims_in(replica):
    return {claim["vm_name"] for claim in replica.call("GET", "/v1/claims?limit=1000")["claims"]}


def used(replica):
    """vCPUs, as the picture has them."""
    return sum(host["used"]["vcpus"] for host in replica.call("GET", "/v1/hosts?limit=1000")["hosts"])


def put_back(database, backup):
    database.kill()
    shutil.rmtree(database.data)
    subprocess.run(["cp", "-a", backup, database.data], check=True)
    database.start()


def check(replica, expected_vcpus, times):
    took = wait_until("loaded anew", lambda: used(replica) == expected_vcpus)
    assert took < WITHIN_S, f"seen after {took:.2f} s"
    assert len(replica.logged("event=rewound")) == times
    wait_until("counted", lambda: replica.metrics()["emplace_store_rewinds"] == times)
    assert "replaced by an older one" in str(replica.ask("GET", "/readyz"))
    wait_until("loaded anew, by the log", lambda: len(replica.logged("action=loaded_anew")) == times)
    return took


def main():
    build = os.path.abspath(sys.argv[1])
    with Database() as database:
        a, b = (Replica(build, name, database.url) for name in "ab")
        try:
            a.start()
            b.start()
            a.call("POST", "/v1/inventory:import", inventory())
            place(a, ["old-1", "old-2"])
            backup = os.path.join(database.directory, "backup")
            subprocess.run([os.path.join(programs(), "pg_basebackup"), "-h", database.directory, "-U", "emplace", "-D", backup,
                            "--checkpoint=fast"], check=True, **database.user)
            place(a, [f"lost-{i}" for i in range(5)])
            wait_until("seen by b", lambda: used(b) == 7)

            put_back(database, backup)
            first = check(b, 2, 1)
            place(b, ["new-1"])
            assert claims_in(b) == {"old-1", "old-2", "new-1"}

            # While b stands still, a makes a history of the copy that is longer than what b knows.
            place(b, [f"lost-again-{i}" for i in range(3)])
            b.process.send_signal(signal.SIGSTOP)
            put_back(database, backup)
            wait_until("a loads it", lambda: used(a) == 2)
            place(a, [f"other-{i}" for i in range(9)])
            b.process.send_signal(signal.SIGCONT)
            second = check(b, 11, 2)
            a.stop()
            b.stop()
        except BaseException:
            for replica in (a, b):
                with open(replica.log, encoding="utf-8", errors="replace") as file:
                    print(f"--- {replica.log}\n" + "".join(file.readlines()[-30:]), file=sys.stderr)
            raise
        finally:
            for replica in (a, b):
                if replica.process and replica.process.poll() is None:
                    replica.process.send_signal(signal.SIGCONT)
                    replica.kill()
                shutil.rmtree(replica.data, ignore_errors=True)
    print(f"seen after {first:.2f} s, and {second:.2f} s where the other history was longer")


if __name__ == "__main__":
    main()
