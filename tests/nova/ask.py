"""A running emplaced, asked by POST /v1/filter and /v1/weigh over one connection."""

import http.client
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "api"))

import service  # noqa: E402


class Refused(Exception):
    """An answer that is none."""


class Emplace:
    def __init__(self, arguments=()):
        self.service = service.Service(arguments)
        self.connection = self.service.connection()
        self.asked = 0

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.connection.close()
        self.service.stop()

    def post(self, path, body):
        headers = {"Authorization": f"Bearer {self.service.token}", "Content-Type": "application/json"}
        text = json.dumps(body)
        self.asked += 1
        try:
            self.connection.request("POST", path, text, headers)
            response = self.connection.getresponse()
        except (http.client.RemoteDisconnected, ConnectionResetError):  # it may close one that was idle
            self.connection.close()
            self.connection.request("POST", path, text, headers)
            response = self.connection.getresponse()
        answer = response.read().decode()
        if response.status != 200:
            raise Refused(f"{path}: {response.status} {answer[:2000]}")
        return json.loads(answer)

    def filter(self, host_states, spec, filters, **more):
        """{"passed", "refused", "degraded", ...}; `more`: options, release, now."""
        return self.post("/v1/filter", {"request_spec": spec, "host_states": host_states, "filters": filters, **more})

    def weigh(self, host_states, spec, weighers, **more):
        """{"weights", "degraded", ...}, in the order of host_states."""
        return self.post("/v1/weigh", {"request_spec": spec, "host_states": host_states, "weighers": weighers, **more})
