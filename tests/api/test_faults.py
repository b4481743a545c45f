"""Faults of the network around the real service: it says what it can, drops what it must, and is itself again afterwards."""

import json
import os
import resource
import select
import socket
import time
import unittest

import service
from service import hosts, vm

SPARE = 24  # descriptors that the service may still open
WINDOW_SECONDS = 1.0


def connect(emplace):
    host, port = emplace.address.rsplit(":", 1)
    return socket.create_connection((host, int(port)), timeout=30)


def request(emplace, method, path, body=b""):
    lines = [f"{method} {path} HTTP/1.1", "Host: a", f"Authorization: Bearer {emplace.token}", f"Content-Length: {len(body)}"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def until_end(sock):
    found = b""
    while more := sock.recv(65536):
        found += more
    return found


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def eventually(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return False


class Faults(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.emplace = service.Service()
        assert cls.emplace.post("/v1/inventory:import", hosts(4)).status == 200

    @classmethod
    def tearDownClass(cls):
        cls.emplace.stop()

    def claims(self):
        return len(self.emplace.items("/v1/claims", "claims"))

    def test_a_half_closed_client_gets_the_answer_to_its_claim(self):
        body = json.dumps({"vm": vm("half"), "claim": True}).encode()
        with connect(self.emplace) as client:
            client.sendall(request(self.emplace, "POST", "/v1/placements", body))
            client.shutdown(socket.SHUT_WR)
            answer = until_end(client)
        self.assertIn(b"HTTP/1.1 200 ", answer)
        self.assertEqual(json.loads(answer.split(b"\r\n\r\n", 1)[1])["claim"]["state"], "held")

    def test_a_client_that_leaves_before_its_answer_costs_nobody_theirs(self):
        before = self.claims()
        body = [json.dumps({"vm": vm(f"gone-{i}", vcpus=1, memory_mib=128, disk_gib=1), "claim": True}).encode() for i in range(32)]
        clients = [connect(self.emplace) for _ in body]
        for client, one in zip(clients, body):
            client.sendall(request(self.emplace, "POST", "/v1/placements", one))
        for client in clients[::2]:
            client.close()
        for i, client in list(enumerate(clients))[1::2]:
            client.shutdown(socket.SHUT_WR)
            self.assertEqual(json.loads(until_end(client).split(b"\r\n\r\n", 1)[1])["ranking"][0]["host"][0], "h", i)
            client.close()
        self.assertTrue(eventually(lambda: self.claims() >= before + 16), "the others' claims are there")
        self.assertEqual(self.emplace.get("/v1/hosts").status, 200)

    def test_descriptors_used_up_is_no_spin_and_passes_by_itself(self):
        pid = self.emplace.process.pid
        limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        kept = self.emplace.connection()
        kept.request("GET", "/healthz")
        kept.getresponse().read()
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (len(os.listdir(f"/proc/{pid}/fd")) + SPARE, limits[1]))
        clients = [connect(self.emplace) for _ in range(3 * SPARE)]
        try:
            def ended():
                return len(select.select(clients, [], [], 0)[0])
            self.assertTrue(eventually(lambda: ended() >= SPARE), "who can't be served sees an end, not a hang")

            before = cpu_seconds(pid)
            time.sleep(WINDOW_SECONDS)  # not a wait for anything: what is measured
            self.assertLess(cpu_seconds(pid) - before, 0.5 * WINDOW_SECONDS, "accepting spins")

            kept.request("GET", "/readyz", headers={"Authorization": f"Bearer {self.emplace.token}"})
            self.assertIn(kept.getresponse().status, (200, 503), "who is connected is still served")
        finally:
            for client in clients:
                client.close()

        def placed():
            try:
                return self.emplace.post("/v1/placements", {"vm": vm("after"), "claim": True}).status == 200
            except OSError:  # not yet
                return False
        self.assertTrue(eventually(placed), "with the limit still low")
        kept.close()
        resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)


if __name__ == "__main__":
    unittest.main()
