"""The real emplaced against fake_cloud.py: its picture follows Nova and Placement, the brake holds, Keystone's users get in by
their roles, an operator is told what is wrong, and no secret is in the log.

usage: service_test.py BUILD_DIRECTORY [--away SECONDS] [SECTION...]    all sections, or these; Keystone and Placement stay away
                                                                        that long (0)
       service_test.py BUILD_DIRECTORY --figures [HOSTS SERVERS]        CPU seconds of the first and of later syncs
"""

import argparse
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "scenario")]

import fake_cloud  # noqa: E402
from service import Service  # noqa: E402

PASSWORD = "hunter2-of-the-service"
CONFIG = """
[openstack]
auth_url = "{url}/identity"
username = "emplace"
password = "{password}"
project = "demo"
region = "RegionOne"
sync_s = {sync_s}
timeout_s = 5
"""


class Clouds:
    """A fake cloud and an emplaced that reads it."""

    def __init__(self, build, hosts, servers, sync_s=1, away_s=0):
        self.away_s = away_s
        self.server = fake_cloud.serve(hosts, servers)
        self.cloud = fake_cloud.Handler.cloud
        self.cloud.password = PASSWORD
        url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.service = Service(build, config=CONFIG.format(url=url, password=PASSWORD, sync_s=sync_s))

    def set(self, **wanted):
        with self.cloud.lock:
            self.cloud.change(wanted)

    def stays_away(self):
        """The picture stays as it was, however long that is."""
        ends = time.monotonic() + self.away_s
        while True:
            assert self.ready()["ready"] and self.ready()["warnings"] and len(self.hosts()) == 10
            if time.monotonic() >= ends:
                return
            time.sleep(1)

    def ready(self):
        try:
            with urllib.request.urlopen(self.service.url + "/readyz", timeout=10) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            return json.load(error)

    def status_with(self, token, path="/v1/hosts"):
        request = urllib.request.Request(self.service.url + path, headers={"X-Auth-Token": token})
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code

    def warned(self, *words):
        """There is a warning with all of these words."""
        return any(all(word in one for word in words) for one in self.ready()["warnings"])

    def refusal_of(self, token):
        """What a user is told whose token is not taken."""
        request = urllib.request.Request(self.service.url + "/v1/hosts", headers={"X-Auth-Token": token})
        try:
            urllib.request.urlopen(request, timeout=20).close()
        except urllib.error.HTTPError as error:
            return json.load(error)["detail"]
        return None

    def hosts(self):
        return {host["name"]: host for host in self.service.call("GET", "/v1/hosts?limit=1000")["hosts"]}

    def vms(self):
        return {vm["name"]: vm for vm in self.service.vms()}

    def doctor(self):
        """What it found of each check, and which of them failed: exit code 6 where one did."""
        done = self.service.run("--json", "doctor")
        checks = json.loads(done.stdout)["checks"]
        failed = {check["check"] for check in checks if check["level"] == "fail"}
        assert done.returncode == (6 if failed else 0), done
        return {check["check"]: check["found"] for check in checks}, failed


def picture(clouds):
    clouds.service.wait_for("all vms", lambda: len(clouds.vms()) == 40)
    hosts, vms = clouds.hosts(), clouds.vms()
    assert sorted(hosts) == sorted(f"n{i}" for i in range(10)), hosts
    assert hosts["n4"]["source"] == "openstack" and hosts["n4"]["zone"] == "z0", hosts["n4"]
    assert hosts["n4"]["vcpus"] == 64 and hosts["n4"]["aggregates"] == ["ssd"], hosts["n4"]
    assert vms["vm-13"]["host"] == "n3" and vms["vm-13"]["project"] == "p3", vms["vm-13"]
    groups = clouds.service.call("GET", "/v1/groups")["groups"]
    assert [group["name"] for group in groups] == [fake_cloud.uuid(6, 1)] and groups[0]["max_per_host"] == 2, groups
    assert vms["vm-2"]["group"] == fake_cloud.uuid(6, 1)
    # The vms show a moment before the reading that brought them has ended.
    clouds.service.wait_for("the first picture", lambda: clouds.ready()["ready"])
    found, failed = clouds.doctor()
    assert not failed and {"brake", "clock", "disk", "token", "openstack.servers", "openstack.providers"} <= set(found), found
    assert found["hosts"] == "10 openstack" and found["openstack.servers"].startswith("last read "), found


