"""Mixed load on several replicas of one database while they, and PostgreSQL, are killed, paused and restarted. Clients ask again,
with the same key, at whichever replica answers. At the end, from the database: no host oversold, no rule of a group or a spread
broken; everything that was acknowledged is there, nothing twice; the pictures of all replicas are the same; memory and
descriptors did not grow.

usage: storm.py BUILD_DIRECTORY [--replicas N] [--clients N] [--seconds S] [--every S] [--seed N] [--database stock|embedded]
                [--streams N] [--slow-readers N]

--streams: so many event streams stay open, of which every second one is not read; --slow-readers: so many clients take an export of
the inventory a few bytes at a time. Whoever is dropped, or whose replica is gone, comes again.
"""

import argparse
import collections
import hashlib
import http.client
import json
import os
import random
import select
import shutil
import signal
import socket
import statistics
import sys
import threading
import time

from database import Database
from service import Service

HOSTS, RACKS, VCPUS, MEMORY_MIB = 200, 20, 16, 65536
TOKEN = "storm"
MOST_WAIT_S = 120  # of one act, over all its tries, while PostgreSQL is there
LEASE_S = 20       # the longest lease a replica holds


def inventory():
    hosts = [{"name": f"h{i:03}", "vcpus": VCPUS, "memory_mib": MEMORY_MIB, "disk_gib": 1000, "rack": f"r{i % RACKS}", "zone": "z"}
             for i in range(HOSTS)]
    groups = [{"name": f"anti{i}", "policy": "anti-affinity"} for i in range(20)]
    groups += [{"name": f"pairs{i}", "policy": "anti-affinity", "max_per_host": 2} for i in range(5)]
    groups += [{"name": f"together{i}", "policy": "affinity"} for i in range(10)]
    return {"hosts": hosts, "groups": groups}


class Replica(Service):
    def __init__(self, build, name, url):
        super().__init__(build, config=f'replica = "{name}"\n[database]\nurl = "{url}"\n[auth]\ntokens_file = "@/tokens"\n')
        with open(self.config, encoding="utf-8") as file:
            config = file.read().replace("@", self.data)
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(config)
        with open(os.path.join(self.data, "tokens"), "w", encoding="utf-8") as file:
            file.write(f"{hashlib.sha256(TOKEN.encode()).hexdigest()} admin storm\n")
        os.chmod(file.name, 0o600)

    def token(self):
        return TOKEN

    def usage(self):
        """Resident MiB without shared files, and open descriptors."""
        pid = self.process.pid
        with open(f"/proc/{pid}/status", encoding="ascii") as file:
            kib = {line.split(":")[0]: int(line.split()[1]) for line in file if line.startswith("Rss")}
        return (kib["RssAnon"] + kib["RssShmem"]) / 1024, len(os.listdir(f"/proc/{pid}/fd"))


class Onlookers(threading.Thread):
    """Those who read slowly, or not at all."""

    def __init__(self, storm, streams, slow_readers):
        super().__init__(name="onlookers", daemon=True)
        self.storm, self.wanted = storm, {"read": streams - streams // 2, "unread": streams // 2, "slow": slow_readers}
        self.open = {kind: [] for kind in self.wanted}
        self.counts = collections.Counter()

    def run(self):
        while time.monotonic() < self.storm.end:
            for kind, wanted in self.wanted.items():
                while len(self.open[kind]) < wanted and self.come(kind):
                    pass
            for kind in self.open:
                self.open[kind] = [one for one in self.open[kind] if self.look(kind, one)]
            time.sleep(0.2)

    def come(self, kind):
        replica = random.choice(self.storm.replicas)
        path = "/v1/inventory:export" if kind == "slow" else "/v1/events?after=0"
        try:
            connection = socket.create_connection(("127.0.0.1", int(replica.url.rpartition(":")[2])), timeout=2)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode())
        except OSError:
            return False
        connection.setblocking(False)
        self.open[kind].append(connection)
        self.counts[kind] += 1
        return True

    @staticmethod
    def poll(connection):
        poll = select.poll()
        poll.register(connection, 0)
        return poll.poll(0)

    def look(self, kind, connection):
        """Whether it is still there."""
        try:
            most = {"read": 1 << 20, "unread": 0, "slow": 200}[kind]
            if most == 0:  # a hang-up is seen without reading
                if not self.poll(connection):
                    return True
                raise ConnectionResetError
            data = connection.recv(most)
            self.counts["bytes"] += len(data)
            if data:
                return True
        except BlockingIOError:
            return True
        except OSError:
            pass
        connection.close()
        return False


