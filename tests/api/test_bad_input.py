"""Bad input gets a 400 that names the field, and changes nothing."""

import json
import re
import unittest

import service
from service import hosts, vm

ID = "5b0c9f1e-6a34-4b7e-9b8e-111111111111"


def placement(**fields):
    return json.dumps({"vm": vm(**fields), "claim": True})


def bodies():
    """What it is, the path, the body, and what the detail must say."""
    place, imports, groups = "/v1/placements", "/v1/inventory:import", "/v1/groups/g"
    big = 64 * 1024
    yield "nothing", place, "", "wanted JSON, found nothing"
    yield "no JSON", place, "{", "line 1"
    yield "a million brackets", place, "[" * 1_000_000, "at most 64 deep"
    yield "a million objects", place, '{"a":' * 1_000_000, "at most 64 deep"
    yield "brackets inside a field", place, '{"vm":' + "[" * 1_000_000, "at most 64 deep"
    yield "two keys", place, '{"vm":{"name":"a","name":"b","vcpus":1,"memory_mib":1}}', r"^vm\.name: wanted each field once"
    yield "two keys that differ in escapes", place, '{"vm":{"vcpus":1,"vcpu\\u0073":2,"memory_mib":1}}', r"^vm\.vcpus: .*twice"
    yield "NaN", place, '{"vm":{"name":"a","vcpus":NaN,"memory_mib":1}}', "line 1, column"
    yield "Infinity", place, '{"vm":{"name":"a","vcpus":-Infinity,"memory_mib":1}}', "line 1, column"
    yield "a number beyond doubles", place, '{"vm":{"name":"a","vcpus":1e999,"memory_mib":1}}', "line 1"
    yield "bytes that are no UTF-8", place, b'{"vm":{"name":"\xff\xfe","vcpus":1,"memory_mib":1}}', "line 1"
    yield "half a surrogate pair", place, '{"vm":{"name":"\\ud800","vcpus":1,"memory_mib":1}}', "line 1"
    yield "a NUL byte", place, b'{"vm":{"name":"a","vcpus":1,"memory_mib":1}}\0', "NUL"
    yield "a list", place, "[]", "^body: wanted an object, found a list"
    yield "a text for a number", place, placement(vcpus="x"), r'^vm\.vcpus: wanted a whole number from 0 to 2147483648, found "x"'
    yield "a number for a text", place, placement(name=7), r"^vm\.name: wanted a name .*, found 7"
    yield "a text for a list", place, placement(traits="SSD"), r'^vm\.traits: wanted a list, found "SSD"'
    yield "a list for an object", place, placement(parameters=[]), r"^vm\.parameters: wanted an object of texts, found a list"
    yield "null for an amount", place, placement(vcpus=None), r"^vm\.vcpus: wanted"
    yield "a fraction", place, placement(vcpus=1.5), r"^vm\.vcpus: wanted a whole number .*, found 1\.5"
    yield "an unknown field of a vm", place, placement(colour="red"), r'^vm\.colour: wanted no such field, found "red"'
    yield "an unknown option", place, json.dumps({"vm": vm(), "hurry": True}), "^hurry: wanted no such field, found true"
    yield "a negative size", place, placement(memory_mib=-1), r"^vm\.memory_mib: .*, found -1"
    yield "an absurd size", place, placement(disk_gib=10**18), rf"^vm\.disk_gib: .*, found {10**18}"
    yield "an absurd count", place, json.dumps({"vm": vm(), "count": 10**9}), "^count: wanted a whole number from 1 to 1000"
    yield "a name with NUL", place, placement(name="a\0b"), r"^vm\.name: wanted a name .*, found \"a\\u0000b\""
    yield "a name of 64 KiB", place, placement(name="x" * big), rf"^vm\.name: wanted a name .*, found {big} characters"
    yield "a parameter of 1 MiB", place, placement(parameters={"p": "x" * 2**20}), r"^vm\.parameters\.p: wanted a text of at most"
    yield "an unknown group", place, placement(group="g9"), r'^vm\.group: wanted the name of a group, found "g9"'
    yield "an unknown host", place, placement(only_hosts=["h9"]), r'hosts.*: wanted the name of a host, found "h9"'
    yield "an unknown profile", place, json.dumps({"vm": vm(), "profile": "p9"}), "^profile: wanted one of"
    yield "no request", place, "{}", "^vm: wanted exactly one of vm and request_spec, found none"
    yield "two requests", place, json.dumps({"vm": vm(), "request_spec": {}}), "^vm: wanted exactly one .*, found both"
    yield "no vcpus", place, json.dumps({"vm": {"name": "a", "memory_mib": 1}}), r"^vm\.vcpus: wanted a value, found none"
    yield "no name for a claim", place, json.dumps({"vm": {"vcpus": 1, "memory_mib": 1}, "claim": True}), r"^vm\.name: "
    yield "a blank name", place, placement(name="  "), "^vm\\.name: wanted a name that is not blank, found 2 blanks"
    for field, wrong, most in (("count", 0, "1000"), ("count", -1, "1000"), ("count", 1.5, "1000"), ("ttl_s", 0, "86400"),
                               ("ttl_s", -5, "86400"), ("ttl_s", 0.5, "86400"), ("deadline_ms", -1, "600000"), ("deadline_ms", 1.5, "600000")):
        yield f"{field} {wrong}", place, json.dumps({"vm": vm(), field: wrong}), f"^{field}: wanted a whole number from .* to {most}, found {wrong}$"
    yield "a unique name without a claim", place, json.dumps({"vm": vm(), "unique_name": True}), "^unique_name: wanted false without claim"
    yield "a dry run that claims", place, json.dumps({"vm": vm(), "claim": True, "dry_run": True}), "^dry_run: "
    yield "a spec that is none", place, json.dumps({"request_spec": {"vcpus": 1}}), "^request_spec: wanted a RequestSpec primitive"
    yield "a what-if of an unknown kind", place, json.dumps({"vm": vm(), "what_if": [{"kind": "moon"}]}), r"^what_if\[0\]\.kind: "
    host = {"name": "h1", "vcpus": 4, "memory_mib": 8}
    yield "an import that is a list", imports, "[]", "^body: wanted an object"
    yield "a host without a name", imports, json.dumps({"hosts": [{"vcpus": 1}]}), r"^hosts\[0\]\.name: wanted a value"
    yield "a host twice", imports, json.dumps({"hosts": [host, host]}), r"^hosts\[1\]\.name: .*twice"
    yield "a host of negative size", imports, json.dumps({"hosts": [{**host, "disk_gib": -5}]}), r"^hosts\[0\]\.disk_gib: "
    yield "a host's name with NUL", imports, json.dumps({"hosts": [{**host, "name": "h\0"}]}), r"^hosts\[0\]\.name: "
    yield "cells that don't sum", imports, json.dumps({"hosts": [{**host, "numa": [{"vcpus": 1, "memory_mib": 8}]}]}), r"^hosts\[0\]\.numa: "
    yield "a vm on an unknown host", imports, json.dumps({"vms": [vm(host="h9")]}), "h9"
    yield "a vm of an unknown group", imports, json.dumps({"vms": [vm(host="h0", group="g9")]}), "g9"
    yield "hashes that are no base64", imports, json.dumps(
        {"page_samples": [{"vm": "v", "pages": 1, "zero_pages": 0, "distinct_pages": 1, "rate": 1, "hashes": "!!!!"}]}
    ), r"^page_samples\[0\]\.hashes: wanted base64"
    yield "an unknown list", imports, json.dumps({"moons": []}), "^moons: wanted no such field"
    yield "an unknown policy", groups, json.dumps({"policy": "love"}), "^policy: wanted one of"
    yield "a claim on an unknown host", "/v1/claims", json.dumps({"vm": vm(), "host": "h9"}), "^host: wanted the name of a host"
    yield "a claim of no time", "/v1/claims", json.dumps({"vm": vm(), "host": "h0", "ttl_s": 0}), "^ttl_s: "
    yield "a profile of unknown rules", "/v1/profiles/p", json.dumps({"filters": ["telepathy"]}), "telepathy"
    yield "states that are no list", "/v1/filter", json.dumps({"vm": vm(), "host_states": {}}), "^host_states: wanted a list"
    yield "options that are no sections", "/v1/filter", json.dumps({"vm": vm(), "hosts": [], "options": {"a": 1}}), r"^options\.a: "
    for path in ("/v1/filter", "/v1/weigh"):
        for what, asked, detail in options():
            yield f"{what} at {path}", path, json.dumps({"vm": vm(), "hosts": ["h0"], "weighers": ["RAMWeigher"], **asked}), detail


