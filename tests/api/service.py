"""Starts the real emplaced and talks to it. Every answer is held against api/rest/openapi.yaml on its way back.

    EMPLACED  the binary (default: build/bin/emplaced of this tree)
"""

import http.client
import json
import os
import pathlib
import re
import select
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.parse

import jsonschema
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = pathlib.Path(os.environ.get("EMPLACED", ROOT / "build/bin/emplaced"))
READY = re.compile(r"^emplaced ready url=(\S+) data=(.+)$")
START_SECONDS = 120
# Of HTTP itself: the contract does not list them.
PLAIN_HEADERS = {"connection", "content-length", "content-type", "content-encoding", "date", "server", "vary", "cache-control"}


class Contract:
    """The OpenAPI document, as something that answers can be held against."""

    def __init__(self):
        self.document = yaml.safe_load((ROOT / "api/rest/openapi.yaml").read_text())
        self.paths = [(self._pattern(path), path) for path in self.document["paths"]]
        self.paths.sort(key=lambda pair: pair[1].count("{"))
        self.resolver = jsonschema.RefResolver("", self.document)

    @staticmethod
    def _pattern(path):
        parts = re.split(r"(\{\w+\})", path)
        return re.compile("^" + "".join("[^/]+?" if p.startswith("{") else re.escape(p) for p in parts) + "$")

    def operation(self, method, path):
        path = path.split("?")[0]
        fits = [template for pattern, template in self.paths if pattern.match(path)]
        # "/v1/claims/{id}:confirm" before "/v1/claims/{id}".
        fits.sort(key=lambda template: len(re.sub(r"\{\w+\}", "", template)), reverse=True)
        return self.document["paths"][fits[0]].get(method.lower()) if fits else None

    def _deref(self, node):
        while "$ref" in node:
            node = self.resolver.resolve(node["$ref"])[1]
        return node

    def errors(self, schema, value):
        validator = jsonschema.Draft202012Validator(schema, resolver=self.resolver)
        return [f"{list(e.absolute_path)}: {e.message[:300]}" for e in validator.iter_errors(value)]

    def check_answer(self, method, path, answer):
        operation = self.operation(method, path)
        if operation is None:
            assert answer.status in (404, 405), f"{method} {path}: {answer.status}, but it is in no contract"
            return
        responses = operation["responses"]
        listed = next((one for one in (str(answer.status), f"{answer.status // 100}XX") if one in responses), None)
        assert listed, f"{method} {path}: {answer.status} is not in the contract"
        response = self._deref(responses[listed])
        unknown = set(answer.headers) - PLAIN_HEADERS - {name.lower() for name in response.get("headers", {})}
        assert not unknown, f"{method} {path} {answer.status}: headers {unknown} are not in the contract"
        content = response.get("content", {})
        if not content:
            assert answer.text == "", f"{method} {path}: wanted no body, found {answer.text[:100]!r}"
            return
        kind = answer.headers["content-type"].split(";")[0]
        assert kind in content, f"{method} {path}: {kind} is not in the contract for {answer.status}"
        if kind in ("application/json", "application/problem+json"):
            found = self.errors(content[kind]["schema"], answer.json)
            assert not found, f"{method} {path} {answer.status}: {found}\n{answer.text[:2000]}"

    def check_event(self, kind, data):
        """Holds an event of the stream against the schema of its kind."""
        known = self.document["components"]["schemas"]["Events"]["properties"]
        assert kind in known, f"event {kind} is not in the contract"
        found = self.errors(known[kind], data)
        assert not found, f"event {kind}: {found}\n{data}"

    def check_request(self, method, path, body):
        operation = self.operation(method, path)
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        found = self.errors(schema, body)
        assert not found, f"{method} {path}: accepted, but the contract refuses it: {found}"


class Answer:
    def __init__(self, status, headers, text):
        self.status = status
        self.headers = headers
        self.text = text

    @property
    def json(self):
        return json.loads(self.text)

    def __repr__(self):
        return f"{self.status} {self.text[:1500]}"


def is_sanitized():
    """Whether the service was built under AddressSanitizer, which confines no worker and returns no memory."""
    return b"__asan_init" in BINARY.read_bytes()


