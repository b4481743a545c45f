"""Holds a document and the files it quotes together: the blocks of one file ("```cpp temperature.cc"), one after the other,
are that file, blank lines aside.

usage: quotes.py DOCUMENT DIRECTORY    prints each fault as one line; exits with 1 when there is one
"""

import os
import re
import sys

BLOCK = re.compile(r"^```\w+ (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def lines(text):
    return [line.rstrip() for line in text.splitlines() if line.strip()]


def faults(document, directory):
    with open(document, encoding="utf-8") as file:
        quoted = BLOCK.findall(file.read())
    if not quoted:
        yield f"{document}: quotes no file"
    for name in sorted({name for name, _ in quoted}):
        with open(os.path.join(directory, name), encoding="utf-8") as file:
            real = lines(file.read())
        told = [line for block_of, text in quoted if block_of == name for line in lines(text)]
        if told == real:
            continue
        at = next((i for i, pair in enumerate(zip(told, real)) if pair[0] != pair[1]), min(len(told), len(real)))
        yield f"{name}: wanted {real[at:at + 1]}, found {told[at:at + 1]} in {document}"


if __name__ == "__main__":
    found = list(faults(sys.argv[1], sys.argv[2]))
    print("\n".join(found) if found else "the quotes hold")
    sys.exit(1 if found else 0)
