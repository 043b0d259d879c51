"""Clusters of coffer and of OpenBao: idle, replicating, and a wiped member that returns under load.

Every node has an ext4 of its own on a loop device; bytes are that device's, CPU and memory the
server process's from /proc.
"""

import argparse
import os
import shutil
import statistics
import sys
import threading
import time

import server

HERE = os.path.dirname(os.path.abspath(__file__))


class Node(server.Server):
    """One member; `others` are the ports of those that it may join."""

    def __init__(self, name, binary, port, disk, others, environment=None):
        super().__init__(name, binary, port, disk, environment)
        joins = "".join(
            f'  retry_join {{\n    leader_api_addr = "http://127.0.0.1:{other}"\n  }}\n'
            for other in others)
        with open(self.config) as config:
            text = config.read()
        with open(self.config, "w") as config:
            config.write(text.replace('  node_id', joins + '  node_id', 1))

    def join(self, first):
        self.keys, self.token = first.keys, first.token
        self.start()
        self.unseal_until_it_serves()

    def unseal_until_it_serves(self):
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            for key in self.keys[:3]:
                self.quietly("PUT", "sys/unseal", {"key": key})
            answer = self.quietly("GET", "sys/health?standbyok=true")
            if answer and answer[0] == 200:
                return
            time.sleep(0.2)
        sys.exit(f"{self.name} does not serve: see {self.config}.log")

    def quietly(self, *call):
        try:
            return self.call(*call)
        except OSError:
            return None

    def voters(self):
        answer = self.quietly("GET", "sys/storage/raft/configuration")
        if not answer or answer[0] != 200:
            return 0
        return sum(member["voter"] for member in answer[1]["data"]["config"]["servers"])


def cluster(kind, binary, count, port, folder, environment=None):
    ports = [port + 2 * number for number in range(count)]
    nodes = []
    for number in range(count):
        name = f"{kind}{number + 1}"
        disk = server.Disk(name, folder)
        nodes.append(Node(name, binary, ports[number], disk,
                          [other for other in ports if other != ports[number]] if number else [],
                          environment))
    nodes[0].start()
    nodes[0].prepare()
    for node in nodes[1:]:
        node.join(nodes[0])
    wait_voters(nodes[0], count)
    return nodes


def wait_voters(node, count):
    deadline = time.monotonic() + 120
    while node.voters() != count:
        if time.monotonic() > deadline:
            sys.exit(f"{node.voters()} of {count} members vote: see {node.config}.log")
        time.sleep(0.2)


def idle(nodes, seconds):
    time.sleep(20)
    before = [(node.disk.counters()[0], node.cpu()) for node in nodes]
    time.sleep(seconds)
    for node, (wrote, cpu) in zip(nodes, before):
        print(f"idle {seconds} s: {node.name}: {node.disk.counters()[0] - wrote} bytes written, "
              f"{(node.cpu() - cpu) / seconds * 100:.2f} % CPU, "
              f"{node.memory('VmRSS'):.1f} MB resident")


class Watch(threading.Thread):
    """Looks at the members' memory, and writes to the first of them, until it is told to stop."""

    def __init__(self, nodes):
        super().__init__(daemon=True)
        self.nodes, self.done = nodes, threading.Event()
        self.peak = {node.name: 0 for node in nodes}
        self.longest, self.writes = 0, 0

    def run(self):
        last = time.monotonic()
        while not self.done.is_set():
            answer = self.nodes[0].quietly("POST", f"bench/data/watch-{self.writes % 50}",
                                           {"data": {"value": server.VALUE}})
            if answer and answer[0] == 200:
                now = time.monotonic()
                self.longest, last = max(self.longest, now - last), now
                self.writes += 1
            for node in self.nodes:
                try:
                    self.peak[node.name] = max(self.peak[node.name], node.memory("VmRSS"))
                except (OSError, KeyError):
                    pass