def tokens(clouds):
    assert clouds.status_with("admin-token") == 200
    assert clouds.status_with("user-token") == 403
    assert "Keystone's roles in the token are member, the policy knows admin" in clouds.refusal_of("user-token")
    assert clouds.status_with("made-up") == 401
    assert clouds.status_with(clouds.service.token()) == 200
    clouds.set(fail={"/identity": 500})
    assert clouds.status_with("admin-token") == 200  # remembered
    assert clouds.status_with("another") == 503
    clouds.set(fail={})


def changes(clouds):
    clouds.set(delete=[3], boot=1, move={4: 9})
    clouds.service.wait_for("the changes", lambda: "vm-40" in clouds.vms() and "vm-3" not in clouds.vms())
    clouds.service.wait_for("the move", lambda: clouds.vms()["vm-4"]["host"] == "n9")


def claims(clouds):
    """A claim of Emplace's own ends when Nova shows the vm where it was claimed."""
    server = fake_cloud.server_id(len(clouds.cloud.servers))
    vm = {"id": server, "name": "claimed", "vcpus": 2, "memory_mib": 4096, "disk_gib": 20}
    answer = clouds.service.call("POST", "/v1/placements", {"vm": vm, "claim": True, "ttl_s": 3600})
    claim = answer["claim"]
    with clouds.cloud.lock:
        clouds.cloud.change({"boot": 1})
        clouds.cloud.change({"move": {len(clouds.cloud.servers) - 1: int(claim["host"][1:])}})

    def held():
        return [one["id"] for one in clouds.service.call("GET", "/v1/claims")["claims"]]

    clouds.service.wait_for("the claim's end", lambda: claim["id"] not in held())
    seen = [one for one in clouds.service.vms() if one["id"] == server]
    assert len(seen) == 1 and seen[0]["host"] == claim["host"] and seen[0]["source"] == "openstack", seen


def brake(clouds):
    clouds.set(hide_hosts=5)
    # Placement's answer may come first, which lacks them too.
    clouds.service.wait_for("the brake", lambda: "brake: OpenStack lists 5 of 10 hosts no more" in str(clouds.ready()["reasons"]))
    assert not clouds.ready()["ready"]
    assert len(clouds.hosts()) == 10
    found, failed = clouds.doctor()
    assert "brake" in failed and "database" not in failed and "5 of 10 hosts" in found["brake"], found
    clouds.set(hide_hosts=0)
    clouds.service.wait_for("the brake's end", lambda: clouds.ready()["ready"])
    assert len(clouds.service.logged("part=picture error=\"brake: OpenStack")) == 1


def placement_forgets(clouds):
    """Placement lists half of its providers no more: hosts keep their room and stay up."""
    clouds.set(hide_providers=5)
    clouds.service.wait_for("the brake", lambda: not clouds.ready()["ready"])
    reason = clouds.ready()["reasons"][0]
    assert "brake: Placement lists 5 of 10 hosts' inventories no more, over 20 %: the old picture is kept" in reason, reason
    assert {(host["state"], host["vcpus"]) for host in clouds.hosts().values()} == {("enabled", 64)}, clouds.hosts()
    clouds.set(hide_providers=0)
    clouds.service.wait_for("the brake's end", lambda: clouds.ready()["ready"])


def expired_tokens(clouds):
    """Emplace's own is replaced and nobody is told; a user's is refused."""
    logins = clouds.cloud.issued
    clouds.set(revoke=True, boot=1)
    clouds.service.wait_for("another login", lambda: clouds.cloud.issued > logins)
    clouds.service.wait_for("Nova's news all the same", lambda: f"vm-{len(clouds.cloud.servers) - 1}" in clouds.vms())
    assert not clouds.ready()["warnings"], clouds.ready()
    assert clouds.refusal_of("expired") == "Keystone knows no such token, or it has expired or was revoked"


def keystone_away(clouds):
    """Nothing is read, nothing is lost: the picture stays as it was, and it goes on by itself."""
    clouds.set(fail={"/identity": 503}, revoke=True)
    clouds.service.wait_for("a warning", lambda: clouds.warned("openstack.servers", "Keystone at", "answered 503 to the login of user emplace"))
    clouds.stays_away()
    warned = {warning.partition(":")[0] for warning in clouds.ready()["warnings"]}
    found, failed = clouds.doctor()
    assert warned <= failed and "answered 503" in found["openstack.servers"], (warned, found)
    assert clouds.service.logged("event=openstack_login error=\"Keystone at")
    clouds.set(fail={})
    clouds.service.wait_for("a login", lambda: not clouds.ready()["warnings"], timeout=120)


