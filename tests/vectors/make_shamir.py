#!/usr/bin/env python3
"""Makes shamir.json with a real OpenBao server: proof that shares are interchangeable.

For each (shares, threshold) it initialises a server on raft storage, combines its shares with the
plain arithmetic below, and proves the result by opening the server's own stored root key with it
(AES-256-GCM, from a snapshot). Then it lets coffer split that key and unseals the server with the
shares that coffer made.

Needs `bao` on the path and Python's `cryptography`; run it from the repository's root. Every key
in the output belongs to a server that no longer exists.
"""

import base64
import gzip
import io
import json
import os
import socket
import subprocess
import tarfile
import tempfile
import time
import urllib.error
import urllib.request

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

SIZES = [(1, 1), (2, 2), (3, 2), (5, 3), (7, 5), (10, 10)]


def multiply(a, b):
    product = 0
    while b:
        if b & 1:
            product ^= a
        a = a << 1 ^ (0x11B if a & 0x80 else 0)
        b >>= 1
    return product


def inverse(a):
    return next(b for b in range(256) if multiply(a, b) == 1)


def combine(shares):
    secret = bytearray(len(shares[0]) - 1)
    for share in shares:
        weight = 1
        for other in shares:
            if other is not share:
                weight = multiply(weight, multiply(other[-1], inverse(other[-1] ^ share[-1])))
        for i, y in enumerate(share[:-1]):
            secret[i] ^= multiply(y, weight)
    return bytes(secret)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    def __init__(self, folder):
        self.port = free_port()
        os.mkdir(f"{folder}/data")
        with open(f"{folder}/bao.hcl", "w") as config:
            config.write(f'''
                storage "raft" {{ path = "{folder}/data" node_id = "a" }}
                listener "tcp" {{ address = "127.0.0.1:{self.port}" tls_disable = true
                                  cluster_address = "127.0.0.1:{free_port()}" }}
                api_addr = "http://127.0.0.1:{self.port}"
                cluster_addr = "http://127.0.0.1:{free_port()}"
                disable_mlock = true''')
        log = open(f"{folder}/log", "w")
        command = ["bao", "server", f"-config={folder}/bao.hcl"]
        self.process = subprocess.Popen(command, stdout=log, stderr=log)

    def call(self, method, path, body=None, token=""):
        deadline = time.time() + 30
        while True:
            request = urllib.request.Request(
                f"http://127.0.0.1:{self.port}/v1/sys/{path}",
                method=method,
                data=json.dumps(body).encode() if body else None,
                headers={"X-Vault-Token": token},
            )
            try:
                return urllib.request.urlopen(request).read()
            except urllib.error.URLError as error:
                # Not listening yet, or elected but not active yet.
                if time.time() > deadline or getattr(error, "code", 500) < 500:
                    raise
                time.sleep(0.1)


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def fields(message):
    found, at = {}, 0
    while at < len(message):
        tag, at = varint(message, at)
        value, at = varint(message, at)
        if tag & 7 == 2:
            value, at = message[at : at + value], at + value
        found[tag >> 3] = value
    return found


def stored(snapshot, name):
    state = tarfile.open(fileobj=io.BytesIO(gzip.decompress(snapshot))).extractfile("state.bin")
    data, at = state.read(), 0
    while at < len(data):
        length, at = varint(data, at)
        entry, at = fields(data[at : at + length]), at + length
        if entry.get(1) == name:
            return entry[2]
    raise KeyError(name)


def opens_root_key(key, snapshot):
    sealed = fields(stored(snapshot, b"core/hsm/barrier-unseal-keys"))[1]
    return bool(AESGCM(key).decrypt(sealed[:12], sealed[12:], None))


def split_by_coffer(key, shares, threshold):
    output = subprocess.run(
        ["cargo", "test", "-q", "--lib", "shares_for_a_peer", "--", "--ignored", "--nocapture"],
        env={**os.environ, "SEAL_KEY": key.hex(), "SHARES": f"{shares}", "THRESHOLD": f"{threshold}"},
        check=True, capture_output=True, text=True,
    ).stdout
    return [line.split()[1] for line in output.splitlines() if line.startswith("share ")]


def vector(shares, threshold):
    with tempfile.TemporaryDirectory() as folder:
        server = Server(folder)
        try:
            sizes = {"secret_shares": shares, "secret_threshold": threshold}
            made = json.loads(server.call("PUT", "init", sizes))
            raw = [base64.b64decode(share) for share in made["keys_base64"]]
            key = raw[0] if shares == 1 else combine(raw[:threshold])
            for share in made["keys"][:threshold]:
                server.call("PUT", "unseal", {"key": share})
            token = made["root_token"]
            assert opens_root_key(key, server.call("GET", "storage/raft/snapshot", None, token))

            ours = [key.hex()] if shares == 1 else split_by_coffer(key, shares, threshold)
            server.call("PUT", "seal", None, token)
            for share in ours[-threshold:]:
                status = json.loads(server.call("PUT", "unseal", {"key": share}))
            assert not status["sealed"], "bao refused the shares that coffer made"
        finally:
            server.process.terminate()
            server.process.wait()
    return {
        "threshold": threshold,
        "key": key.hex(),
        "shares_by_bao": made["keys"],
        "shares_by_coffer_accepted_by_bao": ours,
    }


if __name__ == "__main__":
    version = subprocess.run(["bao", "version"], capture_output=True, text=True).stdout.split()[1]
    vectors = [vector(*size) for size in SIZES]
    with open("tests/vectors/shamir.json", "w") as output:
        json.dump({"bao": version, "vectors": vectors}, output, indent=1)
        output.write("\n")
