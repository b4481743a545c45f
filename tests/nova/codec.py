"""Real Nova objects, made without a database from plain JSON, and what POST /v1/filter and /v1/weigh take of them.

A case is JSON (cases.py makes them):

    {"now": "2026-11-21T10:00:00", "release": "zed", "options": {section: {option: value}},
     "aggregates": {name: metadata},
     "hosts": [{"host", "node", "cell", "compute": {ComputeNode's fields}, "service": {Service's fields},
                "aggregates": [name], "instances": {uuid: {Instance's fields}}}],
     "spec": {RequestSpec's fields}, "filters": [name], "weighers": [name]}

Fields that hold objects have their primitives. `compute` is read by HostState.update itself, so what emplaced is told is
what Nova's own code makes of it.
"""

import datetime
import json

from nova import objects
from nova.objects import base
from nova.pci import stats as pci_stats
from nova.scheduler import host_manager

objects.register_all()

CELL = "11111111-2222-3333-4444-555555555555"


# ---- JSON to Nova's objects


def primitive(kind, **fields):
    """An object of Nova as its primitive, as cases hold them."""
    return getattr(objects, kind)(**{name: revived(value) for name, value in fields.items()}).obj_to_primitive()


def revived(value):
    """A primitive as the object it is of; lists and dicts with all that is in them."""
    if isinstance(value, dict):
        if "nova_object.name" in value:
            return base.NovaObject.obj_from_primitive(value)
        return {key: revived(item) for key, item in value.items()}
    return [revived(item) for item in value] if isinstance(value, list) else value


def time_of(text):
    return None if text is None else datetime.datetime.fromisoformat(text).replace(tzinfo=datetime.timezone.utc)


COMPUTE = {
    "vcpus": 16, "memory_mb": 65536, "local_gb": 500, "vcpus_used": 0, "free_ram_mb": 65536, "free_disk_gb": 500,
    "local_gb_used": 0, "disk_available_least": None, "hypervisor_type": "QEMU", "hypervisor_version": 7002002,
    "cpu_info": None, "stats": {}, "metrics": "[]", "host_ip": "10.0.0.1", "numa_topology": None, "pci_device_pools": None,
    "supported_hv_specs": [], "cpu_allocation_ratio": 1.0, "ram_allocation_ratio": 1.0, "disk_allocation_ratio": 1.0,
}  # fmt: skip


def compute_node(host):
    fields = {**COMPUTE, "hypervisor_hostname": host["node"], **host.get("compute", {})}
    fields["supported_hv_specs"] = [objects.HVSpec.from_list(item) for item in fields["supported_hv_specs"]]
    node = objects.ComputeNode(uuid=host["uuid"], host=host["host"], updated_at=None)
    if isinstance(fields["numa_topology"], dict):  # a text in ComputeNode; as an object it can be made smaller
        fields["numa_topology"] = json.dumps(fields["numa_topology"])
    for name, value in fields.items():
        setattr(node, name, revived(value))
    return node


def aggregates(case):
    """By name: one object for all its hosts."""
    return {
        name: objects.Aggregate(id=i + 1, name=name, hosts=[], metadata=metadata)
        for i, (name, metadata) in enumerate(case["aggregates"].items())
    }


def service(host, now):
    fields = {"disabled": False, "forced_down": False, "last_seen_up": now, "created_at": now, **host.get("service", {})}
    times = {name: time_of(fields.pop(name)) for name in ("last_seen_up", "created_at")}
    return objects.Service(host=host["host"], binary="nova-compute", topic="compute", **fields, **times)


def host_states(case):
    known = aggregates(case)
    states = []
    for host in case["hosts"]:
        state = host_manager.HostState(host["host"], host["node"], host.get("cell", CELL))
        instances = {uuid: objects.Instance(uuid=uuid, **revived(fields)) for uuid, fields in host["instances"].items()}
        state.update(
            compute_node(host), dict(service(host, case["now"])), [known[name] for name in host["aggregates"]], instances
        )
        states.append(state)
    return states


def request_spec(case):
    return objects.RequestSpec(**{name: revived(value) for name, value in case["spec"].items()})


# ---- Nova's objects to what emplaced takes


def plain(value):
    """As JSON can carry it: objects as their primitives, times in ISO 8601 without a zone."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.timezone.utc).replace(tzinfo=None).isoformat() if value.tzinfo else value.isoformat()
    if isinstance(value, pci_stats.PciDeviceStats):
        return value.to_device_pools_obj().obj_to_primitive()
    if isinstance(value, base.NovaObject):
        return value.obj_to_primitive()
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in value]
    return json.loads(json.dumps(value, default=str))


SERVICE = ("host", "binary", "topic", "disabled", "disabled_reason", "forced_down", "last_seen_up", "created_at")


def is_set(thing, name):
    """Of one of Nova's objects: reading a field that is not set asks the database."""
    return thing.obj_attr_is_set(name) if isinstance(thing, base.NovaObject) else hasattr(thing, name)


def plain_instance(instance):
    return {name: plain(getattr(instance, name)) for name in ("project_id", "system_metadata") if is_set(instance, name)}


def plain_metric(metric):
    names = ("name", "value", "numa_membw_values")
    return {name: plain(getattr(metric, name)) for name in names if is_set(metric, name)}


SPECIAL = {
    "instances": lambda instances: {uuid: plain_instance(one) for uuid, one in instances.items()},
    "metrics": lambda metrics: None if metrics is None else [plain_metric(one) for one in metrics],
    "service": lambda service: {key: plain(value) for key, value in service.items() if key in SERVICE},
}


class AggregateNames:
    """Names for aggregates that tell them apart: a caller's may have none, or all the same."""

    def __init__(self):
        self.metadata = {}

    def of(self, aggregate):
        given = aggregate.name if is_set(aggregate, "name") and isinstance(aggregate.name, str) else "aggregate"
        name, count = given, 1
        while self.metadata.setdefault(name, aggregate.metadata) != aggregate.metadata:
            count += 1
            name = f"{given}#{count}"
        return name

    def plain(self, listed):
        return [{"id": i + 1, "name": self.of(one), "metadata": dict(one.metadata)} for i, one in enumerate(listed)]


def plain_host_states(states):
    """The `host_states` of a call: every attribute that the objects have."""
    names = AggregateNames()
    special = {**SPECIAL, "aggregates": names.plain}
    return [{key: special.get(key, plain)(value) for key, value in vars(state).items()} for state in states]


def plain_request_spec(spec):
    return spec.obj_to_primitive()
