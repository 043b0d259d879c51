"""Tables and plots of the figures that bench.py measured.

`python3 tests/bench/report.py target/bench/figures.json [--publish]` makes them again.
"""

import argparse
import json
import os
import re
import shutil
import subprocess

import plot

KINDS = {"put": "put", "get": "get", "patch": "patch with cas", "list": "list of 100",
         "mixed": "nine gets, one put", "hot": "put, 500 names"}
BEGIN, END = "<!-- tests/bench/run --publish: begin -->", "<!-- tests/bench/run --publish: end -->"


def version(binary):
    out = subprocess.run([binary, "version"], check=True, capture_output=True, text=True).stdout
    found = re.search(r"\d+\.\d+\.\d+", out)
    return found.group() if found else out.strip()


def label(figures, name):
    number = figures["servers"][name]["version"]
    return {"bao": f"OpenBao {number}", "before": f"coffer before ({number})",
            "coffer": f"coffer ({number})"}[name]


def short(value):
    """Three digits, or whole numbers where there are more."""
    if value == 0:
        return "0"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def load(name, field):
    return lambda row: row["loads"][name][field]


def common(row, figures, field):
    """A figure of growth at the largest step that all servers reached."""
    steps = [{each["secrets"] for each in server["growth"]}
             for server in figures["servers"].values() if "growth" in server]
    step = max(set.intersection(*steps))
    return next(each[field] for each in row["growth"] if each["secrets"] == step)


def largest(row, field):
    each = row["growth"][-1]
    return each[field] / each["snapshot_bytes"]


def judged(figures):
    """(name, pick, unit, must, limit, how): `how` is most, least, or of bao's figure the same."""
    return [*single_node(), *several(), *grown(figures)]


def single_node():
    return [
        ("put, 1 client: device bytes", load("put1", "bytes"), "B", "<= 3000", 3000, "most"),
        ("put, 1 client: flushes", load("put1", "flushes"), "", "<= 1.01", 1.01, "most"),
        ("put, 64 clients: device bytes", load("put64", "bytes"), "B", "<= 2600", 2600, "most"),
        ("put, 64 clients: flushes", load("put64", "flushes"), "", "<= 0.025", 0.025, "most"),
        ("put, 500 names, 64 clients: device bytes", load("hot64", "bytes"), "B", "<= 1800", 1800,
         "most"),
        ("a put each 6 s, noatime,commit=300: device bytes",
         lambda row: row["trickle"]["commit300"]["bytes"], "B", "<= 2500", 2500, "most"),
        ("a put each 6 s, usual mount: device bytes",
         lambda row: row["trickle"]["default"]["bytes"], "B", "<= 16000", 16000, "most"),
        ("put, 64 clients: rate", load("put64", "rate"), "/s", ">= 12x", 12, "times"),
        ("put, 64 clients: CPU", load("put64", "cpu_ms"), "ms", "<= 0.06", 0.06, "most"),
        ("put, 64 clients: p99", load("put64", "p99_ms"), "ms", "<= 1/6", 1 / 6, "part"),
        ("get, 64 clients: rate", load("get64", "rate"), "/s", ">= 7x", 7, "times"),
        ("get, 64 clients: CPU", load("get64", "cpu_ms"), "ms", "<= 0.025", 0.025, "most"),
        ("get, 64 clients: p99", load("get64", "p99_ms"), "ms", "<= 1/6", 1 / 6, "part"),
        ("patch with cas, 64 clients: rate", load("patch64", "rate"), "/s", "", 0, "least"),
        ("list of 100, 64 clients: rate", load("list64", "rate"), "/s", "", 0, "least"),
        ("mixed, 64 clients: rate", load("mixed64", "rate"), "/s", "", 0, "least"),
        ("idle: resident memory", lambda row: row["idle_rss_mb"], "MB", "<= 9", 9, "most"),
        ("idle: CPU", lambda row: row["idle_cpu_percent"], "%", "<= 0.3", 0.3, "most"),
        ("idle: device bytes", lambda row: row["idle_bytes"], "B", "0", 0, "most"),
        ("loaded: peak resident memory", lambda row: row["peak_rss_mb"], "MB", "<= 24", 24, "most"),
        ("start to answering", lambda row: row["start_s"], "s", "<= 0.03", 0.03, "most"),
        ("kill -9 to active after unseal", lambda row: row["recover_s"], "s", "<= 0.06", 0.06,
         "most"),
        ("binary", lambda row: row["binary_mb"], "MB", "<= 10", 10, "most"),
    ]