def placement_away(clouds):
    clouds.set(fail={"/placement": 503}, boot=1)
    clouds.service.wait_for("a warning", lambda: any("placement" in one and "answered 503" in one for one in clouds.ready()["warnings"]))
    newest = f"vm-{len(clouds.cloud.servers) - 1}"
    clouds.service.wait_for("Nova's news all the same", lambda: newest in clouds.vms())
    clouds.stays_away()
    page = urllib.request.Request(clouds.service.url + "/metrics", headers={"X-Auth-Token": clouds.service.token()})
    with urllib.request.urlopen(page, timeout=10) as answer:
        metrics = answer.read().decode()
    assert 'emplace_source_good{source="openstack.providers"} 0' in metrics
    assert 'emplace_source_good{source="openstack.servers"} 1' in metrics
    assert 'emplace_source_age_seconds{source="openstack.providers"}' in metrics
    clouds.set(fail={})
    clouds.service.wait_for("Placement again", lambda: not clouds.ready()["warnings"])


def destinations(clouds):
    """Nova's own verb names hosts as Nova does; what it reserved ends when Nova shows the vm there."""
    number = len(clouds.cloud.servers)
    flavor = {"vcpus": 2, "memory_mb": 4096, "root_gb": 20}
    spec = {"nova_object.data": {"instance_uuid": fake_cloud.server_id(number), "flavor": {"nova_object.data": flavor}}}
    before = {name: host["used"]["vcpus"] for name, host in clouds.hosts().items()}
    first, *alternates = clouds.service.call("POST", "/v1/select_destinations", {"request_spec": spec})["selections"][0]
    name = first["host"]
    index = int(name[1:])
    assert len(alternates) == 2 and name not in [one["host"] for one in alternates], alternates
    named = {"host": name, "service_host": name, "nodename": name, "compute_node_uuid": fake_cloud.uuid(1, index),
             "availability_zone": f"z{index % 2}", "limits": {}}
    assert first == named, first
    assert clouds.hosts()[name]["used"]["vcpus"] == before[name] + 2
    with clouds.cloud.lock:
        clouds.cloud.change({"boot": 1})
        clouds.cloud.change({"move": {number: index}})
    clouds.service.wait_for("the vm", lambda: clouds.vms().get(f"vm-{number}", {}).get("host") == name)
    # The reservation ends right after the vm is there, so that no one ever finds its room free.
    clouds.service.wait_for("it counts once", lambda: clouds.hosts()[name]["used"]["vcpus"] == before[name] + 2,
                            timeout=20)  # well before its time is up


def candidates(clouds):
    """Placement is asked which hosts have room for a request with groups of its own, and only for such a one."""
    def ask(extra_specs):
        flavor = {"vcpus": 1, "memory_mb": 512, "root_gb": 1, "extra_specs": extra_specs}
        spec = {"nova_object.data": {"flavor": {"nova_object.data": flavor}}}
        return clouds.service.call("POST", "/v1/select_destinations", {"request_spec": spec, "reserve": False, "alternates": 9})

    granular = {"resources1:VCPU": "1", "trait1:CUSTOM_NET": "required"}
    with clouds.cloud.lock:
        clouds.cloud.change({"candidates": [3, 5]})
    asked = len(clouds.cloud.queries)
    plain = ask({})
    assert len(clouds.cloud.queries) == asked and len(plain["selections"][0]) == 10, plain
    answer = ask(granular)
    assert {one["host"] for one in answer["selections"][0]} == {"n3", "n5"}, answer["selections"]
    query = clouds.cloud.queries[-1]
    assert query["resources1"] == ["VCPU:1"] and query["required1"] == ["CUSTOM_NET"] and query["resources"] == ["DISK_GB:1,MEMORY_MB:512"], query
    assert not answer["not_considered"] and not answer["degraded"], answer
    assert answer["decision"]["refused"]["by_filter"] == {"capacity": 8}, answer["decision"]

    clouds.set(fail={"/placement/allocation_candidates": 503})
    answer = ask(granular)
    assert answer["degraded"][0]["plugin"] == "openstack" and "did not say" in answer["degraded"][0]["why"], answer["degraded"]
    assert "request_spec.flavor.extra_specs.trait1:CUSTOM_NET" in answer["not_considered"], answer["not_considered"]
    clouds.set(fail={"/placement/allocation_candidates": 400})
    answer = ask(granular)
    assert answer["selections"] == [] and "Placement has no allocation candidates" in answer["degraded"][0]["why"], answer
    clouds.set(fail={}, candidates=None)


def wrong_password(clouds):
    clouds.set(password="another", revoke=True)
    clouds.service.wait_for("a warning", lambda: clouds.warned(
        "refused user emplace: wrong name, password or secret, or no role in the project (see [openstack])"))
    assert len(clouds.hosts()) == 10
    clouds.set(password=PASSWORD)
    clouds.service.wait_for("a login", lambda: not clouds.ready()["warnings"], timeout=120)


