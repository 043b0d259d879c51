"""coffer beside OpenBao: the same work, each on a loop-mounted ext4 of its own, in one run.

Device bytes and flushes are the loop device's own counters, CPU is the server process's from
/proc, load comes from wrk. Absolute times depend on the machine; the ratios are what counts.
"""

import argparse
import base64
import http.client
import json
import os
import secrets
import shutil
import signal
import statistics
import subprocess
import sys
import time

TICKS = os.sysconf("SC_CLK_TCK")
HERE = os.path.dirname(os.path.abspath(__file__))
VALUE = base64.b64encode(secrets.token_bytes(768)).decode()
assert len(VALUE) == 1024


class Disk:
    """An ext4 of its own on a loop device."""

    def __init__(self, name, folder):
        self.image = os.path.join(folder, name + ".img")
        self.mount = os.path.join(folder, name)
        os.makedirs(self.mount, exist_ok=True)
        with open(self.image, "wb") as image:
            image.truncate(2 << 30)
        run("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", self.image)
        self.device = run("losetup", "--find", "--show", self.image).strip()
        run("mount", "-o", "noatime", self.device, self.mount)

    def counters(self):
        """(bytes written, flushes) since the device was made."""
        run("sync", "-f", self.mount)
        with open(f"/sys/block/{os.path.basename(self.device)}/stat") as stat:
            fields = [int(field) for field in stat.read().split()]
        return fields[6] * 512, fields[15]

    def close(self):
        subprocess.run(["umount", self.mount], check=False)
        subprocess.run(["losetup", "-d", self.device], check=False)
        os.unlink(self.image)


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


