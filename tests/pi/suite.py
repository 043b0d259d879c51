"""The parts, one after the other, and the table at the end; `run` says how to call it."""

import argparse
import os
import shutil
import sys
import traceback

import aarch64
import cuts
import lights
import net
import trio
import zero
from pi import TARGET
from report import Report

PARTS = {"zero": zero.run, "lights": lights.run, "cuts": cuts.run, "cluster": trio.run,
         "aarch64": aarch64.run}


class Kit:
    """The settings and the report that all parts share."""

    def __init__(self, options):
        self.host, self.bao, self.dist = options.host, options.bao, options.dist
        self.cuts, self.seed = options.cuts, options.seed
        self.report = Report()
        self.folder = os.path.abspath(os.path.join(TARGET, "work"))
        self.pis = []

    def binary(self, arch):
        return os.path.join(self.dist, arch, "coffer")

    def unplug(self):
        for pi in self.pis:
            pi.cut()
        self.pis.clear()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", required=True)
    parser.add_argument("--bao", required=True)
    parser.add_argument("--dist", required=True)
    parser.add_argument("--cuts", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("parts", nargs="+")
    kit = Kit(parser.parse_args())
    parts = parser.parse_args().parts
    net.start()
    shutil.rmtree(kit.folder, ignore_errors=True)
    os.makedirs(kit.folder)
    for part in parts:
        kit.report.say(f"== {part}")
        try:
            PARTS[part](kit)
        except Exception:
            kit.report.ok(part, False, traceback.format_exc())
        finally:
            kit.unplug()
    kit.report.print()
    if not kit.report.failed:
        shutil.rmtree(kit.folder)
    is_short = kit.report.short() and os.environ.get("PI_STRICT") == "1"
    return 1 if kit.report.failed or is_short else 0


if __name__ == "__main__":
    sys.exit(main())
