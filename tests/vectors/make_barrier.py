#!/usr/bin/env python3
"""Makes barrier_v1.json: a store as the barrier's documentation says it looks, and broken ones.

Written from the byte diagrams alone and sharing no code with coffer, so a change of a format, or
a diagram that does not tell the truth, fails the test. Needs Python's `cryptography`; everything
is deterministic. Run it from the repository's root.
"""

import hashlib
import hmac
import json
import struct

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305


def made_up(label, length=32):
    return hashlib.shake_256(b"coffer vector " + label.encode()).digest(length)


# --- XChaCha20-Poly1305, draft-irtf-cfrg-xchacha-03 ---


def hchacha20(key, nonce):
    state = list(struct.unpack("<16I", b"expand 32-byte k" + key + nonce))

    def quarter(a, b, c, d):
        for x, y, z, turn in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            state[x] = (state[x] + state[y]) & 0xFFFFFFFF
            mixed = state[z] ^ state[x]
            state[z] = (mixed << turn | mixed >> 32 - turn) & 0xFFFFFFFF

    for _ in range(10):
        for i in range(4):
            quarter(i, 4 + i, 8 + i, 12 + i)
        for i in range(4):
            quarter(i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)
    return struct.pack("<8I", *state[:4], *state[12:])


def seal(key, nonce, text, data):
    return ChaCha20Poly1305(hchacha20(key, nonce[:16])).encrypt(bytes(4) + nonce[16:], text, data)


# --- Records ---


def record(key, term, kind, label, text, version=1):
    nonce = made_up(f"nonce {term} {kind} {label} {text.hex()}", 24)
    sealed = seal(key, nonce, text, bytes([version, kind]) + label.encode())
    return bytes([version]) + struct.pack(">I", term) + nonce + sealed


def keyring(terms, version=1):
    head = bytes([version]) + PATH_KEY + DERIVATION_KEY
    rotation = struct.pack(">QQB", 3_865_470_566, 0, 1)
    body = b"".join(struct.pack(">IQ", number, number * 10**9) + key for number, key in terms)
    return head + rotation + struct.pack(">H", len(terms)) + body


# --- Names ---


def prf(key, data):
    return hmac.new(key, data, hashlib.sha256).digest()


def stream(nonce, text):
    key = prf(PATH_KEY, b"coffer key names stream")
    return Cipher(algorithms.ChaCha20(key, bytes(4) + nonce), None).encryptor().update(text)


def name(path):
    mac_key = prf(PATH_KEY, b"coffer key names mac")
    chain, out = bytes(32), b"\x01"
    for segment in path.encode().split(b"/"):
        chain = prf(mac_key, chain + segment)
        long = len(segment) >= 0x80
        length = struct.pack(">H", 0x8000 | len(segment)) if long else bytes([len(segment)])
        out += length + chain[:12] + stream(chain[:12], segment)
    return out


def keyed_hash(domain, data):
    key = prf(DERIVATION_KEY, b"coffer key keyed hashes")
    return prf(key, struct.pack(">Q", len(domain)) + domain.encode() + data)


def cluster_key(label):
    return prf(DERIVATION_KEY, b"coffer key cluster " + label.encode())


# --- The store ---

SEAL_KEY, ROOT_KEY = made_up("seal key"), made_up("root key")
PATH_KEY, DERIVATION_KEY = made_up("path key"), made_up("derivation key")
TERMS = [(1, made_up("term 1")), (2, made_up("term 2"))]
RECORDS = [
    (1, "a", "the leaf"),
    (1, "a/b", "below the leaf"),
    (2, "logical/6e1f1b5c/" + "long" * 100, ""),
    (2, "logical/6e1f1b5c/ü", "x" * 1000),
]
CONFIG, ROOT, RING = b"\0seal-config", b"\0root-key", b"\0keyring"


def store(**changes):
    made = {
        CONFIG: bytes([1, 1, 5, 3]),
        ROOT: record(SEAL_KEY, 0, 3, "", ROOT_KEY),
        RING: record(ROOT_KEY, 0, 4, "", keyring(TERMS)),
    }
    for term, path, value in RECORDS:
        made[name(path)] = record(TERMS[term - 1][1], term, 1, path, value.encode())
    made.update({key: value for key, value in changes.get("put", [])})
    return {key.hex(): value.hex() for key, value in made.items()}


