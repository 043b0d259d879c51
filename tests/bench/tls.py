"""TLS: handshakes, resumed ones, and requests over kept connections, beside plain ones."""

import os
import re
import subprocess

import server


def certificate(folder):
    """Makes a certificate with a P-256 key, as most have; returns its two files."""
    files = os.path.join(folder, "tls.crt"), os.path.join(folder, "tls.key")
    server.run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
               "-nodes", "-subj", "/CN=bench", "-addext", "subjectAltName=IP:127.0.0.1",
               "-days", "2", "-out", files[0], "-keyout", files[1])
    return files


def handshakes(node, port, seconds, *options):
    """Connections a second of two clients, the server's processor time for each, and the share of
    them that resumed an earlier session."""
    cpu = node.cpu()
    command = ["openssl", "s_time", "-connect", f"127.0.0.1:{port}", "-time", str(seconds),
               *options]
    clients = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                text=True) for _ in range(2)]
    total, rate, resumed = 0, 0, 0
    for client in clients:
        out = client.communicate()[0]
        found = re.findall(r"(\d+) connections in (\d+) real seconds", out)
        if not found:
            raise SystemExit(f"{node.name}: openssl s_time failed:\n{out}")
        count, length = (int(number) for number in found[-1])
        total += count
        rate += count / max(length, 1)
        # One letter for each connection: r when it resumed.
        resumed += sum(len(run) for run in re.findall(r"\br+$|^r+\b", out, re.MULTILINE))
    total = max(total, 1)
    return {"rate": rate, "cpu_ms": (node.cpu() - cpu) * 1000 / total,
            "resumed": min(resumed / total, 1)}


def measure(name, binary, port, seconds, folder):
    disk = server.Disk(f"tls-{name}", folder)
    node = server.Server(f"tls-{name}", binary, port, disk)
    cert, key = certificate(folder)
    with open(node.config, "a") as config:
        config.write(f'''
listener "tcp" {{
  address         = "127.0.0.1:{port + 2}"
  cluster_address = "127.0.0.1:{port + 3}"
  tls_cert_file   = "{cert}"
  tls_key_file    = "{key}"
}}
''')
    try:
        node.start()
        node.prepare()
        # A session of TLS 1.3 is handed out after the handshake: a client has to read something.
        ask = ["-www", "/v1/sys/health"]
        figures = {"full": handshakes(node, port + 2, seconds, "-new"),
                   "full_request": handshakes(node, port + 2, seconds, "-new", *ask),
                   "resumed_request": handshakes(node, port + 2, seconds, "-reuse", *ask),
                   "plain": node.load("get", 64, seconds)}
        node.url = f"https://127.0.0.1:{port + 2}"
        figures["kept"] = node.load("get", 64, seconds)
        print(f"tls: {name}: {figures['full']['rate']:.0f} handshakes/s at "
              f"{figures['full']['cpu_ms']:.3f} ms, with a request "
              f"{figures['full_request']['cpu_ms']:.3f} ms, resumed "
              f"({figures['resumed_request']['resumed']:.0%}) "
              f"{figures['resumed_request']['cpu_ms']:.3f} ms; gets "
              f"{figures['kept']['rate']:.0f}/s, plain {figures['plain']['rate']:.0f}/s",
              flush=True)
        return figures
    finally:
        server.close([node])
