"""The same requests to the transit engine of coffer and of a real OpenBao. Status, fields, values and
error texts are compared; what differs must have a reason here, and each reason a difference."""

import json
import re

from check import BAO, COFFER, DevServer, call

TYPES = ["aes128-gcm96", "aes256-gcm96", "chacha20-poly1305", "xchacha20-poly1305"]
TIME_MIN = 1_700_000_000
# Stands for the last ciphertext that the server returned.
LAST = "@last@"

# The requests that differ, by method, path and body, and why.
REASONS = {
    "a caller's fault is 400 there, too, and not 500": [
        r"associated_data': '!'", r"batch_input': ('x'|\{\}|\[\{\}\]|\[5\]|\[\{'plaintext': 5\}\])",
        r"decrypt/k .*\{\}\]", r"keys/k/rotate None",
    ],
    "a text that cannot be encrypted makes no key": [r"GET keys/refused"],
    "the warning is Vault's, without the history of the other": [r"'min_decryption_version': 0"],
    "keys do not rotate by themselves yet, and a period is refused": [r"auto_rotate_period': '"],
    "a setting that was not sent stays": [r"POST config/keys \{\}", r"GET config/keys"],
}


def texts():
    """What each type does with a text, as it is and derived."""
    for kind in TYPES:
        yield "POST", f"keys/{kind}", {"type": kind}
        yield "GET", f"keys/{kind}", None
        for more in ({}, {"associated_data": "YQ=="}):
            yield "POST", f"encrypt/{kind}", {"plaintext": "aGk=", **more}
            yield "POST", f"decrypt/{kind}", {"ciphertext": LAST, **more}
            yield "POST", f"decrypt/{kind}", {"ciphertext": LAST, "associated_data": "Yg=="}
        yield "POST", f"encrypt/{kind}", {"plaintext": "aGk="}
        yield "POST", f"rewrap/{kind}", {"ciphertext": LAST}
        name = f"derived-{kind}"
        yield "POST", f"keys/{name}", {
            "type": kind, "derived": True, "convergent_encryption": True}
        yield "POST", f"encrypt/{name}", {"plaintext": "aGk=", "context": "YQ=="}
        for more in ({"context": "YQ=="}, {}, {"context": "Yg=="}):
            yield "POST", f"decrypt/{name}", {"ciphertext": LAST, **more}
        for bits in (128, 256, 512, 100):
            yield "POST", f"datakey/plaintext/{kind}", {"bits": bits}
        yield "POST", f"datakey/wrapped/{kind}", {}
        yield "POST", f"datakey/other/{kind}", {}


def faults():
    """Requests of which most are refused."""
    for path, body in [
        ("keys/k", {}), ("keys/k", {}), ("keys/k", {"type": "nonsense"}),
        ("keys/n", {"type": "nonsense"}), ("keys/n", {"convergent_encryption": True}),
    ]:
        yield "POST", path, body
    good, bad = {"plaintext": "aGk="}, {"plaintext": "!"}
    for body in [
        {}, bad, {"plaintext": ""}, {"plaintext": 5}, {"plaintext": "aGk"}, {"plaintext": "aG\nk="},
        {**good, "key_version": 2}, {**good, "key_version": -1}, {**good, "key_version": "x"},
        {**good, "associated_data": "!"}, {**good, "context": "!"},
        {**good, "convergent_encryption": True}, {"batch_input": []}, {"batch_input": "x"},
        {"batch_input": {}}, {"batch_input": [{}]}, {"batch_input": [5]},
        {"batch_input": [{"plaintext": 5}]}, {"batch_input": [{**good, "key_version": 9}]},
        {"batch_input": [good, {**bad, "reference": "r"}]}, {"batch_input": [bad]},
        {"batch_input": [good, bad], "partial_failure_response_code": 207},
        {"batch_input": [bad], "partial_failure_response_code": 207},
        {"batch_input": [good, bad], "partial_failure_response_code": 9999},
        {"batch_input": [{**good, "context": "YQ=="}, good]},
    ]:
        yield "POST", "encrypt/k", body
    for name, body in [
        ("made", good), ("derived", {**good, "context": "YQ==", "convergent_encryption": True}),
        ("n", {**good, "convergent_encryption": True}), ("n", {**good, "type": "nonsense"}),
    ]:
        yield "POST", f"encrypt/{name}", body
        yield "GET", f"keys/{name}", None
    yield "LIST", "keys", None
    yield "GET", "keys?list=true", None
    yield "POST", "encrypt/refused", bad
    yield "GET", "keys/refused", None
    for text in ["", "x", "vault:v1", "vault:vx:aGk=", "vault:v0:aGk=", "vault:v-1:aGk=",
                 "vault:v1:!", "vault:v1:aGk=", "vault:v9:aGk=", "vault:v1:aGk=:x", "vault:v1:"]:
        for verb in ("decrypt", "rewrap"):
            yield "POST", f"{verb}/k", {"ciphertext": text}
            yield "POST", f"{verb}/none", {"ciphertext": text}
            yield "POST", f"{verb}/k", {"batch_input": [{"ciphertext": text, "reference": "r"}]}
    yield "POST", "decrypt/k", {}
    yield "POST", "decrypt/k", {"batch_input": [{"ciphertext": "x"}, {}]}
    yield "POST", "rewrap/k", {"batch_input": [{"ciphertext": "x"}, {}]}
    for method, path in [("GET", "encrypt/k"), ("GET", "keys"), ("GET", "keys/k/rotate"),
                         ("POST", "nope")]:
        yield method, path, None


