"""Three nodes: what a replicated put costs, and how long a lost leader is missed."""

import signal
import statistics
import threading
import time

import cluster
import server


def leader(nodes):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for node in nodes:
            answer = node.quietly("GET", "sys/leader")
            if answer and answer[0] == 200 and answer[1]["is_self"]:
                return node
        time.sleep(0.05)
    raise SystemExit(f"{nodes[0].name}: nobody leads")


def first_write(nodes):
    """Waits until one of `nodes` acknowledges a put; returns when that was."""
    found, lock = [], threading.Lock()

    def ask(node):
        while not found:
            answer = node.quietly("POST", "bench/data/failover", {"data": {"value": server.VALUE}})
            if answer and answer[0] == 200:
                with lock:
                    found.append(time.monotonic())
            else:
                time.sleep(0.005)
    threads = [threading.Thread(target=ask, args=(node,), daemon=True) for node in nodes]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 60
    while not found and time.monotonic() < deadline:
        time.sleep(0.001)
    if not found:
        raise SystemExit(f"{nodes[0].name}: no write within 60 s after its leader went")
    moment = min(found)
    for thread in threads:
        thread.join(60)
    return moment


def failover(nodes, killed):
    """Takes the leader away under the load of 64 clients; seconds until a put is acknowledged."""
    first = leader(nodes)
    others = [node for node in nodes if node is not first]
    load = first.begin("hot", 64, 3, "failover")
    time.sleep(1.5)
    gone = time.monotonic()
    if killed:
        first.kill()
    else:
        first.process.send_signal(signal.SIGSTOP)
    seconds = first_write(others) - gone
    load.kill()
    load.communicate()
    if killed:
        first.start()
        first.unseal_until_it_serves()
    else:
        first.process.send_signal(signal.SIGCONT)
        first.unseal_until_it_serves()
    # Until all of them follow again, and are known to.
    time.sleep(3)
    return seconds


def measure(name, binary, port, seconds, times, folder):
    nodes = cluster.cluster(name, binary, 3, port, folder)
    try:
        first = leader(nodes)
        before = [(node.disk.counters(), node.cpu()) for node in nodes]
        load = first.finish(first.begin("put", 64, seconds, "three"))
        counts = [(node.disk.counters(), node.cpu()) for node in nodes]
        count = load["count"]
        load["cpu_ms"] = sum(after[1] - old[1] for after, old in zip(counts, before)) * 1000 / count
        load["bytes"] = sum(after[0][0] - old[0][0] for after, old in zip(counts, before)) / count
        load["flushes"] = sum(after[0][1] - old[0][1] for after, old in zip(counts, before)) / count
        figures = {"put64": load}
        for way, killed in [("killed_s", True), ("silent_s", False)]:
            rounds = [failover(nodes, killed) for _ in range(times)]
            if rounds:
                figures[way] = statistics.median(rounds)
                figures[way.replace("_s", "_all_s")] = rounds
        print(f"three nodes: {name}: {load['rate']:.0f} puts/s, a killed leader missed for "
              f"{figures.get('killed_s', 0):.2f} s, a silent one for "
              f"{figures.get('silent_s', 0):.2f} s", flush=True)
        return figures
    finally:
        server.close(nodes)