class Server:
    """One server under test: started, initialised, unsealed, with kv v2 at bench/."""

    def __init__(self, name, binary, port, disk):
        self.name, self.binary, self.port, self.disk = name, binary, port, disk
        data = os.path.join(disk.mount, "data")
        os.makedirs(data)
        self.config = os.path.join(os.path.dirname(disk.image), name + ".hcl")
        with open(self.config, "w") as config:
            config.write(f'''
storage "raft" {{
  path    = "{data}"
  node_id = "{name}"
}}
listener "tcp" {{
  address         = "127.0.0.1:{port}"
  cluster_address = "127.0.0.1:{port + 1}"
  tls_disable     = true
}}
api_addr      = "http://127.0.0.1:{port}"
cluster_addr  = "http://127.0.0.1:{port + 1}"
disable_mlock = true
''')
        self.process = None
        self.token = ""
        self.keys = []

    def start(self):
        """Starts the process; returns seconds until it answers sys/health."""
        log = open(self.config + ".log", "ab")
        begin = time.monotonic()
        self.process = subprocess.Popen(
            [self.binary, "server", "-config=" + self.config], stdout=log, stderr=log)
        self.wait_health({200, 429, 501, 503})
        return time.monotonic() - begin

    def wait_health(self, wanted):
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                sys.exit(f"{self.name} exited with {self.process.returncode}: see {self.config}.log")
            try:
                if self.call("GET", "sys/health")[0] in wanted:
                    return
            except OSError:
                pass
            time.sleep(0.0005)
        sys.exit(f"{self.name} did not reach health {wanted} within 60 s")

    def call(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        headers = {"X-Vault-Token": self.token} if self.token else {}
        connection.request(method, "/v1/" + path, json.dumps(body) if body else None, headers)
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        return answer.status, json.loads(text) if text else None

    def prepare(self):
        status, answer = self.call("PUT", "sys/init", {"secret_shares": 5, "secret_threshold": 3})
        assert status == 200, (self.name, status, answer)
        self.keys, token = answer["keys"], answer["root_token"]
        self.unseal()
        self.token = token
        status, answer = self.call("POST", "sys/mounts/bench",
                                   {"type": "kv", "options": {"version": "2"}})
        assert status in (200, 204), (self.name, status, answer)
        for number in range(100):
            deadline = time.monotonic() + 20
            while True:
                status, answer = self.call("POST", f"bench/data/get-{number}",
                                           {"data": {"value": VALUE}})
                if status == 200:
                    break
                assert time.monotonic() < deadline, (self.name, status, answer)
                time.sleep(0.1)

    def unseal(self):
        for key in self.keys[:3]:
            status, answer = self.call("PUT", "sys/unseal", {"key": key})
            assert status == 200, (self.name, status, answer)
        self.wait_health({200})

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.kill()

    def cpu(self):
        with open(f"/proc/{self.process.pid}/stat") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def memory(self, field):
        with open(f"/proc/{self.process.pid}/status") as status:
            for line in status:
                if line.startswith(field + ":"):
                    return int(line.split()[1]) / 1024
        raise KeyError(field)

    def load(self, script, clients, seconds, *arguments):
        """One wrk run; returns its figures per operation."""
        threads = 1
        before, cpu = self.disk.counters(), self.cpu()
        out = run("wrk", "-t", str(threads), "-c", str(clients), "-d", f"{seconds}s", "--timeout",
                  "20s", "-s", os.path.join(HERE, script), f"http://127.0.0.1:{self.port}", "--",
                  self.token, *arguments)
        cpu = self.cpu() - cpu
        after = self.disk.counters()
        words = next(line for line in out.splitlines() if line.startswith("RESULT")).split()
        count, micros, errors, p99 = (int(word) for word in words[1:])
        if errors:
            print(f"note: {self.name} {script} with {clients} clients: {errors} errors of {count}")
        count = max(count - errors, 1)
        return {"count": count, "rate": count / (micros / 1e6), "cpu_ms": cpu * 1000 / count,
                "bytes": (after[0] - before[0]) / count, "flushes": (after[1] - before[1]) / count,
                "p99_ms": p99 / 1000}


def measure(servers, seconds, idle_seconds):
    rows = {}
    for server in servers:
        figures = rows[server.name] = {}
        starts = []
        figures["binary_mb"] = os.path.getsize(os.path.realpath(server.binary)) / 1e6
        starts.append(server.start())
        server.prepare()
        for _ in range(5):
            server.stop()
            starts.append(server.start())
            server.unseal()
        figures["start_s"] = statistics.median(starts)
        recoveries = []
        for _ in range(5):
            server.kill()
            begin = time.monotonic()
            server.start()
            server.unseal()
            recoveries.append(time.monotonic() - begin)
        figures["recover_s"] = statistics.median(recoveries)
    print("started and recovered; now idle for", idle_seconds, "s", flush=True)
    time.sleep(min(10, idle_seconds))
    before = {s.name: (s.disk.counters(), s.cpu()) for s in servers}
    time.sleep(idle_seconds)
    for server in servers:
        (bytes_before, _), cpu_before = before[server.name]
        figures = rows[server.name]
        figures["idle_bytes"] = server.disk.counters()[0] - bytes_before
        figures["idle_cpu_percent"] = (server.cpu() - cpu_before) / idle_seconds * 100
        figures["idle_rss_mb"] = server.memory("VmRSS")
    for round_name, script, clients, arguments in [
            ("put1", "put.lua", 1, (VALUE, "one")), ("put64", "put.lua", 64, (VALUE, "many")),
            ("get64", "get.lua", 64, ())]:
        print("load:", round_name, flush=True)
        for server in servers:
            rows[server.name][round_name] = server.load(script, clients, seconds, *arguments)
    for server in servers:
        rows[server.name]["peak_rss_mb"] = server.memory("VmHWM")
        server.stop()
    return rows


def report(rows):
    bao, coffer = rows["bao"], rows["coffer"]
    lines = [("figure", "bao", "coffer", "ratio", "must", "")]

    def row(name, pick, unit, must, limit, better=min, relative=False):
        left, right = pick(bao), pick(coffer)
        ratio = right / left if left else float("nan")
        judged = ratio if relative else right
        good = judged <= limit if better is min else judged >= limit
        lines.append((name, f"{left:.4g} {unit}", f"{right:.4g} {unit}", f"{ratio:.3g}", must,
                      "ok" if good else "SHORT"))

    row("put, 1 client: device bytes", lambda r: r["put1"]["bytes"], "B", "<= 4500", 4500)
    row("put, 1 client: flushes", lambda r: r["put1"]["flushes"], "", "<= 1.1", 1.1)
    row("put, 64 clients: device bytes", lambda r: r["put64"]["bytes"], "B", "<= 3500", 3500)
    row("put, 64 clients: flushes", lambda r: r["put64"]["flushes"], "", "<= 0.08", 0.08)
    row("put, 64 clients: rate", lambda r: r["put64"]["rate"], "/s", ">= 8x", 8, max, True)
    row("put, 64 clients: CPU", lambda r: r["put64"]["cpu_ms"], "ms", "<= 0.10", 0.10)
    row("get, 64 clients: rate", lambda r: r["get64"]["rate"], "/s", ">= 5x", 5, max, True)
    row("get, 64 clients: CPU", lambda r: r["get64"]["cpu_ms"], "ms", "<= 0.04", 0.04)
    row("idle: resident memory", lambda r: r["idle_rss_mb"], "MB", "<= 12", 12)
    row("idle: CPU", lambda r: r["idle_cpu_percent"], "%", "<= 0.3", 0.3)
    row("idle: device bytes", lambda r: r["idle_bytes"], "B", "0", 0)
    row("loaded: peak resident memory", lambda r: r["peak_rss_mb"], "MB", "<= 24", 24)
    row("start to answering", lambda r: r["start_s"], "s", "<= 0.03", 0.03)
    row("kill -9 to active after unseal", lambda r: r["recover_s"], "s", "<= 0.06", 0.06)
    row("binary", lambda r: r["binary_mb"], "MB", "<= 10", 10)
    widths = [max(len(line[column]) for line in lines) for column in range(6)]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip())
    for name in ("put1", "put64", "get64"):
        print(f"{name}: operations {bao[name]['count']} / {coffer[name]['count']},"
              f" p99 {bao[name]['p99_ms']:.1f} / {coffer[name]['p99_ms']:.1f} ms")
    short = sum(line[5] == "SHORT" for line in lines)
    print(f"{len(lines) - 1 - short} passed, {short} short")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bao", required=True)
    parser.add_argument("--coffer", required=True)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--idle", type=int, default=600)
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.seconds, arguments.idle = 4, 10
    folder = os.path.abspath("target/bench")
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    disks, servers = [], []
    try:
        for name, binary, port in [("bao", arguments.bao, 18210), ("coffer", arguments.coffer, 18220)]:
            disks.append(Disk(name, folder))
            servers.append(Server(name, binary, port, disks[-1]))
        rows = measure(servers, arguments.seconds, arguments.idle)
        with open(os.path.join(folder, "figures.json"), "w") as out:
            json.dump(rows, out, indent=1)
        report(rows)
    finally:
        for server in servers:
            if server.process and server.process.poll() is None:
                server.kill()
        for disk in disks:
            disk.close()


if __name__ == "__main__":
    main()
