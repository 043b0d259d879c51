"""A cluster whose provider is gone for good: emergency shares open it, and it moves to another seal.

Its snapshot, restored elsewhere, is opened by the emergency shares of its day.
"""

import http.client
import json
import os
import signal
import subprocess

from migration import active, allow, give, is_kept_by, known, unseal
from suite import COFFER, PORT, Node, check, transit_keeper, until


def raw(node, method, path, body=None):
    """(status, bytes) of a request whose body or answer is an archive."""
    connection = http.client.HTTPConnection("127.0.0.1", node.port, timeout=60)
    connection.request(method, f"/v1/{path}", body, {"X-Vault-Token": node.token})
    answer = connection.getresponse()
    found = answer.status, answer.read()
    connection.close()
    return found


def new_emergency_shares(node, recovery, shares, needed):
    """`operator rekey` under recovery keys; returns the new emergency shares."""
    def rekey(*words):
        found = subprocess.run(
            [COFFER, "operator", "rekey", "-format=json", *words], capture_output=True, text=True,
            env={**os.environ, "VAULT_ADDR": f"http://127.0.0.1:{node.port}",
                 "VAULT_TOKEN": node.token})
        check(found.returncode == 0, found.stdout + found.stderr)
        return json.loads(found.stdout)
    begun = rekey("-init", f"-emergency-shares={shares}", f"-emergency-threshold={needed}")
    for share in recovery[:2]:
        answer = rekey(f"-nonce={begun['nonce']}", share)
    return answer["keys_base64"]


def elsewhere(folder, archive, shares, others):
    """Restores the snapshot in a new cluster of people's keys, which it opens by its own shares."""
    node = Node(folder, "other", PORT + 50).start("")
    made = node.must(200, "PUT", "sys/init", {"secret_shares": 1, "secret_threshold": 1})
    node.token = made["root_token"]
    check(give(COFFER, node, made["keys_base64"][0])[0] == 0, "its own key")
    node.opens()
    until("it is active", lambda: raw(node, "PUT", "sys/storage/raft/snapshot-force",
                                      archive)[0] == 204)
    until("it seals itself", lambda: node.status()["sealed"])
    check(node.status()["emergency_shares"] == 3, node.status())
    for share in others[:2]:
        give(COFFER, node, share)
    check(node.status()["sealed"] is True, "by shares of a later day")
    unseal(node, shares)
    node.stop()


def part(folder):
    peer, must, transit = transit_keeper(folder)
    nodes = [Node(folder, "n1", PORT)]
    nodes += [Node(folder, f"n{at + 1}", PORT + at * 10, joins=PORT) for at in (1, 2)]
    nodes[0].start(transit)
    made = nodes[0].must(200, "PUT", "sys/init", {
        "recovery_shares": 3, "recovery_threshold": 2,
        "emergency_shares": 3, "emergency_threshold": 2})
    recovery, first = made["recovery_keys_base64"], made["emergency_keys_base64"]
    for node in nodes:
        node.token = made["root_token"]
        if node is not nodes[0]:
            node.start(transit)
        node.opens()
    nodes[0].must(204, "POST", "sys/mounts/secret", {"type": "kv"})
    nodes[0].must(204, "POST", "secret/a", {"value": "kept"})
    until("all vote", lambda: all(one["voter"] for one in nodes[0].must(
        200, "GET", "sys/storage/raft/configuration")["data"]["config"]["servers"]))
    for node in nodes:
        node.joins = None
    status, archive = raw(nodes[0], "GET", "sys/storage/raft/snapshot")
    check(status == 200, status)
    shares = new_emergency_shares(nodes[0], recovery, 4, 2)
    for node in nodes:
        until("it tells the new numbers", lambda node=node: node.status()[
            "emergency_shares"] == 4)

    # The provider is gone, and then the power went.
    peer.stop(signal.SIGKILL)
    for node in nodes:
        node.stop(signal.SIGKILL)
    for node in nodes:
        node.start(transit)
    for node in nodes:
        known(node)
        node.warns("it is away")
        for share in first[:2]:
            give(COFFER, node, share)
        check(node.status()["sealed"] is True, "by shares that were replaced")
        unseal(node, shares)
    active(nodes)
    for node in nodes:
        node.reads()

    # It moves on to a key of the operator's.
    static = f'seal "static" {{\n  current_key = "{os.urandom(32).hex()}"\n' \
        '  current_key_id = "1"\n}'
    both = static + "\n" + transit.replace("{\n", '{\n  disabled = "true"\n', 1)
    leader = active(nodes)
    others = [node for node in nodes if node is not leader]
    for node in others:
        node.stop()
        node.start(both)
        known(node)
        check(give(COFFER, node, recovery[0], "-migrate")[0] == 0, "a recovery share")
        code, said = give(COFFER, node, recovery[1], "-migrate")
        check(code == 2 and "open the node by emergency shares" in said, said)
        unseal(node, shares)
        check(node.status()["migration"] is True, node.status())
        allow(node, recovery)
    leader.must(204, "PUT", "sys/step-down")
    for node in others:
        is_kept_by(node, "static")
        check("emergency_shares" not in node.status(), node.status())
    leader.stop()
    leader.start(static).opens()
    for node in nodes:
        node.stop(signal.SIGKILL)
    for node in nodes:
        node.start(static)
    for node in nodes:
        node.reads()
    # The last ones of them have no quorum any more.
    for node in nodes:
        node.stop()
    elsewhere(folder, archive, first, shares)
