"""What pages of other origins need, and answers in gzip."""

import gzip
import pathlib
import tempfile
import unittest

import service
from service import hosts

PAGE = "https://portal.example"


class Browsers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="emplace-api-")
        cls.addClassCleanup(folder.cleanup)
        config = pathlib.Path(folder.name, "emplaced.toml")
        config.write_text(f'[service]\ncors_origins = ["{PAGE}"]\n')
        cls.emplace = service.Service(["--config", str(config)])
        cls.addClassCleanup(cls.emplace.stop)
        cls.emplace.post("/v1/inventory:import", hosts(20))

    def get(self, path, headers, method="GET"):
        connection = self.emplace.connection()
        self.addCleanup(connection.close)
        connection.request(method, path, headers={"Authorization": f"Bearer {self.emplace.token}", **headers})
        response = connection.getresponse()
        return response, response.read() if "events" not in path else b""

    def test_ask_before_they_send(self):
        asked = {"Origin": PAGE, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization, content-type"}
        response, _ = self.get("/v1/placements", {**asked, "Authorization": ""}, "OPTIONS")
        self.assertEqual(response.status, 204)
        self.assertEqual(response.getheader("Access-Control-Allow-Origin"), PAGE)
        self.assertIn("Authorization", response.getheader("Access-Control-Allow-Headers"))
        self.assertIsNone(response.getheader("Access-Control-Allow-Credentials"))
        other, _ = self.get("/v1/placements", {**asked, "Origin": "https://evil.example"}, "OPTIONS")
        self.assertEqual((other.status, other.getheader("Access-Control-Allow-Origin")), (403, None))
        self.assertEqual(self.get("/v1/placements", {}, "OPTIONS")[0].status, 405)

    def test_read_every_answer(self):
        for path, status in (("/v1/hosts", 200), ("/v1/hosts/nobody", 404), ("/nowhere", 404), ("/v1/hosts?x=1", 400), ("/v1/events", 200)):
            response, _ = self.get(path, {"Origin": PAGE})
            self.assertEqual((response.status, response.getheader("Access-Control-Allow-Origin")), (status, PAGE), path)
            self.assertIn("X-Openstack-Request-Id", response.getheader("Access-Control-Expose-Headers"))
            self.assertIn("Origin", response.getheader("Vary"))
        response, _ = self.get("/v1/hosts", {"Origin": "https://evil.example"})
        self.assertIsNone(response.getheader("Access-Control-Allow-Origin"))

    def test_may_not_read_unless_configured(self):
        plain = service.shared()
        connection = plain.connection()
        connection.request("GET", "/healthz", headers={"Origin": PAGE})
        response = connection.getresponse()
        self.assertIsNone(response.getheader("Access-Control-Allow-Origin"))
        connection.close()

    def test_get_gzip_when_they_accept_it(self):
        response, body = self.get("/v1/hosts", {"Accept-Encoding": "br, gzip"})
        self.assertEqual(response.getheader("Content-Encoding"), "gzip")
        self.assertEqual(int(response.getheader("Content-Length")), len(body))
        plain, text = self.get("/v1/hosts", {})
        self.assertIsNone(plain.getheader("Content-Encoding"))
        self.assertIn("Accept-Encoding", plain.getheader("Vary"))
        self.assertEqual(len(gzip.decompress(body).splitlines()), len(text.splitlines()))
        self.assertLess(len(body), len(text) / 5)
        small, _ = self.get("/v1/groups", {"Accept-Encoding": "gzip"})
        self.assertIsNone(small.getheader("Content-Encoding"))
        head, nothing = self.get("/v1/hosts", {"Accept-Encoding": "gzip"}, "HEAD")
        self.assertEqual((head.getheader("Content-Encoding"), nothing), ("gzip", b""))
        stream, _ = self.get("/v1/events", {"Accept-Encoding": "gzip"})
        self.assertIsNone(stream.getheader("Content-Encoding"))
        document, zipped = self.get("/openapi.yaml", {"Accept-Encoding": "gzip", "Authorization": ""})
        self.assertEqual(document.getheader("Content-Type"), "application/yaml")
        self.assertEqual(gzip.decompress(zipped).decode(), (service.ROOT / "api/rest/openapi.yaml").read_text())


tearDownModule = service.stop_shared

if __name__ == "__main__":
    unittest.main()
