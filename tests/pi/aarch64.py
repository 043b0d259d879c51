"""A Pi 3 from an empty card: started, initialised, used, and cut off twice."""

import net
import nodes
import zero
from cuts import Totals, one
from pi import Pi

CUTS = 2


def run(kit):
    report = kit.report
    pi = Pi(kit.folder, "pi3", "raspi3b", net.address(41), net.tap(41))
    kit.pis.append(pi)
    pi.make_card({"usr/local/bin/coffer": kit.binary("aarch64"),
                  "etc/coffer.d/coffer.hcl": nodes.config(41)})
    totals = Totals()
    one(kit, pi, CUTS, totals)
    report.note(f"{pi.machine_line}: VmRSS %.1f MB, anonymous %.1f, file %.1f" % zero.memory(pi))
    report.note(f"its power cuts under load: {totals.cuts}; writes acknowledged: "
                f"{totals.acknowledged}; lost or half applied: {totals.wrong}")