def restart_with_a_hanging_cloud(clouds):
    clouds.set(hang=["/"])
    clouds.service.stop()
    clouds.service.start()
    assert len(clouds.hosts()) == 10
    assert any("openstack.servers: last read never" in one for one in clouds.ready()["warnings"]), clouds.ready()
    assert clouds.status_with("made-up") in (503, 504)


def old_picture(clouds):
    """After a restart the picture of before is used, and marked as old until the cloud was read again."""
    vm = {"name": "late", "vcpus": 1, "memory_mib": 1, "disk_gib": 0}
    placed = clouds.service.call("POST", "/v1/placements", {"vm": vm})
    assert placed["stale"] is True and placed["age_s"] > 0 and placed["ranking"], placed
    selected = clouds.service.call("POST", *questions()[1])
    assert selected["decision"]["stale"] is True and selected["selections"], selected
    judged = clouds.service.call("POST", "/v1/filter", {"vm": vm, "hosts": ["n1"]})
    assert judged["stale"] is True and judged["passed"] == ["n1"], judged
    assert clouds.ready()["ready"] is True, clouds.ready()
    clouds.set(hang=[])
    clouds.service.stop()
    clouds.service.start()
    clouds.service.wait_for("a new picture", lambda: clouds.service.call("POST", "/v1/placements", {"vm": vm})["stale"] is False)


def no_secret(clouds):
    with open(clouds.service.log, encoding="utf-8", errors="replace") as file:
        log = file.read()
    for secret in (PASSWORD, "our-token", "admin-token", "user-token", clouds.service.token()):
        assert secret not in log, secret


