"""A slow device: what writers and readers feel when a flush takes 5, 50 or 200 ms.

The delay is in the process (slow_device.c), after each flush and each synchronous write; a card
that cleans up takes as long. Three things must hold, or the run fails: more writers share a flush,
reads do not wait for writes, and three nodes with such devices keep their leader.
"""

import mmap
import os
import struct
import subprocess
import sys
import time

import cluster
import server


class Delay:
    """The delay of all processes that were started with `environment`, in milliseconds."""

    def __init__(self, folder):
        library = os.path.join(folder, "slow_device.so")
        source = os.path.join(server.HERE, "slow_device.c")
        subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
        path = os.path.join(folder, "delay")
        with open(path, "wb") as file:
            file.write(struct.pack("i", 0))
        with open(path, "r+b") as file:
            self.map = mmap.mmap(file.fileno(), 4)
        self.environment = {"LD_PRELOAD": library, "SLOW_FILE": path}

    def set(self, milliseconds):
        self.map[:4] = struct.pack("i", milliseconds)


def flushes(node):
    return node.metric("coffer_raft_flushes_total")


def one_node(binary, delays, clients, seconds, folder):
    """Figures by delay: puts by number of clients, gets alone and beside 64 writers."""
    delay = Delay(folder)
    disk = server.Disk("slow", folder)
    node = server.Server("slow", binary, 18240, disk, delay.environment)
    figures = {}
    try:
        node.start()
        node.prepare()
        for milliseconds in delays:
            delay.set(milliseconds)
            row = figures[milliseconds] = {"put": {}}
            for count in clients:
                before = flushes(node)
                load = node.finish(node.begin("hot", count, seconds, f"s{milliseconds}-{count}"))
                load["puts_per_flush"] = load["count"] / max(flushes(node) - before, 1)
                row["put"][count] = load
            row["get"] = node.finish(node.begin("get", 16, seconds))
            writing = node.begin("hot", 64, seconds + 2, f"s{milliseconds}-r")
            time.sleep(1)
            row["get_beside_writers"] = node.finish(node.begin("get", 16, seconds))
            row["put_beside_readers"] = node.finish(writing)
            delay.set(0)
            print(f"slow: {milliseconds} ms: "
                  + ", ".join(f"{count} clients {put['puts_per_flush']:.1f} puts a flush"
                              for count, put in row["put"].items())
                  + f"; gets beside 64 writers: p99 {row['get_beside_writers']['p99_ms']:.2f} ms",
                  flush=True)
    finally:
        delay.set(0)
        server.close([node])
    return figures


def three_nodes(binary, milliseconds, seconds, folder):
    """Loads a cluster in which each node's device is slow; returns figures and new terms."""
    delay = Delay(folder)
    nodes = cluster.cluster("slow", binary, 3, 18260, folder, delay.environment)
    try:
        term = nodes[0].metric("vault_raft_term")
        delay.set(milliseconds)
        load = nodes[0].finish(nodes[0].begin("hot", 64, seconds, "c"))
        load["terms"] = nodes[0].metric("vault_raft_term") - term
        load["delay_ms"] = milliseconds
        delay.set(0)
    finally:
        delay.set(0)
        server.close(nodes)
    print(f"slow: three nodes, {milliseconds} ms: {load['rate']:.0f} puts/s, "
          f"{load['terms']:.0f} elections", flush=True)
    return load


def judge(figures):
    """Returns what does not hold."""
    wrong = []
    for milliseconds, row in figures["one"].items():
        puts = [put["puts_per_flush"] for _, put in sorted(row["put"].items())]
        if any(more < 1.2 * fewer for fewer, more in zip(puts, puts[1:])):
            wrong.append(f"{milliseconds} ms: puts a flush do not rise with the clients: {puts}")
        if any(put["errors"] for put in row["put"].values()):
            wrong.append(f"{milliseconds} ms: puts failed")
        # What a busy processor costs is more than 5 ms.
        p99 = row["get_beside_writers"]["p99_ms"]
        if milliseconds >= 50 and p99 > milliseconds / 2:
            wrong.append(f"{milliseconds} ms: reads wait for writes: p99 {p99:.1f} ms")
    if figures["three"]["terms"] or figures["three"]["errors"]:
        wrong.append(f"three nodes: an election, or errors: {figures['three']}")
    return wrong


def measure(binary, delays, clients, seconds, folder):
    figures = {"one": one_node(binary, delays, clients, seconds, folder),
               "three": three_nodes(binary, max(delays), 2 * seconds, folder)}
    wrong = judge(figures)
    if wrong:
        sys.exit("FAILED: slow device: " + "; ".join(wrong))
    return figures