def several():
    def three(field):
        return lambda row: row["three"]["put64"][field]

    def handshake(kind, field):
        return lambda row: row["tls"][kind][field]
    return [
        ("three nodes, put, 64 clients: rate", three("rate"), "/s", ">= 10x", 10, "times"),
        ("three nodes, put, 64 clients: CPU of all", three("cpu_ms"), "ms", "", 0, "least"),
        ("leader killed under 64 clients: missed for", lambda row: row["three"]["killed_s"], "s",
         "<= 0.65", 0.65, "most"),
        ("leader silent under 64 clients: missed for", lambda row: row["three"]["silent_s"], "s",
         "<= 1.1", 1.1, "most"),
        ("TLS, full handshakes: rate", handshake("full", "rate"), "/s", ">= 3x", 3, "times"),
        ("TLS, full handshake: CPU", handshake("full", "cpu_ms"), "ms", "", 0, "least"),
        ("TLS, a connection and a request: CPU", handshake("full_request", "cpu_ms"), "ms", "", 0,
         "least"),
        ("TLS, the same, session resumed: CPU", handshake("resumed_request", "cpu_ms"), "ms", "", 0,
         "least"),
        ("TLS, gets over kept connections, of plain ones",
         lambda row: row["tls"]["kept"]["rate"] / row["tls"]["plain"]["rate"], "", ">= 0.85", 0.85,
         "least"),
        ("an hour of mixed load: peak resident memory", lambda row: row["memory"]["peak_mb"], "MB",
         "<= 18", 18, "most"),
        ("the same: last quarter over the third", lambda row: row["memory"]["growth_mb"], "MB",
         "<= 0.5", 0.5, "most"),
    ]


def grown(figures):
    return [
        ("snapshot of the most that all have", lambda row: common(row, figures, "snapshot_s"), "s",
         "< 1x", 1, "part"),
        ("the same, restored", lambda row: common(row, figures, "restore_s"), "s", "< 1x", 1,
         "part"),
        ("files at rest, of a snapshot's size", lambda row: largest(row, "disk_bytes"), "",
         "<= 2.5", 2.5, "most"),
        ("files under load, of a snapshot's size", lambda row: largest(row, "disk_peak_bytes"), "",
         "<= 3.5", 3.5, "most"),
    ]


def summary(figures):
    """Rows of text: name, a value for each server, ratio to bao's, limit, verdict."""
    servers = figures["servers"]
    for name, pick, unit, must, limit, how in judged(figures):
        values = {}
        for server, row in servers.items():
            try:
                values[server] = pick(row)
            except (KeyError, IndexError, StopIteration, ValueError, TypeError):
                pass
        if "coffer" not in values:
            continue
        ours, theirs = values["coffer"], values.get("bao")
        ratio = ours / theirs if theirs else None
        if how in ("times", "part") and ratio is None:
            continue
        good = {"most": ours <= limit, "least": ours >= limit, "times": (ratio or 0) >= limit,
                "part": (ratio or 0) <= limit}[how]
        shown = [f"{short(values[server])} {unit}".strip() if server in values else ""
                 for server in servers]
        verdict = "" if not must else "ok" if good else "SHORT"
        yield [name, *shown, f"{short(ratio)}x" if ratio is not None else "", must, verdict]


def aligned(rows):
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip()
                     for row in rows)


def markdown(rows):
    head, *rest = rows
    lines = ["| " + " | ".join(head) + " |", "|---" + "|---:" * (len(head) - 1) + "|"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rest]) + "\n"


def show(figures):
    servers = figures["servers"]
    rows = list(summary(figures))
    if rows:
        head = ["figure", *servers, "to bao", "must", ""]
        print(aligned([head, *rows]))
        short_ones = sum(row[-1] == "SHORT" for row in rows)
        met = sum(row[-1] == "ok" for row in rows)
        print(f"{met} met, {short_ones} short")
    for table in (loads_table, growth_table, slow_table):
        rows = table(figures)
        if len(rows) > 1:
            print("\n" + aligned(rows))


def loads_table(figures):
    rows = [["load", "clients", "server", "a second", "p50 ms", "p99 ms", "CPU ms", "device bytes",
             "flushes"]]
    names = list(figures["servers"]["coffer"].get("loads", {}))
    for name in names:
        kind, clients = re.fullmatch(r"([a-z]+)(\d+)", name).groups()
        for server, row in figures["servers"].items():
            each = row["loads"][name]
            rows.append([KINDS[kind], clients, label(figures, server), short(each["rate"]),
                         short(each["p50_ms"]), short(each["p99_ms"]), short(each["cpu_ms"]),
                         short(each["bytes"]), short(each["flushes"])])
    return rows


