#!/usr/bin/python3
"""What the hook adds to a decision of a live nova-scheduler: the test bed of ../shared/testbed/openstack with most of its hosts as
rows only, an emplaced that reads it, and the conductor's own call select_destinations, decided in turn without the hook, with it
beside Nova's ten weighers, the same with a shortlist, and with its weigher alone. For each decision the CPU time of nova-scheduler and the time until its
answer; of emplaced the time per question from its own metrics.

A decision takes a tenth more or less from time to time, and a fifth more when Python looks through all of its garbage, which
is more than the hook takes. So turns are taken decision by decision in one process, and what the hook takes is measured within
it, too.

usage: nova_live.py BUILD_DIRECTORY [--hosts 1000] [--decisions 200] [--mode enforce]
"""

import argparse
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.dont_write_bytecode = True
sys.path[:0] = [str(ROOT / "tests/openstack"), str(ROOT / "bench")]
COMPUTES = 3  # that are processes
WARM = 12
TURNS = OFF, ON, SHORT, ALONE = "hook off", "hook on", "hook on, a shortlist of 16", "EmplaceWeigher alone"


def decide(conf, select, scheduler, count):
    """In a process of Nova's: prints [[CPU ms of the scheduler, ms until the answer]] as JSON."""
    import contextlib
    import io
    import runpy
    import uuid

    from nova_sorted_hosts import cpu_ms
    sys.argv = [select, "--config-file", conf, "--reps", "0", "--warm", "0"]
    with contextlib.redirect_stdout(io.StringIO()):
        nova = runpy.run_path(select)
    took = []
    for _ in range(count + WARM):
        context, spec, server = nova["ctx"](), nova["spec"](1), str(uuid.uuid4())
        spec.instance_uuid = server
        before, began = cpu_ms(scheduler), time.perf_counter()
        nova["api"].select_destinations(context, spec, [server], return_objects=True, return_alternates=True)
        took.append((cpu_ms(scheduler) - before, (time.perf_counter() - began) * 1e3))
        nova["rc"].delete_allocation_for_instance(context, server, force=True)
    print(json.dumps(took[WARM:]))


def serve(times, arguments):
    """nova-scheduler, configured with the hook on, which takes its turns; for each decision it appends to a file [turn, what of
    it the hook took: CPU ms of the filter, ms it waited for emplaced, CPU ms of the weigher and of what Nova does for each]."""
    import itertools

    from nova.cmd.scheduler import main  # first, since it makes threads green
    from nova import weights
    from nova.scheduler import manager

    from emplace_nova import client, hook, options
    began, took, whole = {}, {}, {}

    def now():
        return time.thread_time(), time.perf_counter()

    def watch(owner, name):
        real = getattr(owner, name)

        def timed(*args, **named):
            began[name] = now()
            found = real(*args, **named)
            took[name] = [after - before for before, after in zip(began[name], now())]
            return found
        setattr(owner, name, timed)

    def in_hook():
        (filtering, _), (asking, asked) = took["filter_all"], took["_exchange"]
        # Nova sorts without a weigher of ours, too.
        weighing = began["sorted"][0] - began["weigh_objects"][0]
        return [one * 1e3 for one in (filtering, asked - asking, weighing)]

    def is_ours(one):
        return type(one).__module__ == hook.__name__

    def in_turn(real, turns=itertools.cycle(TURNS)):
        def decide(self, *args, **named):
            hosts, turn = self.host_manager, next(turns)
            filters, weighers = whole.setdefault("of Nova's and ours", (hosts.enabled_filters, hosts.weighers))
            hosts.enabled_filters = [one for one in filters if turn != OFF or not is_ours(one)]
            hosts.weighers = [one for one in weighers if turn in (ON, SHORT) or is_ours(one) == (turn == ALONE)]
            options.settings()  # registers them
            options.cfg.CONF.set_override("shortlist", 16 if turn == SHORT else 0, group="emplace")
            found = real(self, *args, **named)
            with open(times, "a", encoding="utf-8") as file:
                print(json.dumps([turn, None if turn == OFF else in_hook()]), file=file)
            return found
        return decide

    watch(hook.EmplaceFilter, "filter_all")
    watch(client.Client, "_exchange")
    watch(hook.EmplaceWeigher, "weigh_objects")
    weights.sorted = sorted  # which Nova's handler calls in the end
    watch(weights, "sorted")
    manager.SchedulerManager.select_destinations = in_turn(manager.SchedulerManager.select_destinations)
    sys.argv = ["nova-scheduler", *arguments]
    return main()


