"""What Nova's filters and weighers read, one small function per feature (cases.py says how they are used)."""

import json

import codec
from cases import (
    NOW,
    PROJECTS,
    WEIGHERS,
    compute,
    extra_specs,
    feature,
    give_metadata,
    hints,
    image,
    instances,
    options,
    set_image_properties,
    uuid_of,
)


@feature("RAMWeigher", "CPUWeigher", "DiskWeigher", "JsonFilter", "ComputeCapabilitiesFilter")
def amounts(rng, case):
    for host in case["hosts"]:
        vcpus, ram, disk = rng.choice([1, 7, 16, 64, 96]), rng.randrange(1, 600) * 1000 + rng.randrange(3), rng.randrange(1, 9000)
        compute(host).update(
            vcpus=vcpus, vcpus_used=rng.randrange(0, 2 * vcpus), cpu_allocation_ratio=rng.choice([1.0, 4.0, 16.0, 1.5, 0.1, 3.3]),
            ram_allocation_ratio=rng.choice([1.0, 1.5, 0.9]), disk_allocation_ratio=rng.choice([1.0, 1.1]),
            memory_mb=ram, free_ram_mb=ram - rng.randrange(0, 2 * ram), local_gb=disk,
            free_disk_gb=disk - rng.randrange(0, disk + disk // 2 + 1), local_gb_used=rng.randrange(0, disk + 1),
            disk_available_least=rng.choice([None, rng.randrange(-100, disk + 100), rng.randrange(0, disk + 1)]),
        )  # fmt: skip


@feature("IoOpsFilter", "AggregateIoOpsFilter", "NumInstancesFilter", "AggregateNumInstancesFilter", "IoOpsWeigher",
         "BuildFailureWeigher", "NumInstancesWeigher", "JsonFilter", "ComputeCapabilitiesFilter")  # fmt: skip
def stats(rng, case):
    for host in case["hosts"]:
        known = {"num_instances": 60, "io_workload": 12, "failed_builds": 4}
        compute(host)["stats"] = {name: str(rng.randrange(most)) for name, most in known.items() if rng.random() < 0.8}


ODD_BLANKS = ["\u00a0", "\u2009", "\u3000", "\x1f", "\x85"]
ODD_NUMBERS = ["\u0665", "\uff11\u0662", "\u00a08\u2003", "\U0001d7d96"]  # in digits and blanks that are not ASCII's
LIMITS = ["0", "3", "5", " 8 ", "20", "-1", "abc", "1.5", "1_0", "", "+4", *ODD_NUMBERS]


@feature("IoOpsFilter", "AggregateIoOpsFilter")
def io_limits(rng, case):
    give_metadata(rng, case, "max_io_ops_per_host", LIMITS)
    if rng.random() < 0.5:
        options(case)["max_io_ops_per_host"] = rng.choice([0, 1, 4, 10])


@feature("NumInstancesFilter", "AggregateNumInstancesFilter")
def instance_limits(rng, case):
    give_metadata(rng, case, "max_instances_per_host", LIMITS + ["30", "45"])
    if rng.random() < 0.5:
        options(case)["max_instances_per_host"] = rng.choice([1, 10, 30, 55])


MULTIPLIERS = {
    "RAMWeigher": "ram", "CPUWeigher": "cpu", "DiskWeigher": "disk", "IoOpsWeigher": "io_ops",
    "ServerGroupSoftAffinityWeigher": "soft_affinity", "ServerGroupSoftAntiAffinityWeigher": "soft_anti_affinity",
    "BuildFailureWeigher": "build_failure", "CrossCellWeigher": "cross_cell_move", "MetricsWeigher": "metrics",
    "HypervisorVersionWeigher": "hypervisor_version", "NumInstancesWeigher": "num_instances", "ImagePropertiesWeigher": "image_props",
}  # fmt: skip
WEIGHERS += MULTIPLIERS


@feature(*MULTIPLIERS)
def multipliers(rng, case):
    for weigher, name in MULTIPLIERS.items():
        if rng.random() < 0.3:
            give_metadata(rng, case, f"{name}_weight_multiplier", 
                          ["1.5", "-2", "0", "abc", "1e3", " 2 ", "0.1", "1000000.0", "", "-0.7", "inf", "Infinity", *ODD_NUMBERS], 0.4)
        if rng.random() < 0.3:
            section, option = ("metrics", "weight_multiplier") if name == "metrics" else ("filter_scheduler", f"{name}_weight_multiplier")
            least = 0.0 if name.startswith("soft") else -3.0
            options(case, section)[option] = rng.choice([0.0, 0.5, 2.0, 1e6, max(least, -1.5), 0.1])


@feature("AvailabilityZoneFilter")
def zones(rng, case):
    give_metadata(rng, case, "availability_zone", ["z1", "z2", "z1,z2", " z2 ,z3", "nova", ""])
    case["spec"]["availability_zone"] = rng.choice([None, "z1", "z1", "z2", "z3", "nova", "z1,z2"])
    if rng.random() < 0.3:
        options(case, "DEFAULT")["default_availability_zone"] = rng.choice(["z1", "z3"])


@feature("AggregateMultiTenancyIsolation")
def tenancy(rng, case):
    give_metadata(rng, case, "filter_tenant_id", ["p1", "p2", "p1,p2", " p2 , p3", "", ","])
    give_metadata(rng, case, "filter_tenant_id_2", ["p1", "p3"], 0.3)
    case["spec"]["project_id"] = rng.choice([*PROJECTS, None])


@feature("AggregateTypeAffinityFilter")
def flavor_names(rng, case):
    give_metadata(rng, case, "instance_type", ["m1.tiny", "m1.tiny, m1.large", "m1.large ,m1", "", "other", " m1 "])


OPERATORS = ["=", "==", "!=", ">=", "<=", "s==", "s!=", "s<", "s<=", "s>", "s>=", "<in>", "<all-in>", "<or>", ""]
OPERANDS = ["1", "2", "1.0", "10", "1e1", "true", "ssd", "ssd nvme", "a", "b", "", "1_0", "x86_64", "QEMU", "7002002", "é", "inf", *ODD_NUMBERS]


def requirement(rng):
    operator = rng.choice(OPERATORS)
    words = [rng.choice(OPERANDS) for _ in range(rng.choice([0, 1, 1, 1, 1, 2]))]
    blank = " " if rng.random() < 0.9 else rng.choice(ODD_BLANKS)
    if operator == "<or>":
        return blank.join(f"<or>{blank}{word}" for word in words) or "<or>"
    return blank.join([operator, *words]) if operator else blank.join(words)


@feature("AggregateInstanceExtraSpecsFilter")
def aggregate_extra_specs(rng, case):
    # Numbers or texts, not both: of a mixture Nova's answer depends on the order of a set.
    keys = ["ssd", "tier", "a:b", "hw:numa_nodes"]
    for key in keys[:3]:
        give_metadata(rng, case, key, rng.choice([["true", "ssd,nvme", "a , b", "", "x"], ["1", "2, 10", "1e1", " 2 "]]), 0.5)
    for _ in range(rng.choice([1, 1, 2])):
        scope = rng.choice(["", "aggregate_instance_extra_specs:", "aggregate_instance_extra_specs:", "hw:", "capabilities:"])
        extra_specs(case)[scope + rng.choice(keys)] = rng.choice([requirement(rng), "true", "1"])


@feature("ComputeCapabilitiesFilter")
def address_bits(rng, case):
    if rng.random() < 0.2:
        extra_specs(case)["hw:maxphysaddr_bits"] = rng.choice(["40", "46", "47"])


@feature("ComputeCapabilitiesFilter")
def capabilities(rng, case):
    for host in case["hosts"]:
        info = {"arch": rng.choice(["x86_64", "aarch64"]), "topology": {"cores": rng.choice([1, 8, 10]), "ok": True, "none": None},
                "features": rng.choice([["aes", "vmx"], ["aes"], []]), "ratio": rng.choice([1.0, 2.5, 1e16]), "maxphysaddr": {"bits": 46}}  # fmt: skip
        compute(host)["cpu_info"] = rng.choice([json.dumps(info), json.dumps(info), None, "", "not json", "[1, 2]", "7"])
        compute(host)["hypervisor_type"] = rng.choice(["QEMU", "qemu", "ironic"])
        compute(host).setdefault("stats", {}).update(rng.choice([{}, {"gpu": "1"}, {"gpu": "a", "nested": '{"a": 1}'}]))
    keys = ["cpu_info:arch", "cpu_info:topology:cores", "cpu_info:topology:ok", "cpu_info:topology:none", "cpu_info:features",
            "cpu_info:ratio", "hypervisor_type", "hypervisor_version", "stats:gpu", "gpu", "nested:a", "nested", "free_ram_mb",
            "vcpus_total", "host_ip", "nothing", "cpu_info:topology", "cpu_allocation_ratio", "num_instances", "host", "nodename",
            "free_disk_mb:x", "service:disabled", "cpu_info:arch:x", "limits", "limits:x", "cell_uuid", "num_io_ops",
            "failed_builds", "disk_mb_used", "total_usable_ram_mb", "supported_instances"]  # fmt: skip
    for _ in range(rng.choice([1, 1, 2])):
        scope = rng.choice(["capabilities:", "capabilities:", "capabilities:", "", "other:"])
        wanted = rng.choice([requirement(rng), requirement(rng), "x86_64", "<in> aes", "s== QEMU", ">= 1", "True", "{}"])
        extra_specs(case)[scope + rng.choice(keys)] = wanted


@feature("ImagePropertiesFilter", "HypervisorVersionWeigher")
def supported_instances(rng, case):
    every = [["x86_64", "kvm", "hvm"], ["x86_64", "qemu", "hvm"], ["i686", "qemu", "hvm"], ["aarch64", "kvm", "hvm"], ["x86_64", "xen", "xen"]]
    for host in case["hosts"]:
        compute(host)["supported_hv_specs"] = rng.sample(every, rng.randrange(4))
        compute(host)["hypervisor_version"] = rng.choice([0, 6000000, 6002001, 7002002, 8000000, 12])
    known = {"hw_architecture": ["x86_64", "i686", "aarch64"], "img_hv_type": ["kvm", "qemu", "xen"], "hw_vm_mode": ["hvm", "xen"],
             "img_hv_requested_version": [">=6.0", ">=6.0,<7.0", "==7.2.2", "!=8.0.0", " >= 6.2.1 , < 9.0"]}  # fmt: skip
    set_image_properties(case, {name: rng.choice(values) for name, values in known.items() if rng.random() < 0.5})
    if rng.random() < 0.3:
        options(case)["image_properties_default_architecture"] = rng.choice(["x86_64", "aarch64"])


@feature("AggregateImagePropertiesIsolation")
def isolated_properties(rng, case):
    known = {"os_distro": ["debian", "windows"], "hw_machine_type": ["q35", "pc"], "hw_boot_menu": ["True", "False", "true"],
             "hw_cpu_cores": ["2", "4", "0"], "hw_disk_bus": ["virtio", "scsi"], "unknown_key": ["x"], "hw_numa_mem": ["[1, 2]", "1"],
             "os_type": ["linux"], "traits_required": ["['COMPUTE_X']", "x"]}  # fmt: skip
    for key, values in known.items():
        give_metadata(rng, case, key, [*values, ",".join(values), f" {values[0]} , y", ""], 0.3)
    real = {"os_distro": ["debian", "windows"], "hw_machine_type": ["q35", "pc"], "hw_boot_menu": ["true", "false"], "hw_cpu_cores": [2, 4, 0],
            "hw_disk_bus": ["virtio", "scsi"], "os_type": ["linux"], "traits_required": [["COMPUTE_X"]]}  # fmt: skip
    set_image_properties(case, {name: rng.choice(values) for name, values in real.items() if rng.random() < 0.5})
    if rng.random() < 0.4:
        options(case)["aggregate_image_properties_isolation_namespace"] = rng.choice(["hw", "os", "hw_", ""])
        options(case)["aggregate_image_properties_isolation_separator"] = rng.choice(["_", ".", ""])


@feature("ImagePropertiesWeigher")
def images_of_instances(rng, case):
    known = {"os_distro": ["debian", "windows"], "hw_boot_menu": ["true", "no", "1"], "hw_cpu_cores": ["2", "4"], "hw_disk_bus": ["virtio", "scsi"]}
    for host in case["hosts"]:
        for fields in host["instances"].values():
            fields["system_metadata"] = {f"image_{key}": rng.choice(values) for key, values in known.items() if rng.random() < 0.6}
    set_image_properties(case, {name: rng.choice(values) for name, values in known.items() if rng.random() < 0.7})
    options(case)["image_props_weight_multiplier"] = rng.choice([1.0, -2.0, 0.5, 0.0])
    if rng.random() < 0.4:
        options(case)["image_props_weight_setting"] = [f"{name}={rng.choice(['1', '2', '0', 'x'])}" for name in known if rng.random() < 0.6]


@feature("IsolatedHostsFilter")
def isolation(rng, case):
    ids = ["9c1d1fe4-9e3a-4d27-a1c0-9d0a2f0e6c01", "9c1d1fe4-9e3a-4d27-a1c0-9d0a2f0e6c02"]
    if rng.random() < 0.7:
        case["spec"]["image"] = image(**rng.choice([{"id": ids[0]}, {"id": ids[1]}, {}]))
    if rng.random() < 0.8:
        options(case)["isolated_images"] = rng.choice([[], ids[:1], ids, [ids[0].upper()]])
    if rng.random() < 0.8:
        options(case)["isolated_hosts"] = rng.choice([[], ["h0"], ["h0", "h1"], ["H1"], ["h2", "h1"]])
    if rng.random() < 0.5:
        options(case)["restrict_isolated_hosts_to_isolated_images"] = rng.random() < 0.5


def move_some(rng, case):
    """An instance that moves is listed by two hosts."""
    for host in case["hosts"]:
        for uuid, fields in list(host["instances"].items()):
            if rng.random() < 0.2:
                rng.choice(case["hosts"])["instances"][uuid] = fields


@feature("DifferentHostFilter", "SameHostFilter")
def other_instances(rng, case):
    move_some(rng, case)
    for hint in ("different_host", "same_host"):
        if rng.random() < 0.7:
            known = instances(case) or [uuid_of(rng)]
            hints(case)[hint] = rng.choice([[rng.choice(known)], rng.sample(known, min(2, len(known))), [uuid_of(rng)],
                                            [rng.choice(known).upper()], ["no uuid"], [""], []])  # fmt: skip


@feature("SimpleCIDRAffinityFilter")
def addresses(rng, case):
    every = ["10.0.0.1", "10.0.0.77", "10.0.1.1", "192.168.7.9", "fd00::1", "fd00::1:1", "::ffff:10.0.0.1"]
    for host in case["hosts"]:
        compute(host)["host_ip"] = rng.choice(every)
    if rng.random() < 0.85:
        hints(case)["build_near_host_ip"] = [rng.choice([*every, *every, "10", "nonsense", ""])]
    if rng.random() < 0.7:
        hints(case)["cidr"] = [rng.choice(["/24", "/8", "/32", "/0", "/16", "/25", "/64", "/33", "", "24", "/255.255.0.0", "/0.0.0.255"])]


@feature("ServerGroupAntiAffinityFilter", "ServerGroupAffinityFilter", "ServerGroupSoftAffinityWeigher",
         "ServerGroupSoftAntiAffinityWeigher")  # fmt: skip
def groups(rng, case):
    move_some(rng, case)
    if rng.random() < 0.1:
        return
    policy = rng.choice(["anti-affinity", "affinity", "soft-affinity", "soft-anti-affinity"])
    known = list(dict.fromkeys(instances(case)))
    members = rng.sample(known, rng.randrange(len(known) + 1)) + [uuid_of(rng)]
    rules = rng.choice([{}, {}, {"max_server_per_host": rng.choice([1, 2, 3])}]) if policy == "anti-affinity" else {}
    names = [host["host"] for host in case["hosts"]]
    case["spec"]["instance_group"] = codec.primitive(
        "InstanceGroup", uuid=uuid_of(rng), name="g", policy=policy, policies=[policy], rules=rules, members=members,
        hosts=rng.choice([[], rng.sample(names, rng.randrange(len(names) + 1)), ["elsewhere"]]),
    )  # fmt: skip
    if known and rng.random() < 0.2:
        case["spec"]["instance_uuid"] = rng.choice(known)


@feature("ComputeFilter")
def services(rng, case):
    seen = ["2026-11-21T10:00:00", "2026-11-21T09:59:00", "2026-11-21T09:58:59", "2026-11-21T10:01:01", "2026-11-21T09:58:59.999999",
            "2026-11-21T09:59:00.000001", None]  # fmt: skip
    for host in case["hosts"]:
        host["service"] = {"disabled": rng.random() < 0.2, "forced_down": rng.random() < 0.2, "last_seen_up": rng.choice(seen),
                           "created_at": rng.choice(seen[:3])}  # fmt: skip
    if rng.random() < 0.3:
        options(case, "DEFAULT")["service_down_time"] = rng.choice([30, 61, 3600])


@feature("MetricsFilter", "MetricsWeigher")
def metrics(rng, case):
    names = ["cpu.percent", "cpu.frequency", "cpu.idle.time"]
    for host in case["hosts"]:
        known = [{"name": n, "value": rng.choice([rng.randrange(100), rng.random() * 100]), "source": "t", "timestamp": NOW} for n in names
                 if rng.random() < 0.7]  # fmt: skip
        compute(host)["metrics"] = json.dumps(known)
    if rng.random() < 0.8:
        ratios = ["1.0", "-2.5", "0", "0.1", "abc", "", "1e-3"]
        listed = [f"{n}={rng.choice(ratios)}" for n in names if rng.random() < 0.6]
        options(case, "metrics")["weight_setting"] = listed + rng.choice([[], [], ["bad"], ["=1"], ["cpu.percent=2"]])
    if rng.random() < 0.3:
        options(case, "metrics")["required"] = rng.random() < 0.5
    if rng.random() < 0.3:
        options(case, "metrics")["weight_of_unavailable"] = rng.choice([-5.0, 0.0, 12.5])


@feature("CrossCellWeigher")
def cells(rng, case):
    other = "22222222-3333-4444-5555-666666666666"
    for host in case["hosts"]:
        host["cell"] = rng.choice([codec.CELL, other])
    cell = codec.primitive("CellMapping", uuid=rng.choice([codec.CELL, other]), name="c", database_connection="x", transport_url="y")
    if rng.random() < 0.8:
        fields = {"host": "h0", "allow_cross_cell_move": rng.random() < 0.7, **({"cell": cell} if rng.random() < 0.8 else {})}
        case["spec"]["requested_destination"] = codec.primitive("Destination", **fields)


LARGE_NUMBERS = [2**53, 2**53 + 1, 2.0**53, 2**63 - 1, 2**63, 2.0**63, 2**64 + 1, -(2**70), 1e300, 10**300]


def json_value(rng):
    return rng.choice([
        "$free_ram_mb", "$free_disk_mb", "$vcpus_used", "$vcpus_total", "$stats.io_workload", "$stats", "$hypervisor_type", "$host", "$nothing",
        "$num_instances", "$service.disabled", "$host_ip", "$cpu_allocation_ratio", "$limits", "$limits.x", "$stats.none", "$", "",
        "$free_ram_mb.x", "h0", "QEMU", "10.0.0.1", 0, 1, 16, 1024, 65536, -5, 1.0, 16.0, 2.5, True, False, None, "$total_usable_disk_gb",
        "$supported_instances", "$num_io_ops", "$failed_builds", "$nodename", "$uuid", "$cell_uuid", "$disk_mb_used",
        "$numa_topology", "$pci_stats", "$metrics", *LARGE_NUMBERS,
    ])  # fmt: skip


def json_query(rng, depth=0):
    if depth and rng.random() < 0.05:
        return []
    if depth < 3 and rng.random() < 0.4:
        return [rng.choice(["and", "or", "not"]), *(json_query(rng, depth + 1) for _ in range(rng.randrange(4)))]
    arguments = [json_query(rng, depth + 1) if depth < 3 and rng.random() < 0.08 else json_value(rng) for _ in range(rng.choice([0, 1, 2, 2, 2, 2, 3]))]
    return [rng.choice(["=", "<", ">", "in", "<=", ">=", "not", "or", "and", "=", "<="]), *arguments]


@feature("JsonFilter")
def query(rng, case):
    odd = ["", "[]", "{}", "null", "0", "not json", '"x"', "7", '["?", 1]', "[[1]]", '{"a": 1}', "false", '[{"a": 1}, 2]',
           '"=aa"', '"=ab"', '"<ab"', '">ba"', '"=$a"', '"="', '"="', '"=\u00e9\\u00e9"', '"=e\u0301"', '"<a\u00e9"', '"\u00e9=a"', '"ab"']
    text = rng.choice(odd) if rng.random() < 0.15 else json.dumps(json_query(rng))
    if rng.random() < 0.95:
        hints(case)["query"] = [text] if rng.random() < 0.98 else [text, text]


@feature()
def check_type(rng, case):
    hints(case)["_nova_check_type"] = rng.choice([["rebuild"], ["rebuild"], ["live_migrate"], ["rebuild", "x"]])


@feature()
def no_hints(rng, case):
    """Not null, which Nova itself can't take."""
    del rng, case["spec"]["scheduler_hints"]
