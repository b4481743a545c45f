"""docs/openstack.md done by a new user: its commands as they stand there, its files, its samples of logs; only the places are those
of the test bed. systemctl is a program that notes what it was asked for."""

import os
import pathlib
import re
import shutil
import socket
import subprocess

import document as page
from live_cloud import until
from service import scratch_directory

SYSTEMCTL = """#!/bin/sh
[ "$*" = "restart nova-scheduler" ] && touch {marker}
"""


class Operator:
    def __init__(self, bed):
        self.cloud = bed.cloud
        self.build = bed.service.build
        self.scratch = pathlib.Path(scratch_directory())
        with socket.create_server(("127.0.0.1", 0)) as listener:
            address = f"127.0.0.1:{listener.getsockname()[1]}"
        self.places = {"/etc/emplace": f"{self.scratch}/etc", "/var/lib/emplace": f"{self.scratch}/data", "127.0.0.1:8790": address,
                       "/etc/nova/": f"{self.cloud.conf.parent}/", "http://controller:5000/v3": os.environ["OS_AUTH_URL"]}
        self.restart = self.scratch / "restart"
        programs = self.scratch / "bin"
        programs.mkdir()
        (programs / "systemctl").write_text(SYSTEMCTL.format(marker=self.restart))
        (programs / "systemctl").chmod(0o755)
        self.environment = {**os.environ, "EMPLACE_URL": "http://" + address,
                            "PATH": f"{programs}:{os.path.abspath(self.build)}/bin:{os.environ['PATH']}"}
        self.log = self.scratch / "emplaced.log"
        self.service = None

    def here(self, text):
        for there, place in self.places.items():
            text = text.replace(there, place)
        return text

    def do(self, block):
        """What it printed."""
        done = subprocess.run(["bash", "-euc", self.here(block)], env=self.environment, capture_output=True, text=True, timeout=120,
                              check=False)
        assert done.returncode == 0, (block, done.stdout, done.stderr)
        if self.restart.exists():
            self.restart.unlink()
            self.cloud.restart_scheduler()
        return done.stdout

    def start(self, block):
        with open(self.log, "wb") as log:
            self.service = subprocess.Popen(["bash", "-euc", "exec " + self.here(block)], env=self.environment, stdout=log, stderr=log)
        until("emplaced is ready", lambda: "emplaced ready" in self.log.read_text())

    def leave(self):
        self.cloud.conf.write_text(self.cloud.plain)
        user = self.cloud.api.identity.find_user("emplace")
        if user:
            self.cloud.api.identity.delete_user(user)
        if self.service:
            self.service.terminate()
            self.service.wait(60)
        shutil.rmtree(self.scratch)


def boot_and_read(operator, mode):
    server, _ = operator.cloud.boot(f"document-{mode}")
    assert server.status == "ACTIVE", operator.cloud.fault(server)
    told = [line for line in operator.cloud.log().splitlines() if f"Emplace ({mode}) for instance {server.id}" in line]
    assert len(told) == 1, told
    return told[0]


def document(bed):
    operator = Operator(bed)
    try:
        follow(operator)
    except BaseException:
        print(operator.log.read_text()[-3000:] if operator.log.exists() else "emplaced was not started")
        raise
    finally:
        operator.leave()
        operator.cloud.delete_servers()


def follow(operator):
    user, token, check, compare, shadow, advise, enforce = page.blocks("sh")
    (toml,), (ini,), (service,) = page.blocks("toml"), page.blocks("ini"), page.blocks("sh service")
    operator.do(user)
    operator.do(token)
    (operator.scratch / "etc/emplaced.toml").write_text(operator.here(toml))
    operator.do(check)
    operator.start(service)
    until("emplaced has read the cloud", lambda: "event=openstack_taken" in operator.log.read_text())
    seen = operator.do(compare)
    hosts = re.findall(r"fake\d+", operator.do("openstack hypervisor list -f value -c 'Hypervisor Hostname'"))
    assert hosts and all(seen.count(name) >= 2 for name in hosts), seen
    print(f"   steps 1 to 3: emplaced and OpenStack list the same {len(hosts)} hosts", flush=True)

    operator.cloud.conf.write_text(operator.cloud.plain + operator.here(ini))
    operator.do(shadow)
    line = boot_and_read(operator, "shadow")
    assert page.logged("nova-scheduler").search(line), line
    assert page.logged("emplaced").search(operator.log.read_text()), operator.log.read_text()
    print("   steps 4 and 5: shadow, and the logs look as shown", flush=True)
    operator.do(advise)
    boot_and_read(operator, "advise")
    operator.do(enforce)
    boot_and_read(operator, "enforce")
    print("   step 6: advise, enforce", flush=True)
