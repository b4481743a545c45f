"""100,000 vms in one import of 64 MiB: written as one transaction, by a service whose calls have ten seconds else. The same body
again writes nothing and makes no event; a replica that starts has all of it.

usage: large_import.py BUILD_DIRECTORY
"""

import json
import os
import sys
import time

from service import Service

VMS, HOSTS = 100_000, 2000
BODY = 64 << 20


def body():
    hosts = [{"name": f"h{i:05}", "vcpus": 512, "memory_mib": 1 << 20, "disk_gib": 100_000, "rack": f"r{i % 50}"} for i in range(HOSTS)]
    vms = [{"name": f"v{i:06}", "host": f"h{i % HOSTS:05}", "vcpus": 2, "memory_mib": 4096, "disk_gib": 10, "project": f"p{i % 100}"}
           for i in range(VMS)]
    text = json.dumps({"hosts": hosts, "vms": vms})
    return text + " " * (BODY - len(text))  # to the last byte that is allowed


def main():
    with Service(os.path.abspath(sys.argv[1]), config="[limits]\nbody_mib = 64\n") as service:
        text = body()
        times = []
        for _ in range(2):
            began = time.monotonic()
            answer = service.call("POST", "/v1/inventory:import", text, timeout=900)
            times.append(time.monotonic() - began)
            assert answer["changes"] == HOSTS + VMS, answer
        service.wait_for("one event for each row, in the picture",
                         lambda: service.metrics()["emplace_picture_event_seq"] == HOSTS + VMS)
        service.stop()
        service.start()
        assert f"hosts={HOSTS} vms={VMS}" in "".join(service.logged("event=ready")[-1:]), service.logged("event=ready")
    print(f"{VMS} vms in {BODY >> 20} MiB imported in {times[0]:.1f} s, again in {times[1]:.1f} s without an event")


if __name__ == "__main__":
    main()
