"""A lamp of three colours on pins of an emulated Pi Zero, read back from the chip's register."""

import itertools
import time

import net
import nodes
import zero
from client import Client
from pi import Pi, until

RED, GREEN, BLUE = 17, 27, 22
STANZA = f'indicator "gpio" {{\n  chip  = "gpiochip0"\n  red   = {RED}\n  green = {GREEN}\n' \
         f'  blue  = {BLUE}\n}}\n'
# GPLEV0 of the BCM2835: the levels of pins 0 to 31.
LEVELS = "xp /1wx 0x20200034"
DARK = frozenset()


def lamp(pi):
    """The pins of the lamp that are high."""
    word = int(pi.qmp(LEVELS).split(":")[1], 16)
    return frozenset(pin for pin in (RED, GREEN, BLUE) if word >> pin & 1)


def watch(pi, seconds):
    """Returns the states of the lamp: (pins, seconds), one after the other; the ends are cut."""
    seen = []
    begin = time.monotonic()
    while (now := time.monotonic()) < begin + seconds:
        seen.append((now, lamp(pi)))
        time.sleep(0.01)
    runs = [list(run) for _, run in itertools.groupby(seen, key=lambda look: look[1])]
    starts = [run[0][0] for run in runs] + [seen[-1][0]]
    return [(run[0][1], end - start) for run, start, end in zip(runs, starts, starts[1:])]


def shown(runs):
    return {pins for pins, _ in runs}


def keys_shown(runs):
    """(long, short) flashes from one pause to the next, for each whole turn."""
    dark = [seconds for pins, seconds in runs if pins == DARK]
    turns, flashes = [], None
    for pins, seconds in runs:
        if pins != DARK:
            if flashes is not None:
                flashes.append(seconds)
        elif seconds > 0.6 * max(dark):
            if flashes:
                turns.append(flashes)
            flashes = []
    middle = (max(map(max, turns)) + min(map(min, turns))) / 2 if turns else 0
    return [(sum(flash > middle for flash in turn), sum(flash <= middle for flash in turn))
            for turn in turns]


def run(kit):
    report = kit.report
    pi = Pi(kit.folder, "lights", "raspi0", net.address(31), net.tap(31))
    kit.pis.append(pi)
    pi.make_card({"usr/local/bin/coffer": kit.binary("armv6"),
                  "etc/coffer.d/coffer.hcl": nodes.config(31, more=STANZA)})
    pi.boot()
    report.equal("before coffer starts the lamp is dark", lamp(pi), DARK)
    zero.start(pi)
    runs = watch(pi, 9)
    report.equal("uninitialised: magenta, on and off", shown(runs), {DARK, frozenset({RED, BLUE})})
    whole = [seconds for _, seconds in runs[1:-1]]
    report.ok("uninitialised: two seconds each", whole and all(1.5 < one < 2.5 for one in whole),
              runs)
    client = Client(pi.address)
    keys, _ = nodes.init(client)
    until("the lamp is green", lambda: lamp(pi) == {GREEN}, 20)
    report.equal("active: green, all the time", shown(watch(pi, 3)), {frozenset({GREEN})})
    client.ok("PUT", "sys/seal")
    client.unseal(keys[:1])
    until("the lamp is amber", lambda: lamp(pi) == {RED, GREEN}, 20)
    runs = watch(pi, 14)
    report.equal("sealed: amber flashes", shown(runs), {DARK, frozenset({RED, GREEN})})
    turns = keys_shown(runs)
    report.ok("sealed: one key of three is given", (1, 2) in turns, f"{turns} {runs}")
    pi.shell("kill -9 $(pidof coffer); coffer indicator off -config=/etc/coffer.d")
    report.equal("after a crash, `coffer indicator off` darkens the lamp", lamp(pi), DARK)
    zero.start(pi)
    until("it shines again", lambda: lamp(pi) != DARK, 10)
    pi.shell("kill $(pidof coffer); while pidof coffer > /dev/null; do usleep 10000; done")
    report.equal("stopped: dark", lamp(pi), DARK)
    report.note(f"GPIO: pins {RED}, {GREEN}, {BLUE} read from the chip's register by QMP: "
                "uninitialised, active, sealed 1 of 3, dark at the end")
    pi.cut()
