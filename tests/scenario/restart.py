"""The domains of libvirt's test driver die with the connection. A killed emplaced that starts again makes its vms again from the
store, on the same hosts under the same ids, and says so; what was decided before can still be replayed.

usage: restart.py BUILD_DIRECTORY
"""

import json
import os
import shutil
import subprocess
import sys

from service import ROOT, Service, scratch_directory

COUNT = 12


def running(service, names):
    vms = {vm["name"]: vm for vm in service.vms() if vm["name"] in names}
    return vms if len(vms) == len(names) and all(vm["state"] == "running" for vm in vms.values()) else None


def main():
    build = os.path.abspath(sys.argv[1])
    data = scratch_directory()
    subprocess.run([sys.executable, f"{ROOT}/demo/prepare.py", data, "127.0.0.1:0"], check=True)
    with open(f"{data}/fleet.json", encoding="utf-8") as file:
        fleet = json.load(file)[:COUNT]
    names = {vm["name"] for vm in fleet}
    try:
        with Service(build, data) as service:
            service.emplace("import", f"{data}/inventory.json")
            decisions = []
            for vm in fleet:
                answer = json.loads(service.emplace("--json", "place", "--request", "-", stdin=json.dumps({"vm": vm, "start": True})))
                decisions.append(answer["decision_id"])
            before = service.wait_for("all vms run", lambda: running(service, names))
            service.emplace("vms", "--verify")
            # A replay also sees to it that its picture is on the disk; what a killed service had not written yet is gone.
            service.emplace("replay", decisions[-1])

            service.kill()
            service.start()

            after = service.wait_for("all vms run again", lambda: running(service, names))
            service.wait_for("libvirt agrees", lambda: service.call("GET", "/v1/vms?verify=true")["verified"]["agree"] == COUNT)
            places = [{name: (vm["id"], vm["host"]) for name, vm in vms.items()} for vms in (before, after)]
            assert places[0] == places[1], f"moved by the restart: {places}"
            assert service.logged("event=vms_remade_from_store"), "the log does not say that vms were made again"
            service.emplace("replay", decisions[-1])
            print(f"{COUNT} vms made again on {len({vm['host'] for vm in after.values()})} hosts; "
                  f"start {service.start_s:.2f} s")
    finally:
        shutil.rmtree(data, ignore_errors=True)


if __name__ == "__main__":
    main()
