#!/usr/bin/python3
"""The filter and weigher of clients/nova in a real nova-scheduler: shadow lets Nova choose, enforce keeps servers off a host that
Emplace has no room on, and with a stopped emplaced a server still boots. Brings the test bed up, and down again.

usage: live_hook.py       needs ../shared/testbed/openstack and its packages, else the exit code is 77
    EMPLACED              the binary
    EMPLACE_NOVA          where emplace_nova is (default: clients/nova of this tree)
"""

import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
TESTBED = next((d / "shared/testbed/openstack" for d in (ROOT.parent, pathlib.Path("/work")) if (d / "shared/testbed/openstack").exists()), None)
if TESTBED is None or not shutil.which("nova-scheduler", path="/usr/bin"):
    print("skipped: needs ../shared/testbed/openstack and its install.sh")
    sys.exit(77)

sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "tests/api"))
import openstack  # noqa: E402
import service  # noqa: E402

HOSTS = ["fake0000", "fake0001", "fake0002"]
SMALL = HOSTS[0]
EXTRA = """
[filter_scheduler]
available_filters = nova.scheduler.filters.all_filters
available_filters = emplace_nova.EmplaceFilter
enabled_filters = ComputeFilter,ComputeCapabilitiesFilter,ImagePropertiesFilter,EmplaceFilter
weight_classes = nova.scheduler.weights.all_weighers,emplace_nova.EmplaceWeigher
[emplace]
url = http://{address}
token_file = {data}/admin.token
timeout = 2
mode = shadow
"""


def inventory():
    rooms = {name: {"vcpus": 64, "memory_mib": 262144, "disk_gib": 4000} for name in HOSTS}
    rooms[SMALL] = {"vcpus": 1, "memory_mib": 64, "disk_gib": 1}
    return {"hosts": [{"name": name, **room} for name, room in rooms.items()]}


def until(what, true, seconds=120):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := true():
            return found
        time.sleep(0.2)
    raise AssertionError(f"not within {seconds} s: {what}")


class Cloud:
    """The test bed, with what it needs to be asked."""

    def __init__(self, run, emplace):
        self.run = run
        extra = run.parent / "extra.conf"
        extra.write_text(EXTRA.format(address=emplace.address, data=emplace.data))
        self.environment = {**os.environ, "RUN": str(run), "NHOSTS": str(len(HOSTS)), "NOVA_CONF_EXTRA": str(extra),
                            "PYTHONPATH": os.environ.get("EMPLACE_NOVA", str(ROOT / "clients/nova"))}
        subprocess.run([TESTBED / "up.sh"], env=self.environment, check=True)
        self.api = openstack.connect(
            auth_url="http://127.0.0.1:5000/v3", username="admin", password="secret", project_name="admin",
            user_domain_name="Default", project_domain_name="Default", region_name="RegionOne", compute_default_microversion="2.73")

    def down(self):
        subprocess.run([TESTBED / "down.sh", "--wipe"], env=self.environment, check=True)

    def scheduler_says(self):
        return (self.run / "log/nova-scheduler.log").read_text(errors="replace")

    def restart_scheduler(self, mode):
        configuration = self.run / "etc/nova/nova.conf"
        configuration.write_text(configuration.read_text().replace("mode = shadow", f"mode = {mode}"))
        pid_file = self.run / "pid/scheduler.pid"
        leader = int(pid_file.read_text())
        os.killpg(leader, signal.SIGTERM)
        until("the scheduler ends", lambda: not list_session(leader))
        with open(self.run / "log/scheduler.out", "ab") as out:
            started = subprocess.Popen(["/usr/bin/nova-scheduler", "--config-file", configuration], stdout=out, stderr=out,
                                       stdin=subprocess.DEVNULL, env=self.environment, start_new_session=True)
        pid_file.write_text(str(started.pid))

    def boot(self, name):
        """The host that it came to."""
        compute = self.api.compute
        made = compute.create_server(name=name, flavor_id=compute.find_flavor("m1.small").id, networks="none",
                                     image_id=self.api.image.find_image("tiny").id)
        return compute.wait_for_server(made, wait=120).compute_host


def list_session(leader):
    """The states of its processes, but for those that only wait to be reaped."""
    listed = subprocess.run(["ps", "-o", "stat=", "--sid", str(leader)], capture_output=True, text=True, check=False)
    return [state for state in listed.stdout.split() if not state.startswith("Z")]


def asked(emplace):
    return emplace.said().count("event=filter")


def check(cloud, emplace):
    host = cloud.boot("shadow")
    assert asked(emplace) == 1, emplace.said()
    assert "Emplace (shadow) for instance" in cloud.scheduler_says()
    print(f"shadow: {host}")

    cloud.restart_scheduler("enforce")
    taken = [cloud.boot(f"enforce{count}") for count in range(6)]
    print(f"enforce: {taken}")
    assert SMALL not in taken, taken
    assert asked(emplace) == 7, emplace.said()

    emplace.process.send_signal(signal.SIGSTOP)
    try:
        taken = [cloud.boot(f"stopped{count}") for count in range(2)]
    finally:
        emplace.process.send_signal(signal.SIGCONT)
    print(f"emplaced stopped: {taken}")
    says = cloud.scheduler_says()
    assert says.count("all hosts pass") == 2 and says.count("not asked for now") == 1, says[-3000:]


def main():
    with tempfile.TemporaryDirectory(prefix="emplace-hook-") as scratch:
        emplace = service.Service()
        try:
            answer = emplace.post("/v1/inventory:import", inventory())
            assert answer.status == 200, answer
            cloud = Cloud(pathlib.Path(scratch) / "aio", emplace)
            try:
                check(cloud, emplace)
            except BaseException:
                print("\n".join(line for line in cloud.scheduler_says().splitlines() if "mplace" in line or "ERROR" in line)[-6000:])
                raise
            finally:
                cloud.down()
        finally:
            emplace.stop()
    print("ok")


if __name__ == "__main__":
    main()
