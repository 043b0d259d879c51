"""What grows with the number of secrets: a server that is filled step by step and looked at."""

import os
import statistics
import threading
import time

FOLDER = 1000
LIST_CALLS = 7
# A restore takes as much space again, and a larger one tells nothing new.
RESTORED_MAX = 100_000


class Usage(threading.Thread):
    """Watches the space of a server's files until it is told to stop."""

    def __init__(self, disk):
        super().__init__(daemon=True)
        self.disk, self.done, self.peak = disk, threading.Event(), 0

    def run(self):
        while not self.done.wait(0.5):
            self.peak = max(self.peak, self.disk.used())


def timed(action):
    begin = time.monotonic()
    result = action()
    return time.monotonic() - begin, result


def names(node, folder):
    """Milliseconds for a list, and the number of names."""
    times = []
    for _ in range(LIST_CALLS):
        seconds, (status, answer) = timed(lambda: node.call("LIST", f"bench/metadata/{folder}"))
        assert status == 200, (node.name, folder, status)
        times.append(seconds * 1000)
    return statistics.median(times), len(answer["data"]["keys"])


def fill(node, first, after):
    """Writes the secrets from `first` to before `after`; returns the load and the peak of space."""
    usage = Usage(node.disk)
    usage.start()
    load = node.load("fill", 256, 4 * 3600, "x", (first, after))
    usage.done.set()
    usage.join()
    return load, max(usage.peak, node.disk.used())


def restart(node, end):
    """Seconds to stop, from the start to the first answer, and to an active node."""
    stop_s, _ = timed(end)
    answer_s = node.start()
    unseal_s, _ = timed(node.unseal)
    return stop_s, answer_s, answer_s + unseal_s


def look(node, secrets, seconds, idle_seconds):
    """The figures of a server with `secrets` secrets, which was just filled."""
    figures = {"secrets": secrets, "loaded_rss_mb": node.memory("VmRSS"),
               "peak_rss_mb": node.memory("VmHWM")}
    # What was written last is in the log only, until the server saves it when it stops.
    node.finish(node.begin("few", 64, 1))
    figures["stop_s"], figures["answer_s"], figures["start_s"] = restart(node, node.stop)
    node.finish(node.begin("few", 64, 1))
    _, _, figures["recover_s"] = restart(node, node.kill)
    time.sleep(idle_seconds)
    figures["idle_rss_mb"] = node.memory("VmRSS")
    figures["disk_bytes"] = node.disk.used()
    figures["list_ms"], listed = names(node, "grow/0")
    # Some of the last requests of a fill may have been cut off.
    assert 0.9 * FOLDER < listed <= FOLDER, (node.name, listed)
    figures["folders_ms"], figures["folders"] = names(node, "grow")
    cpu = node.cpu()
    file = node.disk.image + ".snapshot"
    figures["snapshot_s"], figures["snapshot_bytes"] = timed(lambda: node.snapshot(file))
    figures["snapshot_cpu_s"] = node.cpu() - cpu
    if secrets <= RESTORED_MAX:
        figures["restore_s"], _ = timed(lambda: node.restore(file))
    os.unlink(file)
    figures["get"] = node.load("any", 64, seconds, "x", (0, secrets))
    return figures


def measure(node, steps, seconds, idle_seconds):
    """Fills `node`, which is not started yet, to each step; returns the figures of each."""
    rows, filled = [], 0
    node.start()
    node.prepare()
    for secrets in steps:
        load, peak = fill(node, filled, secrets)
        filled = secrets
        row = look(node, secrets, seconds, idle_seconds)
        row.update(fill_rate=load["rate"], fill_bytes=load["bytes"], fill_cpu_ms=load["cpu_ms"],
                   disk_peak_bytes=peak)
        rows.append(row)
        print(f"growth: {node.name}: {secrets} secrets: {row['idle_rss_mb']:.1f} MB resident, "
              f"{row['disk_bytes'] / 1e6:.1f} MB on the disk, active after {row['start_s']:.2f} s, "
              f"snapshot {row['snapshot_s']:.2f} s, "
              f"restored in {row.get('restore_s', 0):.2f} s, "
              f"list of {FOLDER} {row['list_ms']:.1f} ms", flush=True)
    return rows
