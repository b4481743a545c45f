"""The database is replaced by an older copy of itself, as after a restore from a base backup or a failover to a replica that lacked
the newest commits: every replica sees it within a second of the database's answering, loads its picture anew
and says so, also on event streams that are open over it; a client that then reads the lists and follows the events after them
misses nothing. Once with a shorter history than before, once with another one that has grown longer meanwhile.

usage: older_database.py BUILD_DIRECTORY
"""

import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time

from database import Database, programs
from storm import TOKEN, Replica, inventory

WITHIN_S = 1.5  # one second, and what it takes to ask
PATIENCE_S = 60


def wait_until(what, condition, seconds=PATIENCE_S):
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, f"not {what} within {seconds} s"
        time.sleep(0.02)
    return time.monotonic() - began


class Follower(threading.Thread):
    """A client that knows the vms of the lists and of the events since; at a gap it reads the lists anew."""

    def __init__(self, replica):
        super().__init__(daemon=True)
        self.replica = replica
        self.gaps, self.names = [], {}
        self.read_lists()
        self.connection = http.client.HTTPConnection(replica.url.split("//")[1], timeout=600)
        self.start()

    def read_lists(self):
        lists = self.replica.call("GET", "/v1/claims?limit=1000")
        self.names = {claim["vm"]: claim["vm_name"] for claim in lists["claims"]}
        self.seq = lists["event_seq"]

    def run(self):
        self.connection.request("GET", f"/v1/events?after={self.seq}", headers={"Authorization": f"Bearer {TOKEN}"})
        answer = self.connection.getresponse()
        event = {}
        while line := answer.readline().decode():
            key, colon, value = line.rstrip("\n").partition(": ")
            if colon:
                event[key] = value
            elif event:
                self.take(event)
                event = {}

    def take(self, event):
        row = json.loads(event["data"])
        if event["event"] == "gap":
            self.gaps.append((time.monotonic(), row))
            self.read_lists()
        elif int(event["id"]) <= self.seq:
            return  # the lists had it
        elif event["event"] == "vm":
            self.names[row["id"]] = row["name"]
        elif event["event"] == "vm_removed":
            self.names.pop(row["id"], None)

    def knows(self, names):
        return set(self.names.values()) == set(names)


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


def check(replica, follower, expected_vcpus, times):
    began = time.monotonic()
    took = wait_until("loaded anew", lambda: used(replica) == expected_vcpus)
    assert took < WITHIN_S, f"seen after {took:.2f} s"
    assert len(replica.logged("event=rewound")) == times
    wait_until("told", lambda: len(follower.gaps) >= times)
    told = follower.gaps[-1][0] - began
    assert told < WITHIN_S, f"told after {told:.2f} s"
    assert len(follower.gaps) == times, follower.gaps
    wait_until("counted", lambda: replica.metrics()["emplace_store_rewinds_total"] == times)
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
            follower = Follower(b)
            newest = follower.seq

            put_back(database, backup)
            first = check(b, follower, 2, 1)
            assert follower.gaps[0][1] == {"after": newest, "next": newest - 4}, follower.gaps
            place(b, ["new-1"])
            assert claims_in(b) == {"old-1", "old-2", "new-1"}
            wait_until("followed", lambda: follower.knows(["old-1", "old-2", "new-1"]))

            # While b stands still, a makes a history of the copy that is longer than what b knows.
            place(b, [f"lost-again-{i}" for i in range(3)])
            wait_until("all sent", lambda: follower.knows(claims_in(b)))
            b.process.send_signal(signal.SIGSTOP)
            put_back(database, backup)
            wait_until("a loads it", lambda: used(a) == 2)
            place(a, [f"other-{i}" for i in range(9)])
            b.process.send_signal(signal.SIGCONT)
            second = check(b, follower, 11, 2)
            place(b, ["new-2"])
            wait_until("followed", lambda: follower.knows(["old-1", "old-2", "new-2", *(f"other-{i}" for i in range(9))]))
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
