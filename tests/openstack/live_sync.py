"""emplaced against a real Keystone, Nova and Placement: its picture is what they say, also after changes, and a user's token is
taken or refused as it should; a vm moves when Nova has moved it. Makes an aggregate, a server group, servers, a flavor, a trait and
a user, and removes them.

usage: live_sync.py BUILD_DIRECTORY      the cloud is that of OS_AUTH_URL, OS_PASSWORD, ... (default: the test bed's, see
                                         ../shared/testbed/openstack); without one the test is skipped
"""

import os
import socket
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "scenario")]

from service import Service, skip  # noqa: E402

TESTBED = {"OS_AUTH_URL": "http://127.0.0.1:5000/v3", "OS_USERNAME": "admin", "OS_PASSWORD": "secret", "OS_PROJECT_NAME": "admin",
           "OS_USER_DOMAIN_NAME": "Default", "OS_PROJECT_DOMAIN_NAME": "Default", "OS_REGION_NAME": "RegionOne",
           "OS_IDENTITY_API_VERSION": "3"}
CONFIG = """
[openstack]
auth_url = "{OS_AUTH_URL}"
username = "{OS_USERNAME}"
password = "{OS_PASSWORD}"
project = "{OS_PROJECT_NAME}"
interface = "public"
region = "{OS_REGION_NAME}"
sync_s = 2
token_cache_s = 1
"""
MARK = "emplace-live"
TRAIT = "CUSTOM_EMPLACE_LIVE"


def connect():
    for name, value in TESTBED.items():
        os.environ.setdefault(name, value)
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost"
    url = urllib.parse.urlsplit(os.environ["OS_AUTH_URL"])
    try:
        socket.create_connection((url.hostname, url.port or 5000), timeout=2).close()
    except OSError as error:
        skip(f"no Keystone at {os.environ['OS_AUTH_URL']} ({error}); ../shared/testbed/openstack/up.sh starts one")
    try:
        import openstack
    except ImportError:
        skip("python3-openstacksdk is not installed")
    return openstack.connect(compute_default_microversion="2.73", placement_default_microversion="1.19")


class Live:
    def __init__(self, cloud, service):
        self.cloud, self.service = cloud, service

    def placement(self, path):
        return self.cloud.placement.get(path, microversion="1.19").json()

    def hosts(self):
        return {host["name"]: host for host in self.service.call("GET", "/v1/hosts?limit=1000")["hosts"]}

    def vms(self):
        return {vm["id"]: vm for vm in self.service.vms()}

    def hosts_differ(self):
        """One line for each host that is not as OpenStack says."""
        ours, lines = self.hosts(), []
        services = {one.host: one for one in self.cloud.compute.services(binary="nova-compute")}
        hypervisors = list(self.cloud.compute.hypervisors(details=True))
        if sorted(ours) != sorted(one.service_details["host"] for one in hypervisors):
            return [f"hosts: {sorted(ours)}"]
        for one in hypervisors:
            name = one.service_details["host"]
            inventories = self.placement(f"/resource_providers/{one.id}/inventories")["inventories"]
            traits = self.placement(f"/resource_providers/{one.id}/traits")["traits"]
            aggregates = [each.name for each in self.cloud.compute.aggregates() if name in (each.hosts or [])]
            state = "down" if services[name].state == "down" or services[name].is_forced_down else services[name].status
            wanted = {"vcpus": inventories["VCPU"]["total"], "memory_mib": inventories["MEMORY_MB"]["total"],
                      "disk_gib": inventories["DISK_GB"]["total"], "zone": services[name].availability_zone, "state": state,
                      "cpu_allocation_ratio": inventories["VCPU"]["allocation_ratio"], "traits": sorted(traits),
                      "aggregates": sorted(aggregates)}
            found = {key: sorted(ours[name][key]) if isinstance(ours[name].get(key), list) else ours[name].get(key) for key in wanted}
            if found != wanted:
                lines.append(f"{name}: wanted {wanted}, found {found}")
        return lines

    def servers_differ(self):
        ours, lines = self.vms(), []
        theirs = {one.id: one for one in self.cloud.compute.servers(all_projects=True)}
        groups = {member: group.id for group in self.cloud.compute.server_groups(all_projects=True) for member in group.member_ids}
        if sorted(ours) != sorted(theirs):
            return [f"vms: wanted {sorted(theirs)}, found {sorted(ours)}"]
        for one in theirs.values():
            vm = ours[one.id]
            wanted = (one.name, one.compute_host, one.project_id, one.flavor["vcpus"], one.flavor["ram"], groups.get(one.id))
            found = (vm["name"], vm["host"], vm["project"], vm["vcpus"], vm["memory_mib"], vm.get("group"))
            if found != wanted:
                lines.append(f"vm {one.id}: wanted {wanted}, found {found}")
        return lines

    def agree(self, what):
        last = []

        def same():
            last[:] = self.hosts_differ() + self.servers_differ()
            return not last

        began = time.monotonic()
        try:
            self.service.wait_for(what, same, timeout=60)
        except AssertionError as error:
            raise AssertionError(f"{error}: {last}") from None
        print(f"ok {what}: {len(self.hosts())} hosts, {len(self.vms())} vms agree after {time.monotonic() - began:.1f} s", flush=True)

    def status_with(self, token):
        request = urllib.request.Request(self.service.url + "/v1/hosts", headers={"X-Auth-Token": token})
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code


