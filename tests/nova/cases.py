"""Random cases (codec.py says what one is). A feature is one small function that puts something into a case; it is registered
for the rules that read it (features.py). random_case() always applies those of the rules it asks about, and now and then some
others, so that rules also see what is not for them.
"""

import random

import codec

FEATURES = []  # (function, rules)
WEIGHERS = []  # rules that are weighers, in the order they are summed


def feature(*rules):
    def register(function):
        FEATURES.append((function, rules))
        return function

    return register


def uuid_of(rng):
    digits = f"{rng.getrandbits(128):032x}"
    return "-".join((digits[:8], digits[8:12], "4" + digits[13:16], "8" + digits[17:20], digits[20:]))


NOW = "2026-11-21T10:00:00"
PROJECTS = ["p1", "p2", "p3"]
FLAVORS = ["m1.tiny", "m1.large", "m1"]


def flavor(**fields):
    given = {"vcpus": 2, "memory_mb": 2048, "root_gb": 10, "ephemeral_gb": 0, "swap": 0, "name": "m1.tiny", "extra_specs": {}}
    return codec.primitive("Flavor", **{**given, **fields})


def image(properties=(), **fields):
    props = codec.objects.ImageMetaProps.from_dict(dict(properties))
    return {**codec.primitive("ImageMeta", **fields)} | {
        "nova_object.data": {**fields, "properties": props.obj_to_primitive()}
    }


def base_case(rng):
    hosts = []
    for i in range(300 if rng.random() < 0.005 else rng.choice([1, 2, 2, 3, 3, 4, 5, 8])):
        host = f"h{i}" if i == 0 or rng.random() > 0.05 else hosts[-1]["host"]
        instances = {uuid_of(rng): {"project_id": rng.choice(PROJECTS)} for _ in range(rng.randrange(4))}
        hosts.append({"host": host, "node": f"n{i}", "uuid": uuid_of(rng), "compute": {}, "aggregates": [], "instances": instances})
    spec = {
        "instance_uuid": uuid_of(rng), "project_id": rng.choice(PROJECTS), "user_id": "u", "num_instances": 1,
        "availability_zone": None, "image": None, "instance_group": None, "numa_topology": None, "scheduler_hints": {},
        "pci_requests": codec.primitive("InstancePCIRequests", requests=[]), "flavor": flavor(name=rng.choice(FLAVORS)),
    }  # fmt: skip
    return {"now": NOW, "release": "zed", "options": {}, "aggregates": {}, "hosts": hosts, "spec": spec,
            "filters": [], "weighers": []}  # fmt: skip


# ---- what features are made from


def options(case, section="filter_scheduler"):
    return case["options"].setdefault(section, {})


def extra_specs(case):
    return case["spec"]["flavor"]["nova_object.data"]["extra_specs"]


def hints(case):
    return case["spec"].setdefault("scheduler_hints", {})


def compute(host):
    return host["compute"]


def join_aggregates(rng, case, at_most=4):
    """Some aggregates, if there are none, each with some of the hosts."""
    while len(case["aggregates"]) < rng.randint(1, at_most):
        name = f"a{len(case['aggregates'])}"
        case["aggregates"][name] = {}
        for host in case["hosts"]:
            if rng.random() < 0.5:
                host["aggregates"].append(name)
    return list(case["aggregates"].values())


def give_metadata(rng, case, key, values, share=0.6):
    for metadata in join_aggregates(rng, case):
        if rng.random() < share:
            metadata[key] = rng.choice(values)


def instances(case):
    return [uuid for host in case["hosts"] for uuid in host["instances"]]


def image_properties(case):
    if case["spec"]["image"] is None:
        case["spec"]["image"] = image()
    return case["spec"]["image"]["nova_object.data"]["properties"]["nova_object.data"]


def set_image_properties(case, properties):
    props = codec.objects.ImageMetaProps.from_dict(properties).obj_to_primitive()
    image_properties(case).update(props["nova_object.data"])


def filters():
    """All filters that a feature is registered for; grows with features of other modules."""
    more = [rule for _, rules in FEATURES for rule in rules if not rule.endswith("Weigher")]
    return list(dict.fromkeys(["AllHostsFilter", *more]))


def random_case(seed, rules=None):
    """Half of the cases ask one filter, a quarter several, a quarter weighers. `rules`: of which to choose."""
    rng = random.Random(seed)
    case = base_case(rng)
    may_filter = [rule for rule in filters() if not rules or rule in rules]
    may_weigh = [rule for rule in WEIGHERS if not rules or rule in rules]
    case["release"] = "master" if rng.random() < 0.2 else "zed"
    kind = rng.random() if may_filter and may_weigh else (0 if may_filter else 1)
    if kind >= 0.7:
        case["weighers"] = [rule for rule in may_weigh if rng.random() < 0.8] or may_weigh[:1]
    elif kind >= 0.5:
        case["filters"] = rng.sample(may_filter, min(len(may_filter), rng.randint(2, 6)))
    else:
        case["filters"] = [rng.choice(may_filter)]
    asked = case["filters"] + case["weighers"]
    for function, read_by in FEATURES:
        if any(rule in asked for rule in read_by) or rng.random() < (0.03 if not read_by else 0.1):
            function(rng, case)
    return case
