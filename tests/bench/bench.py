"""coffer beside OpenBao, and beside an earlier coffer: the same work on the same kind of disk.

Absolute times depend on the machine; the ratios within one run are what counts. `report.py` makes
the tables and plots of the figures that this writes.
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import time

import growth
import memory
import report
import server
import slow
import three
import tls

# Reads first: puts make the store larger, that of the faster server most.
KINDS = ["get", "list", "patch", "mixed", "put"]
# So long that several checkpoints are in it, which a put has to pay for.
PUT_SECONDS_FACTOR = 2
TRICKLE_SECONDS = 6


def starts(node, figures, times):
    """Starts a new server; measures further starts, clean ones and after a kill."""
    figures["binary_mb"] = os.path.getsize(os.path.realpath(node.binary)) / 1e6
    seconds = [node.start()]
    node.prepare()
    for _ in range(times):
        node.stop()
        seconds.append(node.start())
        node.unseal()
    figures["start_s"] = statistics.median(seconds)
    seconds = []
    for _ in range(times):
        node.kill()
        begin = time.monotonic()
        node.start()
        node.unseal()
        seconds.append(time.monotonic() - begin)
    figures["recover_s"] = statistics.median(seconds)


def idle(nodes, rows, seconds):
    time.sleep(min(10, seconds))
    before = {node.name: (node.disk.counters(), node.cpu()) for node in nodes}
    time.sleep(seconds)
    for node in nodes:
        (wrote, _), cpu = before[node.name]
        figures = rows[node.name]
        figures["idle_bytes"] = node.disk.counters()[0] - wrote
        figures["idle_cpu_percent"] = (node.cpu() - cpu) / seconds * 100
        figures["idle_rss_mb"] = node.memory("VmRSS")


def loads(nodes, rows, plan, seconds):
    """Puts the servers under each load in turn."""
    for number, (kind, clients) in enumerate(plan):
        name = f"{kind}{clients}"
        print("load:", name, flush=True)
        prefix = f"{kind}-{number}"
        length = seconds * PUT_SECONDS_FACTOR if kind in ("put", "hot") else seconds
        for node in nodes:
            if kind == "patch":
                for client in range(clients):
                    node.put(f"{prefix}-{client}")
            rows[node.name].setdefault("loads", {})[name] = node.load(kind, clients, length, prefix)
    for node in nodes:
        rows[node.name]["peak_rss_mb"] = node.memory("VmHWM")


def single(nodes, rows, arguments):
    for node in nodes:
        starts(node, rows[node.name], 3 if arguments.quick else 5)
    print("started and recovered; now idle for", arguments.idle, "s", flush=True)
    idle(nodes, rows, arguments.idle)
    if arguments.quick:
        plan = [*((kind, 64) for kind in ["hot", *KINDS]), ("put", 1)]
    else:
        plan = [("hot", 64), *((kind, clients) for kind in KINDS for clients in [1, 16, 64, 256])]
    loads(nodes, rows, plan, arguments.seconds)
    for node in nodes:
        node.stop()


def trickle(binaries, rows, puts, folder):
    """One put each six seconds, on a usual mount and on one that commits seldom."""
    mounts = {"default": "defaults", "commit300": "noatime,commit=300"}
    nodes = []
    try:
        for number, (name, binary) in enumerate(binaries):
            for at, (mount, options) in enumerate(mounts.items()):
                disk = server.Disk(f"{name}-{mount}", folder, options=options)
                port = 18400 + 4 * number + 2 * at
                nodes.append((name, mount, server.Server(f"{name}-{mount}", binary, port, disk)))
        for *_, node in nodes:
            node.start()
            node.prepare()
        time.sleep(10)
        before = [node.disk.counters() for *_, node in nodes]
        for number in range(puts):
            for *_, node in nodes:
                node.put(f"trickle-{number}")
            time.sleep(TRICKLE_SECONDS)
        for (name, mount, node), (wrote, flushes) in zip(nodes, before):
            after = node.disk.counters()
            rows[name].setdefault("trickle", {})[mount] = {
                "bytes": (after[0] - wrote) / puts, "flushes": (after[1] - flushes) / puts}
    finally:
        server.close([node for *_, node in nodes])


def grown(binaries, rows, arguments, folder):
    steps = [1000, 10_000, 100_000, 1_000_000]
    for number, (name, binary) in enumerate(binaries):
        most = arguments.growth_bao if name == "bao" else arguments.growth
        wanted = [step for step in steps if step <= most]
        if not wanted:
            continue
        disk = server.Disk(f"growth-{name}", folder, gigabytes=24)
        node = server.Server(f"growth-{name}", binary, 18440 + 2 * number, disk)
        try:
            rows[name]["growth"] = growth.measure(node, wanted, arguments.seconds, 2)
        finally:
            server.close([node])


def further(binaries, rows, parts, arguments, folder):
    """Three nodes, TLS, and memory over time. A quick run looks only at whether coffer's works."""
    if arguments.quick:
        binaries = binaries[-1:]
    for number, (name, binary) in enumerate(binaries):
        port = 18500 + 20 * number
        if "three" in parts:
            rows[name]["three"] = three.measure(name, binary, port, 2 * arguments.seconds,
                                                1 if arguments.quick else 5, folder)
        if "tls" in parts:
            rows[name]["tls"] = tls.measure(name, binary, port + 10, arguments.seconds, folder)
    if "memory" in parts:
        name, binary = binaries[-1]
        rows[name]["memory"] = memory.measure(name, binary, 18580, arguments.memory_secrets,
                                              arguments.memory_minutes, folder)