def life():
    """The life of a key, from its settings to its end."""
    def settings(*bodies):
        return [("POST", "keys/k/config", body) for body in bodies]

    def trims(*versions):
        return [("POST", "keys/k/trim", {"min_available_version": version}) for version in versions]
    yield from settings(
        {}, {"min_decryption_version": 0}, {"min_decryption_version": 5},
        {"min_encryption_version": 5}, {"min_decryption_version": -1},
        {"min_encryption_version": -1}, {"deletion_allowed": False}, {"exportable": True},
        {"exportable": False}, {"allow_plaintext_backup": True}, {"auto_rotate_period": "10s"},
        {"auto_rotate_period": 0})
    yield "DELETE", "keys/k", None
    yield "POST", "keys/k/rotate", {}
    yield "POST", "keys/k/rotate", {}
    yield from settings({"min_decryption_version": 2}, {"min_encryption_version": 1})
    yield "POST", "encrypt/k", {"plaintext": "aGk=", "key_version": 1}
    yield "POST", "decrypt/k", {"ciphertext": LAST}
    yield "POST", "keys/k/trim", {}
    yield from trims(0, -1, 2)
    yield from settings({"min_encryption_version": 3})
    yield from trims(3, 4, 2, 1, 2)
    yield from settings({"min_decryption_version": 1}, {"min_encryption_version": 0})
    yield "POST", "encrypt/k", {"plaintext": "aGk=", "key_version": 2}
    yield "DELETE", "keys/k/soft-delete", None
    yield "DELETE", "keys/k/soft-delete", None
    for path, body in [("encrypt/k", {"plaintext": "aGk="}), ("keys/k/rotate", None),
                       ("keys/k/config", {}), ("keys/k/soft-delete-restore", None),
                       ("keys/k/soft-delete-restore", None)]:
        yield "POST", path, body
    yield "DELETE", "keys/none/soft-delete", None
    for path in ("soft-delete-restore", "trim", "rotate", "config"):
        yield "POST", f"keys/none/{path}", {"min_available_version": 1} if path == "trim" else {}
    yield from settings({"deletion_allowed": True})
    yield "DELETE", "keys/k", None
    yield "DELETE", "keys/k", None
    yield "GET", "keys/k", None
    yield "POST", "config/keys", {"disable_upsert": True}
    yield "POST", "encrypt/new", {"plaintext": "aGk="}
    yield "POST", "config/keys", {}
    yield "GET", "config/keys", None


def alike(value, hides=()):
    """Without what is another one on each server: ids, times, ciphertexts, keys."""
    if isinstance(value, dict):
        return {name: "hidden" if name in hides else alike(part, hides)
                for name, part in value.items() if name not in ("request_id", "mount_type")}
    if isinstance(value, list):
        return [alike(part, hides) for part in value]
    if isinstance(value, str) and value.startswith("vault:v"):
        return value.rsplit(":", 1)[0]
    is_time = isinstance(value, int) and not isinstance(value, bool) and value > TIME_MIN
    return "a time" if is_time else value


class Asked:
    """One of the two servers, with the last ciphertext that it returned."""

    def __init__(self, server):
        self.port, self.last = server.port, ""

    def ask(self, method, path, body):
        sent = None if body is None else json.dumps(body).replace(LAST, self.last)
        status, _, text = call(self.port, method, f"/v1/transit/{path}", sent)
        found = json.loads(text) if text else None
        data = (found or {}).get("data")
        if isinstance(data, dict) and "ciphertext" in data:
            self.last = data["ciphertext"]
        return status, alike(found, ("plaintext",) if path.startswith("datakey") else ())


def run(report):
    report.section("transit")
    if not COFFER:
        report.skip("transit", "it compares the two servers")
        return
    with DevServer(BAO) as bao, DevServer(COFFER) as coffer:
        both = [Asked(server.start()) for server in (bao, coffer)]
        for server in both:
            made = call(server.port, "POST", "/v1/sys/mounts/transit", json.dumps({"type": "transit"}))
            report.equal("mounted", made[0], 204)
        requests, used = 0, set()
        for method, path, body in [*texts(), *faults(), *life()]:
            requests += 1
            expected, found = (server.ask(method, path, body) for server in both)
            asked = f"{method} {path} {body}"
            reasons = [reason for reason, patterns in REASONS.items()
                       if any(re.search(pattern, asked) for pattern in patterns)]
            if expected == found or not reasons:
                report.equal(asked, found, expected)
            else:
                used.update(reasons)
                report.passed += 1
        for reason in REASONS.keys() - used:
            report.fail("a reason without a difference", reason)
        print(f"transit: {requests} requests, {len(used)} kinds of differences, each with its reason")
