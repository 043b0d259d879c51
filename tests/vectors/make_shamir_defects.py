#!/usr/bin/env python3
"""Makes shamir_defects.json: shares that other implementations, or people, get wrong.

Run it from the repository's root, after make_shamir.py.
"""

import json


def multiply(a, b, polynomial):
    product = 0
    while b:
        if b & 1:
            product ^= a
        a = a << 1 ^ (polynomial if a & 0x80 else 0)
        b >>= 1
    return product


def split(key, slope, numbers, polynomial):
    """A threshold of two, with the same slope for every byte."""
    ys = {x: bytes(y ^ multiply(slope, x, polynomial) for y in key) for x in numbers}
    return [(ys[x], x) for x in numbers]


def main():
    with open("tests/vectors/shamir.json") as source:
        vectors = json.load(source)["vectors"]
    five = next(v for v in vectors if len(v["shares_by_bao"]) == 5)
    seven = next(v for v in vectors if len(v["shares_by_bao"]) == 7)
    one, two, three = (bytes.fromhex(share) for share in five["shares_by_bao"][:3])
    other = bytes.fromhex(seven["shares_by_bao"][0])
    key = bytes.fromhex(five["key"])
    foreign = split(key, 0x53, [0x8A, 0xC5], 0x11D)
    cases = [
        ("field_0x11d", "wrong key", [y + bytes([x]) for y, x in foreign]),
        ("number_in_front", "wrong key", [s[-1:] + s[:-1] for s in (one, two, three)]),
        ("one_too_few", "wrong key", [one, two]),
        ("of_two_sets", "wrong key", [one, two, other]),
        ("byte_flipped", "wrong key", [bytes([one[0] ^ 1]) + one[1:], two, three]),
        ("number_wrong", "wrong key", [one[:-1] + bytes([one[-1] ^ 0x80]), two, three]),
        ("number_zero", "wrong key", [one[:-1] + b"\0", two, three]),
        ("same_share_twice", "DuplicatePart", [one, one, two]),
        ("number_twice", "DuplicatePart", [one, two, three[:-1] + one[-1:]]),
        ("byte_missing", "LengthsDiffer", [one, two, three[1:]]),
        ("byte_too_many", "LengthsDiffer", [one + b"\0", two, three]),
        ("single", "TooFewParts", [one]),
        ("none", "TooFewParts", []),
        ("numbers_only", "TooFewParts", [b"\1", b"\2"]),
        ("one_empty", "TooFewParts", [one, two, b""]),
    ]
    made = [
        {"name": name, "outcome": outcome, "shares": [share.hex() for share in shares]}
        for name, outcome, shares in cases
    ]
    with open("tests/vectors/shamir_defects.json", "w") as output:
        json.dump({"key": five["key"], "defects": made}, output, indent=1)
        output.write("\n")


if __name__ == "__main__":
    main()
