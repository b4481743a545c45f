#!/usr/bin/env python3
"""What event streams cost: imports of 2,000 hosts without and with 200 streams, of which half are not read, and the worst GET
/healthz meanwhile. Service, PostgreSQL and clients share the machine's cores. Prints a Markdown table for docs/benchmarks.md.

usage: stream_bench.py BUILD_DIRECTORY [--streams 200] [--hosts 2000] [--turns 5]
"""

import argparse
import http.client
import multiprocessing
import os
import selectors
import socket
import statistics
import sys
import time
import urllib.parse

PATIENCE_S = 60
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tests/scenario"))
from service import Service  # noqa: E402  (the path is set above)


def open_stream(address, token):
    connection = socket.create_connection(address)
    connection.sendall(f"GET /v1/events HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
    return connection


def read_streams(address, token, count, ready, events, ended):
    """Reads `count` streams and counts the events of all of them, as fast as they come."""
    selector = selectors.DefaultSelector()
    mark, ends = b"\nevent: ", {}  # of what each stream sent last: a mark may come in two pieces
    for _ in range(count):
        selector.register(open_stream(address, token), selectors.EVENT_READ)
    ready.set()
    while not ended.is_set():
        for key, _ in selector.select(0.1):
            data = key.fileobj.recv(1 << 20)
            if not data:
                selector.unregister(key.fileobj)
            data = ends.get(key.fd, b"") + data
            events.value += data.count(mark)
            ends[key.fd] = data[1 - len(mark):]


def ask_health(address, worst_ms, ended):
    """Asks again and again on one connection; notes the slowest answer since it was last looked at."""
    connection = http.client.HTTPConnection(*address)
    while not ended.is_set():
        began = time.monotonic()
        connection.request("GET", "/healthz")
        connection.getresponse().read()
        worst_ms.value = max(worst_ms.value, (time.monotonic() - began) * 1000)
        time.sleep(0.002)


def hosts(count, turn):
    return {"hosts": [{"name": f"h{i:06}", "vcpus": 64, "memory_mib": 262144 + turn, "disk_gib": 4000, "zone": f"z{i % 3}",
                       "rack": f"r{i % 40}"} for i in range(count)]}


class Clients:
    """Streams, of which every second one is read, in a process of their own."""

    def __init__(self, address, token, count):
        self.count = count - count // 2
        self.silent = [open_stream(address, token) for _ in range(count // 2)]
        self.events, self.ended, ready = multiprocessing.Value("q", 0), multiprocessing.Event(), multiprocessing.Event()
        self.reader = multiprocessing.Process(
            target=read_streams, args=(address, token, self.count, ready, self.events, self.ended))
        self.reader.start()
        ready.wait()

    def each_got(self):
        """Events that each stream that is read got so far, on average."""
        return self.events.value / self.count

    def close(self):
        self.ended.set()
        self.reader.join()
        for connection in self.silent:
            connection.close()


def measure(service, options, turn, worst_ms, clients=None):
    """Milliseconds of an import, the slowest answer of /healthz until all is written, and until when that was."""
    worst_ms.value = 0
    began = time.monotonic()
    service.call("POST", "/v1/inventory:import", hosts(options.hosts, turn), timeout=120)
    took_ms = (time.monotonic() - began) * 1000
    while clients and clients.each_got() < options.hosts and time.monotonic() - began < PATIENCE_S:
        time.sleep(0.01)
    written_ms = (time.monotonic() - began) * 1000
    time.sleep(0.2)
    return took_ms, worst_ms.value, written_ms


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--streams", type=int, default=200)
    parser.add_argument("--hosts", type=int, default=2000)
    parser.add_argument("--turns", type=int, default=5)
    options = parser.parse_args()
    without, beside = [], []
    with Service(os.path.abspath(options.build)) as service:
        url = urllib.parse.urlparse(service.url)
        address = (url.hostname, url.port)
        with open(os.path.join(service.data, "admin.token"), encoding="ascii") as file:
            token = file.read().strip()
        worst_ms, ended = multiprocessing.Value("d", 0), multiprocessing.Event()
        health = multiprocessing.Process(target=ask_health, args=(address, worst_ms, ended))
        health.start()
        measure(service, options, 0, worst_ms)  # warm
        for turn in range(options.turns):
            without.append(measure(service, options, 2 * turn + 1, worst_ms))
            clients = Clients(address, token, options.streams)
            time.sleep(1)  # the feed has taken them in
            beside.append(measure(service, options, 2 * turn + 2, worst_ms, clients))
            clients.close()
        ended.set()
        health.join()
    print(f"{options.hosts:,} hosts an import, {options.streams} streams, half of them not read, {options.turns} turns\n")
    print("| | import, median | worst GET /healthz, median and most | all events read after |\n|---|---|---|---|")
    median = statistics.median
    for what, rows in (("without streams", without), ("with streams", beside)):
        took, worst, written = zip(*rows)
        print(f"| {what} | {median(took):.0f} ms | {median(worst):.0f} ms, {max(worst):.0f} ms | {median(written):.0f} ms |")
    print(f"\nratio of the imports {median(row[0] for row in beside) / median(row[0] for row in without):.2f}")


if __name__ == "__main__":
    main()
