#!/usr/bin/python3
"""An unpatched Nova that asks Emplace, on a real control plane: servers booted, moved, resized and rebuilt, the three modes, an
emplaced that hangs or is gone, twenty boots at once, docs/openstack.md word for word. Brings the test bed up, and down again, unless
RUN names one that is up.

usage: live_nova.py BUILD_DIRECTORY [servers modes edges away spread document slowly]      all sections but the last, if none is named
"""

import collections
import concurrent.futures
import os
import re
import signal
import sys
import time

from live_cloud import Bed, Cloud, until
from live_document import document
from live_edges import edges, slowly

TIMEOUT_S = 2
LOAD = {"method": "lexicographic", "filters": ["capacity", "state", "zone", "traits", "group", "spread"],
        "objectives": [{"id": "resource.load", "weight": 1, "resolution": 0.1}]}
RETRIED = re.compile(r"RescheduledException|was re-scheduled|Attempt [2-9]|MaxRetriesExceeded|NoValidHost")


def near(bed, what, server, request, asked):
    """A server is where it should be, emplaced was asked as often as Nova asks its filters, and its picture knows."""
    assert server.status in ("ACTIVE", "VERIFY_RESIZE"), (what, bed.cloud.fault(server))
    assert bed.asked(request) == asked, f"{what}: wanted {asked} questions, found {bed.asked(request)}"
    bed.picture_agrees()
    assert bed.vms()[server.id]["host"] == server.compute_host
    print(f"   {what}: {server.compute_host}, asked {asked} x, in the picture", flush=True)
    return server


def zone_of(bed, hosts):
    compute = bed.cloud.api.compute
    zone = compute.create_aggregate(name="east", availability_zone="east")
    for host in hosts:
        compute.add_host_to_aggregate(zone, host)
    bed.service.wait_for("the zone is in the picture", lambda: bed.hosts()[hosts[-1]]["zone"] == "east")
    return zone


def anti_affinity(bed, hosts):
    compute = bed.cloud.api.compute
    group = compute.create_server_group(name="apart", policy="anti-affinity")
    _, request = bed.cloud.create("apart", hints={"group": group.id}, availability_zone="east", min_count=3, max_count=3)
    made = until("three servers", lambda: found if len(found := list(compute.servers(name="apart-"))) == 3 else None)
    members = [bed.cloud.settled(one.id) for one in made]
    assert sorted(one.compute_host for one in members) == hosts, members
    # One question for each instance, one more for the hosts to fall back on.
    near(bed, "three in one request, anti-affinity, zone east", members[0], request, 4)
    fourth, _ = bed.cloud.boot("fourth", hints={"group": group.id}, availability_zone="east")
    assert "No valid host" in bed.cloud.fault(fourth), fourth
    compute.delete_server_group(group)


def lifecycle(bed):
    cloud = bed.cloud
    server, request = cloud.boot("plain")
    near(bed, "boot", server, request, 1)
    assert bed.first(server.id)[0] == server.compute_host, bed.scheduler_said(server.id)

    request = cloud.act(server.id, "os-migrateLive", {"host": None, "block_migration": "auto"})
    moved = near(bed, "live migration", cloud.settled(server.id), request, 1)
    assert moved.compute_host != server.compute_host
    target = next(host for host in sorted(bed.hosts()) if host not in (moved.compute_host, server.compute_host))
    request = cloud.act(server.id, "os-migrateLive", {"host": target, "block_migration": "auto"})
    moved = near(bed, f"live migration to {target}", cloud.settled(server.id), request, 1)
    assert moved.compute_host == target

    request = cloud.act(server.id, "resize", {"flavorRef": cloud.flavors["m1.large"]})
    resized = near(bed, "resize", cloud.settled(server.id), request, 1)
    cloud.act(server.id, "confirmResize")
    until("the resize is confirmed", lambda: cloud.settled(server.id).status == "ACTIVE")
    assert bed.vms()[server.id]["vcpus"] == 4 and resized.compute_host != target

    other = cloud.api.image.create_image(name="other", disk_format="raw", container_format="bare", data=b"\1",
                                         validate_checksum=False, wait=True)
    request = cloud.act(server.id, "rebuild", {"imageRef": other.id})
    rebuilt = near(bed, "rebuild with another image", cloud.settled(server.id), request, 0)
    assert rebuilt.image.id == other.id and rebuilt.compute_host == resized.compute_host, rebuilt
    cloud.api.image.delete_image(other)