def fill(node, count):
    """Secrets of 1 KiB, by wrk."""
    written = 0
    while written < count:
        figures = node.load("put", 64, 5, f"fill{written}")
        written += figures["count"]
    return written


def rejoin(nodes, count):
    written = fill(nodes[0], count)
    victim = nodes[-1]
    victim.kill()
    shutil.rmtree(os.path.join(victim.disk.mount, "data"))
    os.makedirs(os.path.join(victim.disk.mount, "data"))
    before = {node.name: node.disk.counters()[0] for node in nodes}
    watch = Watch(nodes)
    watch.start()
    begin = time.monotonic()
    victim.join(nodes[0])
    serving = time.monotonic() - begin
    wait_voters(nodes[0], len(nodes))
    voting = time.monotonic() - begin
    watch.done.set()
    watch.join()
    print(f"rejoin with {written} secrets: serves after {serving:.1f} s, votes after "
          f"{voting:.1f} s; {victim.disk.counters()[0] - before[victim.name]} bytes written "
          f"there; {watch.writes} writes meanwhile, longest pause between two "
          f"{watch.longest:.2f} s")
    for name, peak in watch.peak.items():
        print(f"rejoin: {name}: peak {peak:.1f} MB resident")


def replication(clusters, rounds, seconds):
    """CPU and flushes of all three nodes for a put; the clusters take turns."""
    figures = {name: [] for name in clusters}
    for number in range(rounds):
        for name, nodes in clusters.items():
            flushes = sum(node.disk.counters()[1] for node in nodes)
            cpu = sum(node.cpu() for node in nodes)
            load = nodes[0].load("put", 64, seconds, f"{name}{number}")
            cpu = (sum(node.cpu() for node in nodes) - cpu) * 1e6 / load["count"]
            flushes = (sum(node.disk.counters()[1] for node in nodes) - flushes) / load["count"]
            figures[name].append((cpu, flushes))
            print(f"replication: {name}, round {number + 1}: {cpu:.1f} us of CPU and "
                  f"{flushes:.4f} flushes a put on three nodes, {load['rate']:.0f} puts/s",
                  flush=True)
    medians = {name: [statistics.median(column) for column in zip(*figures[name])]
               for name in clusters}
    for name, (cpu, flushes) in medians.items():
        print(f"replication: {name}, median of {rounds}: {cpu:.1f} us, {flushes:.4f} flushes")
    if "before" in medians:
        ratio = medians["coffer"][0] / medians["before"][0]
        print(f"replication: {(ratio - 1) * 100:+.1f} % CPU beside the binary before")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bao")
    parser.add_argument("--coffer", required=True)
    parser.add_argument("--idle", type=int, default=600)
    parser.add_argument("--secrets", type=int, default=100_000)
    parser.add_argument("--before", help="an older binary of coffer to replicate beside")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--skip", default="", help="idle, rejoin, bao, replication")
    arguments = parser.parse_args()
    folder = os.path.abspath("target/bench-cluster")
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    nodes = []
    try:
        if "idle" not in arguments.skip:
            nodes += cluster("coffer", arguments.coffer, 3, 18300, folder)
            if arguments.bao and "bao" not in arguments.skip:
                nodes += cluster("bao", arguments.bao, 3, 18320, folder)
            idle(nodes, arguments.idle)
            server.close(nodes)
        if "replication" not in arguments.skip:
            pair = {"coffer": cluster("coffer", arguments.coffer, 3, 18360, folder)}
            nodes += pair["coffer"]
            if arguments.before:
                pair["before"] = cluster("before", arguments.before, 3, 18380, folder)
                nodes += pair["before"]
            replication(pair, arguments.rounds, 10)
            server.close(nodes)
        if "rejoin" not in arguments.skip:
            nodes += cluster("five", arguments.coffer, 5, 18340, folder)
            rejoin(nodes, arguments.secrets)
    finally:
        server.close(nodes)


if __name__ == "__main__":
    main()
