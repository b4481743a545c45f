"""The table of docs/testing.md of faults met in real clouds, held against the tests that it names and the list that it is of.

usage: cases.py        prints each test that is in no file below tests/, and whether a row is missing; exits with 1 when there is one

The list is cases/openstack.md of ../shared (or of $EMPLACE_SHARED); where it is missing only the names are checked.
"""

import ast
import os
import pathlib
import re
import sys

sys.dont_write_bytecode = True
import service_test  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs/testing.md"
HEADING = "Faults met in real clouds, and the test of each"
CASES = pathlib.Path(os.environ.get("EMPLACE_SHARED", ROOT.parent / "shared")) / "cases/openstack.md"
GOOGLE_TEST = re.compile(r"^TEST(?:_F|_P)?\((\w+),\s*(\w+)\)", re.MULTILINE)
SECTIONS = {one.__name__ for one in service_test.STEPS + service_test.ALONE}


def rows_of(text):
    """The cells of each row of the first table in it, without its head."""
    rows = []
    for line in text.splitlines():
        if line.startswith("|"):
            rows.append([cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))])
        elif rows:
            break
    return rows[2:]


def google_tests():
    return {".".join(found) for file in (ROOT / "tests").rglob("*.cc") for found in GOOGLE_TEST.findall(file.read_text())}


def methods_of(file):
    """"Class.name" of each."""
    classes = [node for node in ast.parse(file.read_text()).body if isinstance(node, ast.ClassDef)]
    return {f"{one.name}.{method.name}" for one in classes for method in one.body if isinstance(method, ast.FunctionDef)}


def is_there(name, known):
    """`Suite.Name`; `scenario_openstack` section; `api.file` Class.method; or a file of tests/api/cases."""
    if name.endswith(".yaml"):
        return (ROOT / "tests/api/cases" / name).is_file()
    test, _, part = name.partition(" ")
    if test == "scenario_openstack":
        return part in SECTIONS
    file = ROOT / f"tests/api/{test.removeprefix('api.')}.py"
    return part in methods_of(file) if test.startswith("api.") and file.is_file() else name in known


def names_in(cell):
    """What stands between commas: `a` alone, or `a` b."""
    return [re.sub(r"`", "", one).strip() for one in re.split(r",\s+(?=`)", cell)]


def main():
    told = rows_of(DOCUMENT.read_text().partition(HEADING)[2])
    known, wrong = google_tests(), []
    for fault, *cells in told:
        names = names_in(cells[0]) if len(cells) == 1 and cells[0] else []
        if not names:
            wrong.append(f"{fault}: wanted one cell with the names of tests")
        wrong += [f"{fault}: no file below tests/ has {name!r}" for name in names if not is_there(name, known)]
    if not told:
        wrong.append(f"wanted a table after {HEADING!r}, found none")
    if CASES.is_file():
        wanted = len(rows_of(CASES.read_text()))
        if wanted != len(told):
            wrong.append(f"{CASES.name} has {wanted} rows, the table {len(told)}")
        checked = f"{len(told)} faults, as many as {CASES.name} has, and their tests are there"
    else:
        checked = f"the tests of {len(told)} faults are there; not compared with {CASES.name}, which is not here"
    print("\n".join(f"{DOCUMENT.name}: {one}" for one in wrong) or checked)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
