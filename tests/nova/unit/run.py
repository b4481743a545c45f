#!/usr/bin/python3
"""Nova's own unit tests of its filters and weighers (nova/tests/unit/scheduler/{filters,weights} in Debian's python3-nova), with
the classes under test replaced by thin ones that ask a running emplaced (rules.py). A test counts only if it asked.

usage: run.py [NAME ...]     only tests whose id contains one of the names

Needs python3-nova and what its tests import; without them the exit code is 77.
"""

import os
import sys
import unittest

sys.dont_write_bytecode = True
os.environ["OS_NOVA_DISABLE_EVENTLET_PATCHING"] = "1"
PACKAGES = "python3-nova python3-oslotest python3-wsgi-intercept python3-requests-mock python3-ddt"
try:
    import nova.test
    from nova.tests.unit.scheduler import filters as filter_tests
    from nova.tests.unit.scheduler import weights as weigher_tests
except ImportError as error:
    print(f"skipped: {error} (apt-get install --no-install-recommends {PACKAGES})")
    sys.exit(77)

import rules
from ask import Emplace

# Not about a filter's or weigher's answer.
PYTHON = {
    "test_utils.TestUtils": "functions of nova.scheduler.filters.utils, which emplaced has no use for",
    "test_numa_topology_filters.TestNUMATopologyFilter.test_numa_topology_filter_pass_set_limit":
        "looks for the limits that Nova's filter leaves in the host state",
    "test_pci_passthrough_filters.TestPCIPassthroughFilter.test_pci_passthrough_fail": "how a mock in place of the pools was called",
    "test_pci_passthrough_filters.TestPCIPassthroughFilter.test_pci_passthrough_pass": "how a mock in place of the pools was called",
    "test_weights_hosts.TestWeighedHost": "Nova's list of classes, and a dict of a host",
}
# Rules that this tree does not have yet.
LATER = ()


def short(test):
    return test.id().split(".scheduler.")[1].split(".", 1)[1]


def is_about_python(test):
    return any(short(test).startswith(name) for name in PYTHON)


class Result(unittest.TestResult):
    """Also counts who asked."""

    def __init__(self, emplace):
        super().__init__()
        self.emplace = emplace
        self.before = 0
        self.passed, self.silent = [], []

    def startTest(self, test):
        super().startTest(test)
        self.before = self.emplace.asked

    def addSuccess(self, test):
        super().addSuccess(test)
        (self.passed if self.emplace.asked > self.before else self.silent).append(test)


def tests_of(suite):
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            yield from tests_of(item)
        else:
            yield item


def load(names):
    loader = unittest.TestLoader()
    found = []
    for package in (filter_tests, weigher_tests):
        folder = os.path.dirname(package.__file__)
        modules = sorted(file[:-3] for file in os.listdir(folder) if file.startswith("test_") and file.endswith(".py"))
        found += tests_of(loader.loadTestsFromNames([f"{package.__name__}.{module}" for module in modules]))
    return [test for test in found if not names or any(name in test.id() for name in names)]


def report(result, tests):
    failed = {test.id(): (test, text) for test, text in result.failures + result.errors}
    later = [test for test, _ in failed.values() if short(test).startswith(LATER)]
    bad = [(test, text) for test, text in failed.values() if not short(test).startswith(LATER) and not is_about_python(test)]
    for test, text in bad:
        print(f"FAILED {short(test)}\n{text}")
    for test in later:
        print(f"later: {short(test)}: {failed[test.id()][1].strip().splitlines()[-1][:150]}")
    python = [test for test in tests if is_about_python(test)]
    for test in python:
        print(f"python: {short(test)}: {next(why for name, why in PYTHON.items() if short(test).startswith(name))}")
    silent = [test for test in result.silent if not is_about_python(test)]
    for test in silent:
        print(f"SILENT {short(test)}: passed without asking emplaced")
    print(f"tests={len(tests)} passed={len(result.passed)} python_only={len(python)} not_asking={len(silent)} "
          f"failed={len(bad)} later={len(later)}")  # fmt: skip
    return 1 if bad or silent else 0


def main():
    assert nova.test
    tests = load(sys.argv[1:])
    with Emplace() as emplace:
        rules.install(emplace)
        result = Result(emplace)
        unittest.TestSuite(tests).run(result)
        return report(result, tests)


if __name__ == "__main__":
    sys.exit(main())
