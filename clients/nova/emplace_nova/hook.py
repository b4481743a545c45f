"""EmplaceFilter and EmplaceWeigher: one call to Emplace per request. The filter asks for verdicts and scores together and leaves
the scores on the request spec, where the weigher finds them.

Modes ([emplace] mode): shadow logs what Emplace would have done and changes nothing; advise orders hosts and refuses none,
and leaves a multi-create as spread as Nova alone would; enforce orders and refuses. An Emplace that does not answer never fails a boot: all hosts pass and weigh the same.

Nova calls the filter for every instance of a request, in any of its threads, and makes its host states anew for each request;
with one surviving host it calls no weigher, with forced hosts no filter.
"""

import collections
import heapq
import itertools
import logging
import operator

from nova.scheduler import filters, utils, weights
from oslo_log import log
from oslo_versionedobjects import base

from emplace_nova import options
from emplace_nova.client import NoAnswer

LOG = log.getLogger(__name__)

NEUTRAL = 0.5  # of all hosts, when nobody judged them

# Of a host state, and of one that is weighed. With these a loop over a thousand hosts runs in C.
HOST_NAME = operator.attrgetter("host")
WEIGHED_HOST_NAME = operator.attrgetter("obj.host")
HOST_ID = operator.attrgetter("uuid")
INSTANCES = operator.attrgetter("num_instances")


def request_id(spec):
    """Of the call that Nova is serving; empty outside of one."""
    context = getattr(spec, "_context", None)
    return getattr(context, "global_id", None) or getattr(context, "request_id", None) or ""


def instance(spec):
    return spec.instance_uuid if "instance_uuid" in spec else "(no uuid)"


def is_to_reserve(spec, mode):
    """Nova takes the first host of the order, mostly; Emplace keeps its room until it sees the server there, so that requests at
    the same time and the instances of one request find it taken. In shadow Nova may take any. For the last instance of a
    multi-create Nova asks a second time, for hosts to fall back on: what was reserved stays where it is. A reschedule comes with
    a spec of its own."""
    if mode == "shadow" or "instance_uuid" not in spec:
        return False
    before, spec.emplace_reserved_for = getattr(spec, "emplace_reserved_for", None), spec.instance_uuid
    return before != spec.instance_uuid


FIELD = base._get_attrname("")  # pylint: disable=protected-access  # before the names of attributes that hold fields


def primitive(entity):
    """What obj_to_primitive gives, but for the names of changed fields: to look for them in each object takes most of its time,
    as does obj_attr_is_set, which lists all fields for each. Few of an image's hundred properties are set."""
    data = {}
    fields = entity.fields
    for attribute, value in vars(entity).items():
        name = attribute[len(FIELD):]
        if name not in fields or not attribute.startswith(FIELD):
            continue
        if isinstance(value, base.VersionedObject):
            data[name] = primitive(value)
        elif isinstance(value, list) and value and isinstance(value[0], base.VersionedObject):
            data[name] = [primitive(one) for one in value]
        else:
            data[name] = fields[name].to_primitive(entity, name, value)
    return {"nova_object.name": entity.obj_name(), "nova_object.namespace": entity.OBJ_PROJECT_NAMESPACE,
            "nova_object.version": entity.VERSION, "nova_object.data": data}


def question(spec, hosts, settings):
    asked = {"request_spec": primitive(spec), "hosts": list(dict.fromkeys(map(HOST_NAME, hosts))), "scores": True, "brief": True,
             "unknown_hosts": "pass", "profile": settings.profile}
    return {**asked, "reserve": True} if is_to_reserve(spec, settings.mode) else asked


def refusals(answer):
    """How many hosts were refused, by reason: a line for a log, however many hosts there are."""
    codes = collections.Counter(one["code"] for one in answer["refused"])
    return ", ".join(f"{count} for {code}" for code, count in codes.most_common()) or "none"


def degraded(answer):
    """Why, by plugin; of many reasons, such as hosts that are not known, the first three."""
    whys = collections.defaultdict(list)
    for one in answer["degraded"]:
        whys[one["plugin"]].append(one["why"])
    return {name: "; ".join(all_[:3]) + (f"; and {len(all_) - 3} more" if len(all_) > 3 else "") for name, all_ in whys.items()}


def log_answer(answer, hosts, spec, mode):
    first = heapq.nlargest(3, answer["scores"], key=answer["scores"].get)
    LOG.info("Emplace (%s) for instance %s: of %d hosts %d pass, first %s; refused: %s", mode, instance(spec), len(hosts),
             len(hosts) - len(answer["refused"]), ", ".join(first) or "none", refusals(answer))
    for one in answer["refused"] if LOG.isEnabledFor(logging.DEBUG) else ():
        LOG.debug("Emplace (%s) for instance %s: host %s refused by %s: %s, wanted %s, found %s %s", mode, instance(spec),
                  one["host"], one["filter"], one["code"], one["wanted"], one["found"], one["unit"] or "")
    for plugin, why in degraded(answer).items():
        LOG.warning("Emplace judged instance %s without %s: %s", instance(spec), plugin, why)


