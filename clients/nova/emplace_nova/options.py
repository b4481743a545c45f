"""[emplace] of nova.conf."""

import threading

from oslo_config import cfg

from emplace_nova.client import Client

OPTIONS = [
    cfg.URIOpt("url", default="http://127.0.0.1:8790", schemes=["http", "https"], help="Where Emplace answers."),
    cfg.StrOpt("token_file", default="", help="A file that holds the token of a planner, and nothing else."),
    cfg.StrOpt("ca_file", default="", help="Certificates to trust for https; empty: those of the system."),
    cfg.StrOpt("mode", default="shadow", choices=[
        ("shadow", "log what Emplace would have done, change nothing"),
        ("advise", "order the hosts, refuse none"),
        ("enforce", "order the hosts, and refuse those that Emplace refuses")], help="What its answers are used for."),
    cfg.StrOpt("profile", default="default", help="Emplace's profile that judges and orders the hosts."),
    cfg.FloatOpt("timeout", default=2.0, min=0.01, help="Seconds to wait for an answer."),
    cfg.FloatOpt("breaker", default=30.0, min=0.0, help="Seconds for which it is not asked again after it did not answer."),
    cfg.FloatOpt("weight_multiplier", default=1.0, help="Of EmplaceWeigher, beside the multipliers of Nova's weighers."),
    cfg.BoolOpt("refuse_unknown_hosts", default=False, help="In enforce: refuse hosts that Emplace does not know."),
    cfg.IntOpt("shortlist", default=0, min=0,
               help="In enforce: leave Nova only so many of the hosts that pass, those that Emplace puts first; 0: all of them."),
]

_lock = threading.Lock()
_client = None


def settings():
    conf = cfg.CONF
    if "emplace" not in conf:
        conf.register_opts(OPTIONS, group="emplace")
    return conf.emplace


def listed():
    """For oslo-config-generator."""
    return [("emplace", OPTIONS)]


def client():
    """One for the whole process, so that its breaker sees all calls."""
    global _client
    with _lock:
        if _client is None:
            now = settings()
            _client = Client(now.url, now.token_file, now.ca_file, now.timeout, now.breaker)
        return _client
