"""The programs on machines that lack what is taken for granted: standard streams, /proc, a home, a terminal, a locale, directories
that may be entered or written. They work, or end with a sentence; none of them ends by an exception or a signal.

usage: odd_machine.py BUILD_DIRECTORY
"""

import os
import shutil
import subprocess
import sys

from service import Service, scratch_directory

BAD_WORDS = ("terminate called", "what():", "std::", "basic_string", "Qt ", "QEventLoop")
FORBIDDEN = "forbidden"


def environments(directory):
    """Each is what the programs see, and what runs before them."""
    forbidden = os.path.join(directory, FORBIDDEN)
    yield "nothing in the environment", {}, []
    yield "a PATH that may not be entered", {"PATH": f"{forbidden}/below:/usr/bin:/bin", "HOME": forbidden}, []
    yield "a locale that is none", {"PATH": "/usr/bin:/bin", "LC_ALL": "xx_XX.KLINGON", "TERM": "none", "HOME": "/nonexistent"}, []
    if os.geteuid() == 0:
        unprivileged = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        yield "an unprivileged user", {"PATH": f"{forbidden}:/usr/bin:/bin", "HOME": forbidden}, unprivileged
        yield "no /proc", {"PATH": "/usr/bin:/bin"}, ["unshare", "-m", "sh", "-c", 'mount -t tmpfs none /proc && exec "$0" "$@"']


def commands(build, service):
    program = os.path.join(build, "bin/emplace")
    for words in (["--version"], ["help"], ["--url", service.url, "--data", service.data, "hosts"], ["hosts"], ["doctor"], ["plugin", "list"],
                  ["plugin", "new", "odd"], ["plugin", "check", "nonexistent.so"], ["plugin", "columns"], ["import", "/"],
                  ["--token-file", "/", "hosts"], ["config", "import", "/"], ["nova", "doctor"], ["completion", "zsh"],
                  ["export", "/nonexistent/file"]):
        yield [program, *words]
    check = os.path.join(build, "bin/emplace-plugin-check")
    yield from ([check, "--columns"], [check, "/"], [check, os.path.join(build, "lib/emplace/plugins/affinity.json"), "--only", "results"])
    yield [os.path.join(build, "bin/emplace-worker")]
    daemon = os.path.join(build, "bin/emplaced")
    yield from ([daemon, "--version"], [daemon, "--check-config"], [daemon, "--config", "/"], [daemon, "--data", "/sys/nowhere"],
                [daemon, "--data", "/dev/null"])


def check(command, done, where):
    text = (done.stdout or b"") + (done.stderr or b"")
    assert 0 <= done.returncode < 126 or done.returncode == 141, (where, command, done)
    assert not any(word.encode() in text for word in BAD_WORDS), (where, command, text)


def without_much(build, service, directory):
    read_only = os.path.join(directory, "read-only")
    os.mkdir(read_only, 0o555)
    for where, environment, before in environments(directory):
        for command in commands(build, service):
            done = subprocess.run(before + command, env=environment, cwd=read_only, stdin=subprocess.DEVNULL, capture_output=True,
                                  timeout=120, check=False)
            check(command, done, where)
        print(f"   {where}")


def without_streams(build, service):
    """What is meant for a closed stream must not get into a file or socket that took its place."""
    for closed in ("<&-", ">&-", "2>&-", "<&- >&- 2>&-"):
        for command in commands(build, service):
            shell = ["sh", "-c", f'exec "$0" "$@" {closed}', *command]
            check(command, subprocess.run(shell, capture_output=True, timeout=120, check=False, cwd="/"), closed)
    hosts = [os.path.join(build, "bin/emplace"), "--url", service.url, "--data", service.data, "hosts"]
    done = subprocess.run(["sh", "-c", 'exec "$0" "$@" >&-', *hosts], capture_output=True, text=True, check=False)
    assert done.returncode == 6 and "standard output" in done.stderr, done


def daemon_without_streams(build):
    """It serves all the same, and its log is in none of its files."""
    data = scratch_directory()
    with Service(build, data) as service:
        service.stop()
        with subprocess.Popen(["sh", "-c", 'exec "$0" --config "$1" <&- >&- 2>&-', os.path.join(build, "bin/emplaced"), service.config]) as process:
            lock = os.path.join(data, "pg/postmaster.pid")
            service.wait_for("PostgreSQL is up", lambda: os.path.exists(lock))
            process.terminate()
            assert process.wait(60) == 0
        service.start()
        assert service.call("GET", "/v1/hosts")["hosts"] == []
    shutil.rmtree(data, ignore_errors=True)


def main():
    build = os.path.abspath(sys.argv[1])
    directory = scratch_directory()
    os.mkdir(os.path.join(directory, FORBIDDEN), 0o000)
    with Service(build) as service:
        without_much(build, service, directory)
        without_streams(build, service)
        print("ok commands")
    daemon_without_streams(build)
    print("ok daemon_without_streams")
    shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