class Service:
    def __init__(self, arguments=(), data=None):
        self.owns_data = data is None
        self.data = data or tempfile.mkdtemp(prefix="emplace-api-")
        self.log = tempfile.TemporaryFile("w+b", prefix="emplace-api-")
        self.contract = Contract()
        self.process = subprocess.Popen(
            [BINARY, "--data", self.data, "--listen", "127.0.0.1:0", *arguments], stdout=subprocess.PIPE, stderr=self.log, text=True
        )
        url = self._wait_until_ready()
        self.address = url.split("//")[1]
        self.token = pathlib.Path(self.data, "admin.token").read_text().strip()

    def _wait_until_ready(self):
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            readable, _, _ = select.select([self.process.stdout], [], [], 1)
            line = self.process.stdout.readline() if readable else ""
            if match := READY.match(line.strip()):
                return match[1]
            if readable and not line:
                break
        self.process.kill()
        self.process.wait()
        raise AssertionError(f"emplaced did not become ready; it said:\n{self.said()}")

    def said(self):
        """The end of what it wrote to its standard error: its log, and a sanitizer's report."""
        self.log.seek(0, os.SEEK_END)
        self.log.seek(max(0, self.log.tell() - 20000))
        return self.log.read().decode(errors="replace")

    def stop(self):
        """Asks it to end, and wants exit code 0."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(60)
        self.process.stdout.close()
        said = self.said()
        self.log.close()
        if self.owns_data:
            shutil.rmtree(self.data, ignore_errors=True)
        assert code == 0, f"emplaced ended with {code}; it said:\n{said}"

    def connection(self, timeout=60):
        return http.client.HTTPConnection(self.address, timeout=timeout)

    def call(self, method, path, body=None, headers=None, token=None, check=True):
        """`body`: bytes or str as they are, anything else as JSON."""
        sent = {"Authorization": f"Bearer {self.token if token is None else token}", **(headers or {})}
        raw = body if isinstance(body, (bytes, str, type(None))) else json.dumps(body)
        if raw is not None:
            sent.setdefault("Content-Type", "application/json")
        connection = self.connection()
        try:
            connection.request(method, path, raw.encode() if isinstance(raw, str) else raw, sent)
            response = connection.getresponse()
            names = {name.lower(): value for name, value in response.getheaders()}
            answer = Answer(response.status, names, response.read().decode())
        finally:
            connection.close()
        assert re.match(r"^req-[0-9a-f-]{36}$", answer.headers.get("x-openstack-request-id", "")), answer
        if check:
            self.contract.check_answer(method, path, answer)
            if answer.status < 300 and body is not None and not isinstance(body, (bytes, str)):
                self.contract.check_request(method, path, body)
        return answer

    def get(self, path, **more):
        return self.call("GET", path, **more)

    def post(self, path, body, **more):
        return self.call("POST", path, body, **more)

    def items(self, path, key):
        """Every item of a list, over its pages."""
        items = []
        while path:
            answer = self.get(path)
            assert answer.status == 200, answer
            items += answer.json[key]
            path = answer.json["next"]
        return items

    def reset(self):
        """An empty picture, as a new case wants it."""
        for claim in self.items("/v1/claims", "claims"):
            if claim["state"] == "held":
                self.call("DELETE", f"/v1/claims/{claim['id']}")
        for vm in self.items("/v1/vms", "vms"):
            self.call("DELETE", f"/v1/vms/{vm['id']}")
        for what in ("hosts", "groups", "aggregates"):
            for one in self.items(f"/v1/{what}", what):
                answer = self.call("DELETE", f"/v1/{what}/{urllib.parse.quote(one['name'], safe='')}")
                assert answer.status == 204, answer

    def everything(self):
        """What must not change when something was refused."""
        claims = sorted(self.items("/v1/claims", "claims"), key=lambda claim: claim["id"])
        return self.get("/v1/inventory:export").text, claims


_shared = None


def shared():
    """One service for all tests of this process."""
    global _shared
    if _shared is None:
        _shared = Service()
    return _shared


def stop_shared():
    if _shared is not None:
        _shared.stop()


def hosts(count=4, **fields):
    """An inventory of equal static hosts h0, h1, ... in two racks."""
    return {
        "hosts": [
            {"name": f"h{i}", "vcpus": 16, "memory_mib": 65536, "disk_gib": 500, "zone": "z1", "rack": f"r{i % 2}", **fields}
            for i in range(count)
        ]
    }


def vm(name="vm", **fields):
    return {"name": name, "vcpus": 2, "memory_mib": 2048, "disk_gib": 10, **fields}
