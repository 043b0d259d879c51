"""A Pi Zero from an empty card, used by real clients, whose power goes away again and again."""

import random
import re
import threading

import net
import nodes
import zero
from client import Cli, Client, Load
from pi import Pi, until

# Two machines share the cuts, since the test has two cores.
MACHINES = 2
LOAD_S_MAX = 3.0
# Load is what a cut must hit: it waits for this many acknowledged writes since the start.
ACKNOWLEDGED_MIN = 5


def run(kit):
    pis = []
    for number in range(1, MACHINES + 1):
        pi = Pi(kit.folder, f"cut-{number}", "raspi0", net.address(10 + number),
                net.tap(10 + number))
        pi.make_card({"usr/local/bin/coffer": kit.binary("armv6"),
                      "etc/coffer.d/coffer.hcl": nodes.config(10 + number)})
        pis.append(pi)
    kit.pis += pis
    kit.report.note(f"cuts: seed {kit.seed}")
    shares = [kit.cuts // MACHINES + (number < kit.cuts % MACHINES) for number in range(MACHINES)]
    totals = [Totals() for _ in pis]
    threads = [threading.Thread(target=guarded, args=(kit, *work))
               for work in zip(pis, shares, totals)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    done = sum(total.cuts for total in totals)
    kit.report.equal("cuts made", done, kit.cuts)
    kit.report.note(
        f"power cuts under load: {done}; writes acknowledged: "
        f"{sum(total.acknowledged for total in totals)}; lost or half applied: "
        f"{sum(total.wrong for total in totals)}; unanswered at a cut, and checked to be whole or "
        f"not there: {sum(total.doubtful for total in totals)} "
        f"({sum(total.appeared for total in totals)} were there)")


class Totals:
    def __init__(self):
        self.cuts = self.acknowledged = self.wrong = self.doubtful = self.appeared = 0


def guarded(kit, pi, cuts, totals):
    try:
        one(kit, pi, cuts, totals)
    except Exception as error:
        log = pi.heard.decode(errors="replace")[-800:]
        kit.report.ok(f"{pi.name} goes on", False, f"{error!r}\nconsole: {log}")


def one(kit, pi, cuts, totals):
    """Boots, sets up with the real client, then cuts, and checks after each cut."""
    report = kit.report
    chance = random.Random(f"{kit.seed} {pi.name}")
    pi.boot()
    zero.start(pi)
    keys, token = first_use(kit, pi)
    client = Client(pi.address, token)
    load = Load([pi.address], token)
    for cut in range(1, cuts + 1):
        before = load.answered
        load.start()
        until("writes are acknowledged", lambda: load.answered >= before + ACKNOWLEDGED_MIN, 60)
        load.stopping.wait(chance.uniform(0, LOAD_S_MAX))
        pi.cut()
        load.stop()
        client.close()
        totals.cuts += 1
        report.equal(f"{pi.name}: refused before cut {cut}", load.refused, 0)
        known, doubtful = dict(load.acknowledged), set(load.doubtful)
        pi.boot()
        zero.start(pi)
        client.unseal(keys)
        nodes.active(client)
        wrong = load.check(client)
        report.ok(f"{pi.name}: after cut {cut} everything is there", not wrong, "\n".join(wrong))
        appeared = sum(load.acknowledged[key] > known.get(key, 0) for key in doubtful)
        report.say(f"{pi.name} cut {cut}: {load.answered - before} writes acknowledged, "
                   f"{len(wrong)} wrong, {len(doubtful)} unanswered of which {appeared} are there")
        totals.acknowledged += load.answered - before
        totals.wrong += len(wrong)
        totals.doubtful += len(doubtful)
        totals.appeared += appeared
    text = Cli(kit.host, pi.folder, pi.address)
    text.login(token)
    report.equal(f"{pi.name}: what the real client wrote is there",
                 text("kv", "get", "-mount=load", "-field=psk", "wifi").strip(), "correct-horse")


def first_use(kit, pi):
    """Initialises, unseals and uses the node with the real client and with ours."""
    report = kit.report
    bao, own = (Cli(binary, pi.folder, pi.address) for binary in (kit.bao, kit.host))
    said = bao("operator", "init", "-key-shares=5", "-key-threshold=3")
    keys = [line.split()[-1] for line in said.splitlines() if line.startswith("Unseal Key")][:3]
    token = [line.split()[-1] for line in said.splitlines() if "Root Token" in line][0]
    for client, key in ((bao, keys[0]), (own, keys[1]), (bao, keys[2])):
        said = client("operator", "unseal", key)
    report.ok(f"{pi.name}: the third key unseals", re.search(r"Sealed\s+false", said), said)
    nodes.active(Client(pi.address))
    for client in (bao, own):
        client.login(token)
    bao("secrets", "enable", "-path=load", "kv-v2")
    bao("kv", "put", "-mount=load", "wifi", "ssid=home", "psk=correct-horse")
    report.equal(f"{pi.name}: bao reads what it put",
                 bao("kv", "get", "-mount=load", "-field=ssid", "wifi").strip(), "home")
    report.equal(f"{pi.name}: our client reads it too",
                 own("kv", "get", "-mount=load", "-field=ssid", "wifi").strip(), "home")
    report.ok(f"{pi.name}: status of both", all("Initialized" in client("status")
                                                for client in (bao, own)))
    return keys, token