def take(bed, options):
    """[turn, what the hook took, (CPU ms, ms until the answer)] of each decision."""
    from live_cloud import TESTBED
    cloud = bed.cloud

    def run(*command):
        done = subprocess.run(["/usr/bin/python3", *map(str, command)], env=cloud.environment, capture_output=True, text=True,
                              check=False)
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    times, plain = pathlib.Path(cloud.scratch) / "hook.times", cloud.scheduler
    cloud.scheduler = ["/usr/bin/python3", __file__, "--scheduler", times]
    try:
        bed.hook(options.mode)
        # Else Nova asks its database for each host's servers until it has heard of them twice.
        run(TESTBED / "bin/sync_seeded.py", cloud.conf)
        leader = int((cloud.run / "pid/scheduler.pid").read_text())
        # With workers of its own nova-scheduler's first process only watches them.
        worker = max(children(leader) or [leader])
        count = options.decisions * len(TURNS)
        asked = json.loads(run(__file__, "--decide", cloud.conf, TESTBED / "bin/select_dest.py", worker, count).splitlines()[-1])
        within = [json.loads(line) for line in times.read_text().splitlines()]
    finally:
        cloud.scheduler = plain
    assert len(asked) == count and len(within) == count + WARM, (len(asked), len(within))
    return [[*one, took] for one, took in zip(within[WARM:], asked)]


def children(leader):
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(leader)], capture_output=True, text=True, check=False)
    return [int(pid) for pid in listed.stdout.split()]


def in_service(bed):
    """Seconds, questions, and questions within 1 ms so far."""
    request = urllib.request.Request(bed.service.url + "/metrics", headers={"X-Auth-Token": bed.service.token()})
    with urllib.request.urlopen(request, timeout=10) as answer:
        page = answer.read().decode()
    found = [re.search(rf'^emplace_http_request_seconds_{what}}} (\S+)', page, re.MULTILINE)
             for what in ('sum{route="POST /v1/filter"', 'count{route="POST /v1/filter"', 'bucket{route="POST /v1/filter",le="0.001"')]
    return [float(one[1]) for one in found]


def tell(taken, hosts):
    def medians(rows):
        return [statistics.median(column) for column in zip(*rows)]

    off = medians(took for turn, _, took in taken if turn == OFF)
    for name in TURNS:
        cpu, wall = medians(took for turn, _, took in taken if turn == name)
        count = sum(turn == name for turn, _, _ in taken)
        print(f"{name}: median of {count} with {hosts} hosts: {cpu:.2f} ms of CPU in nova-scheduler, answer after {wall:.2f} ms")
        if name == OFF:
            continue
        filtering, waiting, weighing = medians(hook for turn, hook, _ in taken if turn == name)
        print(f"    {cpu - off[0]:+.2f} ms of CPU, {wall - off[1]:+.2f} ms to the answer; of that in the hook: filter "
              f"{filtering:.2f} ms of CPU and {waiting:.2f} ms of waiting, weigher {weighing:.2f} ms with what Nova does for "
              f"each; {filtering + waiting + weighing:.2f} ms")


def measure(options):
    os.environ["SERVICE_DOWN_TIME"] = "100000000"  # nobody sends a heartbeat for hosts that are rows
    from live_cloud import TESTBED, Bed, Cloud
    from nova_sorted_hosts import cpu_ms
    with Cloud(hosts=COMPUTES) as cloud:
        seed = [TESTBED / "bin/seed_db_hosts.py", "--config-file", cloud.conf, "--n", options.hosts - COMPUTES]
        subprocess.run(["/usr/bin/python3", *map(str, seed)], env=cloud.environment, check=True)
        with Bed(options.build, cloud, sync_s=3600) as bed:
            began = time.monotonic()
            bed.service.wait_for("the first sync", lambda: bed.service.logged("event=openstack_taken"), timeout=600)
            print(f"first sync of {options.hosts} hosts: {time.monotonic() - began:.1f} s, {cpu_ms(bed.service.process.pid) / 1e3:.2f} s of "
                  "CPU since the start of emplaced")
            assert len(bed.hosts()) == options.hosts
            tell(take(bed, options), options.hosts)
            seconds, questions, quick = in_service(bed)
            print(f"in emplaced {seconds * 1e3 / questions:.2f} ms (mean of {questions:.0f}), {quick / questions:.0%} within 1 ms")


def main():
    if sys.argv[1:2] == ["--decide"]:
        import nova.monkey_patch  # noqa: F401  before all else, as in Nova's own programs
        return decide(sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
    if sys.argv[1:2] == ["--scheduler"]:
        return serve(sys.argv[2], sys.argv[3:])
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--hosts", type=int, default=1000)
    parser.add_argument("--decisions", type=int, default=200)
    parser.add_argument("--mode", default="enforce", choices=["shadow", "advise", "enforce"])
    return measure(parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