def remember(hosts, spec):
    """How many instances each host has before Nova puts the first of a multi-create anywhere: it counts them on its host states."""
    if getattr(spec, "emplace_instances", None) is None and "num_instances" in spec and spec.num_instances > 1:
        spec.emplace_instances = dict(zip(map(HOST_ID, hosts), map(INSTANCES, hosts)))


def placed(hosts, spec):
    """How many instances of this request Nova has put onto which hosts, by name."""
    before, counts = getattr(spec, "emplace_instances", None), collections.Counter()
    for host in hosts if before else ():
        more = host.num_instances - before.get(host.uuid, host.num_instances)
        if more > 0:
            counts[host.host] += more
    return counts


def leveled(scores, hosts, refused, counts):
    """Scores with which no host has less than one that has got more instances of this request. Nova's weighers spread instances that
    are made at once, since each is work for its host; an order that sees less of that would send them all to one host again. So
    between these two hosts Nova alone decides, or Emplace where it wants to spread."""
    if not counts:
        return scores
    floors = {of: max((scores.get(name, 0.0) for name, count in counts.items() if count > of), default=0.0)
              for of in {0, *counts.values()}}  # fmt: skip
    return {name: max(scores.get(name, 0.0), floors[counts[name]]) for name in set(map(HOST_NAME, hosts)) - refused}


def judge(hosts, spec, answer, settings):
    """The hosts that pass; the spec gets the scores."""
    if settings.mode == "shadow":
        return hosts
    scores = answer["scores"]
    refused = {one["host"] for one in answer["refused"]}
    if not scores and not refused.issuperset(map(HOST_NAME, hosts)):
        raise ValueError("wanted scores of hosts that pass, found none")
    if scores and not 0.0 <= min(scores.values()) <= max(scores.values()) <= 1.0:
        raise ValueError("wanted scores from 0 to 1, found others")
    spec.emplace_scores = scores
    if settings.mode == "advise":
        spec.emplace_scores = leveled(scores, hosts, refused, placed(hosts, spec))
        return hosts
    if settings.refuse_unknown_hosts:
        refused.update(answer["unknown"])
    passed = [host for host in hosts if host.host not in refused] if refused else hosts
    return shortlisted(settings.shortlist, passed, scores, refused)


def shortlisted(most, hosts, scores, refused):
    """Nova's weighers take about 3 ms each for a thousand hosts, and nothing for a few."""
    if not 0 < most < len(hosts):
        return hosts
    best = set(heapq.nlargest(most, (name for name in scores if name not in refused), key=scores.get))
    return list(itertools.compress(hosts, map(best.__contains__, map(HOST_NAME, hosts))))


class EmplaceFilter(filters.BaseHostFilter):
    """Asks Emplace about all hosts at once."""

    # Each instance of a multi-create is to be seen.
    run_filter_once_per_request = False

    def filter_all(self, filter_obj_list, spec_obj):
        hosts = list(filter_obj_list)
        # The scores of the instance before must not outlive a question that gets no answer.
        spec_obj.emplace_scores = None
        # Whether a rebuild fits its image is for Nova's own filters; everything else about its host is settled.
        if not hosts or utils.request_is_rebuild(spec_obj):
            return hosts
        try:
            remember(hosts, spec_obj)
            return self._ask(hosts, spec_obj)
        except NoAnswer as none:
            why = str(none)
        except Exception:  # pylint: disable=broad-except  # a defect here must not fail a boot either
            LOG.exception("Emplace did not judge instance %s, all hosts pass", instance(spec_obj))
            return hosts
        # Only here, since oslo.log would add the exception that is being handled to the line.
        LOG.warning("Emplace did not judge instance %s, all hosts pass: %s", instance(spec_obj), why)
        return hosts

    def _ask(self, hosts, spec):
        settings = options.settings()
        asked = question(spec, hosts, settings)
        answer = options.client().ask(asked, request_id(spec))
        log_answer(answer, asked["hosts"], spec, settings.mode)
        return judge(hosts, spec, answer, settings)


class EmplaceWeigher(weights.BaseHostWeigher):
    """The scores that the filter left on the spec. With these bounds Nova's normalisation leaves them as they are."""

    minval = 0.0
    maxval = 1.0

    _multiplier = 1.0

    def weigh_objects(self, weighed_obj_list, weight_properties):
        # Nova asks for the multiplier host by host, right after this; to look an option up takes as long as to weigh a host.
        self._multiplier = options.settings().weight_multiplier
        scores = getattr(weight_properties, "emplace_scores", None)
        if scores is None:
            return [NEUTRAL] * len(weighed_obj_list)
        return list(map(scores.get, map(WEIGHED_HOST_NAME, weighed_obj_list), itertools.repeat(0.0)))

    def weight_multiplier(self, host_state):
        return self._multiplier

    def _weigh_object(self, host_state, weight_properties):
        return self.weigh_objects([weights.WeighedHost(host_state, 0.0)], weight_properties)[0]