def growth_table(figures):
    rows = [["secrets", "server", "start s", "after kill s", "stop s", "idle MB", "loaded MB",
             "list of 1,000 ms", "snapshot s", "restore s", "snapshot MB", "files MB",
             "most files MB",
             "gets a second", "fill a second"]]
    every = [(each["secrets"], server, each) for server, row in figures["servers"].items()
             for each in row.get("growth", [])]
    for secrets, server, each in sorted(every, key=lambda item: item[0]):
        rows.append([f"{secrets:,}", label(figures, server), *(
            short(value) for value in [
                each["start_s"], each["recover_s"], each["stop_s"], each["idle_rss_mb"],
                each["loaded_rss_mb"], each["list_ms"], each["snapshot_s"],
                each.get("restore_s", 0), each["snapshot_bytes"] / 1e6, each["disk_bytes"] / 1e6,
                each["disk_peak_bytes"] / 1e6, each["get"]["rate"], each["fill_rate"]])])
    return rows


def slow_table(figures):
    rows = [["a flush takes", "clients", "puts a flush", "puts a second", "put p99 ms",
             "get p99 ms alone", "get p99 ms beside 64 writers"]]
    for delay, row in figures.get("slow", {}).get("one", {}).items():
        for clients, put in row["put"].items():
            rows.append([f"{delay} ms", str(clients), short(put["puts_per_flush"]),
                         short(put["rate"]), short(put["p99_ms"]), short(row["get"]["p99_ms"]),
                         short(row["get_beside_writers"]["p99_ms"])])
    return rows


def by_clients(figures, kind, field):
    series = []
    for server, row in figures["servers"].items():
        points = [(int(name[len(kind):]), each[field]) for name, each in row["loads"].items()
                  if re.fullmatch(kind + r"\d+", name)]
        series.append((label(figures, server), sorted(points)))
    return series


def by_secrets(figures, pick):
    return [(label(figures, server), [(each["secrets"], pick(each)) for each in row["growth"]])
            for server, row in figures["servers"].items() if row.get("growth")]


def labels(figures):
    return [label(figures, server) for server in figures["servers"]]


def speed_plot(figures):
    rows = [[plot.Lines(f"{name}: rate", "clients", "requests a second",
                        by_clients(figures, kind, "rate")),
             plot.Lines(f"{name}: slowest of a hundred", "clients", "p99 in ms",
                        by_clients(figures, kind, "p99_ms"))]
            for kind, name in [("put", "put of 1 KiB"), ("get", "get"), ("mixed", "mixed, 9 to 1")]]
    kinds = [kind for kind in KINDS if f"{kind}64" in figures["servers"]["coffer"]["loads"]]
    cpu = [(label(figures, server), [row["loads"][f"{kind}64"]["cpu_ms"] for kind in kinds])
           for server, row in figures["servers"].items()]
    rows.append([plot.Bars("processor time for a request, 64 clients", "ms",
                           [KINDS[kind] for kind in kinds], cpu)])
    return plot.draw("Speed, and what it costs", rows, labels(figures))


def wear_plot(figures):
    return plot.draw("What a put of 1 KiB writes to the card", [
        [plot.Lines("bytes at the device", "clients", "bytes a put",
                    by_clients(figures, "put", "bytes")),
         plot.Lines("flushes", "clients", "flushes a put",
                    by_clients(figures, "put", "flushes"))]], labels(figures))


def growth_plot(figures):
    def panel(title, unit, pick):
        return plot.Lines(title, "secrets of 1 KiB", unit, by_secrets(figures, pick))
    return plot.draw("From 1,000 to 1,000,000 secrets", [
        [panel("idle memory after a start", "MB", lambda row: row["idle_rss_mb"]),
         panel("files at rest", "MB", lambda row: row["disk_bytes"] / 1e6)],
        [panel("from the start to active", "seconds", lambda row: row["start_s"]),
         panel("a stop, with its checkpoint", "seconds", lambda row: row["stop_s"])],
        [panel("list of 1,000 names", "ms", lambda row: row["list_ms"]),
         panel("a snapshot", "seconds", lambda row: row["snapshot_s"])]], labels(figures))


def slow_plot(figures):
    one = figures["slow"]["one"]
    puts = [(f"flush of {delay} ms", [(int(clients), put["puts_per_flush"])
                                      for clients, put in row["put"].items()])
            for delay, row in one.items()]
    rates = [(f"flush of {delay} ms", [(int(clients), put["rate"])
                                       for clients, put in row["put"].items()])
             for delay, row in one.items()]
    reads = [(name, [(int(delay), row[key]["p99_ms"]) for delay, row in one.items()])
             for name, key in [("64 writers", "put_beside_readers"),
                               ("gets beside them", "get_beside_writers"), ("gets alone", "get")]]
    return [("slow-writes", plot.draw("A slow card: writers share its flushes", [
        [plot.Lines("puts in one flush", "clients", "puts a flush", puts),
         plot.Lines("rate", "clients", "puts a second", rates)]])),
            ("slow-reads", plot.draw("A slow card: reads do not wait for writes", [
                [plot.Lines("slowest of a hundred", "ms for a flush", "p99 in ms", reads)]]))]