class Client(threading.Thread):
    """One after the other: places, confirms, gives back, deletes. Keeps what it was told."""

    def __init__(self, storm, number):
        super().__init__(name=f"c{number}")
        self.storm = storm
        self.random = random.Random(f"{storm.options.seed}/{number}")
        self.connections = {}
        self.count = 0
        self.alive = collections.deque()  # (claim id, vm id) of what is there
        self.vms, self.held, self.gone, self.deleted = {}, {}, set(), set()
        self.kinds = collections.Counter()
        self.failure = None

    def run(self):
        try:
            while time.monotonic() < self.storm.end:
                self.place()
                while len(self.alive) > self.storm.live_per_client:
                    self.remove(*self.alive.popleft())
        except Exception as error:  # pylint: disable=broad-except
            self.failure = f"{self.name}: {type(error).__name__}: {error}"
            self.storm.end = 0

    def send(self, replica, method, path, body, key):
        connection = self.connections.get(replica)
        if connection is None or connection.port != int(replica.url.rpartition(":")[2]):
            connection = http.client.HTTPConnection(replica.url.split("//")[1], timeout=5)
            self.connections[replica] = connection
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
        if key:
            headers["Idempotency-Key"] = key
        try:
            connection.request(method, path, json.dumps(body) if body is not None else None, headers)
            answer = connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException):
            connection.close()
            raise
        return answer.status, json.loads(text) if text else {}

    def ask(self, method, path, body, done):
        key = f"{self.name}-{self.count}" if method == "POST" else None
        def waited():
            return time.monotonic() - self.storm.database.away_s()

        deadline = waited() + MOST_WAIT_S
        why = ""
        while waited() < deadline:
            replica = self.random.choice(self.storm.replicas)
            began = time.monotonic()
            try:
                status, answer = self.send(replica, method, path, body, key)
                if done(status, answer):
                    self.storm.answered(time.monotonic() - began)
                    return status, answer
                why = f"{status} {answer}"
            except (OSError, http.client.HTTPException) as error:
                why = f"{type(error).__name__} {error}"
            self.kinds["asked again"] += 1
            time.sleep(0.1)
        raise AssertionError(f"{method} {path} {body}: no answer in {MOST_WAIT_S} s; the last was {why}")

    def wanted(self):
        vm = {"name": f"{self.name}-{self.count}", "vcpus": self.random.choice([1, 1, 2, 2, 4, 8]), "memory_mib": 1024 *
              self.random.choice([1, 2, 4, 16]), "disk_gib": 10}
        kind = self.random.random()
        if kind < 0.3:
            vm["group"] = f"anti{self.random.randrange(20)}"
        elif kind < 0.4:
            vm["group"] = f"pairs{self.random.randrange(5)}"
        elif kind < 0.5:
            vm["group"] = f"together{self.random.randrange(10)}"
        elif kind < 0.7:
            vm["spread"] = {"by": "rack", "group": f"s{self.random.randrange(10)}", "domain": f"d{self.random.randrange(3)}"}
        return vm

    def place(self):
        self.count += 1
        brief = self.random.random() < 0.1
        body = {"vm": self.wanted(), "claim": True, "ttl_s": 1 if brief else 3600, "explain": "none"}
        status, answer = self.ask("POST", "/v1/placements", body, lambda status, answer: status in (200, 409) and not (
            status == 409 and answer.get("code") in ("emplace.idempotency.answered", "emplace.idempotency.in_progress")))
        claim = answer.get("claim") if status == 200 else None
        if not claim:
            self.kinds["refused" if status == 200 else "conflict"] += 1
            return
        self.kinds["claimed"] += 1
        if brief:
            return
        fate = self.random.random()
        if fate < 0.6:
            self.confirm(claim)
        elif fate < 0.8:
            self.release(claim)
        else:
            self.held[claim["id"]] = claim["host"]
            self.alive.append((claim["id"], claim["vm"]))

    def confirm(self, claim):
        self.ask("PUT", f"/v1/claims/{claim['id']}:confirm", None, lambda status, _: status == 200)
        self.kinds["confirmed"] += 1
        self.vms[claim["vm"]] = claim["host"]
        self.alive.append((None, claim["vm"]))

    def release(self, claim):
        # Not found: an earlier try did it.
        self.ask("DELETE", f"/v1/claims/{claim['id']}", None, lambda status, _: status in (204, 404))
        self.kinds["released"] += 1
        self.gone.add(claim["id"])

    def remove(self, claim, vm):
        if claim:
            del self.held[claim]
            return self.release({"id": claim})
        del self.vms[vm]
        self.ask("DELETE", f"/v1/vms/{vm}", None, lambda status, _: status in (204, 404))
        self.kinds["deleted"] += 1
        self.deleted.add(vm)