def servers(bed):
    bed.hook("enforce", weight_multiplier=1000)
    hosts = sorted(bed.hosts())
    zone = zone_of(bed, hosts[:3])
    try:
        lifecycle(bed)
        anti_affinity(bed, hosts[:3])
        server, request = bed.cloud.boot("wished", host=hosts[4])
        assert near(bed, f"boot with host {hosts[4]}", server, request, 1).compute_host == hosts[4]
        server, request = bed.cloud.boot("forced", availability_zone=f"nova:{hosts[5]}")
        assert near(bed, f"boot forced to {hosts[5]}", server, request, 0).compute_host == hosts[5]
    finally:
        bed.cloud.delete_servers()
        for host in hosts[:3]:
            bed.cloud.api.compute.remove_host_from_aggregate(zone, host)
        bed.cloud.api.compute.delete_aggregate(zone)


def fill(bed, hosts):
    """Claims of Emplace's own that leave no room on these hosts: Nova knows nothing of them."""
    for name in hosts:
        host = bed.hosts()[name]
        vm = {"name": f"fill-{name}", "vcpus": 1, "memory_mib": host["free"]["memory_mib"] - 1024, "disk_gib": 1}
        bed.service.call("POST", "/v1/claims", {"vm": vm, "host": name, "ttl_s": 3600})


def modes(bed):
    """Emplace has no room on the biggest hosts, which Nova's weighers like best."""
    until("emplaced has no servers any more", lambda: not any(host["vm_count"] for host in bed.hosts().values()))
    hosts = bed.hosts()
    most = max(host["memory_mib"] for host in hosts.values())
    full = sorted(name for name, host in hosts.items() if host["memory_mib"] == most)
    fill(bed, full)
    try:
        bed.hook("shadow", weight_multiplier=1000)
        server, request = bed.cloud.boot("shadow")
        near(bed, "shadow: Nova's choice, which Emplace would refuse", server, request, 1)
        said = bed.scheduler_said(server.id)[-1]
        assert server.compute_host in full and bed.first(server.id)[0] not in full, said
        assert f"Emplace (shadow) for instance {server.id}: of {len(hosts)} hosts {len(hosts) - len(full)} pass" in said, said

        bed.hook("advise", weight_multiplier=1000)
        server, request = bed.cloud.boot("advise")
        near(bed, "advise: Emplace's first", server, request, 1)
        assert server.compute_host == bed.first(server.id)[0], bed.scheduler_said(server.id)
        server, request = bed.cloud.boot("advise-full", host=full[0])
        near(bed, "advise refuses none", server, request, 1)

        bed.hook("enforce", weight_multiplier=0)
        server, request = bed.cloud.boot("enforce")
        near(bed, "enforce: Nova's choice among those that Emplace leaves", server, request, 1)
        assert server.compute_host not in full
        server, request = bed.cloud.boot("enforce-full", host=full[0])
        assert "No valid host" in bed.cloud.fault(server), server
        assert bed.asked(request) == 1
        said = bed.scheduler_said(server.id)[-1].split("] ")[-1]
        print(f"   enforce refuses {full[0]}, which Nova would have taken: {said}", flush=True)
    finally:
        for claim in bed.service.call("GET", "/v1/claims")["claims"]:
            bed.service.call("DELETE", f"/v1/claims/{claim['id']}")
        bed.cloud.delete_servers()


def timed_boots(bed, name, count):
    """Seconds until each is active; each must be."""
    took = []
    for i in range(count):
        began = time.monotonic()
        server, _ = bed.cloud.boot(f"{name}{i}")
        took.append(round(time.monotonic() - began, 1))
        assert server.status == "ACTIVE", bed.cloud.fault(server)
    return took


