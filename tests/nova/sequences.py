"""Random requests of 1 to 8 instances with all that Nova consumes between them: memory, disk, vCPUs, operations, NUMA cells, pinned
cores, pages, PCI devices and group members; what Nova's own scheduler manager selects for them, and how emplaced is asked.

A case is a case of codec.py whose spec has uuids for its instances. Weights never tie: hosts have memory that differs by less than
an instance takes, and every weigher another multiplier.
"""

# pylint: disable=protected-access

import datetime
import random

import cases
import codec
import managers
import numa_cases
import reference
from nova import context

CONF = reference.CONF
FILTERS = ["ComputeFilter", "ServerGroupAntiAffinityFilter", "ServerGroupAffinityFilter", "NUMATopologyFilter",
           "PciPassthroughFilter", "IoOpsFilter", "NumInstancesFilter", "JsonFilter"]  # fmt: skip
FEWER_FILTERS = [name for name in FILTERS if name not in ("NUMATopologyFilter", "PciPassthroughFilter")]
WEIGHERS = {
    "RAMWeigher": ("ram", 1.0), "CPUWeigher": ("cpu", 0.83), "DiskWeigher": ("disk", 0.61), "IoOpsWeigher": ("io_ops", -1.07),
    "ServerGroupSoftAffinityWeigher": ("soft_affinity", 1.13), "ServerGroupSoftAntiAffinityWeigher": ("soft_anti_affinity", 0.97),
    "PCIWeigher": ("pci", 0.71), "BuildFailureWeigher": ("build_failure", 1.9), "CrossCellWeigher": ("cross_cell_move", 3.1),
    "MetricsWeigher": ("metrics", 0.37),
}  # fmt: skip
METRICS = ["cpu.percent=1.0", "cpu.frequency=-0.5"]
OTHER_CELL = "22222222-3333-4444-5555-666666666666"
MEMORY_MB, ROOT_GB, VCPUS = 2048, 10, 2


# ---- cases


def hosts_of(rng, now):
    count = rng.choice([2, 3, 3, 4, 5, 6, 8])
    two_cells = rng.random() < 0.15
    made = []
    for i, place in enumerate(rng.sample(range(count), count)):
        memory_mb, disk_gb = MEMORY_MB * rng.randrange(1, 14) + place + 1, rng.randrange(20, 400)
        metrics = [{"name": name.split("=")[0], "value": rng.randrange(100), "source": "t", "timestamp": now} for name in METRICS]
        made.append({
            "host": f"s{i}", "node": f"s{i}", "uuid": cases.uuid_of(rng), "aggregates": [], "instances": {},
            "cell": OTHER_CELL if two_cells and rng.random() < 0.4 else codec.CELL,
            "compute": {
                "vcpus": rng.choice([8, 16, 64]), "memory_mb": memory_mb, "free_ram_mb": memory_mb, "local_gb": disk_gb,
                "free_disk_gb": disk_gb, "cpu_allocation_ratio": rng.choice([1.0, 4.0]),
                "stats": {"io_workload": str(rng.choice([0, 0, 1, 3, 6])), "num_instances": str(rng.choice([0, 0, 10, 46])),
                          "failed_builds": str(rng.choice([0, 0, 0, 1]))},
                "metrics": codec.json.dumps(metrics if rng.random() < 0.8 else metrics[:1]),
            },
        })  # fmt: skip
    return made


def give_group(rng, case):
    policy = rng.choice(["anti-affinity", "affinity", "soft-affinity", "soft-anti-affinity"])
    rules = {"max_server_per_host": rng.choice([1, 2, 3])} if policy == "anti-affinity" and rng.random() < 0.5 else {}
    at = [rng.choice(case["hosts"])["host"]] if rng.random() < 0.3 else []
    case["spec"]["instance_group"] = codec.primitive(
        "InstanceGroup", uuid=cases.uuid_of(rng), name="g", policy=policy, policies=[policy], rules=rules,
        members=list(case["uuids"]), hosts=at)


