"""One emulated Pi Zero with a store of 10,000 secrets: how soon, how small, how fast."""

import os
import random
import re
import time

import net
import nodes
from client import Client, Load, rate
from pi import Pi, until

SECRETS = 10_000
RATE_S = 6
START_S_MAX, UNSEAL_S_MAX, MEMORY_MB_MAX = 0.5, 2.0, 10.0


def start(pi):
    """Starts coffer in the guest; (guest seconds, wall seconds, processor seconds)."""
    begin = time.monotonic()
    said = pi.shell("start")
    wall = time.monotonic() - begin
    found = re.search(r"ANSWERED (\d+) ([\d.]+) ([\d.]+) HTTP/1.\d (\d+)", said)
    if not found:
        raise AssertionError(f"coffer did not start: {said}\n{pi.shell('cat /tmp/coffer.log')}")
    pid, before, after, _ = found.groups()
    spent = pi.shell(f"cat /proc/{pid}/stat").rsplit(")", 1)[1].split()
    return float(after) - float(before), wall, (int(spent[11]) + int(spent[12])) / 100


def read_bytes(pi):
    """Megabytes that were read from the card since the boot."""
    return int(pi.shell("cat /sys/block/mmcblk0/stat").split()[2]) * 512 / 1e6


def counted(kit, card):
    """The start by the number of instructions, each of which takes 2 ns of guest time: about what
    the real processor does, and the same on a busy host. The card costs no time there, so what is
    read from it is told beside."""
    report = kit.report
    pi = Pi(kit.folder, "counted", "raspi0", net.address(2), net.tap(2),
            ["-icount", "shift=1,sleep=off"])
    kit.pis.append(pi)
    os.rename(card, pi.card)
    pi.boot()
    for name in ("first after boot", "killed and started again"):
        before = read_bytes(pi)
        took = start(pi)[0]
        report.figure(f"  by instructions of 2 ns, {name}", took, "s", START_S_MAX)
        report.figure(f"  read from the card, {name}", read_bytes(pi) - before, "MB")
        kill(pi)
    pi.cut()


def memory(pi):
    """Megabytes (10^6 bytes) of coffer's VmRSS, RssAnon, RssFile."""
    text = pi.shell("cat /proc/$(pidof coffer)/status")
    return tuple(int(re.search(name + r":\s+(\d+) kB", text).group(1)) * 1024 / 1e6
                 for name in ("VmRSS", "RssAnon", "RssFile"))


def settle(pi):
    """Waits until coffer took no processor for a second."""
    before = None

    def still():
        nonlocal before
        fields = pi.shell("cat /proc/$(pidof coffer)/stat").rsplit(")", 1)[1].split()
        last, before = before, (fields[11], fields[12])
        return last == before

    until("coffer is idle", still, 30, step_s=1)


def kill(pi):
    pi.shell("kill -9 $(pidof coffer); while pidof coffer > /dev/null; do usleep 10000; done")


def unseal(client, keys):
    """Seconds from the last key to the first answer of an active node."""
    client.close()
    client.unseal(keys[:-1])
    begin = time.monotonic()
    client.unseal(keys[-1:])
    until("active", lambda: client.health() == 200, 60, 0.005)
    return time.monotonic() - begin


def run(kit):
    report = kit.report
    host = nodes.HostNode(kit.host, kit.folder, 1)
    with host as client:
        keys, token = nodes.init(client)
        nodes.mount(client)
        begin = time.monotonic()
        nodes.fill(client, SECRETS)
        report.say(f"{SECRETS} secrets put into the host's node in "
                   f"{time.monotonic() - begin:.0f} s")
        host_rates(report, client)
    pi = Pi(kit.folder, "zero", "raspi0", net.address(1), net.tap(1))
    kit.pis.append(pi)
    pi.make_card({"usr/local/bin/coffer": kit.binary("armv6"), "var/lib/coffer": host.data,
                  "etc/coffer.d/coffer.hcl": nodes.config(1)})
    ready = pi.boot()
    report.note(f"machine: {pi.machine_line}; {pi.shell('uname -srvm').strip()}")
    client = Client(pi.address, token)
    cold = start(pi)
    report.say(f"booted in {ready:.1f} s of guest time; coffer answered {cold[0]:.2f} s after exec "
               f"({cold[1]:.2f} s wall, {cold[2]:.2f} s of processor)")
    unsealed = unseal(client, keys)
    check_secrets(report, client)
    settle(pi)
    idle = memory(pi)
    report.say("after unsealing and a hundred reads: VmRSS %.1f MB, anonymous %.1f, file %.1f" % idle)
    for verb in ("put", "get"):
        for workers in (1, 8):
            found = rate([pi.address], token, verb, RATE_S, workers, 64)
            report.figure(f"{verb}s of 1 KiB a second there, {workers} at a time", found, "/s")
    settle(pi)
    loaded = memory(pi)
    kill(pi)
    warm = start(pi)
    again = unseal(client, keys)
    pi.cut()
    pi.boot()
    cut = start(pi)
    unseal(client, keys)
    check_secrets(report, client)
    report.figure("exec to answering health, first after boot, guest time", cold[0], "s", START_S_MAX)
    report.figure("exec to answering health, killed and started again", warm[0], "s", START_S_MAX)
    report.figure("exec to answering health, after a power cut", cut[0], "s", START_S_MAX)
    report.figure("sealed to active, last key to answer", unsealed, "s", UNSEAL_S_MAX)
    report.figure("sealed to active, started again", again, "s", UNSEAL_S_MAX)
    report.figure("resident, unsealed and idle (VmRSS)", idle[0], "MB", MEMORY_MB_MAX)
    report.figure("  of it anonymous", idle[1], "MB")
    report.figure("  of it file pages", idle[2], "MB")
    report.figure("resident, idle after the load", loaded[0], "MB")
    report.figure("boot to answering, guest time", ready + cold[0], "s")
    pi.cut()
    counted(kit, pi.card)


def host_rates(report, client):
    """The same rates on the host, for comparison."""
    for verb in ("put", "get"):
        for workers in (1, 8):
            found = rate([client.address], client.token, verb, RATE_S / 2, workers, 64)
            report.figure(f"{verb}s of 1 KiB a second on the host, {workers} at a time", found, "/s")


def check_secrets(report, client):
    """Some of the 10,000 are read, and compared with what was put."""
    chosen = random.Random(4).sample(range(SECRETS), 100)
    wrong = 0
    for number in chosen:
        value = nodes.value_of(f"s{number}", 0)[: 100 + number % 900]
        answer = client.ok("GET", f"{Load.MOUNT}/data/app-{number % 100}/s{number}")
        wrong += answer["data"]["data"]["value"] != value
    report.equal("a hundred of the secrets read as they were put", wrong, 0)
