"""What master's filters and weighers do otherwise than Zed's, for reference.py: slow, by their definition, on top of Zed's classes,
since Debian has no newer Nova to ask."""

from nova import conf, objects
from nova.scheduler import utils, weights
from nova.scheduler.filters import aggregate_multitenancy_isolation, compute_capabilities_filter
from oslo_config import cfg

CONF = conf.CONF
CONF.register_opts(
    [
        cfg.FloatOpt("hypervisor_version_weight_multiplier", default=1.0),
        cfg.FloatOpt("num_instances_weight_multiplier", default=0.0),
        cfg.FloatOpt("image_props_weight_multiplier", default=0.0),
        cfg.ListOpt("image_props_weight_setting", default=[]),
    ],
    group="filter_scheduler",
)


class AggregateMultiTenancyIsolation(aggregate_multitenancy_isolation.AggregateMultiTenancyIsolation):
    """Also reads keys that go on after filter_tenant_id."""

    def host_passes(self, host_state, spec_obj):
        allowed = set()
        for aggregate in host_state.aggregates:
            for key, value in aggregate.metadata.items():
                if key.startswith("filter_tenant_id"):
                    allowed |= {part.strip() for part in value.split(",")}
        return not allowed or spec_obj.project_id in allowed


class ComputeCapabilitiesFilter(compute_capabilities_filter.ComputeCapabilitiesFilter):
    """Takes hw:maxphysaddr_bits for a capability."""

    def _satisfies_extra_specs(self, host_state, flavor):
        extra_specs = flavor.extra_specs if "extra_specs" in flavor else {}
        read = dict(
            ("capabilities:cpu_info:maxphysaddr:bits", f">= {wanted}") if key == "hw:maxphysaddr_bits" else (key, wanted)
            for key, wanted in extra_specs.items()
        )
        return super()._satisfies_extra_specs(host_state, objects.Flavor(extra_specs=read))


class _Weigher(weights.BaseHostWeigher):
    name = None

    def weight_multiplier(self, host_state):
        key = f"{self.name}_weight_multiplier"
        return utils.get_weight_multiplier(host_state, key, getattr(CONF.filter_scheduler, key))


class HypervisorVersionWeigher(_Weigher):
    name = "hypervisor_version"

    def _weigh_object(self, obj, weight_properties):
        return obj.hypervisor_version or 0


class NumInstancesWeigher(_Weigher):
    name = "num_instances"

    def _weigh_object(self, obj, weight_properties):
        return obj.num_instances


def given(properties):
    return {name: getattr(properties, name) for name in properties.fields if properties.obj_attr_is_set(name)}


def given_at_boot(instance):
    """By the image that it was made from."""
    metadata = instance.system_metadata if instance.obj_attr_is_set("system_metadata") else {}
    texts = {key[len("image_"):]: value for key, value in metadata.items() if key.startswith("image_")}  # fmt: skip
    return given(objects.ImageMetaProps.from_dict(texts))


class ImagePropertiesWeigher(_Weigher):
    name = "image_props"

    def _weigh_object(self, obj, weight_properties):
        if CONF.filter_scheduler.image_props_weight_multiplier == 0.0 or not weight_properties.image:
            return 0.0
        setting = dict(utils.parse_options(CONF.filter_scheduler.image_props_weight_setting, "=", float))
        total = 0.0
        here = [given_at_boot(one) for one in obj.instances.values()]
        for key, value in given(weight_properties.image.properties).items():
            count = sum(1 for properties in here if key in properties and str(properties[key]) == str(value))
            total += (setting.get(key, 0.0) if setting else 1) * count
        return total


FILTERS = {one.__name__: one for one in (AggregateMultiTenancyIsolation, ComputeCapabilitiesFilter)}
WEIGHERS = {one.__name__: one for one in (HypervisorVersionWeigher, NumInstancesWeigher, ImagePropertiesWeigher)}
