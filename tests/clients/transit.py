"""The same requests to the transit engine of coffer and of a real OpenBao. Status, fields, values and
error texts are compared; what differs must have a reason here, and each reason a difference."""

import json
import re

from check import BAO, COFFER, DevServer, call

TYPES = ["aes128-gcm96", "aes256-gcm96", "chacha20-poly1305", "xchacha20-poly1305"]
PAIRS = ["ed25519", "ecdsa-p256", "ecdsa-p384", "ecdsa-p521", "rsa-2048", "rsa-3072"]
HASHES = ["sha1", "sha2-224", "sha2-256", "sha2-384", "sha2-512", "sha3-224", "sha3-256",
          "sha3-384", "sha3-512"]
TIME_MIN = 1_700_000_000
# Stands for the last ciphertext, signature or keyed hash that the server returned.
LAST = "@last@"

# Holds by itself where OpenBao answers 500 and coffer 400.
CALLERS_FAULT = "a caller's fault is 400 there, too, and not 500"

# The requests that differ, by method, path and body, and why.
REASONS = {
    CALLERS_FAULT: [],
    "a missing context is said alike for all keys": [r"sign/other-ed25519 .*batch_input"],
    "a key of type hmac has 32 bytes where no size is asked for": [r"keys/hmac-of-no-size"],
    "a name of a scheme that is none is refused for all types": [r"signature_algorithm': 'x'"],
    "a signature beside a keyed hash is refused: nothing says which one counts": [
        r"'signature': '@last@', 'hmac': '@last@'\}"],
    "the place of a character that is not base64 is not said": [r"hash \{'input': '!'\}"],
    "a count that is none is said in plain words": [r"random/x"],
    "the kernel's randomness is all there is, without a warning": [r"random/seal/"],
    "the source is judged before the format": [r"random/nope/8 .*'format': 'x'"],
    "of two faults another one is named": [
        r"(sign|verify)/hmac .*(marshaling_algorithm': 'x'|salt_length': '(-2|x)')",
        r"export/public-key/out-(aes|chacha|xchacha|hmac).*/"],
    "a backup that is none is named so": [r"POST restore.*'!'"],
    "an unknown hash is named": [r"hmac/[^ ]* .*algorithm': 'x'", r"hmac/[^ ]*/x"],
    "a false verdict is said in a batch, too": [r"batch_input.*'YQ==', 'hmac'"],
    "making a key by encrypting: types that cannot encrypt have one message": [r"encrypt/made-"],
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


def pairs():
    """What keys do that sign, or hash."""
    hello = {"input": "aGVsbG8="}
    yield "POST", "keys/hmac-of-no-size", {"type": "hmac"}
    yield "POST", "config/keys", {"disable_upsert": False}
    for kind in [*PAIRS, "hmac"]:
        size = {"key_size": 32} if kind == "hmac" else {}
        yield "POST", f"keys/{kind}", {"type": kind, **size}
        yield "GET", f"keys/{kind}", None
        for body in ({"type": kind, "derived": True},
                     {"type": kind, "derived": True, "convergent_encryption": True},
                     {"type": kind, "key_size": 64}, {"type": kind, "key_size": 8}):
            yield "POST", f"keys/other-{kind}", body
        yield "GET", f"keys/other-{kind}", None
        yield "GET", f"keys/other-{kind}?context=YQ%3D%3D", None
        yield "GET", f"keys/other-{kind}?context=%21", None
        yield from signatures(kind, hello)
        yield from keyed(kind, hello)
        for body in ({"plaintext": "aGk="}, {"plaintext": ""}, {"plaintext": "!"},
                     {"plaintext": "aGk=", "associated_data": "YQ=="}, {"plaintext": "QUFB" * 200}):
            yield "POST", f"encrypt/{kind}", body
        yield "POST", f"encrypt/{kind}", {"plaintext": "aGk="}
        yield "POST", f"decrypt/{kind}", {"ciphertext": LAST}
        yield "POST", f"rewrap/{kind}", {"ciphertext": LAST}
        yield "POST", f"decrypt/{kind}", {"ciphertext": "vault:v1:AAAA"}
        yield "POST", f"encrypt/made-{kind}", {"plaintext": "aGk=", "type": kind}
        yield "POST", f"datakey/plaintext/{kind}", {}
        yield "POST", f"keys/{kind}/rotate", {}
        for body in ({**hello, "key_version": 1}, {**hello, "key_version": 2}, hello):
            for verb in ("sign", "hmac"):
                yield "POST", f"{verb}/{kind}", body
        yield "POST", f"keys/{kind}/config", {"min_encryption_version": 2}
        for version in (1, 2, 3, -1):
            for verb in ("sign", "hmac"):
                yield "POST", f"{verb}/{kind}", {**hello, "key_version": version}
        yield "POST", f"keys/{kind}/config", {"min_decryption_version": 2}
        for text in ("vault:v1:AAAA", "vault:v9:AAAA", "vault:vx:AAAA", "x", "vault:v2", "vault:v2:!"):
            yield "POST", f"verify/{kind}", {**hello, "signature": text}
            yield "POST", f"verify/{kind}", {**hello, "hmac": text}
        yield "DELETE", f"keys/{kind}/soft-delete", None
        for verb in ("sign", "hmac"):
            yield "POST", f"{verb}/{kind}", hello
        yield "POST", f"verify/{kind}", {**hello, "signature": "vault:v2:AAAA"}
        yield "POST", f"verify/{kind}", {**hello, "hmac": "vault:v2:AAAA"}


def signatures(kind, hello):
    """Signing with each hash and form, and verifying."""
    ways = [{}, {"marshaling_algorithm": "jws"}, {"marshaling_algorithm": "x"},
            {"signature_algorithm": "pkcs1v15"}, {"signature_algorithm": "pss"},
            {"signature_algorithm": "x"}, {"salt_length": "hash"}, {"salt_length": "20"},
            {"salt_length": 0}, {"salt_length": "5000"}, {"salt_length": "-1"},
            {"salt_length": "-2"}, {"salt_length": "x"}, {"hash_algorithm": "none"},
            {"hash_algorithm": "x"}, {"prehashed": True},
            {"hash_algorithm": "none", "prehashed": True, "signature_algorithm": "pkcs1v15"}]
    ways += [{"hash_algorithm": name} for name in HASHES]
    ways += [{"hash_algorithm": name, "signature_algorithm": "pkcs1v15"} for name in HASHES]
    for way in ways:
        yield "POST", f"sign/{kind}", {**hello, **way}
        yield "POST", f"verify/{kind}", {**hello, **way, "signature": LAST}
        yield "POST", f"verify/{kind}", {"input": "aGVsbG9v", **way, "signature": LAST}
    summed = {"input": "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", "prehashed": True}
    for way in ({}, {"signature_algorithm": "pkcs1v15"}):
        yield "POST", f"sign/{kind}", {**summed, **way}
        yield "POST", f"verify/{kind}", {"input": "", **way, "signature": LAST}
    for path in (f"{kind}/sha2-512", f"{kind}/x", "none"):
        yield "POST", f"sign/{path}", hello
        yield "POST", f"verify/{path}", {**hello, "signature": LAST}
    for body in ({}, {"input": "!"}, {**hello, "context": "!"}, {**hello, "context": "YQ=="},
                 {"batch_input": []}, {"batch_input": "x"},
                 {"batch_input": [{**hello, "reference": "r"}, {"input": "!"}, {}]}):
        yield "POST", f"sign/{kind}", body
        yield "POST", f"sign/other-{kind}", body
    yield "POST", f"sign/other-{kind}", {**hello, "context": "YQ=="}
    yield "POST", f"verify/other-{kind}", {**hello, "context": "YQ==", "signature": LAST}
    yield "POST", f"verify/other-{kind}", {**hello, "context": "Yg==", "signature": LAST}
    yield "POST", f"verify/other-{kind}", {**hello, "signature": LAST}
    yield "POST", f"sign/{kind}", hello
    good, bad = {**hello, "signature": LAST}, {"input": "!", "signature": LAST}
    for body in ({}, hello, {**good, "hmac": LAST}, {"batch_input": [good, {**bad, "reference": "r"}]},
                 {"batch_input": [good, hello]}, {"batch_input": [hello]}, {"batch_input": []},
                 {"batch_input": [good, {**hello, "hmac": LAST}]},
                 {"batch_input": [{**good, "input": "YQ=="}]}, {"batch_input": [{"signature": "x"}]}):
        yield "POST", f"verify/{kind}", body


def keyed(kind, hello):
    """Keyed hashes, and verifying them."""
    for name in [*HASHES, "x"]:
        yield "POST", f"hmac/{kind}", {**hello, "algorithm": name}
        yield "POST", f"verify/{kind}", {**hello, "algorithm": name, "hmac": LAST}
        yield "POST", f"verify/{kind}", {"input": "YQ==", "algorithm": name, "hmac": LAST}
    for path in (f"{kind}/sha2-512", f"{kind}/x", "none"):
        yield "POST", f"hmac/{path}", hello
        yield "POST", f"verify/{path}", {**hello, "hmac": LAST}
    for body in ({}, {"input": "!"}, {"input": ""}, {"batch_input": []}, {"batch_input": "x"},
                 {"batch_input": [{**hello, "reference": "r"}, {"input": "!"}, {}]}):
        yield "POST", f"hmac/{kind}", body
    yield "POST", f"hmac/{kind}", hello
    good = {**hello, "hmac": LAST}
    for batch in ([good, {**good, "input": "!", "reference": "r"}], [{**good, "input": "YQ=="}],
                  [good, hello], [{"hmac": "x"}]):
        yield "POST", f"verify/{kind}", {"batch_input": batch}


def tools():
    """Hashes and random bytes, which need no key."""
    for name in [*HASHES, "x"]:
        yield "POST", "hash", {"input": "aGVsbG8=", "algorithm": name}
        yield "POST", f"hash/{name}", {"input": "aGVsbG8=", "format": "base64"}
    for body in ({}, {"input": "!"}, {"input": "", "format": "x"}):
        yield "POST", "hash", body
    for path in ("random", "random/16", "random/x", "random/platform", "random/platform/8",
                 "random/seal/8", "random/all/8", "random/0", "random/200000", "random/nope/8"):
        for body in ({}, {"format": "hex"}, {"format": "x"}, {"bytes": 4}):
            yield "POST", path, body


def leaving():
    """Export and backup of each type, and what comes back."""
    for kind in [*TYPES, *PAIRS, "hmac"]:
        name = f"out-{kind}"
        size = {"key_size": 32} if kind == "hmac" else {}
        yield "POST", f"keys/{name}", {"type": kind, **size}
        yield "GET", f"backup/{name}", None
        for part in ("encryption-key", "signing-key", "hmac-key", "public-key", "x"):
            yield "GET", f"export/{part}/{name}", None
        yield "POST", f"keys/{name}/rotate", {}
        yield "POST", f"keys/{name}/config", {"exportable": True}
        yield "GET", f"backup/{name}", None
        for part in ("encryption-key", "signing-key", "hmac-key", "public-key"):
            for form in ("", "raw", "der", "pem", "x"):
                yield "GET", f"export/{part}/{name}?format={form}", None
            for version in ("1", "v2", "latest", "3", "0", "-1", "x"):
                yield "GET", f"export/{part}/{name}/{version}", None
        yield "POST", f"keys/{name}/config", {"min_decryption_version": 2}
        yield "GET", f"export/hmac-key/{name}", None
        yield "GET", f"export/hmac-key/{name}/1", None
    for path in ("export/hmac-key/none", "backup/none"):
        yield "GET", path, None
    for body in ({}, {"backup": ""}, {"backup": "!"}):
        yield "POST", "restore", body
        yield "POST", "restore/name", body


def alike(value, hides=()):
    """Without what is another one on each server: ids, times, ciphertexts, keys."""
    if isinstance(value, dict):
        return {name: "hidden" if name in hides else alike(part, hides)
                for name, part in value.items() if name not in ("request_id", "mount_type")}
    if isinstance(value, list):
        return [alike(part, hides) for part in value]
    if isinstance(value, str) and value.startswith("vault:v"):
        return value.rsplit(":", 1)[0]
    if isinstance(value, str) and value.startswith("-----BEGIN"):
        return f"{value.splitlines()[0]} {len(value) // 40} {value.endswith(chr(10))}"
    if isinstance(value, str) and re.fullmatch(r"20\d\d-\d\d-\d\dT[0-9:.]+Z", value):
        return "a time"
    is_time = isinstance(value, int) and not isinstance(value, bool) and value > TIME_MIN
    return "a time" if is_time else value


def sized(value):
    """With the lengths of public keys and random bytes that are other ones on each server."""
    if isinstance(value, dict):
        return {name: round(len(part) / 40) if is_random(name, part) else sized(part)
                for name, part in value.items()}
    return [sized(part) for part in value] if isinstance(value, list) else value


def is_random(name, part):
    is_short = isinstance(part, str) and not part.startswith("-")
    return is_short and (
        name in ("public_key", "publickey", "random_bytes") or name.isdecimal())


class Asked:
    """One of the two servers, with the last ciphertext that it returned."""

    def __init__(self, server):
        self.port, self.last = server.port, ""

    def ask(self, method, path, body):
        sent = None if body is None else json.dumps(body).replace(LAST, self.last)
        status, _, text = call(self.port, method, f"/v1/transit/{path}", sent)
        found = json.loads(text) if text else None
        data = (found or {}).get("data")
        for name in ("ciphertext", "signature", "hmac"):
            if isinstance(data, dict) and name in data:
                self.last = data[name]
        hides = () if path.startswith("decrypt") else ("plaintext",)
        return status, alike(sized(found), hides)


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
        for method, path, body in [
                *texts(), *faults(), *life(), *pairs(), *tools(),
                *leaving()]:
            requests += 1
            expected, found = (server.ask(method, path, body) for server in both)
            asked = f"{method} {path} {body}"
            reasons = [reason for reason, patterns in REASONS.items()
                       if any(re.search(pattern, asked) for pattern in patterns)]
            if (expected[0], found[0]) == (500, 400):
                reasons.append(CALLERS_FAULT)
            if expected == found or not reasons:
                report.equal(asked, found, expected)
            else:
                used.update(reasons)
                report.passed += 1
        for reason in REASONS.keys() - used:
            report.fail("a reason without a difference", reason)
        print(f"transit: {requests} requests, {len(used)} kinds of differences, each with its reason")
