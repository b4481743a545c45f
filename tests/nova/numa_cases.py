"""Random NUMA topologies and PCI pools of hosts, and requests for them, near the edges: cells that are nearly full, siblings half
taken, pages just enough, devices in another cell. Imported by differential.py, which registers the features here.
"""

import cases
import codec
from cases import compute, feature, image_properties, options

RULES = ("NUMATopologyFilter", "PciPassthroughFilter", "PCIWeigher")
cases.WEIGHERS.append("PCIWeigher")
PAGE_SIZES = [4, 2048, 1048576]
POLICIES = [None, "shared", "dedicated", "dedicated", "mixed"]
PHYSNETS = ["physnet1", "physnet2", "physnet3"]


def near(rng, most, roomy):
    """A whole number up to `most`: mostly at its ends; near 0 on a host with room."""
    edges = [0, 0, 0, 1, 2] if roomy else [0, 1, most, most - 1, most - 2]
    return max(0, min(most, rng.choice([*edges, rng.randint(0, max(0, most) // (3 if roomy else 1))])))


# ---- hosts


def cores_of(rng, first, cores, threads):
    """CPU numbers core by core: siblings side by side, or as far apart as there are cores."""
    if rng.random() < 0.5:
        return [[first + core * threads + thread for thread in range(threads)] for core in range(cores)]
    return [[first + core + thread * cores for thread in range(threads)] for core in range(cores)]


def split(rng, cores):
    """cpuset and pcpuset: the same (vcpu_pin_set), apart by core, apart by CPU, or only one of them."""
    cpus = [cpu for core in cores for cpu in core]
    kind = rng.random()
    if kind < 0.5:
        return cpus, cpus
    if kind < 0.7:
        shared = rng.sample(cores, rng.randint(0, len(cores)))
        return sum(shared, []), [cpu for core in cores if core not in shared for cpu in core]
    if kind < 0.9:
        shared = rng.sample(cpus, rng.randint(0, len(cpus)))
        return shared, [cpu for cpu in cpus if cpu not in shared]
    return ([], cpus) if rng.random() < 0.7 else (cpus, [])


def pages(rng, memory_mb, roomy):
    sizes = [4, *rng.sample(PAGE_SIZES[1:], rng.randint(0, 2))] if rng.random() < 0.95 else [2048]
    made = []
    for size in rng.sample(sizes, len(sizes)):
        total = memory_mb * 1024 // size // rng.choice([1, 1, 1, 2])
        fields = {"size_kb": size, "total": total, "used": near(rng, total, roomy)}
        if rng.random() < 0.5:
            fields["reserved"] = rng.choice([0, 0, 1, total // 4])
        made.append(codec.objects.NUMAPagesTopology(**fields))
    return made if rng.random() < 0.85 else []


def networks(rng):
    return codec.objects.NetworkMetadata(physnets=set(rng.sample(PHYSNETS, rng.choice([0, 0, 1, 2]))), tunneled=rng.random() < 0.2)


def host_cell(rng, number, cores, roomy):
    cpuset, pcpuset = split(rng, cores)
    memory_mb = rng.choice([1024, 2048, 4096])
    fields = {
        "id": number, "cpuset": set(cpuset), "pcpuset": set(pcpuset), "memory": memory_mb, "memory_usage": near(rng, memory_mb, roomy),
        "cpu_usage": near(rng, 2 * len(cpuset), roomy), "pinned_cpus": set(rng.sample(pcpuset, near(rng, len(pcpuset), roomy))),
        "siblings": [set(core) for core in rng.sample(cores, len(cores))], "mempages": pages(rng, memory_mb, roomy),
        "socket": rng.choice([0, number // 2, number, None if rng.random() < 0.2 else 0]),
    }  # fmt: skip
    if rng.random() < 0.5:
        fields["network_metadata"] = networks(rng)
    return codec.objects.NUMACell(**fields)


def topology(rng):
    threads, made, first = rng.choice([1, 2, 2, 2, 4]), [], rng.choice([0, 0, 7])
    roomy = rng.random() < 0.7
    ids = list(range(rng.choice([1, 2, 2, 2, 3, 3, 4, 5])))
    if rng.random() < 0.15:
        ids = [2 * number + 1 for number in ids[::-1]]
    for number in ids:
        cores = cores_of(rng, first, rng.choice([1, 2, 3, 4, 4, 6]), threads)
        first += threads * len(cores)
        if threads > 1 and rng.random() < 0.15:
            cores[-1] = cores[-1][:1]
        made.append(host_cell(rng, number, cores, roomy))
    return codec.objects.NUMATopology(cells=made).obj_to_primitive()


DEVICES = [("8086", "154d"), ("8086", "1520"), ("10DE", "1db4")]
TAGS = {
    "dev_type": ["type-PCI", "type-PF", "type-VF", "vdpa", "type-VF"], "physical_network": [*PHYSNETS, None, "PhysNet1"],
    "remote_managed": ["true", "false", "True", " yes", "0", None], "parent_ifname": ["ens1", "ens2"], "trusted": ["true", ""],
}  # fmt: skip


def pool(rng):
    vendor, product = rng.choice(DEVICES)
    tags = {name: rng.choice(values) for name, values in TAGS.items() if rng.random() < (0.8 if name == "dev_type" else 0.3)}
    return codec.objects.PciDevicePool(
        vendor_id=vendor, product_id=product, numa_node=rng.choice([None, 0, 0, 1, 1, 2, 3]), tags=tags,
        count=rng.choice([0, 1, 1, 2, 3, 8, 60]),
    )  # fmt: skip


def pools(rng):
    made = [pool(rng) for _ in range(rng.choice([0, 1, 2, 3, 4, 6]))]
    if made and rng.random() < 0.2:
        made.append(made[0].obj_clone())
    return codec.objects.PciDevicePoolList(objects=made).obj_to_primitive()


# ---- requests


def guest_cell(rng, number, policy, threads, pagesize):
    vcpus = list(range(number * 8, number * 8 + rng.choice([1, 1, 2, 2, 2, 3, 4, 6])))
    dedicated = {"dedicated": vcpus, "mixed": rng.sample(vcpus, rng.randint(0 if rng.random() < 0.1 else 1, len(vcpus)))}.get(policy, [])
    return codec.objects.InstanceNUMACell(
        id=number, cpuset=set(vcpus) - set(dedicated), pcpuset=set(dedicated), cpu_policy=policy, cpu_thread_policy=threads,
        memory=rng.choice([1, 3, 64, 64, 512, 512, 1024, 1024, 2048, 4096]), pagesize=pagesize,
    )  # fmt: skip


def guest(rng):
    policy = rng.choice(POLICIES)
    threads = rng.choice([None, None, "prefer", "require", "isolate"]) if policy in ("dedicated", "mixed") else None
    pagesize = rng.choice([None, None, None, None, -1, -1, -2, -3, -3, -3, 4, 2048, 1048576, 16384])
    made = [guest_cell(rng, number, policy, threads, pagesize) for number in range(rng.choice([1, 1, 1, 2, 2, 2, 3, 4]))]
    fields = {"emulator_threads_policy": rng.choice([None, "share", "isolate", "isolate"])} if rng.random() < 0.6 else {}
    return codec.primitive("InstanceNUMATopology", cells=[cell.obj_to_primitive() for cell in made], **fields)


def device_spec(rng):
    vendor, product = rng.choice(DEVICES)
    spec = {"vendor_id": rng.choice([vendor, vendor.lower()]), "product_id": product}
    for name, values in TAGS.items():
        if rng.random() < 0.12:
            spec[name] = rng.choice(values)
    if rng.random() < 0.1:
        spec[rng.choice(["numa_node", "unheard_of", "count"])] = rng.choice([None, "0", "1"])
    return {name: value for name, value in spec.items() if rng.random() < 0.7}


def device_request(rng):
    fields = {
        "count": rng.choice([0, 1, 1, 1, 1, 1, 2, 2, 3, 5]), "spec": [device_spec(rng) for _ in range(rng.choice([0, 1, 1, 1, 1, 1, 1, 2]))],
        "alias_name": rng.choice([None, "a1"]), "request_id": cases.uuid_of(rng),
    }  # fmt: skip
    if rng.random() < 0.9:
        fields["numa_policy"] = rng.choice([None, "legacy", "preferred", "preferred", "required", "socket", "socket"])
    return codec.objects.InstancePCIRequest(**fields)


def ask_for_devices(rng, case):
    made = [device_request(rng).obj_to_primitive() for _ in range(rng.choice([0, 1, 1, 1, 2, 3]))]
    case["spec"]["pci_requests"] = codec.primitive("InstancePCIRequests", requests=made) if made or rng.random() < 0.7 else None


# ---- features


@feature(*RULES)
def devices(rng, case):
    for host in case["hosts"]:
        if rng.random() < 0.85:
            compute(host)["pci_device_pools"] = pools(rng)


@feature("NUMATopologyFilter")
def numa_hosts(rng, case):
    for host in case["hosts"]:
        if rng.random() < 0.96:
            compute(host)["numa_topology"] = topology(rng)
        compute(host)["cpu_allocation_ratio"] = rng.choice([1.0, 1.0, 1.5, 2.0, 4.0, 0.3])
        compute(host)["ram_allocation_ratio"] = rng.choice([1.0, 1.0, 1.5, 0.9])


@feature("NUMATopologyFilter")
def numa_guest(rng, case):
    if rng.random() < 0.95:
        case["spec"]["numa_topology"] = guest(rng)
    if rng.random() < 0.3:
        case["spec"]["network_metadata"] = networks(rng).obj_to_primitive()
    if case["spec"]["image"] is None:
        case["spec"]["image"] = cases.image()
    if rng.random() < 0.4:
        options(case, "compute")["packing_host_numa_cells_allocation_strategy"] = rng.random() < 0.7


@feature("NUMATopologyFilter")
def cpu_policies(rng, case):
    """In the flavor, in the image, or one in each."""
    for name, values in (("cpu_policy", ["dedicated", "dedicated", "shared"]), ("cpu_thread_policy", ["require", "prefer"])):
        if rng.random() < 0.2:
            cases.extra_specs(case)[f"hw:{name}"] = rng.choice(values)
        if rng.random() < 0.1:
            image_properties(case)[f"hw_{name}"] = rng.choice(values)


@feature("PciPassthroughFilter")
def pci_requests(rng, case):
    ask_for_devices(rng, case)


@feature("NUMATopologyFilter")
def numa_pci_requests(rng, case):
    if rng.random() < 0.5:
        ask_for_devices(rng, case)


@feature("PCIWeigher")
def pci_multipliers(rng, case):
    cases.give_metadata(rng, case, "pci_weight_multiplier", ["1.5", "-2", "0", "abc"], 0.3)
    if rng.random() < 0.3:
        options(case)["pci_weight_multiplier"] = rng.choice([0.0, 0.5, 2.0])
