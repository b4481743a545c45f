"""Clients that ask for large answers and do not read them: what they hold in memory is bounded, and comes back."""

import pathlib
import re
import socket
import tempfile
import time
import unittest

from service import Service, is_sanitized

HOSTS = 8000
ANSWERS_MIB = 32
READERS = 40


def large_inventory(first, count):
    traits = [f"CUSTOM_{'X' * 40}_{i}" for i in range(12)]
    return {"hosts": [{"name": f"{'h' * 200}{i:06}", "vcpus": 64, "memory_mib": 262144, "disk_gib": 4000, "traits": traits}
                      for i in range(first, first + count)]}


@unittest.skipIf(is_sanitized(), "freed memory is kept in quarantine under a sanitizer")
class SlowReaders(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        config = pathlib.Path(cls.folder.name, "emplaced.toml")
        config.write_text(f"[limits]\nanswers_mib = {ANSWERS_MIB}\n")
        cls.emplace = Service(["--config", str(config)])
        for first in range(0, HOSTS, 2000):
            answer = cls.emplace.post("/v1/inventory:import", large_inventory(first, 2000))
            assert answer.status == 200, answer

    @classmethod
    def tearDownClass(cls):
        cls.emplace.stop()
        cls.folder.cleanup()

    def own_mib(self):
        """Resident memory of the service without the pictures, which are shared."""
        text = pathlib.Path(f"/proc/{self.emplace.process.pid}/status").read_text()
        size = {name: int(kib) / 1024 for name, kib in re.findall(r"^(VmRSS|RssShmem):\s+(\d+) kB", text, re.MULTILINE)}
        return size["VmRSS"] - size["RssShmem"]

    def metric(self, name):
        found = re.search(rf"^{name} (\S+)$", self.emplace.get("/metrics").text, re.MULTILINE)
        return float(found[1]) if found else None

    def ask(self, path):
        """A connection whose client has asked and does not read."""
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        host, port = self.emplace.address.split(":")
        connection.connect((host, int(port)))
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {self.emplace.token}\r\n\r\n".encode())
        return connection

    def wait(self, what, condition, seconds=60):
        end = time.monotonic() + seconds
        while not condition():
            self.assertLess(time.monotonic(), end, what)
            time.sleep(0.1)

    def test_hold_a_bounded_amount_of_memory_that_comes_back(self):
        answer_mib = len(self.emplace.get("/v1/inventory:export").text) / 2**20
        self.assertGreater(READERS * answer_mib, 4 * ANSWERS_MIB)
        before = self.own_mib()
        most = 0
        readers = [self.ask("/v1/inventory:export") for _ in range(READERS)]

        def dropped():
            nonlocal most
            most = max(most, self.own_mib() - before)
            return self.metric("emplace_http_answers_dropped_total") >= READERS - ANSWERS_MIB / answer_mib - 3

        self.wait("answers are dropped", dropped)
        # Besides what waits, two answers are in the making, in strings that grow by doubling.
        self.assertLess(most, ANSWERS_MIB + 12 * answer_mib)
        self.assertIn("event=client_dropped client=127.0.0.1:", self.emplace.said())
        self.assertLessEqual(self.metric("emplace_http_unsent_bytes"), ANSWERS_MIB * 2**20)

        self.assertEqual(len(self.emplace.get("/v1/inventory:export").text) / 2**20, answer_mib, "who reads gets all")
        for reader in readers:
            reader.close()
        self.wait("memory comes back", lambda: self.own_mib() - before < answer_mib + 16)
        print(f"\n{READERS} readers of {answer_mib:.1f} MiB: {most:.0f} MiB more at most, {self.own_mib() - before:.0f} MiB afterwards")


if __name__ == "__main__":
    unittest.main()