class Storm:
    def __init__(self, options, database, replicas):
        self.options = options
        self.database = database
        self.replicas = replicas
        self.random = random.Random(options.seed)
        self.end = time.monotonic() + options.seconds
        self.live_per_client = HOSTS * VCPUS // 3 * 105 // 100 // options.clients  # a vm has 3 vcpus: somewhat too many
        self.times = []
        self.usages = collections.defaultdict(list)
        self.faults = collections.Counter()

    def answered(self, seconds):
        self.times.append(seconds)

    # ---- faults

    def kill_replica(self):
        replica = self.random.choice(self.replicas)
        replica.kill()
        time.sleep(self.random.random())
        replica.start()

    def restart_replica(self):
        replica = self.random.choice(self.replicas)
        replica.stop()
        replica.start()

    def pause_replica(self, seconds=None):
        replica = self.random.choice(self.replicas)
        replica.process.send_signal(signal.SIGSTOP)
        time.sleep(seconds or self.random.uniform(0.5, 5))
        replica.process.send_signal(signal.SIGCONT)

    def pause_replica_past_its_leases(self):
        self.pause_replica(LEASE_S + 5)

    def kill_database(self):
        self.database.kill()
        time.sleep(self.random.random())
        self.database.start()

    def pause_database(self):
        self.database.pause()
        time.sleep(self.random.uniform(0.5, 6))
        self.database.resume()

    def restart_database(self):
        self.database.stop()
        self.database.start()

    def make_faults(self):
        kinds = [self.kill_replica, self.pause_replica, self.kill_database, self.restart_replica, self.pause_database,
                 self.restart_database, self.pause_replica_past_its_leases]
        turn = 0
        while time.monotonic() + self.options.every < self.end:
            time.sleep(self.options.every)
            # Each once, then as it comes.
            fault = kinds[turn] if turn < len(kinds) else self.random.choice(kinds)
            turn += 1
            self.note_usage()
            print(f"{time.strftime('%H:%M:%S')} {fault.__name__.replace('_', ' ')}", flush=True)
            fault()
            self.faults[fault.__name__] += 1

    def note_usage(self):
        for replica in self.replicas:
            if replica.process.poll() is None:
                self.usages[replica.process.pid].append(replica.usage())

    def run(self):
        clients = [Client(self, i) for i in range(self.options.clients)]
        self.onlookers = Onlookers(self, self.options.streams, self.options.slow_readers)
        for thread in [*clients, self.onlookers]:
            thread.start()
        try:
            self.make_faults()
        finally:
            for client in clients:
                client.join()
        failures = [client.failure for client in clients if client.failure]
        assert not failures, failures[0]
        return clients

    # ---- what must be so afterwards

    PLACED = """(SELECT v.id AS vm, v.name, v.host_id, v.group_id, v.vcpus, v.memory_mib, v.disk_gib, v.spread_by, v.spread_group,
        v.spread_domain FROM vms v WHERE v.host_id IS NOT NULL
      UNION ALL SELECT c.vm, c.vm_name, c.host_id, c.group_id, c.vcpus, c.memory_mib, c.disk_gib, c.spread_by, c.spread_group,
        c.spread_domain FROM claims c WHERE c.state = 'held') AS p"""

    def check_rules(self):
        oversold = self.database.rows(
            f"SELECT h.name, sum(p.vcpus), sum(p.memory_mib) FROM {self.PLACED} JOIN hosts h ON h.id = p.host_id GROUP BY h.id"
            " HAVING sum(p.vcpus) > h.vcpus OR sum(p.memory_mib) > h.memory_mib OR sum(p.disk_gib) > h.disk_gib")
        assert not oversold, f"oversold: {oversold}"
        crowded = self.database.rows(
            f"SELECT g.name, p.host_id, count(*) FROM {self.PLACED} JOIN groups g ON g.id = p.group_id"
            " WHERE g.policy = 'anti-affinity' GROUP BY g.id, p.host_id HAVING count(*) > g.max_per_host")
        assert not crowded, f"anti-affinity broken: {crowded}"
        apart = self.database.rows(
            f"SELECT g.name FROM {self.PLACED} JOIN groups g ON g.id = p.group_id WHERE g.policy = 'affinity'"
            " GROUP BY g.id HAVING count(DISTINCT p.host_id) > 1")
        assert not apart, f"affinity broken: {apart}"
        shared = self.database.rows(
            f"SELECT p.spread_group, h.rack FROM {self.PLACED} JOIN hosts h ON h.id = p.host_id WHERE p.spread_group <> ''"
            " GROUP BY 1, 2 HAVING count(DISTINCT p.spread_domain) > 1")
        assert not shared, f"spread broken: {shared}"
        counted = self.database.rows(
            f"SELECT h.name FROM hosts h LEFT JOIN {self.PLACED} ON h.id = p.host_id GROUP BY h.id"
            " HAVING coalesce(sum(p.vcpus), 0) <> h.vcpus_used OR coalesce(sum(p.memory_mib), 0) <> h.memory_used_mib")
        assert not counted, f"the use kept for a host is not the sum: {counted}"

    def check_acknowledged(self, clients):
        vms = dict(self.database.rows("SELECT v.id, h.name FROM vms v JOIN hosts h ON h.id = v.host_id"))
        held = dict(self.database.rows("SELECT c.id, h.name FROM claims c JOIN hosts h ON h.id = c.host_id WHERE c.state = 'held'"))
        twice = self.database.rows(f"SELECT p.name FROM {self.PLACED} GROUP BY 1 HAVING count(*) > 1")
        assert not twice, f"placed twice: {twice}"
        for client in clients:
            lost = {vm: host for vm, host in client.vms.items() if vms.get(vm) != host}
            lost |= {claim: host for claim, host in client.held.items() if held.get(claim) != host}
            assert not lost, f"{client.name} was told of these, and they are not there: {lost}"
            back = (client.deleted & vms.keys()) | (client.gone & held.keys())
            assert not back, f"{client.name} saw these go, and they are there: {back}"
        return len(vms), len(held)

    def check_pictures(self):
        deadline = time.monotonic() + 30
        while len({hashlib.sha256(json.dumps(replica.call("GET", "/v1/inventory:export")).encode()).hexdigest()
                   for replica in self.replicas}) > 1:
            assert time.monotonic() < deadline, "the pictures of the replicas differ"
            time.sleep(0.2)

    def check_usage(self):
        """Of processes that lived long enough to tell."""
        for pid, seen in self.usages.items():
            third = len(seen) // 3
            if third < 4:
                continue
            first, last = seen[third:2 * third], seen[-third:]
            for what, place, slack in (("MiB", 0, 24), ("descriptors", 1, 40)):
                was, now = (statistics.median(usage[place] for usage in part) for part in (first, last))
                assert now <= was * 1.2 + slack, f"process {pid} grew from {was:.0f} to {now:.0f} {what}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--replicas", type=int, default=2)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=1800)
    parser.add_argument("--every", type=float, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--database", choices=["stock", "embedded"], default="stock")
    parser.add_argument("--streams", type=int, default=0)
    parser.add_argument("--slow-readers", type=int, default=0)
    options = parser.parse_args()
    socket.setdefaulttimeout(30)
    replicas = []
    with Database(options.database) as database:
        try:
            for i in range(options.replicas):
                replicas.append(Replica(os.path.abspath(options.build), f"r{i}", database.url))
                replicas[-1].start()
            replicas[0].call("POST", "/v1/inventory:import", inventory())
            storm = Storm(options, database, replicas)
            clients = storm.run()
            storm.check_rules()
            vms, held = storm.check_acknowledged(clients)
            storm.check_pictures()
            storm.note_usage()
            storm.check_usage()
            kinds = sum((client.kinds for client in clients), collections.Counter())
            times = sorted(storm.times)
            print(f"{options.replicas} replicas, {options.clients} clients, {options.seconds:.0f} s, seed {options.seed}: "
                  f"{sum(storm.faults.values())} faults, {len(times)} acts answered "
                  f"(p50 {1000 * times[len(times) // 2]:.0f} ms, p99 {1000 * times[len(times) * 99 // 100]:.0f} ms); "
                  + ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
                  + f"; {vms} vms and {held} claims at the end; lost 0, oversold 0, rules broken 0, pictures equal; "
                  f"at most {max(usage[0] for seen in storm.usages.values() for usage in seen):.0f} MiB and "
                  f"{max(usage[1] for seen in storm.usages.values() for usage in seen)} descriptors"
                  + (f"; onlookers came: {dict(storm.onlookers.counts)}" if options.streams + options.slow_readers else ""))
        except BaseException:
            for replica in replicas:
                with open(replica.log, encoding="utf-8", errors="replace") as file:
                    print("".join([f"--- {replica.log}\n", *file.readlines()[-20:]])[-6000:], file=sys.stderr)
            raise
        finally:
            for replica in replicas:
                if replica.process and replica.process.poll() is None:
                    replica.process.send_signal(signal.SIGCONT)
                    replica.kill()
                shutil.rmtree(replica.data, ignore_errors=True)


if __name__ == "__main__":
    main()