def asked_again(bed):
    """Nothing is restarted or told: a boot after the breaker's time is judged."""
    def judged():
        server, request = bed.cloud.boot("again")
        assert server.status == "ACTIVE", bed.cloud.fault(server)
        return bed.asked(request) == 1
    until("emplaced is asked again", judged)


def away(bed):
    bed.hook("enforce", weight_multiplier=1000, timeout=TIMEOUT_S, breaker=10)
    print(f"   boots in s: {timed_boots(bed, 'near', 3)}", flush=True)
    from_here = len(bed.cloud.log())
    bed.service.process.send_signal(signal.SIGSTOP)
    try:
        print(f"   emplaced stopped: {timed_boots(bed, 'stopped', 3)}", flush=True)
    finally:
        bed.service.process.send_signal(signal.SIGCONT)
    said = bed.cloud.log()[from_here:]
    hung = re.findall(r"did not judge instance \S+, all hosts pass: \S+ (?:no whole answer within 2 s|timed out)", said)
    spared = said.count("all hosts pass: not asked for now, since")
    assert (len(hung), spared) == (1, 2), said
    print(f"   one time-out of {TIMEOUT_S} s, then the breaker: {spared} boots did not ask", flush=True)
    asked_again(bed)

    from_here = len(bed.cloud.log())
    bed.service.kill()
    print(f"   emplaced killed: {timed_boots(bed, 'killed', 3)}", flush=True)
    said = bed.cloud.log()[from_here:]
    assert re.search(r"all hosts pass: \S+ .*(refused|ECONNREFUSED)", said), said
    assert said.count("all hosts pass: ") == 3, said
    bed.service.start()
    asked_again(bed)
    bed.picture_agrees()
    print("   asked again after both, by itself", flush=True)
    bed.cloud.delete_servers()


def spread(bed, count=20):
    """The order is Emplace's alone, by load; what one boot took is not yet seen at Nova when the next is judged."""
    bed.service.call("PUT", "/v1/profiles/default", LOAD)
    bed.hook("enforce", weight_classes="emplace_nova.EmplaceWeigher")
    bed.picture_agrees()
    logs = ("nova-scheduler", "nova-conductor", "nova_compute_multi.py")
    from_here = {name: len(bed.cloud.log(name)) for name in logs}
    with concurrent.futures.ThreadPoolExecutor(count) as threads:
        made = list(threads.map(lambda i: bed.cloud.create(f"spread{i}"), range(count)))
    ended = [bed.cloud.settled(server) for server, _ in made]
    assert {one.status for one in ended} == {"ACTIVE"}, [bed.cloud.fault(one) for one in ended]
    per_host = collections.Counter(one.compute_host for one in ended)
    print(f"   {count} boots at once: {dict(sorted(per_host.items()))}", flush=True)
    assert [bed.asked(request) for _, request in made] == [1] * count
    assert [bed.cloud.builds(*one) for one in made] == [["Success"]] * count
    for name in logs:
        retried = [line for line in bed.cloud.log(name)[from_here[name]:].splitlines() if RETRIED.search(line)]
        assert not retried, retried
    assert max(per_host.values()) <= 4 and len(per_host) >= 8, per_host
    bed.picture_agrees()
    bed.cloud.delete_servers()


SECTIONS = {one.__name__: one for one in (servers, modes, edges, away, spread, document, slowly)}


def main():
    build, *names = sys.argv[1:]
    chosen = names or [name for name in SECTIONS if name != "slowly"]  # which takes ten minutes
    took = {}
    with Cloud() as cloud, Bed(os.path.abspath(build), cloud) as bed:
        bed.service.wait_for("the first sync", lambda: len(bed.hosts()) == 10)
        for name in chosen:
            print(f"== {name}", flush=True)
            began, from_here = time.monotonic(), len(cloud.log())
            try:
                SECTIONS[name](bed)
            except BaseException:
                print("\n".join(line for line in cloud.log()[from_here:].splitlines() if "mplace" in line or "ERROR" in line)[-6000:])
                raise
            took[name] = f"{time.monotonic() - began:.0f} s"
    print(f"ok: {took}")


if __name__ == "__main__":
    main()