def options():
    """What no plugin has: (what, part of the body, what the answer says)."""
    yield "an unknown section", {"options": {"cells": {}}}, r"^options\.cells: wanted a part of a plugin's configuration, found"
    yield "an unknown option", {"options": {"filter_scheduler": {"max_io_ops": 8}}}, (
        r"^options\.filter_scheduler\.max_io_ops: wanted an option that the plugin nova has, found an unknown one"
    )
    yield "an option of another type", {"options": {"filter_scheduler": {"max_io_ops_per_host": "8"}}}, (
        r'^options\.filter_scheduler\.max_io_ops_per_host: wanted type "integer", found "8"'
    )
    yield "an option out of range", {"options": {"filter_scheduler": {"pci_weight_multiplier": -1}}}, (
        r"^options\.filter_scheduler\.pci_weight_multiplier: wanted minimum 0, found -1"
    )
    yield "an option that is too great", {"options": {"metrics": {"weight_multiplier": 1e300}}}, r"^options\.metrics: wanted numbers below 2\^63"
    yield "a list with a number", {"options": {"metrics": {"weight_setting": [1]}}}, r'^options\.metrics\.weight_setting\.0: wanted type "string", found 1'
    yield "an unknown release", {"release": "yoga"}, r'^release: wanted enum \["zed","master"\], found "yoga"'
    yield "a release that is no text", {"release": 26}, "^release: wanted a name"


