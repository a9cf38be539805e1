#!/usr/bin/env python3
"""Writes packages.txt: a package index of invented packages, in the form of "apt-cache dumpavail".

It has what a real one has: continuation lines, packages in two versions, missing fields, non-ASCII
names, backslashes and tabs.  The same every time."""

import random

KINDS = {
    "games": ["puzzle", "race", "quest", "chess", "maze"],
    "libs": ["codec", "parser", "matrix", "socket", "string"],
    "net": ["proxy", "mail", "relay", "monitor", "dns"],
    "python": ["client", "forms", "plot", "queue", "cache"],
    "utils": ["copy", "sort", "watch", "archive", "clock"],
    "doc": ["manual", "guide", "notes", "examples", "atlas"],
}
FIRST = ["amber", "birch", "cobalt", "delta", "ember", "fjord", "garnet", "harbor", "iris"]
PEOPLE = ["Ada Example <ada@example.org>", "Jörg Müller <joerg@example.org>", "Zoë Đặng <zoe@example.net>"]


def stanza(fields):
    return "".join(f"{name}: {value}\n" for name, value in fields.items() if value is not None)


def main():
    chance = random.Random(42)
    stanzas = []
    for section, kinds in KINDS.items():
        for first in FIRST:
            for kind in kinds:
                number = len(stanzas) + 1
                text = f"{kind} for those who like {first}"
                if number % 3 == 0:
                    text += f"\n {first.capitalize()} {kind} does one thing.\n .\n It says so in two paragraphs."
                if number % 40 == 0:
                    text += r"; reads C:\new\table" + "\tand a tab"
                size = chance.randrange(2_000, 9_000_000)
                fields = {
                    "Package": f"{first}-{kind}",
                    "Version": f"{chance.randrange(1, 9)}.{chance.randrange(20)}-{chance.randrange(1, 5)}",
                    "Installed-Size": None if number % 25 == 0 else str(size // 300),
                    "Maintainer": chance.choice(PEOPLE),
                    "Architecture": chance.choice(["all", "amd64"]),
                    "Description": text,
                    "Section": None if number % 70 == 0 else section,
                    "Size": None if number % 90 == 0 else str(size),
                }
                stanzas.append(stanza(fields))
                # An older version of the same package, which must lose, whatever its place.
                if number % 45 == 0:
                    older = dict(fields, Version="0.9~rc1-1", Description="an older version")
                    stanzas.insert(number // 2, stanza(older))
    chance.shuffle(stanzas)
    with open(__file__.replace("make_packages.py", "packages.txt"), "w", encoding="utf-8") as out:
        out.write("\n".join(stanzas))


if __name__ == "__main__":
    main()
