"""Checks on the controller, before any host is touched: is there a binary for the host, is its
clock right, are the certificates good for their use, do listeners leave each other their ports?

The certificate is judged by a handshake in memory, between a server that has it and a client that
trusts the authority: the same judgement that the members and the controller will come to later.
"""

from __future__ import annotations

import hashlib
import os
import socket
import ssl
import stat
import time
from urllib.parse import urlsplit

RENEW = "`ansible-playbook tls.yml -e coffer_tls_renew=true` makes new ones, or bring your own"
# A run within so many days of a certificate's end says so.
SOON_DAYS = 30
DAY_S = 86400
EVERYWHERE = ("", "0.0.0.0", "::")


class Unfit(Exception):
    """A fault, with its remedy."""


def files_are_there(paths):
    """`paths` is the role's variable to the file that it names; the key is no one else's."""
    for name, path in paths.items():
        if not path or not os.path.isfile(path):
            raise Unfit(
                f"{name} ({path}) is not there. Make certificates with `ansible-playbook tls.yml`, "
                "or name your own; coffer_tls: none does without TLS."
            )
    key = paths["coffer_tls_key_file"]
    if os.stat(key).st_mode & stat.S_IRWXO:
        raise Unfit(f"{key} may be read by everybody on this machine: chmod 600 {key}")


def is_encrypted(path):
    with open(path, "rb") as content:
        return content.read(14) == b"$ANSIBLE_VAULT"


def own_certificate(path):
    """The first one of the file, as it is sent."""
    with open(path, encoding="ascii", errors="replace") as file:
        text = file.read()
    end = "-----END CERTIFICATE-----"
    begin = text.find("-----BEGIN CERTIFICATE-----")
    if begin < 0 or end not in text:
        raise Unfit(f"{path} has no certificate in PEM")
    return ssl.PEM_cert_to_DER_cert(text[begin : text.index(end, begin) + len(end)])


