"""docs/openstack.md as something that can be run and checked: its blocks by kind, its messages beside the sources that say them.

usage: document.py        prints each message that no source says, and each table of the cloud that is not named, or named otherwise;
                          exits with 1 when there is one
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs/openstack.md"
DOCTOR = ROOT / "tests/cli/doctor_test.cc"
BLOCK = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SOURCES = ("service/openstack/*.cc", "service/openstack/*.h", "service/configuration/cloud*.cc", "service/wiring/states.cc", "service/observe/mirror.cc", "service/rest/routes/filter.cc",
           "service/rest/routes/operations.cc", "service/rest/auth.cc", "service/rest/cloud_view.cc", "cli/doctor.cc", "clients/nova/emplace_nova/*.py")
# Said by Python, Qt and Nova, or put together from a number; tests show them (test_client.py, test_client_tls.py, web_test.cc).
OTHERS = {"answered 403", "Connection refused", "certificate verify failed", "No such file or directory", "status 401", "status 403"}


def blocks(kind):
    """In their order: the texts of ```kind."""
    return [text for name, text in BLOCK.findall(DOCUMENT.read_text()) if name == kind]


VARYING = re.compile(r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})|(fake\d+)|(\d+)|(.)")


def logged(kind):
    """A sample of a log as an expression that finds a line like it."""
    def like(found):
        return ("[0-9a-f-]{36}", r"\S+", r"\d+", re.escape(found[0]))[found.lastindex - 1]
    return re.compile(VARYING.sub(like, blocks("log " + kind)[0].strip()))


def messages():
    """Those of the table at the end, in the pieces between what varies."""
    table = DOCUMENT.read_text().split("## What it says")[1]
    for message in re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE):
        for piece in re.split(r"[….,:]", message):
            if len(piece.strip()) > 3:
                yield piece.strip()


def said():
    """What the sources say, literals that go on in the next line joined."""
    text = "\n".join(file.read_text() for pattern in SOURCES for file in sorted(ROOT.glob(pattern)))
    return re.sub(r'"\s*\n\s*"', "", text)


def wrong_tables():
    """Tables of the cloud: this document has them all, and neither it nor the test of doctor has others."""
    tables = set(re.findall(r'"(\w+)"', re.search(r"kNames = \{([^}]+)\}", (ROOT / "service/openstack/sync.cc").read_text())[1]))
    named = set(re.findall(r"`openstack\.(\w+)`", DOCUMENT.read_text()))
    yield from (f"{DOCUMENT.name}: does not name the table openstack.{one}" for one in sorted(tables - named))
    for place, names in ((DOCUMENT, named), (DOCTOR, set(re.findall(r"openstack\.(\w+)", DOCTOR.read_text())))):
        yield from (f"{place.name}: there is no table openstack.{one}" for one in sorted(names - tables))


def main():
    sources = said()
    wrong = [f"{DOCUMENT.name}: no source says {piece!r}" for piece in messages() if piece not in OTHERS and piece not in sources]
    wrong += wrong_tables()
    print("\n".join(wrong) or "the messages and tables are those of the sources")
    return 1 if wrong or not list(messages()) else 0


if __name__ == "__main__":
    sys.exit(main())
