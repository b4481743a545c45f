"""What real Nova's own filter and weigher classes say about a case, in this process."""

import contextlib
import logging
import warnings

import codec
import master
from nova import conf
from nova import weights as nova_weights
from nova.scheduler import filters as nova_filters
from nova.scheduler import weights as nova_host_weights
from oslo_utils import timeutils

CONF = conf.CONF
CONF([], project="nova", default_config_files=[])
logging.disable(logging.CRITICAL)
warnings.simplefilter("ignore")

FILTERS = {one.__name__: one for one in nova_filters.HostFilterHandler().get_all_classes()}
WEIGHERS = {one.__name__: one for one in nova_host_weights.HostWeightHandler().get_all_classes()} | master.WEIGHERS


def filter_class(rule, release):
    return (master.FILTERS if release == "master" else {}).get(rule, FILTERS[rule])


class Raised(Exception):
    """A rule raised; Nova lets the whole request fail then."""

    def __init__(self, rule, error):
        super().__init__(f"{rule}: {type(error).__name__}: {error}")
        self.rule = rule


@contextlib.contextmanager
def configured(case):
    """Nova's configuration and clock as the case has them."""
    given = [(section, name) for section, values in case["options"].items() for name in values]
    timeutils.set_time_override(codec.time_of(case["now"]).replace(tzinfo=None))
    try:
        for section, name in given:
            CONF.set_override(name, case["options"][section][name], **({} if section == "DEFAULT" else {"group": section}))
        yield
    finally:
        for section, name in given:
            CONF.clear_override(name, **({} if section == "DEFAULT" else {"group": section}))
        timeutils.clear_time_override()


def passed(case, states, spec):
    """The states that every filter passes, in order. Raises Raised."""
    with configured(case):
        for rule in case["filters"]:
            try:
                states = list(filter_class(rule, case["release"])().filter_all(states, spec))
            except Exception as error:  # pylint: disable=broad-except
                raise Raised(rule, error) from error
            if not states:
                break
    return states


def weighed(case, states, spec):
    """(final weights by state, {weigher: {"raw", "normalized", "multiplier"} as lists}, weighers that raised). Final weights are
    None when one raised."""
    columns, raised = {}, []
    with configured(case):
        if len(states) > 1:
            for rule in case["weighers"]:
                weigher = WEIGHERS[rule]()
                objects = [nova_host_weights.WeighedHost(state, 0.0) for state in states]
                try:
                    raw = weigher.weigh_objects(objects, spec)
                    normalized = list(nova_weights.normalize(raw, weigher.minval, weigher.maxval))
                    multiplier = [weigher.weight_multiplier(state) for state in states]
                    columns[rule] = {"raw": list(raw), "normalized": normalized, "multiplier": multiplier}
                except Exception as error:  # pylint: disable=broad-except
                    raised.append(Raised(rule, error))
        if raised:
            return None, columns, raised
        handler = nova_host_weights.HostWeightHandler()
        listed = handler.get_weighed_objects([WEIGHERS[rule]() for rule in case["weighers"]], states, spec)
        return {id(one.obj): (one.weight, place) for place, one in enumerate(listed)}, columns, raised
