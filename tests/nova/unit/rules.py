"""Nova's filters and weighers as thin classes that ask a running emplaced, to be put in the place of Nova's own. They keep
Nova's names, and its way to be asked: host_passes(), weigh_objects(), weight_multiplier()."""

import importlib
import inspect
import pathlib
import sys
import uuid
from unittest import mock

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import codec  # noqa: E402
from nova import conf, exception, objects, servicegroup  # noqa: E402
from nova.scheduler import filters, weights  # noqa: E402
from nova.scheduler.filters import extra_specs_ops, utils  # noqa: E402
from oslo_utils import timeutils, uuidutils  # noqa: E402

CONF = conf.CONF
NOW = "2026-11-21T10:00:00"
AGO = "2026-11-21T08:00:00"

SECTIONS = {
    None: ["service_down_time", "default_availability_zone"],
    "filter_scheduler": [
        "image_properties_default_architecture", "max_io_ops_per_host", "max_instances_per_host", "isolated_hosts",
        "isolated_images", "restrict_isolated_hosts_to_isolated_images", "aggregate_image_properties_isolation_namespace",
        "aggregate_image_properties_isolation_separator", "ram_weight_multiplier", "cpu_weight_multiplier",
        "disk_weight_multiplier", "io_ops_weight_multiplier", "pci_weight_multiplier", "soft_affinity_weight_multiplier",
        "soft_anti_affinity_weight_multiplier", "build_failure_weight_multiplier", "cross_cell_move_weight_multiplier",
    ],
    "compute": ["packing_host_numa_cells_allocation_strategy"],
    "metrics": ["weight_setting", "weight_multiplier", "required", "weight_of_unavailable"],
}  # fmt: skip

# What a rule that can't answer raises in Nova; emplaced says in words that it could not.
RAISES = {"MetricsWeigher": exception.ComputeHostMetricNotFound, "JsonFilter": KeyError}


def options():
    """Nova's configuration as it is now, as a call takes it."""
    group = lambda section: CONF if section is None else getattr(CONF, section)  # noqa: E731
    return {section or "DEFAULT": {name: getattr(group(section), name) for name in names} for section, names in SECTIONS.items()}


# ---- what is only there in tests: names for uuids, mocks for aggregates, half a flavor


def as_uuid(text):
    """The tests call instances "member1"; emplaced's have uuids."""
    return text if uuidutils.is_uuid_like(text) else str(uuid.uuid5(uuid.NAMESPACE_OID, str(text)))


def is_mocked(function):
    return isinstance(function, mock.NonCallableMock)


def asked_aggregates(rule, host, spec):
    """Aggregates that say what a mocked look-up says; the rule's own when none is mocked."""
    keys = {"AggregateIoOpsFilter": "max_io_ops_per_host", "AggregateNumInstancesFilter": "max_instances_per_host",
            "AggregateTypeAffinityFilter": "instance_type"}  # fmt: skip
    if rule in keys and is_mocked(utils.aggregate_values_from_key):
        found = [{keys[rule]: value} for value in utils.aggregate_values_from_key(host, keys[rule])]
    elif rule.startswith(("Aggregate", "Availability")) and is_mocked(utils.aggregate_metadata_get_by_host):
        if rule == "AggregateInstanceExtraSpecsFilter" and not ("extra_specs" in spec.flavor and spec.flavor.extra_specs):
            return []
        found = [{key: ",".join(values) for key, values in utils.aggregate_metadata_get_by_host(host).items()}]
    else:
        return list(host.aggregates)
    return [objects.Aggregate(name=f"mocked{i}", metadata=metadata) for i, metadata in enumerate(found)]


def asked_service(host):
    """One that was heard from as the mocked servicegroup says."""
    service = dict(getattr(host, "service", {}))
    if service and not service.get("disabled"):
        api = servicegroup.API()
        if is_mocked(api.service_is_up):
            service["last_seen_up"] = codec.time_of(NOW if api.service_is_up(host.service) else AGO)
    return {key: value for key, value in service.items() if key in codec.SERVICE}


def plain_states(rule, hosts, spec):
    states = []
    for host in hosts:
        state = host.__class__.__new__(host.__class__)
        vars(state).update(vars(host))
        state.aggregates = asked_aggregates(rule, host, spec)
        state.instances = {as_uuid(name): one for name, one in host.instances.items()}
        if hasattr(host, "service"):
            state.service = asked_service(host)
        states.append(state)
    plain = codec.plain_host_states(states)
    for i, state in enumerate(plain):
        state["nodename"] = state["nodename"] or f"node{i}"
    return plain


NOTHING_KNOWN = {"host": "h", "nodename": "n"}  # what None is asked about as
FLAVOR = {"name": "f", "vcpus": 1, "memory_mb": 1, "root_gb": 0, "ephemeral_gb": 0, "swap": 0, "extra_specs": {}}


