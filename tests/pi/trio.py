"""Three emulated Pi Zeros that find each other, replicate, and go on when one loses its power."""

import threading
import time

import net
import nodes
import zero
from client import Client, Load, value_of
from pi import Hung, Pi, until

FIRST, COUNT = 21, 3
JOIN_DEADLINE_S = 90
FAILOVER_S_MAX = 10.0


def by_address(number):
    places = [f'  retry_join {{ leader_api_addr = "http://{net.address(other)}:8200" }}\n'
              for other in range(FIRST, FIRST + COUNT) if other != number]
    return "".join(places)


def by_multicast(_):
    return ('  retry_join {\n    auto_join = "provider=mdns service=_coffer._tcp domain=local"\n'
            '    auto_join_scheme = "http"\n  }\n')


WAYS = {"multicast DNS": by_multicast, "retry_join": by_address}


def run(kit):
    pis = []
    for number in range(FIRST, FIRST + COUNT):
        pi = Pi(kit.folder, f"trio-{number - FIRST + 1}", "raspi0", net.address(number),
                net.tap(number))
        files = {"usr/local/bin/coffer": kit.binary("armv6")}
        for place, (_, stanza) in enumerate(WAYS.items()):
            files[f"etc/way-{place}/coffer.hcl"] = nodes.config(number, storage=stanza(number))
        pi.make_card(files)
        pis.append(pi)
    kit.pis += pis
    together(pis)
    for place, way in enumerate(WAYS):
        for pi in pis:
            pi.shell("kill -9 $(pidof coffer); rm -rf /var/lib/coffer/* /etc/coffer.d; "
                     f"cp -r /etc/way-{place} /etc/coffer.d; sync")
        cluster(kit, pis, way)


def together(pis):
    """Boots all; raises what the first raised that did not."""
    failures = []

    def boot(pi):
        try:
            pi.boot()
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=boot, args=(pi,)) for pi in pis]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def servers(client):
    answer = client.ok("GET", "sys/storage/raft/configuration")
    return answer["data"]["config"]["servers"]


def form(report, pis, way):
    """A cluster of all; (unseal keys, root token)."""
    for pi in pis:
        zero.start(pi)
    first = Client(pis[0].address, deadline_s=60)
    keys, token = nodes.init(first)
    begin = time.monotonic()
    for pi in pis[1:]:
        other = Client(pi.address, token, deadline_s=60)
        until(f"{pi.name} has found the cluster",
              lambda: other.ok("GET", "sys/seal-status")["initialized"], JOIN_DEADLINE_S, 0.1)
        other.unseal(keys)
    until("all three vote", lambda: sum(server["voter"] for server in servers(first)) == COUNT,
          JOIN_DEADLINE_S, 0.2)
    for pi in pis[1:]:
        until(f"{pi.name} is a standby",
              lambda: Client(pi.address).health() in (429, 473), JOIN_DEADLINE_S, 0.1)
    report.say(f"{way}: three voters {time.monotonic() - begin:.1f} s after the first was active")
    return keys, token


def cluster(kit, pis, way):
    report = kit.report
    keys, token = form(report, pis, way)
    clients = [Client(pi.address, token) for pi in pis]
    nodes.mount(clients[0])
    begin = time.monotonic()
    clients[0].ok("POST", "load/data/probe", {"data": {"value": value_of("probe", 1)}})
    until("both standbys have it", lambda: all(has_probe(client) for client in clients[1:]), 20)
    report.figure(f"{way}: written on the active, read on both standbys",
                  time.monotonic() - begin, "s", FAILOVER_S_MAX)
    lost = fail_over(kit, pis, token, way)
    come_back(report, pis, lost, keys, token, way)
    for pi in pis:
        report.say("%s: VmRSS %.1f MB, anonymous %.1f, file %.1f" % (pi.name, *zero.memory(pi)))


def has_probe(client):
    status, answer = client.call("GET", "load/data/probe")
    return status == 200 and answer["data"]["data"]["value"] == value_of("probe", 1)


def leader(pis):
    """The place of the active node; raises when there is none."""
    found = [place for place, pi in enumerate(pis) if Client(pi.address).health() == 200]
    if len(found) != 1:
        raise Hung(f"active are {found}")
    return found[0]


def fail_over(kit, pis, token, way):
    """Cuts the active node's power under load; the place of the lost one."""
    report = kit.report
    lost = leader(pis)
    left = [pi for place, pi in enumerate(pis) if place != lost]
    load = Load([pi.address for pi in left], token, writers=2)
    load.start()
    until("writes are acknowledged", lambda: load.answered >= 20, 60)
    acknowledged = load.answered
    begin = time.monotonic()
    pis[lost].cut()
    ended = time.monotonic()
    probe = threading.Event()
    until("one of the others is active",
          lambda: any(Client(pi.address).health() == 200 for pi in left), 60)
    elected = time.monotonic() - begin
    before = load.answered
    until("a write is acknowledged", lambda: load.answered > before, 60)
    report.figure(f"{way}: power of the active cut, another is active", elected, "s", FAILOVER_S_MAX)
    report.figure(f"{way}: power of the active cut, next acknowledged write",
                  load.latest - ended, "s", FAILOVER_S_MAX)
    probe.wait(1)
    load.stop()
    wrong = load.check(Client(left[0].address, token, deadline_s=60))
    report.ok(f"{way}: nothing acknowledged is lost", not wrong, "\n".join(wrong))
    report.say(f"{way}: {load.answered} writes acknowledged, {acknowledged} of them before the "
               f"power of the active went, {load.refused} refused, {len(wrong)} wrong")
    return lost


def come_back(report, pis, lost, keys, token, way):
    """The lost one gets its power back, is unsealed, and has what was written meanwhile."""
    others = [pi for place, pi in enumerate(pis) if place != lost]
    writer = Client(others[0].address, token, deadline_s=60)
    writer.ok("POST", "load/data/meanwhile", {"data": {"value": "x"}})
    pi = pis[lost]
    pi.boot()
    zero.start(pi)
    client = Client(pi.address, token, deadline_s=60)
    client.unseal(keys)
    until(f"{pi.name} is a standby again and has what was written meanwhile",
          lambda: client.call("GET", "load/data/meanwhile")[0] == 200, 60, 0.2)
    report.ok(f"{way}: the node that comes back is a standby", client.health() in (429, 473))
