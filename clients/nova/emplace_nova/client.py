"""Calls to Emplace, behind a breaker: after one that got no answer, none is made for a while, so that a service that hangs costs
one time-out and one that is gone costs nothing.

Any number of threads, green or native, may share a Client.
"""

import json
import threading
import time

import requests


class Unavailable(Exception):
    """Emplace gave no answer that can be used; the message says why."""


class Breaker:
    """Closed: calls go through. A failure opens it; when its time is over one call may try, the others still may not."""

    def __init__(self, seconds, now=time.monotonic):
        self._seconds = seconds
        self._now = now
        self._lock = threading.Lock()
        self._why = None
        self._until = 0.0

    def enter(self):
        with self._lock:
            if self._why is None:
                return
            if self._now() < self._until:
                raise Unavailable(f"not asked for now, since {self._why}")
            self._until = self._now() + self._seconds

    def failed(self, why):
        with self._lock:
            self._why = why
            self._until = self._now() + self._seconds

    def worked(self):
        with self._lock:
            self._why = None


class Client:
    def __init__(self, url, token_file="", ca_file="", timeout=2.0, breaker=30.0):
        self._url = url.rstrip("/") + "/v1/filter"
        self._token_file = token_file
        self._verify = ca_file or True
        self._timeout = timeout
        self._breaker = Breaker(breaker)
        self._local = threading.local()

    def ask(self, question, request_id=""):
        """The answer to one question; Unavailable when there is none within the time-out."""
        self._breaker.enter()
        try:
            answer = self._post(question, request_id)
        except Unavailable as why:
            self._breaker.failed(str(why))
            raise
        self._breaker.worked()
        return answer

    def _post(self, question, request_id):
        deadline = time.monotonic() + self._timeout
        try:
            with self._session().post(self._url, json=question, headers=self._headers(request_id), timeout=self._timeout,
                                      verify=self._verify, stream=True) as answer:
                return self._read(answer.status_code, self._body(answer, deadline))
        except (requests.RequestException, OSError, ValueError) as why:
            raise Unavailable(f"{self._url}: {why}") from why

    def _body(self, answer, deadline):
        """The time-out of requests is for each read: a service that sends a byte now and then must not hold a boot up."""
        body = bytearray()
        for part in answer.iter_content(65536):
            body += part
            if time.monotonic() > deadline:
                raise Unavailable(f"{self._url}: no whole answer within {self._timeout} s")
        return json.loads(body)

    def _read(self, status, found):
        if not isinstance(found, dict):
            raise Unavailable(f"{self._url}: status {status}, and no object")
        if status != 200:
            raise Unavailable(f"{self._url}: status {status}: {found.get('detail', '')}")
        for name, kind in (("passed", list), ("refused", list), ("degraded", list), ("unknown", list), ("scores", dict)):
            if not isinstance(found.get(name), kind):
                raise Unavailable(f"{self._url}: an answer without {name}")
        return found

    def _session(self):
        if not hasattr(self._local, "session"):
            self._local.session = requests.Session()
            self._local.session.trust_env = False
        return self._local.session

    def _headers(self, request_id):
        headers = {}
        if self._token_file:
            with open(self._token_file, encoding="ascii") as file:
                headers["X-Auth-Token"] = file.read().strip()
        if request_id:
            headers["X-Openstack-Request-Id"] = request_id
        return headers