def changes(live, made):
    compute = live.cloud.compute
    name = sorted(live.hosts())[0]
    made["aggregate"] = compute.create_aggregate(name=f"{MARK}-ssd")
    compute.set_aggregate_metadata(made["aggregate"], {"ssd": "true"})
    compute.add_host_to_aggregate(made["aggregate"], name)
    made["group"] = compute.create_server_group(name=f"{MARK}-apart", policy="anti-affinity", rules={"max_server_per_host": 1})
    image, flavor = live.cloud.image.find_image("tiny"), compute.find_flavor("m1.small")
    made["servers"] = [compute.create_server(name=f"{MARK}-{i}", image_id=image.id, flavor_id=flavor.id, networks="none",
                                             scheduler_hints={"group": made["group"].id}) for i in range(3)]
    for server in made["servers"]:
        compute.wait_for_server(server, wait=120)
    live.agree("new servers, a group and an aggregate")
    groups = {group["name"]: group for group in live.service.call("GET", "/v1/groups")["groups"]}
    assert groups[made["group"].id]["policy"] == "anti-affinity", groups
    aggregates = {one["name"]: one for one in live.service.call("GET", "/v1/aggregates")["aggregates"]}
    assert aggregates[f"{MARK}-ssd"]["metadata"]["ssd"] == "true", aggregates
    hosts = {live.vms()[server.id]["host"] for server in made["servers"]}
    assert len(hosts) == 3, hosts

    service = next(one for one in compute.services(binary="nova-compute") if one.host == name)
    made["disabled"] = service
    compute.disable_service(service, service.host, "nova-compute", disabled_reason=MARK)
    live.agree("a disabled service")
    compute.enable_service(service, service.host, "nova-compute")
    live.agree("an enabled service")
    gone = made["servers"].pop()
    compute.delete_server(gone)
    compute.wait_for_delete(gone, wait=120)
    live.agree("a deleted server")


def end_of(live, vm):
    """The line that ends the move of a vm that was asked for last."""
    lines = live.service.logged(f"event=migrated vm={vm}")
    return lines[-1] if lines else ""


def move(live, vm, host, moved):
    before = len(live.service.logged(f"event=migrated vm={vm}"))
    began = time.monotonic()
    answer = live.service.call("POST", f"/v1/vms/{vm}:migrate", {"host": host})
    assert answer["to"] == host, answer
    live.service.wait_for(f"the end of the move to {host}",
                          lambda: len(live.service.logged(f"event=migrated vm={vm}")) > before, timeout=120)
    assert f"moved={moved}" in end_of(live, vm), end_of(live, vm)
    held = [claim["id"] for claim in live.service.call("GET", "/v1/claims")["claims"]]
    assert answer["claim"] not in held, held
    return time.monotonic() - began


def moves(live, made):
    compute = live.cloud.compute
    server = compute.get_server(made["servers"][0].id)
    others = [name for name, host in sorted(live.hosts().items()) if name != server.compute_host and host["state"] == "enabled"]
    taken = {live.vms()[one.id]["host"] for one in made["servers"]}
    target = next(name for name in others if name not in taken)
    took = move(live, server.id, target, "true")
    assert compute.get_server(server.id).compute_host == target
    live.agree("a vm that moved")
    print(f"ok a move: Nova and Emplace agree, {took:.1f} s from the request to its end", flush=True)

    compute.stop_server(server)
    compute.wait_for_server(server, status="SHUTOFF", wait=60)
    other = next(name for name in others if name not in taken | {target})
    live.service.wait_for("the vm is stopped here, too", lambda: live.vms()[server.id]["state"] == "stopped")
    status, answer = live.service.ask("POST", f"/v1/vms/{server.id}:migrate", {"host": other})
    assert status == 409 and answer["code"] == "emplace.vm.not_running", answer
    assert compute.get_server(server.id).compute_host == target
    print("ok a refused move: " + answer["detail"], flush=True)


