"""Calls to Emplace, behind a breaker: after one that got no answer, none is made for a while, so that a service that hangs costs
one time-out and one that is gone costs nothing.

The time-out is for the whole call, from connecting to the last byte: a service that sends a byte now and then must not hold a
boot up. Any number of threads, green or native, may share a Client; each call has a connection for itself.
"""

import collections
import http.client
import io
import json
import re
import ssl
import threading
import time
import urllib.parse

PATH = "/v1/filter"
LISTS = ("refused", "degraded", "unknown")


class NoAnswer(Exception):
    """Emplace gave no answer that can be used; the message says why."""


class Unreachable(NoAnswer):
    """And the next question would fare no better: the breaker opens."""


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
                raise NoAnswer(f"not asked for now, since {self._why}")
            self._until = self._now() + self._seconds

    def failed(self, why):
        with self._lock:
            self._why = why
            self._until = self._now() + self._seconds

    def worked(self):
        with self._lock:
            self._why = None


class Deadline:
    def __init__(self, seconds):
        self._seconds = seconds
        self._at = time.monotonic() + seconds

    def left(self):
        left = self._at - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"no whole answer within {self._seconds:g} s")
        return left


class TimedReader(io.RawIOBase):
    def __init__(self, timed):
        self._timed = timed
        self._raw = timed.socket.makefile("rb", buffering=0)

    def readable(self):
        return True

    def readinto(self, buffer):
        self._timed.socket.settimeout(self._timed.deadline.left())
        return self._raw.readinto(buffer)

    def close(self):
        self._raw.close()
        super().close()


class TimedSocket:
    """What http.client needs of a socket; each read and write has only what is left of the deadline. http.client writes header and
    body one after the other: they leave together, when the answer is to be read, so that the service wakes up once."""

    def __init__(self, socket, deadline):
        self.socket = socket
        self.deadline = deadline
        self._written = []

    def sendall(self, data):
        self._written.append(data)

    def makefile(self, _mode):
        data, self._written = b"".join(self._written), []
        self.socket.settimeout(self.deadline.left())
        self.socket.sendall(data)
        return io.BufferedReader(TimedReader(self))

    def close(self):
        self.socket.close()


def trusted(ca_file):
    try:
        return ssl.create_default_context(cafile=ca_file or None)
    except OSError as why:  # which names no file
        raise ValueError(f"ca_file {ca_file}: {why}") from why


class Client:
    def __init__(self, url, token_file="", ca_file="", timeout=2.0, breaker=30.0):
        parts = urllib.parse.urlsplit(url)
        self._tls = trusted(ca_file) if parts.scheme == "https" else None
        self._address = (parts.hostname, parts.port)
        self._path = parts.path.rstrip("/") + PATH
        self._url = url.rstrip("/") + PATH
        self._token_file = token_file
        self._timeout = timeout
        self._breaker = Breaker(breaker)
        self._idle = collections.deque()

    def ask(self, question, request_id=""):
        """The answer to one question; NoAnswer when there is none that can be used within the time-out."""
        self._breaker.enter()
        try:
            answer = self._post(question, request_id)
        except Unreachable as why:
            self._breaker.failed(str(why))
            raise
        except NoAnswer:
            self._breaker.worked()
            raise
        self._breaker.worked()
        return answer

    def _post(self, question, request_id):
        try:
            body = json.dumps(question, separators=(",", ":")).encode()
            headers = self._headers(request_id)
        except (OSError, TypeError, ValueError) as why:
            raise Unreachable(f"{self._url}: not asked: {why}") from why
        try:
            status, found = self._exchange(body, headers, Deadline(self._timeout))
        except (OSError, http.client.HTTPException) as why:
            raise Unreachable(f"{self._url}: {why or type(why).__name__}") from why
        return self._read(status, found)

    def _exchange(self, body, headers, deadline):
        """An idle connection may have been closed by the other side; asking changes nothing, so it is asked again on another."""
        while True:
            connection = self._idle_connection()
            if connection is None:
                return self._send(self._connect(deadline), body, headers)
            connection.sock.deadline = deadline
            try:
                return self._send(connection, body, headers)
            except ConnectionError:
                continue

    def _idle_connection(self):
        try:
            return self._idle.pop()
        except IndexError:
            return None

    def _connect(self, deadline):
        host, port = self._address
        if self._tls:
            connection = http.client.HTTPSConnection(host, port, timeout=deadline.left(), context=self._tls)
        else:
            connection = http.client.HTTPConnection(host, port, timeout=deadline.left())
        connection.connect()
        connection.sock = TimedSocket(connection.sock, deadline)
        return connection

    def _send(self, connection, body, headers):
        try:
            connection.request("POST", self._path, body, headers)
            answer = connection.getresponse()
            found = answer.status, answer.read()
        except BaseException:  # a green thread may be ended here; half an answer must not meet the next question
            connection.close()
            raise
        if connection.sock is not None:  # else the service wants it closed
            self._idle.append(connection)
        return found

    def _read(self, status, body):
        try:
            found = json.loads(body)
        except ValueError:
            found = None
        detail = found.get("detail", "") if isinstance(found, dict) else ""
        if 400 <= status < 500:  # it is there and well, but not for this question
            raise NoAnswer(f"{self._url}: status {status}: {detail}")
        if status != 200:
            raise Unreachable(f"{self._url}: status {status}: {detail}")
        if not isinstance(found, dict):
            raise Unreachable(f"{self._url}: wanted an object, found {body[:40]!r}")
        for name in (*LISTS, "scores"):
            if not isinstance(found.get(name), list if name in LISTS else dict):
                raise Unreachable(f"{self._url}: an answer without {name}")
        return found

    def _headers(self, request_id):
        headers = {"Content-Type": "application/json"}
        if self._token_file:
            headers["X-Auth-Token"] = self._token()
        if request_id:
            headers["X-Openstack-Request-Id"] = request_id
        return headers

    def _token(self):
        """Read for each call, so that a new one needs no restart. What is wrong with it is told without showing it."""
        with open(self._token_file, "rb") as file:
            token = file.read().strip()
        if not re.fullmatch(rb"[!-~]+", token):
            raise ValueError(f"token_file {self._token_file}: wanted one word of ASCII, found something else")
        return token.decode()
