"""The same requests to OpenBao and to us: status, headers, shape and error texts must agree, or stand
in `DIFFERENCES` with the reason."""

import json
import re

from check import BAO, SERVER, DevServer, call, server_binary
from shapes_requests import DIFFERENCES, REQUESTS

HEADERS = ("Content-Type", "Cache-Control", "Strict-Transport-Security", "Location", "Allow")


def run(report):
    with DevServer(BAO).start() as bao, DevServer(server_binary()).start() as ours:
        sides = [Side(bao.port), Side(ours.port)]
        used = set()
        for line in REQUESTS.strip().splitlines():
            line = line.strip()
            if not line or line.startswith("#"):
                continue
            theirs, mine = [side.send(line) for side in sides]
            faults = compare(theirs, mine, line in LOOSE)
            if faults and line in DIFFERENCES and SERVER != "bao":
                used.add(line)
                pattern, _ = DIFFERENCES[line]
                faults = [fault for fault in faults if not re.search(pattern, fault)]
            report.ok(line, not faults, "\n".join(faults))
        if SERVER != "bao":
            for line in DIFFERENCES.keys() - used:
                report.fail(f"no longer different: {line}", DIFFERENCES[line])


class Side:
    """One server, and what its answers gave for later requests."""

    def __init__(self, port):
        self.port, self.kept = port, {}

    def send(self, line):
        """`METHOD path [@header=value ...] [body] [-> name=dotted.path]`"""
        line, _, keep = line.partition(" -> ")
        for name, value in self.kept.items():
            line = line.replace("{" + name + "}", value)
        method, path, *rest = line.split(" ", 2)
        headers, token, body = {}, "root", rest[0] if rest else None
        while body and body.startswith("@"):
            header, _, body = body.partition(" ")
            name, _, value = header[1:].partition("=")
            if name == "token":
                token = value
            else:
                headers[name] = value
            body = body or None
        status, found, raw = call(
            self.port, method, "/v1/" + path, body and body.encode(), headers, token
        )
        try:
            answer = json.loads(raw) if raw else None
        except ValueError:
            answer = {"not json": True}
        for assignment in keep.split():
            name, _, where = assignment.partition("=")
            value = answer
            for step in where.split("."):
                value = value[int(step)] if step.isdigit() else value[step]
            self.kept[name] = value
        return status, {name: found.get(name) for name in HEADERS}, answer, raw


# Of these only status, headers and the outermost fields count: the rest depends on the machine.
LOOSE = ("GET sys/host-info", "GET sys/in-flight-req", "GET sys/loggers")


def compare(theirs, mine, loosely):
    faults = []
    if theirs[0] != mine[0]:
        faults.append(f"status {theirs[0]} there, {mine[0]} here: {mine[3][:300]!r}")
    for name, value in theirs[1].items():
        if neutral(value) != neutral(mine[1][name]):
            faults.append(f"{name}: {value!r} there, {mine[1][name]!r} here")
    if loosely:
        theirs, mine = [{key: None for key in side[2] or {} if "-" not in key}
                        for side in (theirs, mine)]
        differ("", theirs, mine, faults)
    else:
        differ("", theirs[2], mine[2], faults)
    return faults


def differ(where, theirs, mine, faults):
    """Keys and types, and the texts of errors and warnings."""
    if isinstance(theirs, dict) and isinstance(mine, dict):
        if where.endswith(MAPS):
            return
        for key in sorted(theirs.keys() | mine.keys()):
            if key not in mine:
                faults.append(f"{where}.{key} is missing here ({theirs[key]!r:.80})")
            elif key not in theirs and key not in VAULTS:
                faults.append(f"{where}.{key} is ours alone ({mine[key]!r:.80})")
            elif key in theirs:
                differ(f"{where}.{key}", theirs[key], mine[key], faults)
    elif isinstance(theirs, list) and isinstance(mine, list):
        if where in (".errors", ".warnings") or where.endswith(".keys"):
            if [neutral(text) for text in theirs] != [neutral(text) for text in mine]:
                faults.append(f"{where}: {theirs!r} there, {mine!r} here")
        elif theirs and mine:
            differ(where + "[0]", theirs[0], mine[0], faults)
        elif bool(theirs) != bool(mine):
            faults.append(f"{where}: {theirs!r} there, {mine!r} here")
    elif type(theirs) is not type(mine):
        faults.append(f"{where}: {theirs!r:.80} there, {mine!r:.80} here")
    elif isinstance(theirs, (bool, int)) and not where.endswith(COUNTS) and theirs != mine:
        faults.append(f"{where}: {theirs!r} there, {mine!r} here")


# Fields that Vault's answers have and OpenBao's dropped.
VAULTS = ("mount_type", "enterprise", "performance_standby", "build_date",
          "performance_standby_last_remote_wal")
# Values that lawfully differ from run to run, and maps whose keys do.
COUNTS = ("ttl", "lease_duration", "creation_time", "encryptions", "_index", "server_time_utc",
          "clock_skew_ms", "echo_duration_ms", "max_lease_ttl", "start_time")
MAPS = (".options",)


def neutral(text):
    """Without ids, times, addresses and the products' names."""
    if not isinstance(text, str):
        return text
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "<uuid>", text)
    text = re.sub(r"127\.0\.0\.1:\d+", "<address>", text)
    text = re.sub(r"\b(hv)?s\.[A-Za-z0-9_-]{20,}", "<token>", text)
    text = text.replace("OpenBao", "Vault").replace("'bao ", "'vault ")
    return re.sub(r"kv_[0-9a-f]{8}", "<accessor>", text)
