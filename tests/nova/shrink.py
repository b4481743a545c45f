"""Makes a case that fails smaller for as long as it still fails: one host, aggregate, instance, hint, extra spec, option or rule
less at a time."""

import copy

MOST_TRIES = 400


def dicts_and_lists(case):
    """Paths to what may lose items, biggest first."""
    yield ("hosts",)
    yield ("aggregates",)
    yield ("filters",)
    yield ("weighers",)
    yield ("options",)
    for section in case["options"]:
        yield ("options", section)
        for name, value in case["options"][section].items():
            if isinstance(value, list):
                yield ("options", section, name)
    for name in case["aggregates"]:
        yield ("aggregates", name)
    for i in range(len(case["hosts"])):
        for part in ("aggregates", "instances", "compute", "service"):
            if part in case["hosts"][i]:
                yield ("hosts", i, part)
        yield from (("hosts", i, "compute", *path) for path in object_paths(case["hosts"][i]["compute"]))
    yield from (("spec", *path) for path in object_paths(case["spec"]))


def object_paths(value, path=()):
    """Dicts and lists inside objects' primitives, without the primitives' own frames."""
    if isinstance(value, dict):
        if path and not any(key.startswith("nova_object.") for key in value):
            yield path
        for key, item in value.items():
            yield from object_paths(item, (*path, key))
    elif isinstance(value, list):
        yield path
        for i, item in enumerate(value):
            yield from object_paths(item, (*path, i))


def at(case, path):
    for step in path:
        case = case[step]
    return case


def halves(case):
    middle = len(case["hosts"]) // 2
    for part in (slice(middle), slice(middle, None)):
        yield {**copy.deepcopy(case), "hosts": case["hosts"][part]}


def smaller(case):
    yield from halves(case)
    for path in dicts_and_lists(case):
        holder = at(case, path)
        keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))[::-1]
        for key in keys:
            less = copy.deepcopy(case)
            del at(less, path)[key]
            if path == ("aggregates",):
                for host in less["hosts"]:
                    host["aggregates"] = [name for name in host["aggregates"] if name != key]
            yield less


def shrink(case, fails):
    tries = MOST_TRIES
    again = True
    while again and tries > 0:
        again = False
        for less in smaller(case):
            tries -= 1
            try:
                failing = bool(less["hosts"]) and bool(less["filters"] or less["weighers"]) and fails(less)
            except Exception:  # pylint: disable=broad-except  # no longer a case that Nova's objects take
                failing = False
            if failing:
                case, again = less, True
                break
            if tries <= 0:
                break
    return case