def machine():
    """The class of the machine, without its name."""
    with open("/proc/cpuinfo") as file:
        models = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    with open("/proc/meminfo") as file:
        kilobytes = int(file.readline().split()[1])
    return {"cores": os.cpu_count(), "processor": models[0] if models else platform.machine(),
            "memory_gb": round(kilobytes / 1e6), "kernel": platform.release().split("-")[0],
            "file_system": "ext4 on a loop device"}


def parse():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bao", required=True)
    parser.add_argument("--coffer", required=True)
    parser.add_argument("--before", help="an earlier binary of coffer, to be measured, too")
    parser.add_argument("--seconds", type=int, default=10,
                        help="for each load; twice as long for puts")
    parser.add_argument("--idle", type=int, default=600)
    parser.add_argument("--trickle", type=int, default=30, help="puts, one each six seconds")
    parser.add_argument("--growth", type=int, default=1_000_000, help="the most secrets")
    parser.add_argument("--growth-bao", type=int, default=100_000, help="the most secrets of bao")
    parser.add_argument("--memory-secrets", type=int, default=100_000)
    parser.add_argument("--memory-minutes", type=float, default=60)
    parser.add_argument("--keep", action="store_true",
                        help="keep the figures of the last run for the parts that this one leaves")
    parser.add_argument("--quick", action="store_true", help="a moment each, to see that it works")
    parser.add_argument("--only", default="single,trickle,growth,three,tls,slow",
                        help="parts, with commas; there is also memory, which takes an hour")
    parser.add_argument("--publish", action="store_true",
                        help="table, JSON and plots into docs/bench and README.md; with --quick "
                             "into target/bench/publish, because those figures mean nothing")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.seconds, arguments.idle, arguments.trickle = 1, 5, 0
        arguments.growth = min(arguments.growth, 10_000)
        arguments.growth_bao = 0
    return arguments


def figures_of(folder):
    """Returns the figures of the last run, if there was one."""
    try:
        with open(os.path.join(folder, "figures.json"), encoding="utf-8") as last:
            return json.load(last)
    except FileNotFoundError:
        return None


def save(figures, folder):
    """Writes what is measured so far: a run takes long, and may be cut short."""
    with open(os.path.join(folder, "figures.json"), "w", encoding="utf-8") as out:
        json.dump(figures, out, indent=1)


def main():
    arguments = parse()
    parts = arguments.only.split(",")
    folder = os.path.abspath("target/bench")
    kept = figures_of(folder) if arguments.keep else None
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    binaries = [("bao", arguments.bao)]
    if arguments.before:
        binaries.append(("before", arguments.before))
    binaries.append(("coffer", arguments.coffer))
    figures = kept or {"machine": machine(), "seconds": arguments.seconds, "servers": {}}
    rows = figures["servers"]
    for name, binary in binaries:
        rows.setdefault(name, {})["version"] = report.version(binary)
    save(figures, folder)
    if "single" in parts:
        nodes = []
        try:
            for number, (name, binary) in enumerate(binaries):
                disk = server.Disk(name, folder, gigabytes=12)
                nodes.append(server.Server(name, binary, 18210 + 10 * number, disk))
            single(nodes, rows, arguments)
        finally:
            server.close(nodes)
        save(figures, folder)
    if "trickle" in parts and arguments.trickle:
        trickle(binaries, rows, arguments.trickle, folder)
        save(figures, folder)
    if "growth" in parts:
        grown(binaries, rows, arguments, folder)
        save(figures, folder)
    further(binaries, rows, parts, arguments, folder)
    save(figures, folder)
    if "slow" in parts:
        delays = [200] if arguments.quick else [5, 50, 200]
        clients = [1, 64] if arguments.quick else [1, 16, 64, 256]
        seconds = 3 if arguments.quick else arguments.seconds
        figures["slow"] = slow.measure(arguments.coffer, delays, clients, seconds, folder)
    save(figures, folder)
    report.show(figures)
    if arguments.publish and arguments.quick:
        report.rehearse(figures, os.path.join(folder, "publish"))
    elif arguments.publish:
        report.publish(figures)


if __name__ == "__main__":
    main()
