"""Every filter says why it refuses: a code, what was wanted, what was found. One example each; only emplaced is needed."""

import unittest

from ask import Emplace

NOW = "2026-11-21T10:00:00Z"
GROUP = "bd628881-ad1b-42db-a7ab-e1c29e1a8ef4"
HERE = "37dc76fb-0f17-4300-be62-aa0a1df9fd78"
FLAVOR = {"vcpus": 1, "memory_mb": 512, "root_gb": 1, "ephemeral_gb": 0, "swap": 0, "name": "tiny"}


def spec(extra_specs=(), properties=(), **fields):
    image = {"nova_object.data": {"id": "i1", "properties": {"nova_object.data": dict(properties)}}}
    flavor = {"nova_object.data": {**FLAVOR, "extra_specs": dict(extra_specs)}}
    data = {"instance_uuid": "99c94309-570d-4195-9c24-42f9298cb3a5", "project_id": "p1", "num_instances": 1, "image": image, "flavor": flavor}
    return {"nova_object.name": "RequestSpec", "nova_object.data": {**data, **fields}}


def host(*aggregates, **fields):
    listed = [{"id": i, "name": f"a{i}", "metadata": metadata} for i, metadata in enumerate(aggregates)]
    return {"host": "h", "nodename": "n", "aggregates": listed, "instances": {HERE: {"project_id": "p1"}}, **fields}


def group(policy, **fields):
    return {"nova_object.data": {"policy": policy, "policies": [policy], "members": [HERE], "uuid": GROUP, **fields}}


def hints(**fields):
    return spec(scheduler_hints=fields)


SUPPORTED = [["x86_64", "qemu", "hvm"]]

# filter, host, spec, options and so on, code, wanted, found
EXAMPLES = [
    ("ComputeFilter", host(service={"disabled": False, "last_seen_up": "2026-11-21T09:58:00"}), spec(), {}, "nova.compute.not_heard_from", 60, 120),
    ("ComputeFilter", host(service={"disabled": True}), spec(), {}, "nova.compute.disabled", "enabled", "disabled"),
    ("ComputeCapabilitiesFilter", host(stats={"gpu": "1"}), spec({"capabilities:stats:gpu": ">= 2"}), {}, "nova.capabilities", "capabilities:stats:gpu >= 2", "1"),
    ("ComputeCapabilitiesFilter", host(cpu_info='{"maxphysaddr": {"bits": 46}}'), spec({"hw:maxphysaddr_bits": "48"}), {"release": "master"},
     "nova.capabilities", "hw:maxphysaddr_bits >= 48", "46"),
    ("ImagePropertiesFilter", host(supported_instances=SUPPORTED), spec((), {"hw_architecture": "aarch64"}), {}, "nova.image.not_supported", "aarch64", "x86_64,qemu,hvm"),
    ("ImagePropertiesFilter", host(cpu_info='{"maxphysaddr": {"bits": 46}}'), spec((), {"hw_maxphysaddr_bits": 48}), {"release": "master"},
     "nova.image.address_bits", 48, 46),
    ("ServerGroupAntiAffinityFilter", host(), spec(instance_group=group("anti-affinity")), {}, "nova.anti_affinity", 1, 1),
    ("ServerGroupAffinityFilter", host(), spec(instance_group=group("affinity", hosts=["other"])), {}, "nova.affinity", "other", "h"),
    ("AvailabilityZoneFilter", host({"availability_zone": "z1,z2"}), spec(availability_zone="z3"), {}, "nova.availability_zone", "z3", "z1,z2"),
    ("AvailabilityZoneFilter", host(), spec(availability_zone="z3"), {}, "nova.availability_zone", "z3", "nova"),
    ("AggregateMultiTenancyIsolation", host({"filter_tenant_id": "p2, p3"}), spec(), {}, "nova.aggregate.tenant", "p2,p3", "p1"),
    ("AggregateMultiTenancyIsolation", host({"filter_tenant_id_2": "p2"}), spec(), {"release": "master"}, "nova.aggregate.tenant", "p2", "p1"),
    ("AggregateTypeAffinityFilter", host({"instance_type": "big"}), spec(), {}, "nova.aggregate.flavor", "big", "tiny"),
    ("AggregateInstanceExtraSpecsFilter", host({"ssd": "false"}), spec({"ssd": "true"}), {}, "nova.aggregate.extra_specs", "ssd true", "false"),
    ("AggregateInstanceExtraSpecsFilter", host(), spec({"ssd": "true"}), {}, "nova.aggregate.extra_specs", "ssd true", "none"),
    ("AggregateImagePropertiesIsolation", host({"os_distro": "debian"}), spec((), {"os_distro": "windows"}), {}, "nova.aggregate.image_properties", "os_distro debian", "windows"),
    ("IoOpsFilter", host(num_io_ops=8), spec(), {}, "nova.io_ops", 8, 8),
    ("AggregateIoOpsFilter", host({"max_io_ops_per_host": "3"}, stats={"io_workload": "4"}), spec(), {}, "nova.io_ops", 3, 4),
    ("NumInstancesFilter", host(), spec(), {"options": {"filter_scheduler": {"max_instances_per_host": 1}}}, "nova.instances", 1, 1),
    ("AggregateNumInstancesFilter", host({"max_instances_per_host": "5"}, num_instances=7), spec(), {}, "nova.instances", 5, 7),
    ("IsolatedHostsFilter", host(), spec(), {"options": {"filter_scheduler": {"isolated_images": ["i1"]}}}, "nova.isolated_hosts", "an isolated host", "h is not isolated"),
    ("JsonFilter", host(free_ram_mb=10, total_usable_ram_mb=20), hints(query=['[">=", "$free_ram_mb", 1024]']), {}, "nova.json_query", '[">=", "$free_ram_mb", 1024]', "not so on this host"),
    ("MetricsFilter", host(metrics=[]), spec(), {"options": {"metrics": {"weight_setting": ["power=1"]}}}, "nova.metrics", "power", "none"),
    ("DifferentHostFilter", host(), hints(different_host=[HERE, GROUP]), {}, "nova.different_host", f"none of {HERE},{GROUP}", HERE),
    ("SameHostFilter", host(), hints(same_host=[GROUP]), {}, "nova.same_host", f"one of {GROUP}", "none"),
    ("SimpleCIDRAffinityFilter", host(host_ip="10.0.1.7"), hints(build_near_host_ip=["10.0.0.1"]), {}, "nova.cidr_affinity", "10.0.0.1/24", "10.0.1.7"),
]  # fmt: skip

