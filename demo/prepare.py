"""Writes what the demo of ./run needs into its data directory: eight host files for libvirt's test driver (different sizes, two
zones, four racks), emplaced.toml with their URIs, the inventory to import before anything is placed (server group, traffic,
page samples) and the fleet: the placement requests, in order. The same input gives the same files.

usage: prepare.py DIRECTORY LISTEN
"""

import base64
import hashlib
import json
import os
import struct
import sys

# name, zone, rack, vcpus, memory in GiB, disk in GiB
HOSTS = [
    ("h1", "z1", "r1", 16, 64, 1000),
    ("h2", "z1", "r1", 16, 64, 1000),
    ("h3", "z1", "r2", 24, 96, 2000),
    ("h4", "z1", "r2", 32, 128, 2000),
    ("h5", "z2", "r3", 16, 64, 1000),
    ("h6", "z2", "r3", 24, 96, 2000),
    ("h7", "z2", "r4", 32, 128, 2000),
    ("h8", "z2", "r4", 48, 192, 4000),
]

# A page sample keeps the hashes that are 0 modulo this.
RATE = 1024
PAGE_BYTES = 4096


def host_xml(vcpus, memory_gib):
    return (
        f"<node><cpu><nodes>1</nodes><sockets>1</sockets><cores>{vcpus}</cores><threads>1</threads><active>{vcpus}</active>"
        f"<mhz>2600</mhz><model>x86_64</model></cpu><memory>{memory_gib * 1024 * 1024}</memory></node>\n"
    )


def config(directory, listen):
    lines = ["# Made by ./run for its demo; docs/configuration.md describes every key.", "[service]"]
    lines += [f'listen = "{listen}"', f'data = "{directory}"', ""]
    for name, zone, rack, _, _, disk_gib in HOSTS:
        lines += ["[[host]]", f'name = "{name}"', f'uri = "test://{directory}/hosts/{name}.xml"', f'zone = "{zone}"']
        lines += [f'rack = "{rack}"', "cpu_allocation_ratio = 2.0", f"disk_gib = {disk_gib}", ""]
    return "\n".join(lines)


def page_hashes(image, own, count, own_count):
    """Hashes that all vms of one image share, and some of the vm's own."""
    names = [f"{image}/{i}" for i in range(count)] + [f"{own}/{i}" for i in range(own_count)]
    values = {int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little") // RATE * RATE for name in names}
    return sorted(values)


def page_sample(name, image, memory_gib):
    pages = memory_gib * 1024 * 1024 * 1024 // PAGE_BYTES
    hashes = page_hashes(image, name, 320, 120)
    return {
        "vm": name,
        "pages": pages,
        "zero_pages": pages // 3,
        "distinct_pages": len(hashes) * RATE,
        "rate": RATE,
        "hashes": base64.b64encode(struct.pack(f"<{len(hashes)}Q", *hashes)).decode(),
    }


def vm(name, vcpus, memory_gib, disk_gib, **more):
    return {"name": name, "vcpus": vcpus, "memory_mib": memory_gib * 1024, "disk_gib": disk_gib, "project": "demo", **more}


def fleet():
    vms = [vm("shop-app", 4, 8, 40), vm("wiki-app", 4, 8, 40)]
    vms += [vm(f"web-{i}", 2, 4, 20, group="web") for i in range(1, 7)]
    vms += [vm(f"db-{i}", 8, 24, 200, spread={"by": "rack", "group": "db", "domain": f"replica-{i}"}) for i in range(1, 5)]
    for i in range(1, 9):
        vms += [vm(f"desk-debian-{i}", 2, 4, 30), vm(f"desk-windows-{i}", 2, 4, 60)]
    vms += [vm("shop-cache", 4, 16, 40), vm("wiki-cache", 4, 16, 40)]
    vms += [vm(f"build-{i}", 4, 8, 80, zone="z1" if i % 2 else "z2") for i in range(1, 11)]
    vms += [vm(f"batch-{i}", 1, 2, 10) for i in range(1, 13)]
    vms += [vm(f"queue-{i}", 2, 12, 20) for i in range(1, 9)]
    return vms


def inventory(vms):
    samples = [page_sample(v["name"], v["name"].split("-")[1], 4) for v in vms if v["name"].startswith("desk-")]
    traffic = [
        {"a": "shop-app", "b": "shop-cache", "bytes_per_s": 8.0e7},
        {"a": "wiki-app", "b": "wiki-cache", "bytes_per_s": 2.5e7},
    ]
    return {
        "groups": [{"name": "web", "policy": "anti-affinity", "max_per_host": 1}],
        "traffic": traffic,
        "page_samples": samples,
    }


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def main():
    directory, listen = os.path.abspath(sys.argv[1]), sys.argv[2]
    vms = fleet()
    for name, _, _, vcpus, memory_gib, _ in HOSTS:
        write(f"{directory}/hosts/{name}.xml", host_xml(vcpus, memory_gib))
    write(f"{directory}/emplaced.toml", config(directory, listen))
    write(f"{directory}/inventory.json", json.dumps(inventory(vms)))
    write(f"{directory}/fleet.json", json.dumps(vms))


if __name__ == "__main__":
    main()
