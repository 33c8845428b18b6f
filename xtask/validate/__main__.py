"""Checks what socktrace writes with implementations that are not socktrace's.

    python3 xtask/validate SOCKTRACE --ecs TARBALL --recordings FOLDER --rules FOLDER [--live]

Every check prints a line with what it looked at; the first thing that is wrong ends it with status 1.
"""

import argparse
import pathlib
import sys

import cef
import ecs
import lines
import native
import ocsf
import otlp
import sigma_rules


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("socktrace", type=pathlib.Path)
    parser.add_argument("--ecs", type=pathlib.Path, required=True)
    parser.add_argument("--recordings", type=pathlib.Path, required=True)
    parser.add_argument("--rules", type=pathlib.Path, required=True)
    parser.add_argument("--live", action="store_true", help="also what run, trace and scan say of this machine")
    arguments = parser.parse_args()
    source = lines.Source(arguments.socktrace, arguments.recordings, arguments.live)
    try:
        events = source.read("json")
        native.check(events, source.schema())
        ecs.check(events, arguments.ecs)
        ocsf.check(source.read("ocsf"))
        otlp.check(source.read("otlp"))
        cef.check(source.read("cef"))
        sigma_rules.check(arguments.rules, events)
    except lines.Wrong as wrong:
        sys.exit(f"validate: {wrong}")


main()