def roomy_topology(rng):
    """Cells with nothing on them yet, so that it is the instances before that decide whether one fits."""
    threads, made = rng.choice([1, 2, 2]), []
    for number in range(rng.choice([1, 2, 2, 4])):
        cores = numa_cases.cores_of(rng, 16 * number, rng.choice([2, 4, 6, 8]), threads)
        cpus, memory_mb = [cpu for core in cores for cpu in core], rng.choice([2048, 4096, 8192])
        pages = {4: memory_mb * 256, 2048: rng.choice([0, memory_mb // 4])}
        made.append(codec.objects.NUMACell(
            id=number, cpuset=set(cpus), pcpuset=set(cpus), memory=memory_mb, memory_usage=0, cpu_usage=0, pinned_cpus=set(),
            siblings=[set(core) for core in cores], socket=number // 2,
            mempages=[codec.objects.NUMAPagesTopology(size_kb=size, total=total, used=0, reserved=0) for size, total in pages.items()]))
    return codec.objects.NUMATopology(cells=made).obj_to_primitive()


def small_guest(rng):
    policy = rng.choice(["shared", "dedicated", "dedicated", "dedicated", "mixed"])
    threads = rng.choice([None, None, "prefer", "require", "isolate"]) if policy != "shared" else None
    pagesize, made = rng.choice([None, None, None, -1, -2, -3, 4, 2048]), []
    for number in range(rng.choice([1, 1, 1, 2])):
        vcpus = set(range(number * 8, number * 8 + rng.choice([1, 2, 2, 3])))
        dedicated = {"dedicated": vcpus, "mixed": {min(vcpus)}}.get(policy, set())
        made.append(codec.objects.InstanceNUMACell(
            id=number, cpuset=vcpus - dedicated, pcpuset=dedicated, cpu_policy=policy, cpu_thread_policy=threads,
            memory=rng.choice([256, 512, 1024, 2048]), pagesize=pagesize))
    return codec.primitive("InstanceNUMATopology", cells=[cell.obj_to_primitive() for cell in made],
                           emulator_threads_policy=rng.choice([None, None, "isolate"]))


def odd_topology(rng):
    """With pages: without any, which no hypervisor reports, Nova fails to count what it has placed."""
    while True:
        made = numa_cases.topology(rng)
        if all(cell["nova_object.data"]["mempages"] for cell in made["nova_object.data"]["cells"]):
            return made


def give_numa(rng, case):
    topology = roomy_topology if rng.random() < 0.75 else odd_topology
    for host in case["hosts"]:
        if rng.random() < 0.95:
            host["compute"]["numa_topology"] = topology(rng)
        host["compute"]["ram_allocation_ratio"] = rng.choice([1.0, 1.0, 1.5])
    case["spec"]["numa_topology"] = (small_guest if rng.random() < 0.85 else numa_cases.guest)(rng)
    if rng.random() < 0.1:
        case["spec"]["network_metadata"] = numa_cases.networks(rng).obj_to_primitive()


def half_pinned_topology(rng):
    """Cores with threads, far apart, dedicated and shared alike as vcpu_pin_set has them; some threads are pinned already."""
    made = []
    for number in range(rng.choice([1, 1, 2])):
        cores = numa_cases.cores_of(rng, 32 * number + rng.choice([0, 5]), rng.choice([3, 4, 6, 8]), rng.choice([1, 2, 2, 4]))
        cpus, memory_mb = [cpu for core in cores for cpu in core], rng.choice([4096, 8192])
        shared = cpus if rng.random() < 0.8 else rng.sample(cpus, len(cpus) // 2)
        dedicated = cpus if shared is cpus else [cpu for cpu in cpus if cpu not in shared]
        made.append(codec.objects.NUMACell(
            id=number, cpuset=set(shared), pcpuset=set(dedicated), memory=memory_mb, memory_usage=0, cpu_usage=0, socket=0,
            pinned_cpus=set(rng.sample(dedicated, rng.randrange(len(dedicated) // 2 + 1))),
            siblings=[set(core) for core in rng.sample(cores, len(cores))],
            mempages=[codec.objects.NUMAPagesTopology(size_kb=4, total=memory_mb * 256, used=0, reserved=0)]))
    return codec.objects.NUMATopology(cells=made).obj_to_primitive()


def isolating_guest(rng):
    policy, threads, made = rng.choice(["dedicated", "dedicated", "mixed"]), rng.choice(["isolate", "isolate", "isolate", "prefer", "require"]), []
    for number in range(rng.choice([1, 1, 1, 2])):
        vcpus = list(range(number * 8, number * 8 + rng.choice([1, 1, 2, 3])))
        dedicated = vcpus if policy == "dedicated" else vcpus[: rng.randint(1, len(vcpus))]
        made.append(codec.objects.InstanceNUMACell(
            id=number, cpuset=set(vcpus) - set(dedicated), pcpuset=set(dedicated), cpu_policy=policy, cpu_thread_policy=threads,
            memory=rng.choice([256, 512]), pagesize=rng.choice([None, None, -1, 4])))
    return codec.primitive("InstanceNUMATopology", cells=[cell.obj_to_primitive() for cell in made],
                           emulator_threads_policy=rng.choice(["isolate", "isolate", "isolate", None]))


def give_isolation(rng, case):
    for host in case["hosts"]:
        host["compute"]["numa_topology"] = half_pinned_topology(rng)
        host["compute"]["cpu_allocation_ratio"] = 4.0
    case["spec"]["numa_topology"] = isolating_guest(rng)


def virtual_functions(rng):
    made = [codec.objects.PciDevicePool(vendor_id="8086", product_id=product, numa_node=rng.choice([None, 0, 1]),
                                        tags={"dev_type": "type-VF"}, count=rng.choice([1, 1, 2, 3, 8]))
            for product in rng.choice([["154d"], ["154d"], ["154d", "1520"], ["154d", "154d"]])]  # fmt: skip
    return codec.objects.PciDevicePoolList(objects=made).obj_to_primitive()


def virtual_function(rng):
    return codec.objects.InstancePCIRequest(
        count=rng.choice([1, 1, 1, 2]), spec=[{"vendor_id": "8086", "product_id": "154d"}], alias_name="a1",
        request_id=cases.uuid_of(rng), numa_policy=rng.choice([None, "legacy", "preferred", "required", "socket"]))


def give_devices(rng, case):
    easy = rng.random() < 0.8
    for host in case["hosts"]:
        if rng.random() < 0.95:
            host["compute"]["pci_device_pools"] = (virtual_functions if easy else numa_cases.pools)(rng)
    requests = [(virtual_function if easy else numa_cases.device_request)(rng).obj_to_primitive() for _ in range(rng.choice([1, 1, 1, 2]))]
    case["spec"]["pci_requests"] = codec.primitive("InstancePCIRequests", requests=requests)


def give_query(rng, case):
    left, right = rng.choice([("$free_ram_mb", 4096), ("$free_disk_mb", 30720), ("$num_io_ops", 3)])
    case["spec"]["scheduler_hints"]["query"] = [codec.json.dumps([rng.choice([">=", ">=", "<"]), left, right])]


USUAL = ((give_group, 0.25), (give_numa, 0.5), (give_devices, 0.35), (give_query, 0.15))
ISOLATING = ((give_group, 0.15), (give_isolation, 1.0), (give_devices, 0.35), (give_query, 0.25))


def case_of(seed, features=USUAL):
    """`features`: with how much of a chance each is in the case."""
    rng = random.Random(seed)
    now = datetime.datetime.utcnow().replace(microsecond=0).isoformat()
    case = {"now": now, "release": "zed", "options": {}, "aggregates": {}, "hosts": hosts_of(rng, now),
            "uuids": [cases.uuid_of(rng) for _ in range(rng.choice([1, 2, 3, 4, 5, 6, 7, 8]))], "alternates": rng.randrange(4)}  # fmt: skip
    case["spec"] = {
        "instance_uuid": case["uuids"][0], "project_id": "p1", "user_id": "u", "num_instances": len(case["uuids"]),
        "availability_zone": None, "image": cases.image(), "instance_group": None, "numa_topology": None, "scheduler_hints": {},
        "ignore_hosts": None, "force_hosts": None, "force_nodes": None, "requested_destination": None, "is_bfv": False,
        "pci_requests": codec.primitive("InstancePCIRequests", requests=[]),
        "flavor": cases.flavor(vcpus=VCPUS, memory_mb=MEMORY_MB, root_gb=ROOT_GB),
    }  # fmt: skip
    for give, share in features:
        if rng.random() < share:
            give(rng, case)
    return case


# ---- Nova


def configure(filters):
    for name, value in {"enabled_filters": filters, "weight_classes": [f"nova.scheduler.weights.{path_of(one)}" for one in WEIGHERS],
                        "max_io_ops_per_host": 8}.items():  # fmt: skip
        CONF.set_override(name, value, group="filter_scheduler")
    for weigher, (name, multiplier) in WEIGHERS.items():
        if weigher != "MetricsWeigher":
            CONF.set_override(f"{name}_weight_multiplier", multiplier, group="filter_scheduler")
    CONF.set_override("weight_multiplier", WEIGHERS["MetricsWeigher"][1], group="metrics")
    CONF.set_override("weight_setting", METRICS, group="metrics")
    CONF.set_override("required", False, group="metrics")


def path_of(weigher):
    one = reference.WEIGHERS[weigher]
    return f"{one.__module__.rsplit('.', 1)[1]}.{weigher}"


def of_nova(case):
    spec = codec.request_spec(case)
    spec._context = context.get_admin_context()
    return managers.selected(managers.HostManager(), spec, codec.host_states(case), case["uuids"], case["alternates"])


# ---- emplaced


# Of the plugin.
OPTIONS = {
    "filter_scheduler": {f"{name}_weight_multiplier": multiplier for weigher, (name, multiplier) in WEIGHERS.items() if weigher != "MetricsWeigher"},
    "metrics": {"weight_setting": METRICS, "required": False, "weight_multiplier": WEIGHERS["MetricsWeigher"][1]},
}  # fmt: skip


def profile(filters):
    return {"method": "nova", "filters": filters, "weighers": [{"id": name} for name in WEIGHERS]}


def host_of(state, plain):
    return {
        "name": state.host, "vcpus": state.vcpus_total, "memory_mib": state.total_usable_ram_mb, "disk_gib": state.total_usable_disk_gb,
        "reserved_vcpus": state.vcpus_used, "reserved_memory_mib": state.total_usable_ram_mb - state.free_ram_mb,
        "reserved_disk_gib": state.total_usable_disk_gb - state.free_disk_mb // 1024,
        "cpu_allocation_ratio": state.cpu_allocation_ratio, "ram_allocation_ratio": state.ram_allocation_ratio,
        "disk_allocation_ratio": state.disk_allocation_ratio, "nova_state": plain,
    }  # fmt: skip


def with_cells(plain, host):
    """NUMA cells as the compute node has them: the order of the sets that Nova has made of them does not tell all of these."""
    return {**plain, "numa_topology": host["compute"].get("numa_topology")}


def inventory_of(case):
    states = codec.host_states(case)
    plain = [with_cells(one, host) for one, host in zip(codec.plain_host_states(states), case["hosts"])]
    return {"hosts": [host_of(state, one) for state, one in zip(states, plain)]}


def question_of(case, **more):
    return {"request_spec": codec.plain_request_spec(codec.request_spec(case)), "instance_uuids": case["uuids"],
            "hosts": [host["host"] for host in case["hosts"]], "alternates": case["alternates"], "profile": "sequences",
            "reserve": False, **more}  # fmt: skip