class BadInput(unittest.TestCase):
    def test_gets_400_naming_the_field_and_changes_nothing(self):
        emplace = service.shared()
        emplace.reset()
        self.assertEqual(emplace.post("/v1/inventory:import", {**hosts(2), "vms": [vm("there", id=ID, host="h0")]}).status, 200)
        before = emplace.everything()
        for what, path, body, detail in bodies():
            with self.subTest(what):
                method = "PUT" if path.startswith(("/v1/groups", "/v1/profiles")) else "POST"
                answer = emplace.call(method, path, body)
                self.assertEqual(answer.status, 400, answer)
                self.assertEqual(answer.headers["content-type"].split(";")[0], "application/problem+json")
                self.assertTrue(re.search(detail, answer.json["detail"]), answer.json["detail"])
                self.assertLess(len(answer.text), 2000)
        self.assertEqual(emplace.everything(), before)

    def test_of_a_client_of_openstack_comes_in_its_shape(self):
        answer = service.shared().post(
            "/v1/placements", "{}", headers={"OpenStack-API-Version": "placement-advisor 1.0"}
        )
        self.assertEqual(answer.status, 400)
        self.assertEqual(answer.json["errors"][0]["status"], 400)

    def test_of_a_body_too_big_is_413(self):
        # The connection may be closed before the body was sent, so only the answer's existence is certain.
        connection = service.shared().connection()
        connection.putrequest("POST", "/v1/placements")
        connection.putheader("Content-Length", str(1 << 40))
        connection.endheaders()
        self.assertEqual(connection.getresponse().status, 413)
        connection.close()


tearDownModule = service.stop_shared

if __name__ == "__main__":
    unittest.main()
