"""The disk below the data directory fills up while claims are taken: they are refused for now, within their deadline; reads go on;
once there is room again all recovers by itself, and what was acknowledged is there.

usage: full_disk.py BUILD_DIRECTORY
"""

import os
import shutil
import subprocess
import sys
import time

from service import Service, scratch_directory, skip

SIZE_MIB = 192
SOME = 5  # claims before it is filled
DEADLINE_MS = 3000
PATIENCE_S = 90


def take(service, name):
    body = {"vm": {"name": name, "vcpus": 1, "memory_mib": 64, "disk_gib": 1}, "claim": True, "ttl_s": 3600, "deadline_ms": DEADLINE_MS}
    began = time.monotonic()
    status, answer = service.ask("POST", "/v1/placements", body, key=name)
    assert time.monotonic() - began < DEADLINE_MS / 1000 + 5, f"answered after {time.monotonic() - began:.1f} s"
    return status, answer


def fill(path):
    """What is left of the disk, to the last byte."""
    with open(path, "wb", buffering=0) as file:
        for size in (1 << 20, 4096):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                pass


def main():
    if os.geteuid() != 0:
        skip("a small disk needs root to mount it")
    disk = scratch_directory()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE_MIB}m,mode=0711", "emplace-test", disk], check=False).returncode != 0:
        shutil.rmtree(disk)
        skip("tmpfs can't be mounted here")
    try:
        data = os.path.join(disk, "data")
        os.mkdir(data, 0o711)
        with Service(os.path.abspath(sys.argv[1]), data) as service:
            service.call("POST", "/v1/inventory:import", {"hosts": [
                {"name": f"h{i}", "vcpus": 4096, "memory_mib": 1 << 24, "disk_gib": 100000} for i in range(4)]})
            filler = os.path.join(disk, "filler")
            told, count, refused = {}, 0, None
            deadline = time.monotonic() + PATIENCE_S
            while refused is None:
                # Whatever PostgreSQL writes next may have been allotted already, so it is filled up again and again.
                count += 1
                if count > SOME:
                    fill(filler + str(count))
                status, answer = take(service, f"v{count}")
                if status == 200:
                    told[answer["claim"]["id"]] = answer["claim"]["host"]
                else:
                    refused = (status, answer)
                assert time.monotonic() < deadline, f"{count} claims, and the disk is not full"
            assert refused[0] == 503, refused
            service.call("GET", "/v1/hosts")
            for i in range(SOME + 1, count + 1):
                os.unlink(filler + str(i))

            def taken():
                status, answer = take(service, f"v{count}")
                return answer["claim"] if status == 200 else None
            again = service.wait_for("claims are taken again", taken, PATIENCE_S)
            told[again["id"]] = again["host"]
            held = {claim["id"]: claim["host"] for claim in service.call("GET", "/v1/claims?limit=1000")["claims"]}
            assert held == told, f"told {told}, found {held}"
            print(f"refused with {refused[1]['code']} ({refused[1]['detail']}) when the disk was full; {len(told)} claims before and after, all there")
    finally:
        subprocess.run(["umount", "-l", disk], check=False)
        shutil.rmtree(disk, ignore_errors=True)


if __name__ == "__main__":
    main()
