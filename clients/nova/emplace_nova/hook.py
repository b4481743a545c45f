"""EmplaceFilter and EmplaceWeigher: one call to Emplace per request. The filter asks for verdicts and scores together and leaves
the score on the host state, where the weigher finds it.

Modes ([emplace] mode): shadow logs what Emplace would have done and changes nothing; advise orders hosts and refuses none;
enforce does both. An Emplace that does not answer never fails a boot: all hosts pass and weigh the same.

Nova calls the filter for every instance of a request, in any of its threads; with one surviving host it calls no weigher, with
forced hosts no filter.
"""

from nova.scheduler import filters, utils, weights
from oslo_log import log

from emplace_nova import options
from emplace_nova.client import Unavailable

LOG = log.getLogger(__name__)

NEUTRAL = 0.5
SCORE = "emplace_score"


def request_id(spec):
    """Of the call that Nova is serving; empty outside of one."""
    context = getattr(spec, "_context", None)
    return getattr(context, "global_id", None) or getattr(context, "request_id", None) or ""


def question(spec, hosts):
    return {"request_spec": spec.obj_to_primitive(), "hosts": sorted({host.host for host in hosts}), "scores": True,
            "unknown_hosts": "pass"}


def log_shadow(hosts, answer, spec):
    scores = answer["scores"]
    best = sorted(answer["passed"], key=lambda name: -scores.get(name, 0.0))[:3]
    refused = {one["host"]: one["code"] for one in answer["refused"]}
    LOG.info("Emplace (shadow) would take %s of %d hosts for instance %s and refuse %s", best, len(hosts), spec.instance_uuid,
             refused or "none")


class EmplaceFilter(filters.BaseHostFilter):
    """Asks Emplace about all hosts at once."""

    # Each instance of a multi-create is to be seen.
    run_filter_once_per_request = False

    def filter_all(self, filter_obj_list, spec_obj):
        hosts = list(filter_obj_list)
        for host in hosts:
            setattr(host, SCORE, NEUTRAL)
        # Whether a rebuild fits its image is for Nova's own filters; everything else about its host is settled.
        if not hosts or utils.request_is_rebuild(spec_obj):
            return hosts
        try:
            answer = options.client().ask(question(spec_obj, hosts), request_id(spec_obj))
        except Unavailable as why:
            LOG.warning("Emplace did not judge instance %s, all hosts pass: %s", spec_obj.instance_uuid, why)
            return hosts
        for one in answer["degraded"]:
            LOG.warning("Emplace judged instance %s without %s: %s", spec_obj.instance_uuid, one["plugin"], one["why"])
        return self._judge(hosts, answer, spec_obj)

    def _judge(self, hosts, answer, spec):
        settings = options.settings()
        if settings.mode == "shadow":
            log_shadow(hosts, answer, spec)
            return hosts
        for host in hosts:
            setattr(host, SCORE, answer["scores"].get(host.host, 0.0))
        if settings.mode == "advise":
            return hosts
        for one in answer["refused"]:
            LOG.info("Emplace refused host %s for instance %s: %s, wanted %s, found %s %s", one["host"], spec.instance_uuid,
                     one["code"], one["wanted"], one["found"], one["unit"] or "")
        passed = set(answer["passed"])
        if settings.refuse_unknown_hosts:
            passed -= set(answer["unknown"])
        return [host for host in hosts if host.host in passed]


class EmplaceWeigher(weights.BaseHostWeigher):
    """The score that the filter left on the host. With these bounds Nova's normalisation leaves it as it is."""

    minval = 0.0
    maxval = 1.0

    def weight_multiplier(self, host_state):
        return options.settings().weight_multiplier

    def _weigh_object(self, host_state, weight_properties):
        return getattr(host_state, SCORE, NEUTRAL)
