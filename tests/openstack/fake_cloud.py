"""A Keystone, a Nova and a Placement in one process: their answers as the API reference shows them, for a made-up cloud of any
size, and their faults on demand. Loopback only.

usage: fake_cloud.py [--hosts N] [--servers M]      prints "port N", then serves until its stdin closes

GET  /control/counts   calls so far, by method and first words of the path
POST /control          {"fail": {PREFIX: STATUS}, "hang": [PREFIX], "truncate": [PREFIX], "hide_hosts": N, "hide_providers": N, "revoke": true,
                        "delete": [I], "move": {I: HOST}, "boot": N, "token_s": S, "password": P, "versions": {...},
                        "users": {TOKEN: [ROLE]}, "down_cell": N, "slow": {PREFIX: SECONDS}, "extra": {LIST: [ROW]}, "hide_keys": [KEY],
                        "behind_s": S, "fail_after": {PREFIX: [N, STATUS]}, "migration": {...}, "endpoints": {TYPE: PATH or URL},
                        "roots": [...]}      sets what it names. STATUS may be [STATUS, BODY]: JSON, or a text

endpoints: the catalogue, of which null takes a service out; roots: what Nova's root lists.

hide_hosts: the first N are gone, with their servers still listed; hide_providers: from Placement alone; down_cell: the cell of the first N hosts does not answer, which
Nova shows as services and servers with little but an id. extra: rows in front of the first page of a list; hide_keys: rows of Nova's lists lack
them; behind_s: Nova's clock, in its Date and in what it notes of changes; fail_after: N more calls are answered, then all fail.

candidates: hosts that are Placement's allocation candidates, by number; null: all.

migration: how live migrations go from now on (MIGRATION below has the defaults). Each listing of os-migrations is one step of one.
"""

import argparse
import calendar
import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

PAGE = 1000  # osapi_max_limit
MIGRATION = {
    "steps": ["accepted", "preparing", "running", "running", "post-migrating", "completed"],  # the last one stays
    "why": "",  # of a failure, told by the instance action
    "fault": "",  # the server ends in error, with this as its fault
    "ends_on": None,  # a host that is not the one asked for
    "refuse": None,  # [status, kind, message] to the request
    "no_record": False,  # the conductor gives up before there is a record
    "answer": "accepted",  # "lost": it begins, but the connection is cut; "dropped": cut, and it does not begin; or a status
    "abort": None,  # [status, kind, message] to the abort
}


def iso(at, fraction=".000000"):
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)) + fraction


def uuid(kind, i):
    return f"00000000-{kind:04x}-4000-8000-{i:012x}"


def server_id(i):
    return uuid(2, i)


