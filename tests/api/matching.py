"""Compares an answer with what a case expects of it.

An object must have the named members, others are allowed, but for one that is "<absent>"; a list must have as many items;
"<uuid>", "<number>", "<text>", "<time>" and "<any>" stand for any such value; "~..." is a regular expression that must be
found in the text.
"""

import re

UUID = re.compile(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
KINDS = {
    "<any>": lambda value: True,
    "<text>": lambda value: isinstance(value, str),
    "<number>": lambda value: isinstance(value, (int, float)) and not isinstance(value, bool),
    "<uuid>": lambda value: isinstance(value, str) and bool(UUID.match(value)),
    "<time>": lambda value: isinstance(value, str) and bool(re.match(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$", value)),
}


def difference(wanted, found, path=""):
    """The first difference as a line, or None."""
    if isinstance(wanted, str) and wanted in KINDS:
        return None if KINDS[wanted](found) else f"{path}: wanted {wanted}, found {found!r}"
    if isinstance(wanted, str) and wanted.startswith("~"):
        fits = isinstance(found, str) and re.search(wanted[1:], found)
        return None if fits else f"{path}: wanted {wanted}, found {found!r}"
    if isinstance(wanted, dict):
        if not isinstance(found, dict):
            return f"{path}: wanted an object, found {found!r}"
        for key, value in wanted.items():
            if value == "<absent>":
                if key in found:
                    return f"{path}.{key}: wanted none, found {found[key]!r}"
                continue
            if key not in found:
                return f"{path}.{key}: wanted it, found only {sorted(found)}"
            if line := difference(value, found[key], f"{path}.{key}"):
                return line
        return None
    if isinstance(wanted, list):
        if not isinstance(found, list) or len(found) != len(wanted):
            return f"{path}: wanted {len(wanted)} items, found {found!r}"
        lines = (difference(w, f, f"{path}[{i}]") for i, (w, f) in enumerate(zip(wanted, found)))
        return next((line for line in lines if line), None)
    same = wanted == found and isinstance(wanted, bool) == isinstance(found, bool)
    return None if same else f"{path}: wanted {wanted!r}, found {found!r}"
