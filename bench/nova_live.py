#!/usr/bin/python3
"""What the hook adds to a decision of a live nova-scheduler: the test bed of ../shared/testbed/openstack with most of its hosts as
rows only, an emplaced that reads it, and the conductor's own call select_destinations, in turn without the hook, with it beside
Nova's ten weighers, and with its weigher alone. For each decision the CPU time of nova-scheduler and the time until its answer; of
emplaced the time per question from its own metrics.

A decision takes a tenth more or less from time to time, and a fifth more when Python looks through all of its garbage, which
is more than the hook takes. So what the hook takes is measured within nova-scheduler, too.

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
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.dont_write_bytecode = True
sys.path[:0] = [str(ROOT / "tests/openstack"), str(ROOT / "bench")]
COMPUTES = 3  # that are processes
WARM = 10
BLOCKS = 2    # of each kind
OFF, ON, ALONE = "hook off", "hook on", "EmplaceWeigher alone"


def decide(conf, select, scheduler, count):
    """In a process of Nova's: prints [[CPU ms of the scheduler, ms until the answer]] as JSON."""
    import contextlib
    import io
    import runpy
    import time
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
    """nova-scheduler; for each decision with the hook it appends to a file what the hook took: [CPU ms of the filter, ms it waited
    for emplaced, CPU ms of the weigher, of what Nova does for each weigher, and of its sorting of hosts]."""
    import time

    from nova.cmd.scheduler import main  # first, since it makes threads green
    from nova import weights

    from emplace_nova import client, hook
    began, took = {}, {}

    def now():
        return time.thread_time(), time.perf_counter()

    def watch(owner, name, then=lambda: None):
        real = getattr(owner, name)

        def timed(*args, **named):
            began[name] = now()
            found = real(*args, **named)
            took[name] = [after - before for before, after in zip(began[name], now())]
            then()
            return found
        setattr(owner, name, timed)

    def note():
        if "filter_all" in took:
            (filtering, _), (asking, asked) = took["filter_all"], took["_exchange"]
            seconds = filtering, asked - asking, now()[0] - began["weigh_objects"][0]
            with open(times, "a", encoding="utf-8") as file:
                print(json.dumps([one * 1e3 for one in seconds]), file=file)

    watch(hook.EmplaceFilter, "filter_all")
    watch(client.Client, "_exchange")
    watch(hook.EmplaceWeigher, "weigh_objects")
    watch(weights.BaseWeightHandler, "get_weighed_objects", note)
    sys.argv = ["nova-scheduler", *arguments]
    return main()


class Figures:
    def __init__(self, bed, decisions):
        self.bed, self.cloud = bed, bed.cloud
        self.each = decisions // BLOCKS
        self.took = {OFF: [], ON: [], ALONE: []}
        self.hook = {ON: [], ALONE: []}
        self.times = pathlib.Path(self.cloud.scratch) / "hook.times"
        self.cloud.scheduler = ["/usr/bin/python3", __file__, "--scheduler", self.times]

    def run(self, *command):
        done = subprocess.run(["/usr/bin/python3", *map(str, command)], env=self.cloud.environment, capture_output=True, text=True,
                              check=False)
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    def block(self, name):
        """After the scheduler's start Nova asks its database for each host's servers until it has heard of them twice."""
        from live_cloud import TESTBED
        self.run(TESTBED / "bin/sync_seeded.py", self.cloud.conf)
        leader = int((self.cloud.run / "pid/scheduler.pid").read_text())
        # With workers of its own nova-scheduler's first process only watches them.
        worker = max(self.children(leader) or [leader])
        out = self.run(__file__, "--decide", self.cloud.conf, TESTBED / "bin/select_dest.py", worker, self.each)
        self.took[name] += json.loads(out.splitlines()[-1])
        if name in self.hook:
            self.hook[name] += [json.loads(line) for line in self.times.read_text().splitlines()[-self.each:]]

    @staticmethod
    def children(leader):
        listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(leader)], capture_output=True, text=True, check=False)
        return [int(pid) for pid in listed.stdout.split()]

    def in_service(self):
        """Seconds and questions so far."""
        request = urllib.request.Request(self.bed.service.url + "/metrics", headers={"X-Auth-Token": self.bed.service.token()})
        with urllib.request.urlopen(request, timeout=10) as answer:
            page = answer.read().decode()
        found = [re.search(rf'^emplace_http_request_seconds_{what}{{route="POST /v1/filter"}} (\S+)', page, re.MULTILINE)
                 for what in ("sum", "count")]
        return [float(one[1]) if one else 0.0 for one in found]

    def tell(self, hosts):
        medians = {name: [statistics.median(column) for column in zip(*took)] for name, took in self.took.items()}
        for name, (cpu, wall) in medians.items():
            print(f"{name}: median of {len(self.took[name])} with {hosts} hosts: {cpu:.2f} ms of CPU in nova-scheduler, "
                  f"answer after {wall:.2f} ms")
            if name != OFF:
                print(f"    {cpu - medians[OFF][0]:+.2f} ms of CPU, {wall - medians[OFF][1]:+.2f} ms to the answer")
            if took := self.hook.get(name):
                filtering, waiting, weighing = (statistics.median(column) for column in zip(*took))
                print(f"    of that in the hook: filter {filtering:.2f} ms of CPU and {waiting:.2f} ms of waiting, "
                      f"weigher {weighing:.2f} ms with what Nova does for each weigher and its sorting")
        seconds, questions = self.in_service()
        print(f"in emplaced {seconds * 1e3 / questions:.2f} ms (mean of {questions:.0f})")


def measure(options):
    os.environ["SERVICE_DOWN_TIME"] = "100000000"  # nobody sends a heartbeat for hosts that are rows
    from live_cloud import TESTBED, Bed, Cloud
    with Cloud(hosts=COMPUTES) as cloud:
        seed = [TESTBED / "bin/seed_db_hosts.py", "--config-file", cloud.conf, "--n", options.hosts - COMPUTES]
        subprocess.run(["/usr/bin/python3", *map(str, seed)], env=cloud.environment, check=True)
        with Bed(options.build, cloud, sync_s=3600) as bed:
            bed.service.wait_for("the first sync", lambda: len(bed.hosts()) == options.hosts, timeout=600)
            figures = Figures(bed, options.decisions)
            for _ in range(BLOCKS):
                bed.unhook()
                figures.block(OFF)
                bed.hook(options.mode)
                figures.block(ON)
                bed.hook(options.mode, weight_classes="emplace_nova.EmplaceWeigher")
                figures.block(ALONE)
            figures.tell(options.hosts)


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