def plain_spec(spec):
    """Complete enough to be read, and with uuids."""
    spec = spec if isinstance(spec, objects.RequestSpec) else objects.RequestSpec()
    primitive = codec.plain_request_spec(spec)
    data = primitive["nova_object.data"]
    flavor = data.setdefault("flavor", objects.Flavor().obj_to_primitive())
    flavor["nova_object.data"] = {**FLAVOR, **flavor["nova_object.data"]}
    data.setdefault("num_instances", 1)
    data.setdefault("instance_uuid", str(uuid.UUID(int=0)))
    group = data.get("instance_group")
    if group and "members" in group["nova_object.data"]:
        group["nova_object.data"]["members"] = [as_uuid(name) for name in group["nova_object.data"]["members"]]
    for name in ("different_host", "same_host"):
        if data.get("scheduler_hints") and data["scheduler_hints"].get(name):
            data["scheduler_hints"][name] = [as_uuid(text) for text in data["scheduler_hints"][name]]
    return primitive


# ---- the thin classes


class Asking:
    emplace = None  # set by install()

    def refuse_degraded(self, answer):
        rule = type(self).__name__
        if answer["degraded"]:
            raise RAISES.get(rule, ValueError)(answer["degraded"][0]["why"])


def now():
    overridden = timeutils.utcnow.override_time
    return (overridden.isoformat() if overridden else NOW) + "Z"


class AskingFilter(Asking, filters.BaseHostFilter):
    def host_passes(self, host_state, filter_properties):
        rule = type(self).__name__
        hosts = plain_states(rule, [host_state], filter_properties) if host_state else [NOTHING_KNOWN]
        answer = self.emplace.filter(hosts, plain_spec(filter_properties), [rule], options=options(), now=now())
        self.refuse_degraded(answer)
        return answer["passed"] == [hosts[0]["host"]]


class AskingWeigher(Asking, weights.BaseHostWeigher):
    def _parse_setting(self):
        """The tests call it after they changed the configuration, which here is sent with each question."""

    def ask(self, hosts, spec):
        rule = type(self).__name__
        answer = self.emplace.weigh(plain_states(rule, hosts, spec), plain_spec(spec), [rule], options=options(), now=now())
        self.refuse_degraded(answer)
        return answer["weights"]

    @property
    def setting(self):
        """What emplaced reads of [metrics]weight_setting: the weight of a host that has 1 of one metric and 0 of the others."""
        names = [item.partition("=")[0] for item in CONF.metrics.weight_setting]
        metrics = [[{"name": n, "value": int(n == name)} for n in names] for name in names]
        hosts = [{"host": f"host{i}", "nodename": "n", "metrics": listed} for i, listed in enumerate(metrics)]
        answer = self.emplace.weigh([*hosts, {**hosts[0], "host": "another"}], plain_spec(None), ["MetricsWeigher"], options=options())
        found = zip(names, [one["weighers"]["MetricsWeigher"]["raw"] for one in answer["weights"]])
        return [(name, ratio) for name, ratio in found if ratio != 0]

    def weigh_objects(self, weighed_obj_list, weight_properties):
        found = self.ask([one.obj for one in weighed_obj_list], weight_properties)
        return [one["weighers"][type(self).__name__]["raw"] for one in found]

    def _weigh_object(self, obj, weight_properties):
        return self.weigh_objects([weights.WeighedHost(obj, 0)] * 2, weight_properties)[0]

    def weight_multiplier(self, host_state):
        """Of a host alone nobody would ask."""
        found = self.ask([host_state, type(host_state)(f"not-{host_state.host}", host_state.nodename, {})], None)
        return found[0]["weighers"][type(self).__name__]["multiplier"]


def weighed_objects(self, weighers, obj_list, weighing_properties):
    """HostWeightHandler.get_weighed_objects(), with emplaced's own normalising, sum and order."""
    del self
    listed = [weights.WeighedHost(obj, 0.0) for obj in obj_list]
    if len(listed) > 1:
        rules = [type(weigher).__name__ for weigher in weighers]
        hosts = plain_states(rules[0], obj_list, weighing_properties)
        answer = Asking.emplace.weigh(hosts, plain_spec(weighing_properties), rules, options=options(), now=now())
        for weigher in weighers:
            weigher.refuse_degraded(answer)
        for one, found in zip(listed, answer["weights"]):
            one.weight = found["weight"]
    return sorted(listed, key=lambda one: one.weight, reverse=True)


def match(value, req):
    """extra_specs_ops.match(), by a capability of that value."""
    host = {"host": "h", "nodename": "n", "stats": {} if value is None else {"it": value}}
    flavor = {**objects.Flavor().obj_to_primitive(), "nova_object.data": {**FLAVOR, "extra_specs": {"capabilities:stats:it": req}}}
    primitive = plain_spec(None)
    primitive["nova_object.data"]["flavor"] = flavor
    return Asking.emplace.filter([host], primitive, ["ComputeCapabilitiesFilter"])["passed"] == ["h"]


def install(emplace):
    """From here on Nova's modules have the thin classes."""
    Asking.emplace = emplace
    for package, thin in ((filters, AskingFilter), (weights, AskingWeigher)):
        base = filters.BaseHostFilter if package is filters else weights.BaseHostWeigher
        for file in pathlib.Path(package.__file__).parent.glob("[a-z]*.py"):
            module = importlib.import_module(f"{package.__name__}.{file.stem}")
            for name, known in inspect.getmembers(module, inspect.isclass):
                if issubclass(known, base) and known.__module__ == module.__name__ and not name.startswith("_"):
                    setattr(module, name, type(name, (thin,), {"__module__": module.__name__, "minval": getattr(known, "minval", None)}))
    weights.HostWeightHandler.get_weighed_objects = weighed_objects
    extra_specs_ops.match = match
