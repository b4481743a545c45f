"""What nova-scheduler knows and no API tells, and a first reading that takes long, on a real control plane."""

import collections
import http.client
import json
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from live_cloud import Bed, until


def host_state(bed, name):
    """What Emplace has of a host that only Nova's rules read."""
    return next(host["nova_state"] for host in bed.service.call("GET", "/v1/inventory:export")["hosts"] if host["name"] == name)


def said_of(bed, request):
    """Emplace's line of a question for a request of Nova's API."""
    return next(line for line in bed.service.logged("event=filter") if f"global={request} " in line)


def everything_is_known(bed):
    for name in bed.hosts():
        state = host_state(bed, name)
        assert set(state["unread"]) <= {"cpu_info"}, (name, state["unread"])
        assert state["supported_instances"] and "failed_builds" in state["stats"] and len(state["cell_uuid"]) == 36, state
    print(f"   {len(bed.hosts())} hosts: of what Nova's scheduler knows nothing is unread", flush=True)


def image_with(bed, **properties):
    return bed.cloud.api.image.create_image(name="asks", disk_format="raw", container_format="bare", data=b"\1",
                                            validate_checksum=False, wait=True, **properties)


def images(bed):
    """As the fake driver says of itself: x86_64 and what it calls its hypervisor."""
    arch, kind, mode = host_state(bed, sorted(bed.hosts())[0])["supported_instances"][0]
    for properties, boots in (({"hw_architecture": arch}, True), ({"hw_architecture": "aarch64"}, False), ({"img_hv_type": "vmware"}, False)):
        image = image_with(bed, **properties)
        server, request = bed.cloud.boot("image", imageRef=image.id)
        assert (server.status == "ACTIVE") == boots, (properties, bed.cloud.fault(server))
        if boots:  # of a request that Nova's own filters end nobody asks Emplace
            assert "degraded=0" in said_of(bed, request), said_of(bed, request)
        bed.cloud.api.image.delete_image(image)
    print(f"   images: {arch} boots, aarch64 and another hypervisor than {kind} ({mode}) do not", flush=True)


def ask(bed, extra_specs, **options):
    flavor = {"vcpus": 1, "memory_mb": 64, "root_gb": 1, "ephemeral_gb": 0, "swap": 0, "extra_specs": extra_specs}
    spec = {"nova_object.data": {"flavor": {"nova_object.data": flavor}, "num_instances": 1}}
    return bed.service.call("POST", "/v1/select_destinations", {"request_spec": spec, "reserve": False, "profile": "nova", **options})


def candidates(bed):
    """A provider of a device below one host: only Placement can say that the group fits there."""
    placement = bed.cloud.api.placement
    name = sorted(bed.hosts())[3]
    root = host_state(bed, name)["uuid"]
    version = {"microversion": "1.36"}
    placement.put("/resource_classes/CUSTOM_EMPLACE_DEVICE", **version)
    device = placement.post("/resource_providers", json={"name": "device", "parent_provider_uuid": root}, **version).json()
    inventory = {"inventories": {"CUSTOM_EMPLACE_DEVICE": {"total": 2}}, "resource_provider_generation": device["generation"]}
    assert placement.put(f"/resource_providers/{device['uuid']}/inventories", json=inventory, **version).ok
    bed.service.wait_for("the device is read", lambda: "CUSTOM_EMPLACE_DEVICE" in json.dumps(host_state(bed, name)["placement"]))
    try:
        fits = ask(bed, {"resources1:CUSTOM_EMPLACE_DEVICE": "2"})
        assert [one["host"] for one in fits["selections"][0]] == [name] and not fits["degraded"], fits
        # Two groups apart from each other have two providers.
        apart = {"resources1:CUSTOM_EMPLACE_DEVICE": "1", "resources2:CUSTOM_EMPLACE_DEVICE": "1", "group_policy": "isolate"}
        answer = ask(bed, apart)
        assert answer["selections"] == [] and not answer["degraded"], answer
        unknown = ask(bed, {"trait1:CUSTOM_NOBODY_KNOWS": "required", "resources1:VCPU": "1"})
        assert unknown["selections"] == [] and "No such trait" in unknown["degraded"][0]["why"], unknown
    finally:
        placement.delete(f"/resource_providers/{device['uuid']}", **version)
        placement.delete("/resource_classes/CUSTOM_EMPLACE_DEVICE", **version)
    print(f"   allocation candidates: the group of a device only on {name}, two apart nowhere", flush=True)


def spread_of_six(bed, name):
    """How many of six in one request each host has got, largest first."""
    bed.cloud.create(name, min_count=6, max_count=6)
    made = until("six servers", lambda: found if len(found := [one for one in bed.cloud.servers() if one.name.startswith(name)]) == 6 else None)
    ended = [bed.cloud.settled(one.id) for one in made]
    assert {one.status for one in ended} == {"ACTIVE"}, [bed.cloud.fault(one) for one in ended]
    per_host = collections.Counter(one.compute_host for one in ended)
    bed.cloud.delete_servers()
    bed.picture_agrees()
    return sorted(per_host.values(), reverse=True)


