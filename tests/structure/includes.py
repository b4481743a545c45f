"""Holds the include arrows of docs/architecture.md: who may include whom, no cycles, no folder for leftovers.

usage: includes.py ROOT    prints each fault as one line; exits with 1 when there is one
"""

import os
import re
import sys

# The rooms, by the longest prefix of a file's path, and what each may include besides itself: a room means those in it
# too. Libraries are not looked at.
# The alcoves of the core, lowest first: each may include itself and those before it.
ALCOVES = ["base", "json", "picture", "change", "request", "decide", "answer", "doors", "act"]
CORE = {f"service/core/{alcove}": {"api", *(f"service/core/{lower}" for lower in ALCOVES[:i])} for i, alcove in enumerate(ALCOVES)}
ROOMS = {
    "api": set(),
    "plugins": {"api"},  # and of plugins only the same one: see room_of
    "service/novaconf": {"service/core", "api"},
    "service/process": set(),  # what every program asks of its own process
    "service/store": {"service/core", "api"},
    "service/hypervisor": {"service/core", "api"},
    "service/openstack": {"service/core", "api"},
    "service/http": {"service/core/base", "service/core/json"},  # JSON only for what it refuses itself (problem.cc)
    "service/rest": {"service/http", "service/core", "api"},
    "service/observe": {"service/core", "api"},
    "service/plugins": {"service/core", "service/process", "api"},
    "service/configuration": {"service/core", "service/novaconf", "api"},
    "service/wiring": {"service"},
    "service": {"service"},
    # nova.conf means the same to the service and to a person.
    "cli": {"cli/in_process", "service/novaconf", "service/process", "api"},
    "cli/in_process": {"service/core", "api"},  # decides without a service
    "cli/check": {"service/plugins", "service/core", "service/process", "api"},  # sees plugins as the service does
}
ARROWS = {**ROOMS, **CORE}
FOLDERS_WE_DO_NOT_HAVE = {"common", "util", "utils", "misc", "helpers"}
SOURCES = (".h", ".hpp", ".cc")
INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.MULTILINE)


def room_of(path):
    parts = path.split("/")
    if parts[0] == "plugins" and len(parts) > 2:
        return "plugins/" + parts[1]
    fitting = [room for room in ARROWS if path.startswith(room + "/")]
    room = max(fitting, key=len) if fitting else None
    # What lies beside the rooms of the service is only main.cc.
    return None if room == "service" and len(parts) > 2 else room


def allowed(room):
    return ARROWS["plugins"] if room.startswith("plugins/") else ARROWS[room]


def sources(root):
    for top in ("api", "plugins", "service", "cli"):
        for folder, _, names in os.walk(os.path.join(root, top)):
            for name in sorted(names):
                if name.endswith(SOURCES):
                    yield os.path.relpath(os.path.join(folder, name), root)


def resolved(root, path, included):
    """The included file's path in the tree, or None for a library's: from the root, beside the file, from api/plugin or the plugin."""
    for base in ("", os.path.dirname(path), "api/plugin", "/".join(path.split("/")[:2])):
        candidate = os.path.normpath(os.path.join(base, included))
        if os.path.isfile(os.path.join(root, candidate)):
            return candidate
    return None


def include_graph(root):
    graph = {}
    for path in sources(root):
        with open(os.path.join(root, path), encoding="utf-8") as file:
            names = INCLUDE.findall(file.read())
        graph[path] = [found for found in (resolved(root, path, name) for name in names) if found]
    return graph


def broken_arrows(graph):
    for path, included in sorted(graph.items()):
        room = room_of(path)
        if room is None:
            yield f"{path}: lies in no room of docs/architecture.md"
            continue
        for target in included:
            other = room_of(target)
            if other != room and not any(other == one or other.startswith(one + "/") for one in allowed(room)):
                yield f"{path}: {room} may not include {target}"


def cycles(graph):
    """One line per cycle found by a depth-first search; a file that includes itself counts."""
    state, trail = {}, []

    def visit(path):
        state[path] = "open"
        trail.append(path)
        for target in graph.get(path, []):
            if state.get(target) == "open":
                yield "cycle: " + " -> ".join(trail[trail.index(target):] + [target])
            elif target not in state:
                yield from visit(target)
        trail.pop()
        state[path] = "done"

    for path in sorted(graph):
        if path not in state:
            yield from visit(path)


def leftover_folders(graph):
    for path in sorted(graph):
        odd = FOLDERS_WE_DO_NOT_HAVE.intersection(path.split("/")[:-1])
        if odd:
            yield f"{path}: no folder is called {odd.pop()}"


def faults(root):
    graph = include_graph(root)
    if not graph:
        return [f"{root}: no sources found"]
    return [*broken_arrows(graph), *cycles(graph), *leftover_folders(graph)]


if __name__ == "__main__":
    found = faults(sys.argv[1])
    print("\n".join(found) if found else "the include arrows hold")
    sys.exit(1 if found else 0)