def plots(figures):
    """(name, text of the SVG) of the parts that were measured."""
    ours = figures["servers"]["coffer"]
    out = []
    if ours.get("loads"):
        out += [("speed", speed_plot(figures)), ("wear", wear_plot(figures))]
    if ours.get("growth"):
        out.append(("growth", growth_plot(figures)))
    if figures.get("slow"):
        out += slow_plot(figures)
    return out


def made(figures):
    machine = figures["machine"]
    versions = " and ".join(label(figures, name) for name in figures["servers"])
    return (f"{machine['cores']} cores ({machine['processor']}), {machine['memory_gb']} GB, Linux "
            f"{machine['kernel']}, {machine['file_system']} for each server; {versions}, one after "
            f"the other in one run of `tests/bench/run`, each load {figures['seconds']} s (puts "
            "twice that), with the clients on the same cores.")


PLOTS = {"speed": "requests a second and the slowest of a hundred, by clients",
         "wear": "bytes and flushes at the device for a put",
         "growth": "memory, files, start, stop, list and snapshot, by secrets",
         "slow-writes": "puts in one flush and their rate on a slow card",
         "slow-reads": "waiting of gets beside writers on a slow card"}


def page(figures, drawn):
    """The text of docs/bench/README.md."""
    parts = ["# Figures\n", made(figures)
             + " `figures.json` has all of them; ratios tell more than times, which are this "
             "machine's. What is measured how stands in `tests/bench/`.\n"]
    head = ["", *(label(figures, name) for name in figures["servers"]), "to OpenBao", "aim", ""]
    parts.append(markdown([head, *summary(figures)]))
    parts += [f"![{PLOTS[name]}]({name}.svg)\n" for name in drawn]
    three = figures.get("slow", {}).get("three")
    for title, rows in [("Loads", loads_table(figures)), ("Growth", growth_table(figures)),
                        ("A slow card", slow_table(figures))]:
        if len(rows) > 1:
            parts += [f"## {title}\n", markdown(rows)]
    if three:
        parts.append(f"Three nodes whose flushes take {three['delay_ms']} ms: "
                     f"{short(three['rate'])} puts a second with 64 clients, "
                     f"{short(three['terms'])} elections.\n")
    return "\n".join(parts)


# Rows of the table that the README shows.
README_ROWS = ["put, 1 client: device bytes", "put, 1 client: flushes",
               "put, 64 clients: device bytes", "put, 64 clients: flushes",
               "put, 64 clients: rate", "put, 64 clients: CPU", "put, 64 clients: p99",
               "three nodes, put, 64 clients: rate",
               "leader killed under 64 clients: missed for",
               "get, 64 clients: rate", "get, 64 clients: CPU", "get, 64 clients: p99",
               "idle: resident memory", "idle: device bytes", "start to answering",
               "snapshot of the most that all have"]


def excerpt(figures, drawn):
    rows = [row[:-2] for row in summary(figures) if row[0] in README_ROWS]
    head = ["", *(label(figures, name) for name in figures["servers"]), "to OpenBao"]
    images = [f"![{PLOTS[name]}](docs/bench/{name}.svg)\n" for name in ("speed", "growth")
              if name in drawn]
    return "\n".join([BEGIN, markdown([head, *rows]), made(figures)
                      + " [More](docs/bench/README.md).\n", *images, END])


def publish(figures, root="."):
    """Writes docs/bench/ and the part of README.md between its two marks."""
    folder = os.path.join(root, "docs", "bench")
    os.makedirs(folder, exist_ok=True)
    drawn = []
    for name, text in plots(figures):
        drawn.append(name)
        with open(os.path.join(folder, name + ".svg"), "w") as out:
            out.write(text)
    with open(os.path.join(folder, "figures.json"), "w") as out:
        json.dump(figures, out, indent=1)
        out.write("\n")
    with open(os.path.join(folder, "README.md"), "w") as out:
        out.write(page(figures, drawn))
    path = os.path.join(root, "README.md")
    with open(path) as file:
        text = file.read()
    before, rest = text.split(BEGIN, 1)
    _, after = rest.split(END, 1)
    with open(path, "w") as out:
        out.write(before + excerpt(figures, drawn) + after)
    print(f"published into {folder} and {path}")


def rehearse(figures, root):
    """Publishes into a folder beside the tree, for figures that are not to be shown."""
    os.makedirs(root, exist_ok=True)
    shutil.copy("README.md", root)
    publish(figures, root)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("figures")
    parser.add_argument("--publish", action="store_true")
    arguments = parser.parse_args()
    with open(arguments.figures) as file:
        figures = json.load(file)
    show(figures)
    if arguments.publish:
        publish(figures)


if __name__ == "__main__":
    main()