def confirmation_pending(bed):
    """The source of a resize is Placement's until it is confirmed."""
    server, _ = bed.cloud.boot("resized")
    source = server.compute_host
    before = bed.hosts()[source]["used"]["vcpus"]
    bed.cloud.act(server.id, "resize", {"flavorRef": bed.cloud.flavors["m1.large"]})
    moved = bed.cloud.settled(server.id)
    assert moved.status == "VERIFY_RESIZE" and moved.compute_host != source, moved
    bed.service.wait_for("the picture has it at its new host",
                         lambda: bed.vms()[server.id]["host"] == moved.compute_host)
    bed.service.wait_for("the source stays occupied", lambda: bed.hosts()[source]["used"]["vcpus"] == before)
    bed.cloud.act(server.id, "confirmResize")
    bed.service.wait_for("the source is free", lambda: bed.hosts()[source]["used"]["vcpus"] == before - 1)
    print(f"   a resize from {source} to {moved.compute_host}: its source is occupied until it is confirmed", flush=True)


def edges(bed):
    """The profile that `config import` makes of the bed's own nova.conf, in enforce."""
    everything_is_known(bed)
    plain = spread_of_six(bed, "plain")
    bed.hook("enforce", profile="nova")
    hooked = spread_of_six(bed, "hooked")
    assert hooked == plain, (hooked, plain)
    print(f"   six in one request: {hooked} with Emplace, as without", flush=True)
    images(bed)
    pinned = ask(bed, {"hw:cpu_policy": "dedicated"})
    assert not any("unread" in one["why"] for one in pinned["degraded"]), pinned["degraded"]
    candidates(bed)
    name = sorted(bed.hosts())[4]
    for what, fields in (("host", {"host": name}), ("node", {"hypervisor_hostname": host_state(bed, name)["nodename"]}),
                         ("forced host", {"availability_zone": f"nova:{name}"})):
        server, _ = bed.cloud.boot("named", **fields)
        assert server.compute_host == name, (what, bed.cloud.fault(server))
    print("   --host, --hypervisor-hostname and a forced host are where they should be", flush=True)
    bed.cloud.delete_servers()
    confirmation_pending(bed)
    bed.cloud.delete_servers()


class SlowProxy(BaseHTTPRequestHandler):
    """One call after the other, each some seconds late."""
    protocol_version = "HTTP/1.1"
    delay_s, turn = 0, threading.Lock()

    def forward(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        target = urllib.parse.urlsplit(self.path)
        with self.turn:
            time.sleep(self.delay_s)
            there = http.client.HTTPConnection(target.hostname, target.port, timeout=60)
            headers = {name: value for name, value in self.headers.items() if not name.lower().startswith("proxy-")}
            there.request(self.command, target._replace(scheme="", netloc="").geturl(), body or None, headers)
            answer = there.getresponse()
            text = answer.read()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("transfer-encoding", "content-length", "connection"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = forward

    def log_message(self, *unused):
        pass


def slowly(bed, delay_s=12):
    """Another emplaced, whose first reading of the same cloud takes about ten minutes."""
    bed.hook("enforce", profile="nova")
    for i in range(3):
        bed.cloud.boot(f"before{i}")
    SlowProxy.delay_s = delay_s
    proxy = ThreadingHTTPServer(("127.0.0.1", 0), SlowProxy)
    threading.Thread(target=proxy.serve_forever, daemon=True).start()
    began = time.monotonic()
    more = f'proxy = "http://127.0.0.1:{proxy.server_address[1]}"\ntimeout_s = 600\n'
    with Bed(bed.build, bed.cloud, sync_s=600, more=more) as slow:
        def status():
            return slow.service.ask("POST", "/v1/select_destinations", {"request_spec": {"nova_object.data": {
                "flavor": {"nova_object.data": {"vcpus": 1, "memory_mb": 64, "root_gb": 1}}}}, "reserve": False})[0]

        seen = collections.Counter()
        while not slow.hosts():
            seen[status()] += 1
            time.sleep(5)
        took = time.monotonic() - began
        assert set(seen) == {503}, seen
        hosts, vms = slow.hosts(), slow.vms()
        assert len(hosts) == 10 and len(vms) == 3, (sorted(hosts), vms)
        assert hosts == bed.hosts() or {name: one["used"] for name, one in hosts.items()} == {name: one["used"] for name, one in bed.hosts().items()}
        assert status() == 200
    proxy.shutdown()
    bed.cloud.delete_servers()
    print(f"   a first reading of {took:.0f} s: {seen[503]} questions answered 503, then hosts and servers at once", flush=True)