def configuration(clouds):
    """What is wrong in [openstack] is named, and a secret is not shown."""
    login = 'username = "a"\nproject = "p"\n'
    wrong = {'auth_url = "ftp://k"\n' + login: "openstack.auth_url: wanted http:// or https://",
             'auth_url = "http://u:p4ss@k"\n' + login: "openstack.auth_url: wanted http:// or https://",
             login: "openstack.auth_url: wanted a value, found none",
             'auth_url = "http://k"\n' + login: "openstack.password: wanted a value, found none",
             'auth_url = "http://k"\npassword = 7744\n' + login: "openstack.password: wanted a string, found something else",
             'auth_url = "http://k"\napplication_credential_id = "x"\n': "openstack.application_credential_secret: wanted a value",
             'auth_url = "http://k"\npassword_file = "/nonexistent"\n' + login: "openstack.password_file: wanted a file with a secret"}
    wrong['auth_url = "http://k/v2.0/"\npassword = "p"\n' + login] = "openstack.auth_url: wanted Keystone's v3"
    wrong['proxy = "p4ss:1"\nauth_url = "http://k"\npassword = "p"\n' + login] = "openstack.proxy: wanted http://HOST:PORT or socks5://HOST:PORT"
    wrong['cloud = "x"\nregion = "y"\n'] = "openstack.region: wanted nothing beside cloud"
    path = os.path.join(clouds.service.data, "wrong.toml")
    for text, message in wrong.items():
        with open(path, "w", encoding="utf-8") as file:
            file.write("[openstack]\n" + text)
        program = os.path.join(clouds.service.build, "bin/emplaced")
        done = subprocess.run([program, "--check-config", "--config", path], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 2 and message in done.stderr, (text, done)
        assert "p4ss" not in done.stderr and "7744" not in done.stderr, done.stderr


def clouds_yaml(clouds):
    """[openstack] cloud: the same picture by a clouds.yaml and its secure.yaml; an unknown name gets those that there are."""
    folder = os.path.join(clouds.service.data, "clouds")
    os.mkdir(folder)
    with open(os.path.join(folder, "clouds.yaml"), "w", encoding="utf-8") as file:
        json.dump({"clouds": {"lab": {"auth": {"auth_url": f"http://127.0.0.1:{clouds.server.server_address[1]}/identity",
                                               "username": "emplace", "project_name": "demo"}, "region_name": "RegionOne"}}}, file)
    with open(os.path.join(folder, "secure.yaml"), "w", encoding="utf-8") as file:
        json.dump({"clouds": {"lab": {"auth": {"password": PASSWORD}}}}, file)
    places = {"OS_CLIENT_CONFIG_FILE": os.path.join(folder, "clouds.yaml"), "OS_CLIENT_SECURE_FILE": os.path.join(folder, "secure.yaml")}
    other = Service(clouds.service.build, config='[openstack]\ncloud = "lab"\nsync_s = 1\n')
    other.start(**places)
    with other:
        other.wait_for("all vms", lambda: len(other.vms()) == len(clouds.cloud.servers) - 1)
        assert not other.logged(PASSWORD)
    lab = os.path.join(clouds.service.data, "lab.toml")
    with open(lab, "w", encoding="utf-8") as file:
        file.write('[openstack]\ncloud = "lab"\n')
    with open(os.path.join(folder, "secure.yaml"), "w", encoding="utf-8") as file:
        json.dump({"clouds": {"lab": {"auth": {"password": PASSWORD}, "regoin_name": "x", "image_format": "raw"}}}, file)
    done = subprocess.run([os.path.join(clouds.service.build, "bin/emplaced"), "--check-config", "--config", lab],
                          capture_output=True, text=True, timeout=60, check=False, env={**os.environ, **places})
    about = f"{folder}/clouds.yaml: clouds.lab"
    assert done.returncode == 0 and done.stderr == (
        f"warning: {about}.regoin_name: is not read: it is no key that OpenStack's clients know\n"
        f"note: {about}: image_format is not about what Emplace reads\n"), done
    unknown = os.path.join(clouds.service.data, "unknown.toml")
    with open(unknown, "w", encoding="utf-8") as file:
        file.write('[openstack]\ncloud = "mars"\n')
    done = subprocess.run([os.path.join(clouds.service.build, "bin/emplaced"), "--check-config", "--config", unknown],
                          capture_output=True, text=True, timeout=60, check=False, env={**os.environ, **places})
    assert done.returncode == 2 and f"wanted one of the clouds of {folder}/clouds.yaml (lab), found \"mars\"" in done.stderr, done


# ---- what was never read


def questions():
    vm = {"vcpus": 64, "memory_mib": 1024, "disk_gib": 0}
    flavor = {"vcpus": 64, "memory_mb": 1024, "root_gb": 0}
    spec = {"nova_object.data": {"instance_uuid": fake_cloud.server_id(900), "flavor": {"nova_object.data": flavor}}}
    return (("/v1/placements", {"vm": {"name": "a", **vm}}), ("/v1/select_destinations", {"request_spec": spec}),
            ("/v1/select_destinations", {"request_spec": spec, "hosts": ["n1"]}),
            ("/v1/filter", {"vm": {"name": "a", **vm}, "hosts": ["n1"]}),
            ("/v1/filter", {"vm": {"name": "a", **vm}, "hosts": ["n1"], "unknown_hosts": "pass"}),
            ("/compat/nova/external", {"spec": spec, "hosts": [{"host": "n1"}]}))


def is_not_empty(clouds, table):
    """One of the tables that hosts are made of was never read: there is no answer, and who asks is told of the table."""
    status, ready = clouds.service.ask("GET", "/readyz")
    assert status == 503 and any(f"openstack.{table}: last read never" in one for one in ready["reasons"]), (table, ready)
    for path, body in questions():
        status, answer = clouds.service.ask("POST", path, body)
        assert status == 503 and answer["code"] == "emplace.cloud.unread" and f"openstack.{table}" in answer["detail"], (path, answer)
    found, failed = clouds.doctor()
    assert f"openstack.{table}" in failed and found["hosts"] == "none" and "database" not in failed, found
    assert not clouds.hosts() and not clouds.vms()


def other_hosts(clouds, table):
    """Hosts of other sources go on being placed on; each answer names the cloud."""
    clouds.service.call("POST", "/v1/inventory:import", {"hosts": [{"name": "own", "vcpus": 128, "memory_mib": 65536, "disk_gib": 100}]})
    placed, selected = (clouds.service.call("POST", *question) for question in questions()[:2])
    assert placed["ranking"][0]["host"] == "own" and selected["selections"][0][0]["host"] == "own", (placed, selected)
    for answer in (placed, selected):
        assert any(one["plugin"] == "openstack" and f"openstack.{table}" in one["why"] for one in answer["degraded"]), answer
    vm = questions()[0][1]["vm"]
    assert clouds.service.call("POST", "/v1/filter", {"vm": vm, "hosts": ["own"]})["degraded"] == []
    assert clouds.service.ask("POST", "/v1/placements", {"vm": {**vm, "only_hosts": ["n1"]}})[0] == 503


# The table that is missing, what the cloud does, and what it is told by.
NEVER = (("servers", {"fail": {"/compute/v2.1/servers": 500}}, "500"), ("providers", {"fail": {"/placement": 403}}, "403"),
         ("hypervisors", {"fail": {"/compute/v2.1/os-hypervisors": 403}}, "403"),
         ("servers", {"hang": ["/compute/v2.1/servers"]}, "no whole answer within"),
         ("servers", {"hang": ["/identity"]}, "no whole answer within"), ("servers", {"fail": {"/identity": 503}}, "503"))


def never_read(build):
    for table, fault, word in NEVER:
        clouds = Clouds(build, 4, 8)
        clouds.set(**fault)
        with clouds.service as service:
            service.wait_for(f"a reason that names {table}",
                             lambda: any(f"openstack.{table}" in one and word in one for one in clouds.ready()["reasons"]))
            is_not_empty(clouds, table)
            if word == "503":
                other_hosts(clouds, table)
            clouds.set(fail={}, hang=[])
            service.wait_for("hosts and vms", lambda: clouds.ready()["ready"], timeout=180)
            seen = [name for name in clouds.vms() if name.startswith("vm-")]  # besides what other_hosts() reserved
            assert len(seen) == 8 and len([one for one in clouds.hosts() if one != "own"]) == 4
        print(f"ok never_read {fault}", flush=True)


def first_picture(build):
    """Hosts are there with all their vms or not at all: from the first answer on what has no room has none."""
    clouds = Clouds(build, 100, 4000)
    vm = {"name": "a", "vcpus": 1, "memory_mib": 1, "disk_gib": 1500}  # fits every host as long as it is empty
    answers = set()

    def answered():
        status, answer = clouds.service.ask("POST", "/v1/placements", {"vm": vm})
        answers.add((status, answer["code"] if status == 503 else bool(answer["ranking"])))
        named_status, named = clouds.service.ask("POST", "/v1/filter", {"vm": vm, "hosts": ["n1"], "unknown_hosts": "pass"})
        answers.add((named_status, named["code"] if named_status == 503 else bool(named["passed"])))
        return clouds.ready()["ready"]

    with clouds.service as service:
        service.wait_for("hosts and vms", answered, timeout=180)
        answered()
    assert answers == {(503, "emplace.cloud.unread"), (200, False)}, answers


def forbidden_groups(build):
    """The rules that need server groups do without them, and say so."""
    clouds = Clouds(build, 4, 8)
    clouds.set(fail={"/compute/v2.1/os-server-groups": 403})
    with clouds.service as service:
        service.wait_for("hosts and vms", lambda: clouds.ready()["ready"] and len(clouds.vms()) == 8)
        assert clouds.warned("openstack.groups", "os-server-groups"), clouds.ready()
        vm = {"name": "a", "vcpus": 1, "memory_mib": 1, "disk_gib": 0, "group": fake_cloud.uuid(6, 1)}
        placed = service.call("POST", "/v1/placements", {"vm": vm})
        assert placed["ranking"] and any(one["plugin"] == "group" for one in placed["degraded"]), placed
        assert "vm.group" in placed["not_considered"], placed
        assert {host["used"]["vcpus"] for host in clouds.hosts().values()} == {4}, clouds.hosts()


def odd_group(number, policy, members):
    return {"id": fake_cloud.uuid(6, number), "name": "odd", "policy": policy, "rules": {}, "metadata": {}, "project_id": "p1",
            "user_id": "u1", "members": [fake_cloud.server_id(i) for i in members]}


def odd_groups_later(build):
    """Groups that nobody understands come up while it runs, and it starts again on what it had: they alone are missing."""
    clouds = Clouds(build, 4, 8)
    with clouds.service as service:
        service.wait_for("hosts and vms", lambda: clouds.ready()["ready"] and len(clouds.vms()) == 8)
        clouds.set(extra={"server_groups": [odd_group(7, None, [4]), odd_group(8, "legacy", [5]), odd_group(9, "close-to-the-lift", [6]),
                                            odd_group(10, "anti-affinity", [7])]}, boot=1)
        service.wait_for("the good one among them", lambda: clouds.vms()["vm-7"]["group"] == fake_cloud.uuid(6, 10))
        for fresh in (False, True):
            if fresh:
                service.stop()
                clouds.set(boot=2)
                service.start()
            service.wait_for("Nova's news", lambda: len(clouds.vms()) == len(clouds.cloud.servers))
            service.wait_for("a new picture", lambda: not clouds.ready()["warnings"])
            groups = {group["name"] for group in service.call("GET", "/v1/groups")["groups"]}
            assert groups == {fake_cloud.uuid(6, 1), fake_cloud.uuid(6, 10)}, groups
            assert [clouds.vms()[f"vm-{i}"]["group"] for i in range(4, 8)] == [None, None, None, fake_cloud.uuid(6, 10)], clouds.vms()
            placed = service.call("POST", "/v1/placements", {"vm": {"name": "a", "vcpus": 1, "memory_mib": 1, "disk_gib": 0}})
            assert placed["stale"] is False and placed["degraded"] == [], placed
            odd = service.logged("event=openstack_odd")
            assert all(any(word in line for line in odd) for word in ("found none, in " + fake_cloud.uuid(6, 7), "legacy", "close-to-the-lift"))


# What a RequestSpec asks for, and the filter of Nova's that cannot tell from what Nova's APIs say.
UNREAD = (({"image": {"nova_object.data": {"properties": {"nova_object.data": {"hw_architecture": "x86_64", "img_hv_type": "kvm",
                                                                               "hw_vm_mode": "hvm"}}}}}, "ImagePropertiesFilter"),
          ({"numa_topology": {"nova_object.data": {"cells": [{"nova_object.data": {
              "id": 0, "cpuset": [0, 1], "pcpuset": [], "memory": 1024, "cpu_policy": None}}]}}}, "NUMATopologyFilter"),
          ({"pci_requests": {"nova_object.data": {"requests": [{"nova_object.data": {
              "count": 1, "spec": [{"vendor_id": "8086"}]}}]}}}, "PciPassthroughFilter"))


def unread_attributes(build):
    """What Nova's APIs do not tell of a host refuses none: the rule is left out, and the answer says so."""
    clouds = Clouds(build, 4, 8)
    with clouds.service as service:
        service.wait_for("hosts and vms", lambda: clouds.ready()["ready"] and len(clouds.vms()) == 8)
        filters = ["ComputeFilter", "ComputeCapabilitiesFilter", *(filter for _, filter in UNREAD)]
        service.call("PUT", "/v1/profiles/nova", {"method": "nova", "filters": filters, "weighers": [{"id": "RAMWeigher"}]})
        names = [f"n{i}" for i in range(4)]
        flavor = {"nova_object.data": {"vcpus": 2, "memory_mb": 1024, "root_gb": 1}}
        for wish, rule in UNREAD:
            spec = {"nova_object.data": {"instance_uuid": fake_cloud.server_id(900), "flavor": flavor, **wish}}
            selected = service.call("POST", "/v1/select_destinations", {"request_spec": spec, "profile": "nova", "reserve": False})
            assert selected["selections"] and [one["plugin"] for one in selected["degraded"]] == [rule], (rule, selected)
            judged = service.call("POST", "/v1/filter", {"request_spec": spec, "hosts": names, "profile": "nova"})
            assert judged["passed"] == names and [one["plugin"] for one in judged["degraded"]] == [rule], (rule, judged)
            body = {"spec": spec, "hosts": [{"host": name, "hypervisor_hostname": name} for name in names], "pipeline": "nova"}
            assert sorted(service.call("POST", "/compat/nova/external", body)["hosts"]) == names, rule


def renamed_host(build):
    """A host was renamed, and its old node is still listed: it is found by its name, and what is left over is told."""
    clouds = Clouds(build, 4, 8)
    old = {"id": fake_cloud.uuid(1, 99), "hypervisor_hostname": "n1.old", "hypervisor_type": "QEMU", "hypervisor_version": 1,
           "host_ip": "10.0.0.1", "state": "up", "status": "enabled", "service": {"host": "n1", "id": "s", "disabled_reason": None}}
    clouds.set(extra={"hypervisors": [old]})
    with clouds.service as service:
        service.wait_for("hosts and vms", lambda: clouds.ready()["ready"] and len(clouds.vms()) == 8)
        hosts = clouds.hosts()
        assert sorted(hosts) == ["n0", "n1", "n1/n1.old", "n2", "n3"] and hosts["n1/n1.old"]["state"] == "down", hosts
        assert (hosts["n1"]["state"], hosts["n1"]["vm_count"]) == ("enabled", 2), hosts["n1"]
        assert clouds.warned("host n1/n1.old: leftover_node: node n1.old of n1"), clouds.ready()
        assert service.logged("leftover_node"), "no line of the log"
        found, failed = clouds.doctor()
        assert "leftover_node" in failed and "n1.old" in found["leftover_node"], found
        flavor = {"nova_object.data": {"vcpus": 2, "memory_mb": 1024, "root_gb": 1}}
        spec = {"nova_object.data": {"instance_uuid": fake_cloud.server_id(900), "flavor": flavor}}
        full = {"nova_object.data": {"instance_uuid": fake_cloud.server_id(900),
                                     "flavor": {"nova_object.data": {"vcpus": 2, "memory_mb": 1024, "root_gb": 1_000_000}}}}
        for asked, passed in ((spec, ["n1"]), (full, [])):
            judged = service.call("POST", "/v1/filter", {"request_spec": asked, "hosts": ["n1"], "unknown_hosts": "pass"})
            assert judged["passed"] == passed and judged["degraded"] == [], judged
            for node in ("n1", "n1.example.com"):
                body = {"spec": asked, "hosts": [{"host": "n1", "hypervisor_hostname": node}]}
                assert service.call("POST", "/compat/nova/external", body)["hosts"] == passed, (node, passed)
        vm = f"/v1/vms/{fake_cloud.server_id(0)}:migrate"
        status, refused = service.ask("POST", vm, {"host": "n1/n1.old"})
        assert status == 409 and "several nodes" in refused["detail"], refused
        status, moving = service.ask("POST", f"/v1/vms/{fake_cloud.server_id(1)}:migrate", {"host": "n2"})
        assert status == 202 and moving["from"] == "n1", moving
        service.wait_for("the move", lambda: clouds.vms()["vm-1"]["host"] == "n2")


# ---- figures


def cpu_s(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def quiet_clouds(build, hosts, servers, sync_s):
    clouds = Clouds(build, hosts, servers, sync_s=sync_s)
    for server in clouds.cloud.servers.values():
        server["updated"] -= 3600  # else all of them have changed within the overlap of two readings
    return clouds


def wait_for_all(clouds):
    # Tables are handed over as they come: it is over when the service says that it knows the cloud.
    clouds.service.wait_for("the first sync", lambda: clouds.ready()["ready"], timeout=1800)


def figures(build, hosts, servers):
    # At a slow pace: at a fast one the tables that are read already are read again while the others are waited for.
    clouds = quiet_clouds(build, hosts, servers, sync_s=60)
    with clouds.service as service:
        began = time.monotonic()
        wait_for_all(clouds)
        took, first = time.monotonic() - began, cpu_s(service.process.pid)
        print(f"{hosts} hosts, {servers} vms: first sync {took:.1f} s, {first:.2f} s of CPU since the start of emplaced")
        with open(f"/proc/{service.process.pid}/status", encoding="ascii") as file:
            print(next(line.strip() for line in file if line.startswith("VmHWM")))
    clouds = quiet_clouds(build, hosts, servers, sync_s=5)
    with clouds.service as service:
        wait_for_all(clouds)
        counts = clouds.cloud.counts
        rounds, key = 6, "GET /compute/v2.1/os-aggregates"
        time.sleep(1)
        before, at = cpu_s(service.process.pid), counts[key]
        service.wait_for("later syncs", lambda: counts[key] >= at + rounds, timeout=600)
        print(f"later syncs without changes: {(cpu_s(service.process.pid) - before) / rounds:.3f} s of CPU each")
        before, at = cpu_s(service.process.pid), counts[key]
        taken = len(service.logged("event=openstack_taken"))
        clouds.set(boot=100, delete=list(range(100)))
        service.wait_for("the changes", lambda: len(service.logged("event=openstack_taken")) > taken, timeout=600)
        print(f"a sync with 200 changes: {cpu_s(service.process.pid) - before:.3f} s of CPU")


# In this order on one cloud; what comes after the first may be left out.
STEPS = (picture, tokens, changes, claims, brake, placement_forgets, placement_away, expired_tokens, keystone_away, destinations, candidates,
         wrong_password, restart_with_a_hanging_cloud, old_picture, no_secret, configuration, clouds_yaml)
# Each on clouds of its own.
ALONE = (never_read, first_picture, forbidden_groups, odd_groups_later, unread_attributes, renamed_host)


def main():
    if "--figures" in sys.argv:
        return figures(os.path.abspath(sys.argv[1]), *([int(text) for text in sys.argv[3:5]] or (1000, 15000)))
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=os.path.abspath)
    parser.add_argument("--away", type=float, default=0)
    parser.add_argument("sections", nargs="*", choices=[*(one.__name__ for one in STEPS + ALONE), []])
    chosen = parser.parse_args()
    steps, alone = ([one for one in all_of if not chosen.sections or one.__name__ in chosen.sections] for all_of in (STEPS, ALONE))
    if steps:
        clouds = Clouds(chosen.build, 10, 40, away_s=chosen.away)
        with clouds.service:
            for step in dict.fromkeys([picture, *steps]):
                step(clouds)
                print(f"ok {step.__name__}", flush=True)
    for one in alone:
        one(chosen.build)
        print(f"ok {one.__name__}", flush=True)


if __name__ == "__main__":
    main()