def certificate(authority, path, key, name=None):
    """Days that it is still good for. `name` is what members and the controller will expect."""
    try:
        there = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        there.load_cert_chain(path, key)
        here = ssl.create_default_context(cafile=authority)
    except (OSError, ssl.SSLError) as error:
        raise Unfit(
            f"{path} and {key} cannot be used together, or {authority} is none: {error}. Give a "
            "certificate with its own key, and the authority in PEM."
        ) from None
    here.check_hostname = name is not None
    try:
        shown = _handshake(there, here, name)
    except ssl.SSLCertVerificationError as error:
        why = (error.verify_message or str(error)).rstrip(".")
        raise Unfit(
            f"{path} would be trusted by nobody: {why}. Nothing was changed on any host. {RENEW}, "
            f"signed by {authority} and good for {name or 'this host'}."
        ) from None
    return int((ssl.cert_time_to_seconds(shown["notAfter"]) - time.time()) // DAY_S)


def _handshake(there, here, name):
    """Returns the certificate that the client was shown."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = there.wrap_bio(up, down, server_side=True)
    client = here.wrap_bio(down, up, server_hostname=name)
    waiting = [client, server]
    while waiting:
        for side in list(waiting):
            try:
                side.do_handshake()
                waiting.remove(side)
            except ssl.SSLWantReadError:
                pass
    return client.getpeercert()


def fit_for_mdns(authority, path, key, address):
    """Checks that the certificate has the address: a node that is found has no name."""
    try:
        rows = socket.getaddrinfo(address, None, type=socket.SOCK_STREAM)
    except OSError:
        rows = []
    for found in dict.fromkeys(row[4][0] for row in rows):
        try:
            certificate(authority, path, key, found)
            return
        except Unfit:
            continue
    raise Unfit(
        f"coffer_join: mdns finds members by address, and {path} has none of {address}. Set "
        "coffer_tls_servername to one name for all members (tls.yml puts it into their "
        f"certificates), or give certificates with addresses. {RENEW}."
    )


def runs_out(path, days):
    if days >= SOON_DAYS:
        return None
    return f"{path} runs out in {days} days. {RENEW}, and site.yml brings them to the hosts."


def listeners(first, more):
    """Further ones must not want what the first one has: at a port and the next stands a listener
    with its cluster listener, and an empty host is all addresses."""
    taken = dict(first)
    for one in more:
        if str(one.get("type", "tcp")) != "tcp":
            continue
        address = str(one.get("address", "127.0.0.1:8200"))
        try:
            where, at = urlsplit("//" + address), {}
            host, port = where.hostname or "", int(where.port)
            at[address] = (host, port)
            cluster = one.get("cluster_address")
            if cluster:
                where = urlsplit("//" + str(cluster))
                at[str(cluster)] = (where.hostname or "", int(where.port))
            else:
                at[f"{host}:{port + 1}"] = (host, port + 1)
        except (TypeError, ValueError):
            raise Unfit(f"{address} in coffer_listeners is not HOST:PORT") from None
        for name, (host, port) in at.items():
            for other, (its, its_port) in taken.items():
                same = host == its or host in EVERYWHERE or its in EVERYWHERE
                if port == its_port and same:
                    raise Unfit(
                        f"{name} of coffer_listeners cannot be had beside {other} (a listener "
                        "has the next port too, for its cluster_address). Take another port, or "
                        "set coffer_bind to this host's own address, so that not all are taken."
                    )
        taken.update(at)


def binary_for(who, host, known, choice):
    """The file for what the module coffer_host told of the host. `known` is the role's table;
    `choice` is the architecture and the file that were set, and the folder of all binaries."""
    arch, binary, folder = choice
    arch = arch or known.get(f"{host['machine']}/{host['bits']}", "")
    if not arch and not binary:
        raise Unfit(
            f"coffer is not built for {who}: a {host['machine']} kernel with a {host['bits']}-bit "
            f"userland. It is built for {', '.join(sorted(set(known.values())))}. If one of these "
            "runs there, set coffer_arch for this host; if you have built it yourself, set "
            "coffer_binary to the file."
        )
    binary = binary or os.path.join(folder, arch, "coffer")
    if not os.path.isfile(binary):
        raise Unfit(
            f"{binary} is not there. Build it with `cross/build {arch}`, or set coffer_dist to the "
            f"folder that has {arch}/coffer."
        )
    return binary


def clock(who, told, skew_s):
    """Certificates can not be checked by a clock that is wrong."""
    if abs(told - time.time()) <= skew_s:
        return
    there, here = (time.strftime("%Y-%m-%d %H:%M", time.gmtime(at)) for at in (told, time.time()))
    raise Unfit(
        f"The clock of {who} says {there} UTC, the controller's {here}. No certificate can be "
        "checked by a clock that is wrong, so nothing was changed on any host. Set it there: "
        "`timedatectl set-ntp true` where a network is, or `date -s`; then run this again."
    )


def same(wanted, found):
    """Of the folders and files that the role wants, those that the host has just so."""
    alike = []
    for place in wanted:
        has = found.get(place["dest"]) or {}
        source = os.path.expanduser(place.get("src", ""))
        if os.path.isabs(source) and not os.path.isfile(source):
            raise Unfit(
                f"{source} is not there. Nothing was changed on any host. Set coffer_systemd_dir to "
                "the repository's systemd/, or to a copy of it."
            )
        if not source:
            fits = has.get("kind") == "folder"
        else:
            fits = has.get("kind") == "file" and has["sha256"] == _sha256(source)
        told = (has.get("owner"), has.get("group"), has.get("mode"))
        if fits and told == ("root", place["group"], place["mode"]):
            alike.append(place["dest"])
    return alike


def _sha256(path):
    """Of a file that ansible-vault has encrypted this is not what the host gets, so it is copied; and
    where a relative path leads is for the copy to say."""
    try:
        with open(path, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()
    except OSError:
        return None


def suffrage(node, server):
    """It is decided when a member joins; no waiting changes it."""
    if node.votes == (server["node_type"] == "voter"):
        return
    verb, is_one = ("promote", "a non-voter") if node.votes else ("demote", "a voter")
    raise Unfit(
        f"{node.host} is {is_one} since it joined, and coffer_non_voter says otherwise. `coffer "
        f"operator raft {verb} {node.node_id}` changes that; then run this again."
    )