class Cloud:
    def __init__(self, hosts, servers):
        self.lock = threading.Lock()
        self.counts = {}
        self.fail, self.hang, self.truncate = {}, [], []
        self.candidates, self.queries = None, []
        self.slow, self.extra, self.hide_keys, self.behind_s, self.fail_after = {}, {}, [], 0, {}
        self.password, self.token_s, self.tokens, self.issued = "secret", 3600, set(), 0
        self.users = {"admin-token": ["admin", "member"], "user-token": ["member"]}
        self.versions = {"nova": ("2.1", "2.93"), "placement": ("1.0", "1.39")}
        self.endpoints = {"identity": "/identity/v3", "compute": "/compute/v2.1", "placement": "/placement"}
        self.roots = [{"id": "v2.0", "status": "SUPPORTED", "version": "", "links": [{"rel": "self", "href": "http://10.0.0.1:8774/v2/"}]},
                      {"id": "v2.1", "status": "CURRENT", "version": "2.93", "links": [{"rel": "self", "href": "http://10.0.0.1:8774/v2.1/"}]}]
        self.host_count, self.hide_hosts, self.hide_providers, self.down_cell = hosts, 0, 0, 0
        self.generations = [7] * hosts
        self.migration, self.migrations, self.actions, self.asked = dict(MIGRATION), [], {}, []
        self.servers = {}
        for _ in range(servers):
            self.boot()

    def boot(self):
        i = len(self.servers)
        self.servers[i] = {"host": i % self.host_count, "deleted": False, "updated": self.now(), "task": None, "vm_state": "active"}
        self.generations[i % self.host_count] += 1

    def change(self, wanted):
        for name in ("fail", "hang", "truncate", "hide_hosts", "hide_providers", "down_cell", "token_s", "password",
                     "candidates", "slow", "extra", "hide_keys", "behind_s", "fail_after", "roots"):
            setattr(self, name, wanted.get(name, getattr(self, name)))
        if "migration" in wanted:
            self.migration = {**MIGRATION, **wanted["migration"]}
        self.versions.update(wanted.get("versions", {}))
        self.users.update(wanted.get("users", {}))
        self.endpoints.update(wanted.get("endpoints", {}))
        if wanted.get("revoke"):
            self.tokens.clear()
        # As in Placement, an allocation that goes raises no generation.
        for i in wanted.get("delete", []):
            self.servers[i].update(deleted=True, updated=self.now())
        for i, host in wanted.get("move", {}).items():
            self.generations[host] += 1
            self.servers[int(i)].update(host=host, updated=self.now())
        for _ in range(wanted.get("boot", 0)):
            self.boot()

    def now(self):
        return time.time() - self.behind_s

    def fault_of(self, path):
        """The status that a call fails with; of two prefixes that fit the longer counts."""
        for prefix, left in self.fail_after.items():
            if path.startswith(prefix):
                left[0] -= 1
                if left[0] < 0:
                    return left[1]
        fits = [prefix for prefix in self.fail if path.startswith(prefix)]
        return self.fail[max(fits, key=len)] if fits else None

    def odd(self, found, query):
        """An answer with the rows and without the keys that were asked for."""
        for name, rows in self.extra.items():
            if name in found and "marker" not in query and query.get("offset", ["0"])[0] == "0":
                found = {**found, name: rows + found[name]}
        for name, rows in found.items():
            if self.hide_keys and isinstance(rows, list) and all(isinstance(row, dict) for row in rows):
                found = {**found, name: [{key: value for key, value in row.items() if key not in self.hide_keys} for row in rows]}
        return found

    def hosts(self):
        return range(self.hide_hosts, self.host_count)

    # ---- Keystone

    def login(self, body, base):
        identity = body["auth"]["identity"]
        if identity["methods"] == ["password"]:
            good = identity["password"]["user"]["password"] == self.password
        else:
            good = identity["application_credential"]["secret"] == self.password
        if not good:
            return 401, {"error": {"code": 401, "message": "The request you have made requires authentication.", "title": "Unauthorized"}}, {}
        self.issued += 1
        token = f"our-token-{self.issued}"
        self.tokens.add(token)
        catalogue = [self.service(kind, path if "://" in path else base + path) for kind, path in self.endpoints.items() if path is not None]
        return 201, {"token": {**self.about("emplace", ["admin"]), "catalog": catalogue}}, {"X-Subject-Token": token}

    @staticmethod
    def service(kind, url):
        return {"type": kind, "name": kind, "id": kind, "endpoints": [
            {"interface": interface, "region": "RegionOne", "region_id": "RegionOne", "url": url, "id": interface}
            for interface in ("public", "internal")]}

    def about(self, user, roles):
        now = time.time()
        return {"methods": ["password"], "user": {"id": "u1", "name": user, "domain": {"id": "default", "name": "Default"}},
                "project": {"id": "p1", "name": "demo", "domain": {"id": "default", "name": "Default"}},
                "roles": [{"id": name, "name": name} for name in roles], "audit_ids": ["x"],
                "issued_at": iso(now, ".000000Z"), "expires_at": iso(now + self.token_s, ".000000Z")}

    def verify(self, token):
        if token in self.users:
            return 200, {"token": self.about(token.split("-")[0], self.users[token])}
        return 404, {"error": {"code": 404, "message": "Could not find token.", "title": "Not Found"}}

    # ---- Nova

    def hypervisor(self, i):
        return {"id": uuid(1, i), "hypervisor_hostname": f"n{i}", "state": "up", "status": "enabled", "vcpus": 64, "memory_mb": 262144,
                "local_gb": 2000, "vcpus_used": 0, "memory_mb_used": 512, "local_gb_used": 0, "hypervisor_type": "QEMU",
                "hypervisor_version": 6002000, "free_ram_mb": 261632, "free_disk_gb": 2000, "current_workload": 0, "running_vms": 0,
                "disk_available_least": 1900, "host_ip": f"10.0.{i // 256}.{i % 256}",
                "cpu_info": {"arch": "x86_64", "model": "Nehalem", "vendor": "Intel", "features": ["pge", "clflush"],
                             "topology": {"cores": 16, "threads": 2, "sockets": 2}},
                "service": {"host": f"n{i}", "id": uuid(3, i), "disabled_reason": None}}

    def server(self, i):
        at = self.servers[i]
        if at["host"] < self.down_cell:
            return {"id": server_id(i), "tenant_id": f"p{i % 10}", "status": "UNKNOWN", "created": iso(at["updated"], "Z"), "links": []}
        host = f"n{at['host']}"
        broken = {"fault": {"code": 500, "created": iso(0, "Z"), "message": self.migration["fault"]}} if at["vm_state"] == "error" else {}
        return {**broken, "id": server_id(i), "name": f"vm-{i}", "status": "DELETED" if at["deleted"] else "ACTIVE", "tenant_id": f"p{i % 10}",
                "user_id": "u1", "metadata": {"role": "web"}, "hostId": "0" * 56, "image": {"id": uuid(4, 0), "links": []},
                "flavor": {"vcpus": 2, "ram": 4096, "disk": 20, "ephemeral": 0, "swap": 512, "original_name": "m1.small",
                           "extra_specs": {"hw:cpu_policy": "shared"}},
                "created": iso(at["updated"], "Z"), "updated": iso(at["updated"], "Z"), "addresses": {"private": [
                    {"version": 4, "addr": "10.1.2.3", "OS-EXT-IPS:type": "fixed", "OS-EXT-IPS-MAC:mac_addr": "fa:16:3e:00:00:00"}]},
                "accessIPv4": "", "accessIPv6": "", "links": [{"rel": "self", "href": "http://x/servers/" + server_id(i)}],
                "OS-DCF:diskConfig": "MANUAL", "progress": 0, "OS-EXT-AZ:availability_zone": "nova", "config_drive": "",
                "key_name": None, "OS-SRV-USG:launched_at": iso(at["updated"]), "OS-SRV-USG:terminated_at": None,
                "OS-EXT-SRV-ATTR:host": None if at["deleted"] else host, "OS-EXT-SRV-ATTR:instance_name": f"instance-{i:08x}",
                "OS-EXT-SRV-ATTR:hypervisor_hostname": None if at["deleted"] else host, "OS-EXT-STS:task_state": at["task"],
                "OS-EXT-STS:vm_state": "deleted" if at["deleted"] else at["vm_state"], "OS-EXT-STS:power_state": 1,
                "os-extended-volumes:volumes_attached": [], "description": None, "locked": False, "locked_reason": None, "tags": [],
                "trusted_image_certificates": None, "host_status": "UP", "security_groups": [{"name": "default"}]}

    @staticmethod
    def page(name, ids, query, row, key):
        limit = min(int(query.get("limit", [PAGE])[0]), PAGE)
        marker = query.get("marker", [None])[0]
        ids = list(ids)
        start = next((n + 1 for n, i in enumerate(ids) if key(i) == marker), None) if marker else 0
        if start is None:
            return 400, {"badRequest": {"code": 400, "message": f"marker [{marker}] not found"}}
        chosen = ids[start:start + limit]
        answer = {name: [row(i) for i in chosen]}
        if len(chosen) == limit:
            answer[name + "_links"] = [{"rel": "next", "href": "http://elsewhere/?marker=" + key(chosen[-1])}]
        return answer

    def nova(self, path, query):
        if path == "/":
            least, most = self.versions["nova"]
            return {"version": {"id": "v2.1", "status": "CURRENT", "version": most, "min_version": least, "links": []}}
        if path == "/os-hypervisors/detail":
            return self.page("hypervisors", [i for i in self.hosts() if i >= self.down_cell], query, self.hypervisor, lambda i: uuid(1, i))
        if path == "/os-services":
            away = [{"binary": "nova-compute", "host": f"n{i}", "status": "UNKNOWN"} for i in range(self.down_cell)]
            return {"services": away + [{"id": uuid(3, i), "binary": "nova-compute", "host": f"n{i}", "zone": f"z{i % 2}", "status": "enabled",
                                  "state": "up", "forced_down": False, "disabled_reason": None, "updated_at": iso(time.time())}
                                        for i in self.hosts() if i >= self.down_cell]}
        if path == "/os-aggregates":
            return {"aggregates": [{"id": 1, "uuid": uuid(5, 1), "name": "ssd", "availability_zone": None, "metadata": {"ssd": "true"},
                                    "hosts": [f"n{i}" for i in self.hosts() if i % 4 == 0], "deleted": False,
                                    "created_at": iso(0), "updated_at": None, "deleted_at": None}]}
        if path == "/os-server-groups":
            group = {"id": uuid(6, 1), "name": "apart", "policy": "anti-affinity", "rules": {"max_server_per_host": 2}, "metadata": {},
                     "members": [server_id(i) for i in list(self.servers)[:3]], "project_id": "p1", "user_id": "u1"}
            return {"server_groups": [group] if int(query.get("offset", ["0"])[0]) == 0 else []}
        if path == "/servers/detail":
            since = query.get("changes-since", [None])[0]
            at = calendar.timegm(time.strptime(since, "%Y-%m-%dT%H:%M:%SZ")) if since else None
            host = query.get("host", [None])[0]
            ids = [i for i, s in self.servers.items() if (s["updated"] >= at if since else not s["deleted"])
                   and host in (None, f"n{s['host']}")]
            return self.page("servers", ids, query, self.server, server_id)
        if path == "/os-migrations":
            i = int(query["instance_uuid"][0][24:], 16)
            for one in self.migrations:
                self.step(one)
            return {"migrations": [self.record(one) for one in reversed(self.migrations) if one["server"] == i]}
        return self.of_server(path.split("/")[2:]) if path.startswith("/servers/") else None

    # ---- live migrations

    def of_server(self, parts):
        i = int(parts[0][24:], 16)
        if i not in self.servers or self.servers[i]["deleted"]:
            return None
        if len(parts) == 1:
            return {"server": self.server(i)}
        if parts[1] == "os-instance-actions":
            return {"instanceAction": self.actions[parts[2]]} if parts[2] in self.actions else None
        running = [one for one in self.migrations if str(one["id"]) == parts[2] and self.status(one) in ("preparing", "running", "post-migrating")]
        return {"migration": {**self.record(running[0]), "memory_total_bytes": 1 << 30, "server_uuid": server_id(i),
                              "memory_remaining_bytes": (1 << 30) // (1 + running[0]["at"])}} if running else None

    @staticmethod
    def status(one):
        return one["steps"][one["at"]]

    def record(self, one):
        return {"id": one["id"], "uuid": uuid(7, one["id"]), "status": self.status(one), "instance_uuid": server_id(one["server"]),
                "migration_type": "live-migration", "source_compute": one["from"], "dest_compute": one["to"], "dest_host": None,
                "dest_node": one["to"], "source_node": one["from"], "created_at": iso(0), "updated_at": iso(0), "links": [],
                "old_instance_type_id": 1, "new_instance_type_id": 1}

    def step(self, one):
        if one["ended"]:
            return
        one["at"] = min(one["at"] + 1, len(one["steps"]) - 1)
        if self.status(one) not in ("completed", "error", "failed", "cancelled"):
            return
        one["ended"] = True
        server = self.servers[one["server"]]
        server.update(task=None, updated=self.now())
        if self.status(one) == "completed":
            to = int((self.migration["ends_on"] or one["to"])[1:])
            for changed in (server["host"], to):
                self.generations[changed] += 1
            server["host"] = to
        elif self.migration["fault"]:
            server["vm_state"] = "error"

    @staticmethod
    def refusal(status, kind, message):
        return status, {kind: {"code": status, "message": message}}

    def migrate(self, i, body, request):
        """What Nova answers to an action of a server: status, body; a status of 0 cuts the connection."""
        how, server = self.migration, self.servers.get(i)
        if not server or server["deleted"]:
            return self.refusal(404, "itemNotFound", "Instance could not be found.")
        wanted = body.get("os-migrateLive", {})
        self.asked.append(wanted)
        if set(wanted) != {"host", "block_migration"} or wanted["block_migration"] not in ("auto", True, False):
            return self.refusal(400, "badRequest", "Invalid input for field/attribute os-migrateLive.")
        if server["task"]:
            return self.refusal(409, "conflictingRequest", f"Cannot 'os-migrateLive' instance while it is in task_state {server['task']}")
        if how["refuse"]:
            return self.refusal(*how["refuse"])
        if isinstance(how["answer"], int):
            return how["answer"], {"computeFault": {"code": how["answer"], "message": "Unexpected API Error."}}
        if how["answer"] == "dropped":
            return 0, {}
        event = {"event": "compute_live_migration", "result": "Error", "traceback": f"Traceback:\n  x\nnova.exception.E: {how['why']}\n",
                 "details": how["why"]}
        self.actions[request] = {"action": "live-migration", "request_id": request, "message": "Error" if how["why"] else None,
                                 "events": [{"event": "conductor", "result": "Success"}] + ([event] if how["why"] else [])}
        if not how["no_record"]:
            server.update(task="migrating", updated=self.now())
            self.migrations.append({"id": 40 + len(self.migrations), "server": i, "from": f"n{server['host']}", "to": wanted["host"],
                                    "steps": how["steps"], "at": 0, "ended": False})
        return (0 if how["answer"] == "lost" else 202), {}

    def abort(self, number):
        if self.migration["abort"]:
            return self.refusal(*self.migration["abort"])
        for one in self.migrations:
            if str(one["id"]) == number and self.status(one) in ("queued", "preparing", "running"):
                one.update(steps=["cancelled"], at=0)
                return 202, {}
        return self.refusal(404, "itemNotFound", "In-progress live migration could not be found.")

    # ---- Placement

    def placement(self, path, query):
        if path == "/":
            least, most = self.versions["placement"]
            return {"versions": [{"id": "v1.0", "min_version": least, "max_version": most, "status": "CURRENT", "links": []}]}
        if path == "/allocation_candidates":
            self.queries.append(query)
            some = [uuid(1, i) for i in self.hosts() if self.candidates is None or i in self.candidates]
            return {"allocation_requests": [{"allocations": {one: {"resources": {"VCPU": 1}}}} for one in some],
                    "provider_summaries": {one: {"resources": {}, "traits": [], "parent_provider_uuid": None, "root_provider_uuid": one}
                                           for one in some}}
        if path == "/resource_providers":
            return {"resource_providers": [{"uuid": uuid(1, i), "name": f"n{i}", "generation": self.generations[i], "links": [],
                                            "parent_provider_uuid": None, "root_provider_uuid": uuid(1, i)}
                                           for i in self.hosts() if i >= self.hide_providers]}
        _, _, provider, part = path.split("/")
        i = int(provider[24:], 16)
        generation = {"resource_provider_generation": self.generations[i]}
        if part == "inventories":
            def inventory(total, reserved, ratio):
                return {"total": total, "reserved": reserved, "min_unit": 1, "max_unit": total, "step_size": 1, "allocation_ratio": ratio}
            return {**generation, "inventories": {"VCPU": inventory(64, 0, 16.0), "MEMORY_MB": inventory(262144, 512, 1.5),
                                                  "DISK_GB": inventory(2000, 10, 1.0)}}
        if part == "allocations":
            here = [one for one, s in self.servers.items() if s["host"] == i and not s["deleted"]]
            amounts = {"VCPU": 2, "MEMORY_MB": 4096, "DISK_GB": 21}
            return {**generation, "allocations": {uuid(2, one): {"resources": amounts} for one in here}}
        if part == "traits":
            return {**generation, "traits": ["COMPUTE_NODE", "HW_CPU_X86_AVX2"]}
        return {**generation, "aggregates": [uuid(5, 1)] if i % 4 == 0 else []}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    cloud = None

    def log_message(self, *_):
        pass

    def date_time_string(self, timestamp=None):
        return super().date_time_string(timestamp or self.cloud.now())

    def send(self, status, answer, headers=None, truncate=False):
        body = answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:len(body) // 2] if truncate else body)
        self.close_connection = self.close_connection or truncate

    def answer(self, body=None):
        cloud, url = self.cloud, urlsplit(self.path)
        path, token = url.path, self.headers.get("X-Auth-Token")
        with cloud.lock:
            if path == "/control":
                cloud.change(body)
                return self.send(200, {})
            if path == "/control/counts":
                return self.send(200, cloud.counts)
            key = f"{self.command} {'/'.join(path.split('/')[:4])}"
            cloud.counts[key] = cloud.counts.get(key, 0) + 1
            fault = cloud.fault_of(path)
            slow_s = next((seconds for prefix, seconds in cloud.slow.items() if path.startswith(prefix)), 0)
            hangs = any(path.startswith(prefix) for prefix in cloud.hang)
            truncate = any(path.startswith(prefix) for prefix in cloud.truncate)
        if hangs:
            time.sleep(3600)
        time.sleep(slow_s)
        if fault:
            status, told = fault if isinstance(fault, list) else (fault, {"error": {"code": fault}})
            return self.send(status, told)
        with cloud.lock:
            if path == "/identity/v3/auth/tokens" and self.command == "POST":
                return self.send(*cloud.login(body, f"http://{self.headers['Host']}"))
            if path == "/compute/":
                return self.send(300, {"versions": cloud.roots})
            if path not in ("/compute/v2.1/", "/placement/") and token not in cloud.tokens:
                return self.send(401, {"error": {"code": 401}})
            if path == "/identity/v3/auth/tokens":
                return self.send(*cloud.verify(self.headers.get("X-Subject-Token")), truncate=truncate)
            if self.command != "GET":
                return self.act(path.split("/")[3:], body)
            query, found = parse_qs(url.query), None
            if path.startswith("/compute/v2.1"):
                found = cloud.nova(path[len("/compute/v2.1"):], query)
                found = cloud.odd(found, query) if isinstance(found, dict) else found
            elif path.startswith("/placement"):
                found = cloud.odd(cloud.placement(path[len("/placement"):], query), query)
        if isinstance(found, tuple):
            return self.send(*found)
        self.send(200 if found else 404, found or {"error": {"code": 404}}, truncate=truncate)

    def act(self, parts, body):
        """parts: servers, ID, action; or servers, ID, migrations, NUMBER"""
        cloud, request = self.cloud, "req-" + uuid(8, len(self.cloud.actions))
        if self.command == "DELETE":
            return self.send(*cloud.abort(parts[3]))
        status, answer = cloud.migrate(int(parts[1][24:], 16), body, request)
        if status == 0:
            self.close_connection = True
            return self.connection.shutdown(2)
        return self.send(status, answer, {"x-openstack-request-id": request})

    def do_GET(self):
        self.answer()

    def do_DELETE(self):
        self.answer()

    def do_POST(self):
        self.answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


def serve(hosts, servers):
    Handler.cloud = Cloud(hosts, servers)
    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--hosts", type=int, default=10)
    parser.add_argument("--servers", type=int, default=20)
    chosen = parser.parse_args()
    print("port", serve(chosen.hosts, chosen.servers).server_address[1], flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
