"""Runs the suites named on the command line (all without one) and counts."""

import sys

import acl
import ansible_suite
import cluster
import cluster000
import cluster004
import hvac_suite
import metrics
import openapi
import recovery
import seed000
import shapes
import transit
from check import Report

SUITES = {
    "seed000": seed000.run,
    "cluster": cluster.run,
    "cluster000": cluster000.run,
    "cluster004": cluster004.run,
    "recovery": recovery.run,
    "metrics": metrics.run,
    "hvac": hvac_suite.run,
    "shapes": shapes.run,
    "transit": transit.run,
    "acl": acl.run,
    "openapi": openapi.run,
    "ansible": ansible_suite.run,
}


def main():
    report = Report()
    for name in sys.argv[1:] or SUITES:
        report.section(name)
        try:
            SUITES[name](report)
        except Exception as error:  # a suite that cannot go on is one failure
            report.fail(f"{name} ended early", f"{type(error).__name__}: {error}")
    print(f"{report.passed} passed, {report.failed} failed, {report.skipped} skipped")
    sys.exit(1 if report.failed else 0)


if __name__ == "__main__":
    main()
