"""The test bed of ../shared/testbed/openstack with an emplaced that reads it: servers made and moved by Nova's own API, the
nova-scheduler configured and started again with the filter and weigher of clients/nova, and what all of them logged.

RUN of a test bed that is up already is used as it is and left up; else one is brought up, and down again.
"""

import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(ROOT / "tests/scenario")]

from live_sync import CONFIG, TESTBED as LOGIN  # noqa: E402
from service import Service, skip  # noqa: E402

TESTBED = pathlib.Path(os.environ.get("EMPLACE_SHARED", ROOT.parent / "shared")) / "testbed/openstack"
if not TESTBED.exists() or not shutil.which("nova-scheduler", path="/usr/bin"):
    skip("needs ../shared/testbed/openstack and its install.sh")

import kombu  # noqa: E402
import openstack  # noqa: E402

ALL_WEIGHERS = "nova.scheduler.weights.all_weighers,emplace_nova.EmplaceWeigher"
NOVA_CONF = """
[filter_scheduler]
available_filters = nova.scheduler.filters.all_filters
available_filters = emplace_nova.EmplaceFilter
enabled_filters = ComputeFilter,ComputeCapabilitiesFilter,ImagePropertiesFilter,ServerGroupAntiAffinityFilter,ServerGroupAffinityFilter,EmplaceFilter
weight_classes = {weight_classes}
[emplace]
url = {url}
token_file = {token_file}
"""
MICROVERSION = "2.74"  # the first in which a server may ask for a host that the scheduler has to agree with


def until(what, true, seconds=120):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := true():
            return found
        time.sleep(0.1)
    raise AssertionError(f"not within {seconds} s: {what}")


def live_processes(leader):
    """The states of a session's processes, but for those that only wait to be reaped."""
    listed = subprocess.run(["ps", "-o", "stat=", "--sid", str(leader)], capture_output=True, text=True, check=False)
    return [state for state in listed.stdout.split() if not state.startswith("Z")]


class Cloud:
    def __init__(self, hosts=10):
        self.scratch = tempfile.mkdtemp(prefix="emplace-live-")
        given = pathlib.Path(os.environ.get("RUN", "/nonexistent"))
        self.found = (given / "pid/scheduler.pid").exists()
        self.run = given if self.found else pathlib.Path(self.scratch) / "aio"
        self.scheduler = ["/usr/bin/nova-scheduler"]
        self.environment = {**os.environ, "RUN": str(self.run), "NHOSTS": str(hosts), "PYTHONPATH": str(ROOT / "clients/nova")}
        if not self.found:
            subprocess.run([TESTBED / "up.sh"], env=self.environment, check=True)
        self.conf = self.run / "etc/nova/nova.conf"
        self.plain = self.conf.read_text()
        os.environ.update(LOGIN, no_proxy="127.0.0.1", NO_PROXY="127.0.0.1")
        self.api = openstack.connect(compute_default_microversion="2.73", placement_default_microversion="1.19")
        self.flavors = {one.name: one.id for one in self.api.compute.flavors()}
        self.image = self.api.image.find_image("tiny").id

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        if self.found:
            self.conf.write_text(self.plain)
            self.restart_scheduler()
        else:
            subprocess.run([TESTBED / "down.sh", "--wipe"], env=self.environment, check=True)
        shutil.rmtree(self.scratch, ignore_errors=True)

    # ---- nova-scheduler

    def restart_scheduler(self):
        pid_file = self.run / "pid/scheduler.pid"
        leader = int(pid_file.read_text())
        os.killpg(leader, signal.SIGTERM)
        until("the scheduler ends", lambda: not live_processes(leader))
        with open(self.run / "log/scheduler.out", "ab") as out:
            started = subprocess.Popen([*self.scheduler, "--config-file", self.conf], stdout=out, stderr=out,
                                       stdin=subprocess.DEVNULL, env=self.environment, start_new_session=True)
        pid_file.write_text(str(started.pid))
        until("the scheduler listens", self.scheduler_listens)

    def scheduler_listens(self):
        """RabbitMQ drops its exchange with the scheduler that ends; without one Nova's API fails."""
        with kombu.Connection("amqp" + re.search(r"^transport_url = rabbit(.*)$", self.plain, re.MULTILINE)[1]) as connection:
            try:
                connection.default_channel.exchange_declare("scheduler_fanout", "fanout", passive=True)
            except connection.channel_errors:
                return False
            return True

    def log(self, program="nova-scheduler"):
        return (self.run / f"log/{program}.log").read_text(errors="replace")

    # ---- servers

    def create(self, name, flavor="m1.small", hints=None, **fields):
        """The ids of the server and of the request."""
        server = {"name": name, "flavorRef": self.flavors[flavor], "imageRef": self.image, "networks": "none", **fields}
        body = {"server": server, **({"os:scheduler_hints": hints} if hints else {})}
        answer = self.api.compute.post("/servers", json=body, microversion=MICROVERSION)
        openstack.exceptions.raise_from_response(answer)
        return answer.json()["server"]["id"], answer.headers["x-openstack-request-id"]

    def act(self, server, action, value=None):
        answer = self.api.compute.post(f"/servers/{server}/action", json={action: value}, microversion="2.73")
        openstack.exceptions.raise_from_response(answer)
        return answer.headers["x-openstack-request-id"]

    def settled(self, server):
        """The server when nothing is being done to it any more."""
        def done():
            found = self.api.compute.get_server(server)
            return found if found.status not in ("BUILD", "REBUILD", "MIGRATING", "RESIZE") and not found.task_state else None
        return until(f"server {server} is settled", done)

    def boot(self, name, **fields):
        server, request = self.create(name, **fields)
        return self.settled(server), request

    def fault(self, server):
        """Why a server could not be made, which the client's own classes do not tell."""
        found = self.api.compute.get(f"/servers/{server.id}", microversion="2.73").json()["server"]
        return f"{found['status']}: {found.get('fault', {}).get('message', '')}"

    def builds(self, server, request):
        """How each try to build it on a host ended; a reschedule, which Nova logs at debug only, is one more."""
        path = f"/servers/{server}/os-instance-actions/{request}"
        events = self.api.compute.get(path, microversion="2.73").json()["instanceAction"]["events"]
        return [one["result"] for one in events if one["event"] == "compute__do_build_and_run_instance"]

    def servers(self):
        return list(self.api.compute.servers(all_projects=True))

    def delete_servers(self):
        for server in self.servers():
            self.api.compute.delete_server(server, ignore_missing=True)
        until("all servers are deleted", lambda: not self.servers())


