"""The client of clients/nova over https: a TLS terminator with a certificate of its own in front of a real emplaced."""

import contextlib
import importlib.util
import pathlib
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
import unittest

from ask import Emplace

# By its path: the package around it wants nova.
CLIENT = pathlib.Path(__file__).resolve().parents[2] / "clients/nova/emplace_nova/client.py"
spec = importlib.util.spec_from_file_location("client", CLIENT)
client = importlib.util.module_from_spec(spec)
spec.loader.exec_module(client)

QUESTION = {"vm": {"name": "v1", "vcpus": 1, "memory_mib": 1024, "disk_gib": 1}, "hosts": ["h1"], "scores": True,
            "unknown_hosts": "pass"}


def certificate(directory, name, address):
    """A self-signed one and its key, in one file."""
    path = directory / f"{name}.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}",
                    "-addext", f"subjectAltName=IP:{address}", "-keyout", directory / f"{name}.key", "-out", path],
                   check=True, capture_output=True)
    with open(path, "a", encoding="ascii") as file:
        file.write((directory / f"{name}.key").read_text())
    return path


def pump(source, sink):
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_RDWR)


class Terminator:
    """Speaks TLS with clients, plain HTTP with the service."""

    def __init__(self, pem, address):
        host, port = address.split(":")
        self.service = (host, int(port))
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(pem)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                accepted, _ = self.listener.accept()
                threading.Thread(target=self._relay, args=(accepted,), daemon=True).start()

    def _relay(self, accepted):
        with contextlib.suppress(OSError), self.context.wrap_socket(accepted, server_side=True) as outer, \
                socket.create_connection(self.service) as inner:
            back = threading.Thread(target=pump, args=(inner, outer), daemon=True)
            back.start()
            pump(outer, inner)
            back.join()

    def stop(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


class HttpsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not shutil.which("openssl"):
            raise unittest.SkipTest("openssl is not installed")
        cls.emplace = Emplace()
        cls.addClassCleanup(cls.emplace.__exit__)
        answer = cls.emplace.service.post("/v1/inventory:import", {"hosts": [
            {"name": "h1", "vcpus": 8, "memory_mib": 8192, "disk_gib": 100}]})
        assert answer.status == 200, answer
        cls.scratch = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        (cls.scratch / "token").write_text(cls.emplace.service.token)
        cls.pem = certificate(cls.scratch, "ours", "127.0.0.1")

    def terminator(self, pem):
        made = Terminator(pem, self.emplace.service.address)
        self.addCleanup(made.stop)
        return made

    def client(self, url, ca_file=""):
        made = client.Client(url, str(self.scratch / "token"), str(ca_file), timeout=20)
        self.addCleanup(lambda: [one.close() for one in made._idle])  # pylint: disable=protected-access
        return made

    def test_trusts_the_certificate_of_ca_file(self):
        asking = self.client(self.terminator(self.pem).url, self.pem)
        for _ in range(3):  # the first connects, the others find a connection
            self.assertEqual(asking.ask(QUESTION)["passed"], ["h1"])
        self.assertEqual(len(asking._idle), 1)  # pylint: disable=protected-access

    def test_trusts_no_stranger(self):
        stranger = certificate(self.scratch, "stranger", "127.0.0.1")
        for pem, ca_file in ((self.pem, ""), (stranger, self.pem)):
            asking = self.client(self.terminator(pem).url, ca_file)
            self.assertRaisesRegex(client.Unreachable, "certificate verify failed: self.signed certificate", asking.ask, QUESTION)

    def test_trusts_no_certificate_of_another_address(self):
        elsewhere = certificate(self.scratch, "elsewhere", "127.0.0.2")
        asking = self.client(self.terminator(elsewhere).url, elsewhere)
        self.assertRaisesRegex(client.Unreachable, "IP address mismatch, certificate is not valid for '127.0.0.1'", asking.ask, QUESTION)

    def test_missing_ca_file_is_named(self):
        self.assertRaisesRegex(ValueError, "ca_file /nowhere/ca.pem: .*No such file", self.client, "https://127.0.0.1:1", "/nowhere/ca.pem")

    def test_plain_http_behind_https_is_no_answer(self):
        asking = self.client(f"https://{self.emplace.service.address}", self.pem)
        self.assertRaises(client.Unreachable, asking.ask, QUESTION)


if __name__ == "__main__":
    unittest.main()
