"""A get beside what a bare server of the same HTTP library needs for the same answer."""

import argparse
import json
import os
import re
import socket
import subprocess
import tempfile
import time

import server

CLIENTS = 64
ANSWER_BYTES = 1400


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wait_for(port):
    deadline = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def bare(binary, port, seconds):
    """Returns requests a second and processor time of a request, in ms."""
    process = subprocess.Popen([binary, f"127.0.0.1:{port}", str(ANSWER_BYTES)])
    try:
        wait_for(port)
        before = cpu_seconds(process.pid)
        wrk = subprocess.run(
            ["wrk", "-t1", f"-c{CLIENTS}", f"-d{seconds}s", f"http://127.0.0.1:{port}/"],
            capture_output=True, text=True, check=True)
        requests = int(re.search(r"(\d+) requests in", wrk.stdout)[1])
        spent = cpu_seconds(process.pid) - before
        return {"rate": requests / seconds, "cpu_ms": spent / requests * 1000}
    finally:
        process.terminate()
        process.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bare", required=True)
    parser.add_argument("--coffer", required=True)
    parser.add_argument("--bao", help="unused")
    parser.add_argument("--seconds", type=int, default=10)
    arguments = parser.parse_args()
    rows = {"bare": [], "coffer": []}
    with tempfile.TemporaryDirectory() as folder:
        disk = server.Disk("bare", folder, gigabytes=2)
        node = server.Server("bare", arguments.coffer, 18420, disk)
        try:
            node.start()
            node.prepare()
            node.load("put", CLIENTS, 3, "seen")
            for _ in range(3):
                rows["coffer"].append(node.load("get", CLIENTS, arguments.seconds, "seen"))
                rows["bare"].append(bare(arguments.bare, 18430, arguments.seconds))
        finally:
            server.close([node])
    for name, figures in rows.items():
        middle = sorted(figures, key=lambda one: one["cpu_ms"])[1]
        print(f"{name:>7}: {middle['rate']:8.0f} answers a second, "
              f"{middle['cpu_ms']:.4f} ms of processor each")
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