class Bed:
    """A cloud and an emplaced that reads it, every two seconds or as seldom as wanted, always at the same address."""

    def __init__(self, build, cloud, sync_s=2, more="", database=True):
        """`more`: of [openstack]; `database`: Nova's databases are read, too."""
        self.build, self.cloud = build, cloud
        urls = [url for url in re.findall(r"^connection = (.*)$", cloud.plain, re.MULTILINE) if database]
        config = CONFIG.format(**os.environ).replace("sync_s = 2", f"sync_s = {sync_s}")
        self.service = Service(build, config=f"{config}nova_database = {json.dumps(urls)}\n{more}\n{self.imported(build)}")
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        config = pathlib.Path(self.service.config)
        config.write_text(config.read_text().replace('"127.0.0.1:0"', f'"127.0.0.1:{port}"'))

    def imported(self, build):
        """Nova's own filters and weighers as the profile nova."""
        command = [os.path.join(build, "bin/emplace"), "config", "import", self.cloud.conf]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    def __enter__(self):
        self.service.__enter__()
        return self

    def __exit__(self, *what):
        self.service.__exit__(*what)

    def hook(self, mode, weight_classes=ALL_WEIGHERS, **options):
        """Nova asks emplaced, in this mode."""
        said = NOVA_CONF.format(weight_classes=weight_classes, url=self.service.url, token_file=self.service.data + "/admin.token")
        lines = [f"{key} = {value}" for key, value in {"mode": mode, **options}.items()]
        self.cloud.conf.write_text(self.cloud.plain + said + "\n".join(lines) + "\n")
        self.cloud.restart_scheduler()

    def asked(self, request):
        """How often emplaced was asked for this request of Nova's API."""
        return len([line for line in self.service.logged("event=filter") if f"global={request} " in line])

    def scheduler_said(self, server, what="Emplace "):
        """Its log's lines about a server."""
        return [line for line in self.cloud.log().splitlines() if what in line and server in line]

    def first(self, server):
        """The hosts that emplaced told nova-scheduler to be the best for a server, as far as they are logged."""
        found = re.search(r", first ([^;]*); refused", self.scheduler_said(server)[-1])
        return found[1].split(", ")

    def hosts(self):
        return {host["name"]: host for host in self.service.call("GET", "/v1/hosts?limit=1000")["hosts"]}

    def vms(self):
        """Without what is only claimed or reserved, which has the same id, and without what Placement has given to others."""
        return {vm["id"]: vm for vm in self.service.vms() if vm["state"] != "claimed" and vm["source"] != "placement"}

    def picture_agrees(self):
        """Emplace's picture has the cloud's servers where they are."""
        def same():
            wanted = {one.id: (one.compute_host, one.flavor["vcpus"]) for one in self.cloud.servers()}
            return {key: (vm["host"], vm["vcpus"]) for key, vm in self.vms().items()} == wanted
        self.service.wait_for("the picture has all servers", same)