# What can't be answered is said, with the option or the part of the request.
UNANSWERED = [
    ("JsonFilter", hints(query=['["?", 1]']), {}, "scheduler_hints.query: wanted an operator, found '?'"),
    ("SimpleCIDRAffinityFilter", hints(build_near_host_ip=["x"]), {}, "wanted an IP network such as 10.0.0.0/24, found 'x/24'"),
]  # fmt: skip


class Refusals(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.emplace = Emplace()
        cls.addClassCleanup(cls.emplace.__exit__)

    def test_say_code_and_wanted_and_found(self):
        for rule, state, request, more, code, wanted, found in EXAMPLES:
            with self.subTest(rule, code=code):
                answer = self.emplace.filter([state], request, [rule], now=NOW, **more)
                self.assertEqual(answer["degraded"], [])
                self.assertEqual([(one["filter"], one["code"], one["wanted"], one["found"]) for one in answer["refused"]], [(rule, code, wanted, found)])

    def test_exist_for_every_filter_but_the_one_that_refuses_nobody(self):
        plugins = self.emplace.service.get("/v1/plugins").json["plugins"]
        rules = next(plugin["rules"] for plugin in plugins if plugin["id"] == "nova")
        elsewhere = {"NUMATopologyFilter", "PciPassthroughFilter", "AllHostsFilter"}
        filters = {rule for rule in rules if not rule.endswith("Weigher")} - elsewhere
        self.assertEqual(filters - {example[0] for example in EXAMPLES}, set())

    def test_fail_closed_and_are_named_where_a_filter_can_not_answer(self):
        for rule, request, more, why in UNANSWERED:
            with self.subTest(rule, why=why):
                answer = self.emplace.filter([host()], request, [rule], now=NOW, **more)
                self.assertEqual((answer["passed"], [one["plugin"] for one in answer["degraded"]]), ([], [rule]))
                self.assertIn(why, answer["degraded"][0]["why"])


if __name__ == "__main__":
    unittest.main()
