"""The OpenAPI document and the service say the same; versions, tokens, health."""

import re
import unittest

import jsonschema

import service
from service import Contract, hosts

METHODS = ("get", "put", "post", "patch", "delete")
ID = "5b0c9f1e-6a34-4b7e-9b8e-999999999999"


class Document(unittest.TestCase):
    def test_is_made_of_valid_schemas_and_whole_references(self):
        contract = Contract()
        for schema in contract.document["components"]["schemas"].values():
            jsonschema.Draft202012Validator.check_schema(schema)
        for reference in re.findall(r"#/components/\w+/\w+", (service.ROOT / "api/rest/openapi.yaml").read_text()):
            contract.resolver.resolve(reference)

    def test_names_every_operation_once_with_a_role(self):
        operations = [
            operation for path in Contract().document["paths"].values() for method, operation in path.items() if method in METHODS
        ]
        names = [operation["operationId"] for operation in operations]
        self.assertEqual(len(names), len(set(names)))
        self.assertLessEqual({operation["x-role"] for operation in operations}, {"anyone", "reader", "planner", "operator", "admin"})

    def test_says_of_each_list_what_it_knows(self):
        emplace = service.shared()
        for template, path in emplace.contract.document["paths"].items():
            if "get" not in path or "{" in template or path["get"]["x-role"] == "anyone":
                continue
            answer = emplace.get(template + "?colour=red", check=False)
            found = re.match(r"query: wanted (?:no parameters|one of (.*)), found", answer.json["detail"])
            known = set(found[1].split(", ")) if found and found[1] else set()
            names = {(one if "name" in one else emplace.contract.resolver.resolve(one["$ref"])[1])["name"]
                     for one in path["get"].get("parameters", []) if one.get("in", "query") == "query" and "Id" not in one.get("$ref", "")}
            self.assertEqual(known, names - {"Last-Event-ID"}, template)

    def test_lists_the_methods_that_the_service_has(self):
        emplace = service.shared()
        for template, path in emplace.contract.document["paths"].items():
            url = template.replace("{id}", ID).replace("{name}", "nobody")
            listed = {method.upper() for method in path if method in METHODS}
            with self.subTest(template):
                answer = emplace.call("BREW", url, check=False)
                self.assertEqual(answer.status, 405, answer)
                allowed = set(answer.headers["allow"].split(", ")) - {"HEAD"}
                self.assertEqual(allowed, listed)


class Versions(unittest.TestCase):
    def test_are_told_without_a_token(self):
        emplace = service.shared()
        self.assertEqual(emplace.get("/", token="nobody").status, 300)
        version = emplace.get("/v1", token="nobody").json["version"]
        self.assertEqual(version["min_version"], "1.0")

    def test_outside_the_range_are_406(self):
        emplace = service.shared()
        for asked, status in (("1.0", 200), ("latest", 200), ("1.999", 406), ("7.0", 406), ("x", 400)):
            answer = emplace.get("/v1/hosts", headers={"OpenStack-API-Version": f"placement-advisor {asked}"}, check=False)
            self.assertEqual(answer.status, status, (asked, answer))


class Tokens(unittest.TestCase):
    def test_are_wanted_by_default(self):
        emplace = service.shared()
        for path in ("/v1/hosts", "/v1/vms", "/metrics", "/v1/inventory:export", "/v1/events"):
            self.assertEqual(emplace.get(path, token="wrong").status, 401, path)
        self.assertEqual(emplace.get("/healthz", token="wrong").status, 200)

    def test_are_taken_as_keystone_writes_them(self):
        emplace = service.shared()
        answer = emplace.get("/v1/hosts", headers={"Authorization": "", "X-Auth-Token": emplace.token}, check=False)
        self.assertIn(answer.status, (200, 401))
        connection = emplace.connection()
        connection.request("GET", "/v1/hosts", headers={"X-Auth-Token": emplace.token})
        self.assertEqual(connection.getresponse().status, 200)
        connection.close()


class Operations(unittest.TestCase):
    def test_show_health_readiness_and_figures(self):
        emplace = service.shared()
        emplace.reset()
        emplace.post("/v1/inventory:import", hosts(1))
        self.assertEqual(emplace.get("/healthz").json["status"], "ok")
        ready = emplace.get("/readyz")
        self.assertEqual((ready.status, ready.json["ready"], ready.json["reasons"]), (200, True, []), ready)
        emplace.post("/v1/placements", {"vm": service.vm("m"), "claim": True})
        figures = emplace.get("/metrics").text
        self.assertRegex(figures, r'emplace_decisions_total\{outcome="claimed"\} [1-9]')
        self.assertRegex(figures, r"emplace_store_connected 1")
        self.assertIn('route="POST /v1/inventory:import"', figures)

    def test_count_what_only_grows_and_call_it_a_total(self):
        emplace = service.shared()
        emplace.reset()
        emplace.post("/v1/inventory:import", hosts(1))
        emplace.post("/v1/placements", {"vm": service.vm("counted"), "claim": True})
        page = emplace.get("/metrics").text
        families = re.findall(r"^# TYPE (\S+) (\S+)$", page, re.MULTILINE)
        kinds = dict(families)
        self.assertEqual(len(kinds), len(families), "each name is one family")
        counters = {name for name, kind in kinds.items() if kind == "counter"}
        self.assertEqual(counters, {name for name in kinds if name.endswith("_total")})
        self.assertLessEqual({f"emplace_{name}_total" for name in (
            "http_requests", "http_answers_lost", "http_answers_dropped", "http_slow_closed", "http_exceptions", "decisions",
            "store_committed_batches", "store_committed_claims", "store_rewinds")}, counters)
        for name in ("http_connections", "http_unsent_bytes", "store_queued_claims", "line_queue", "picture_version"):
            self.assertEqual(kinds[f"emplace_{name}"], "gauge", name)
        self.assertRegex(page, r"(?m)^emplace_store_committed_claims_total [1-9]")

    def test_export_what_was_imported(self):
        emplace = service.shared()
        emplace.reset()
        emplace.post("/v1/inventory:import", {
            **hosts(2),
            "vms": [service.vm("a", host="h0"), service.vm("b", host="h1")],
            "traffic": [{"a": "a", "b": "b", "bytes_per_s": 1.5e6}],
            "data_sources": [{"vm": "a", "source": "ds1", "bytes_per_s": 2e6}],
            "source_hosts": [{"source": "ds1", "hosts": ["h1"]}],
            "page_samples": [{"vm": "a", "pages": 4, "zero_pages": 1, "distinct_pages": 2, "rate": 1, "hashes": "AQAAAAAAAAA="}],
        })
        first = emplace.get("/v1/inventory:export")
        emplace.reset()
        self.assertEqual(emplace.post("/v1/inventory:import", first.json).status, 200)
        self.assertEqual(emplace.get("/v1/inventory:export").json, first.json)

    def test_keep_a_request_id_that_came_in(self):
        emplace = service.shared()
        sent = "req-11111111-2222-3333-4444-555555555555"
        answer = emplace.get("/v1/hosts/nobody", headers={"X-Openstack-Request-Id": sent})
        self.assertRegex(answer.json["request_id"], r"^req-")

    def test_list_plugins_and_profiles(self):
        emplace = service.shared()
        self.assertEqual(emplace.get("/v1/plugins").status, 200)
        self.assertIn("default", [profile["name"] for profile in emplace.get("/v1/profiles").json["profiles"]])


tearDownModule = service.stop_shared

if __name__ == "__main__":
    unittest.main()