def move_that_fails(live, made):
    """To a host without a trait that the flavor asks for: Nova takes the request and finds out later."""
    compute, placement = live.cloud.compute, live.cloud.placement
    hypervisor = sorted(compute.hypervisors(details=True), key=lambda one: one.service_details["host"])[-1]
    name = hypervisor.service_details["host"]
    path = f"/resource_providers/{hypervisor.id}/traits"
    placement.put(f"/traits/{TRAIT}", microversion="1.19")
    made["trait"] = path
    now = placement.get(path, microversion="1.19").json()
    now["traits"].append(TRAIT)
    assert placement.put(path, json=now, microversion="1.19").ok
    made["flavor"] = compute.create_flavor(name=f"{MARK}-flavor", ram=64, vcpus=1, disk=1)
    compute.create_flavor_extra_specs(made["flavor"], {f"trait:{TRAIT}": "required"})
    server = compute.create_server(name=f"{MARK}-trait", image_id=live.cloud.image.find_image("tiny").id,
                                   flavor_id=made["flavor"].id, networks="none")
    made["servers"].append(server)
    compute.wait_for_server(server, wait=120)
    assert compute.get_server(server.id).compute_host == name
    live.agree("a vm that asks for a trait")
    move(live, server.id, sorted(live.hosts())[0], "false")
    line = end_of(live, server.id)
    assert "ended with error: No valid host" in line and f"it is on host {name} (active)" in line, line
    live.agree("a move that failed")
    print("ok a move that failed: " + line.split("why=")[1], flush=True)


def tokens(live, made):
    identity, cloud = live.cloud.identity, live.cloud
    project = identity.find_project(os.environ["OS_PROJECT_NAME"])
    made["user"] = identity.create_user(name=f"{MARK}-user", password="hunter2-live", default_project_id=project.id)
    role = identity.find_role("member") or identity.find_role("reader")
    identity.assign_project_role_to_user(project, made["user"], role)
    import openstack
    user = openstack.connect(username=f"{MARK}-user", password="hunter2-live")
    admins, users = cloud.auth_token, user.auth_token
    assert live.status_with(admins) == 200
    assert live.status_with(users) == 403
    assert live.status_with("gAAAAA-made-up") == 401
    identity.delete("/auth/tokens", headers={"X-Subject-Token": users})
    live.service.wait_for("a revoked token is noticed", lambda: live.status_with(users) == 401)
    print("ok tokens: admin 200, member 403, unknown 401, revoked 401")


def clean_up(cloud, made):
    compute = cloud.compute
    for server in made.get("servers", []):
        compute.delete_server(server, ignore_missing=True)
        compute.wait_for_delete(server, wait=120)
    if "flavor" in made:
        compute.delete_flavor(made["flavor"])
    if "trait" in made:
        now = cloud.placement.get(made["trait"], microversion="1.19").json()
        now["traits"] = [name for name in now["traits"] if name != TRAIT]
        cloud.placement.put(made["trait"], json=now, microversion="1.19")
        cloud.placement.delete(f"/traits/{TRAIT}", microversion="1.19")
    if "disabled" in made:
        compute.enable_service(made["disabled"], made["disabled"].host, "nova-compute")
    if "group" in made:
        compute.delete_server_group(made["group"])
    if "aggregate" in made:
        for host in compute.get_aggregate(made["aggregate"].id).hosts or []:
            compute.remove_host_from_aggregate(made["aggregate"], host)
        compute.delete_aggregate(made["aggregate"])
    if "user" in made:
        cloud.identity.delete_user(made["user"])


def main():
    build = os.path.abspath(sys.argv[1])
    cloud, made = connect(), {}
    with Service(build, config=CONFIG.format(**os.environ)) as service:
        live = Live(cloud, service)
        try:
            live.agree("the first sync")
            changes(live, made)
            moves(live, made)
            move_that_fails(live, made)
            tokens(live, made)
        finally:
            clean_up(cloud, made)
        live.agree("everything removed")
        for secret in ("hunter2-live", cloud.auth_token):
            assert not service.logged(secret), "a secret is in the log"
        assert not service.logged("openstack_odd"), service.logged("openstack_odd")


if __name__ == "__main__":
    main()