def flip(data, at):
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def defects():
    good = {bytes.fromhex(k): bytes.fromhex(v) for k, v in store().items()}
    leaf, inner = good[name("a")], good[name("a/b")]

    def ring(terms, **options):
        return [(RING, record(ROOT_KEY, 0, 4, "", keyring(terms, **options)))]

    yield "seal_config_threshold_zero", "config", "Decode", [(CONFIG, bytes([1, 1, 5, 0]))]
    yield "seal_config_version_2", "config", "Decode", [(CONFIG, bytes([2, 1, 5, 3]))]
    yield "root_key_under_another_seal_key", "unseal", "WrongSealKey", [
        (ROOT, record(made_up("other"), 0, 3, "", ROOT_KEY))
    ]
    yield "root_key_16_bytes", "unseal", "Decode", [
        (ROOT, record(SEAL_KEY, 0, 3, "", ROOT_KEY[:16]))
    ]
    yield "root_key_record_empty", "unseal", "Tampered", [(ROOT, b"")]
    yield "keyring_under_another_root_key", "unseal", "Tampered", [
        (RING, record(made_up("other"), 0, 4, "", keyring(TERMS)))
    ]
    yield "keyring_sealed_as_root_key", "unseal", "Tampered", [
        (RING, record(ROOT_KEY, 0, 3, "", keyring(TERMS)))
    ]
    yield "keyring_version_2", "unseal", "Decode", ring(TERMS, version=2)
    yield "keyring_without_terms", "unseal", "Decode", ring([])
    yield "keyring_terms_descending", "unseal", "Decode", ring(TERMS[::-1])
    yield "keyring_term_twice", "unseal", "Decode", ring([TERMS[0], TERMS[0]])
    yield "record_version_2", "get a", "Tampered", [(name("a"), bytes([2]) + leaf[1:])]
    yield "record_nonce_flipped", "get a", "Tampered", [(name("a"), flip(leaf, 5))]
    yield "record_ciphertext_flipped", "get a", "Tampered", [(name("a"), flip(leaf, 29))]
    yield "record_tag_flipped", "get a", "Tampered", [(name("a"), flip(leaf, len(leaf) - 1))]
    yield "record_truncated", "get a", "Tampered", [(name("a"), leaf[:-1])]
    yield "record_header_only", "get a", "Tampered", [(name("a"), leaf[:29])]
    yield "record_moved_to_another_path", "get a", "Tampered", [(name("a"), inner)]
    yield "record_of_another_term", "get a", "Tampered", [
        (name("a"), leaf[:1] + struct.pack(">I", 2) + leaf[5:])
    ]
    yield "record_key_term_unknown", "get a", "UnknownKeyTerm", [
        (name("a"), leaf[:1] + struct.pack(">I", 3) + leaf[5:])
    ]
    yield "record_sealed_as_blob", "get a", "Tampered", [
        (name("a"), record(TERMS[0][1], 1, 2, "a", b"forged"))
    ]
    yield "name_nonce_flipped", "list a/", "Tampered", [(flip(name("a/b"), len(name("a")) + 1), b"")]
    yield "name_ciphertext_flipped", "list a/", "Tampered", [
        (flip(name("a/b"), len(name("a/b")) - 1), b"")
    ]
    yield "name_cut_short", "list a/", "Tampered", [(name("a/b")[:-1], b"")]
    yield "name_length_too_long_a_form", "list a/", "Tampered", [
        (name("a") + b"\x80" + name("a/b")[len(name("a")) :], b"")
    ]


if __name__ == "__main__":
    vectors = {
        "seal_key": SEAL_KEY.hex(),
        "store": store(),
        "records": [{"path": path, "value": value} for _, path, value in RECORDS],
        "hashes": [
            {"domain": domain, "data": data, "hash": keyed_hash(domain, data.encode()).hex()}
            for domain, data in [("token id", "s.abc"), ("", ""), ("a", "bc"), ("ab", "c")]
        ],
        "cluster_keys": {
            label: cluster_key(label).hex() for label in ("leadership", "forwarding")
        },
        "blob": {
            "domain": "batch token",
            "text": "claims",
            "sealed": record(TERMS[1][1], 2, 2, "batch token", b"claims").hex(),
        },
        "defects": [
            {"name": label, "step": step, "error": error, "put": {k.hex(): v.hex() for k, v in put}}
            for label, step, error, put in defects()
        ],
    }
    with open("tests/vectors/barrier_v1.json", "w") as output:
        json.dump(vectors, output, indent=1, ensure_ascii=False)
        output.write("\n")
