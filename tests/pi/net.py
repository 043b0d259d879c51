"""The wire: a bridge in a network namespace of its own, where the host is 10.77.0.1."""

import subprocess

HOST = "10.77.0.1"


def ip(words):
    subprocess.run(["ip", *words.split()], check=True)


def start():
    """Makes the bridge; the namespace, and all in it, is gone with its last process."""
    ip("link set lo up")
    ip("link add pis type bridge")
    ip(f"addr add {HOST}/24 dev pis")
    ip("link set pis up")


def address(number):
    return f"10.77.0.{100 + number}"


def tap(number):
    """A device for the emulated Pi of that number."""
    name = f"pi{number}"
    ip(f"tuntap add {name} mode tap")
    ip(f"link set {name} master pis up")
    return name


def borrow(number):
    """Gives the host the address of a Pi that is not there."""
    ip(f"addr add {address(number)}/32 dev lo")


def give_back(number):
    ip(f"addr del {address(number)}/32 dev lo")
