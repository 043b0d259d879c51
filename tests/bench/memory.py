"""Memory under a long mixed load: whether it stays where it was."""

import time

import server

SAMPLE_SECONDS = 5


def measure(name, binary, port, secrets, minutes, folder):
    """Fills a server and keeps 64 clients busy; returns the resident memory over time, in MB."""
    disk = server.Disk(f"memory-{name}", folder, gigabytes=24)
    node = server.Server(f"memory-{name}", binary, port, disk)
    try:
        node.start()
        node.prepare()
        node.finish(node.begin("fill", 256, 4 * 3600, "x", (0, secrets)))
        node.stop()
        node.start()
        node.unseal()
        load, samples = node.begin("mixed", 64, round(minutes * 60), "memory"), []
        begin = time.monotonic()
        while load.poll() is None:
            samples.append((time.monotonic() - begin, node.memory("VmRSS")))
            time.sleep(SAMPLE_SECONDS)
        figures = node.finish(load)
        half = len(samples) // 2
        early, late = [[mb for _, mb in part] for part in (samples[half:half + half // 2],
                                                           samples[half + half // 2:])]
        figures.update(secrets=secrets, minutes=minutes, samples=samples,
                       peak_mb=max(mb for _, mb in samples),
                       growth_mb=sum(late) / len(late) - sum(early) / len(early))
        print(f"memory: {name}: {secrets} secrets, {minutes} minutes of mixed load: at most "
              f"{figures['peak_mb']:.1f} MB resident; the last quarter {figures['growth_mb']:+.2f} "
              "MB from the one before", flush=True)
        return figures
    finally:
        server.close([node])
