#!/usr/bin/python
"""Documentation of an action: the code is in ../action_plugins/coffer_cluster.py."""

DOCUMENTATION = r"""
module: coffer_cluster
short_description: What concerns a coffer cluster as a whole
description:
  - Runs on the controller, which must reach the API of every member.
  - Reads the role's variables (C(coffer_group), C(coffer_tls_ca_file), C(coffer_keys_file),
    C(coffer_unseal_keys), C(coffer_token) and others) instead of taking them as options, so that no
    secret is in a task's arguments, and so in no log.
  - Works in check mode, in which it only looks.
options:
  do:
    description:
      - C(check_files) looks at the files on the controller, C(check_host) at what coffer_host told
        of this host, C(look) at all members.
      - C(start) starts this host's node, now and at each boot.
      - C(seal_secrets) writes what is secret in C(coffer_seals) to files of their own.
      - C(initialise) founds the cluster when no member is in one, once.
      - C(unseal) gives this host the keys, or waits until its seal has opened it. C(await_ready) waits until it is a voter and caught up.
      - C(restart) restarts this host's node and brings it back to what it was. C(reload) makes it
        read its certificates again, and waits until it shows the new one.
      - C(order) tells the order of an upgrade. C(save_snapshot) keeps one on the controller.
      - C(snapshot_token) makes a token that may read snapshots only.
      - C(remove_peer) takes this host out of the members.
    type: str
    required: true
    choices:
      - check_files
      - check_host
      - look
      - start
      - seal_secrets
      - initialise
      - unseal
      - await_ready
      - restart
      - reload
      - order
      - save_snapshot
      - snapshot_token
      - remove_peer
author: [coffer]
"""

EXAMPLES = r"""
- name: Initialise once
  coffer_cluster: {do: initialise}
  run_once: true
"""

RETURN = r"""
msg: {description: What was found or done., type: str, returned: sometimes}
binary: {description: The binary for this host., type: str, returned: by check_host}
same: {description: Folders and files that the host has already., type: list, returned: by check_host}
sha256: {description: Its checksum., type: str, returned: by check_host}
nodes: {description: Host to what it is., type: dict, returned: when looking}
active: {description: The host that is active., type: str, returned: when looking}
threshold: {description: How many keys unseal; 0 before there is a cluster., type: int, returned: when looking}
sealed: {description: Whether the node is still sealed., type: bool, returned: when unsealing}
order: {description: Hosts in the order of an upgrade., type: list, returned: by order}
token: {description: A token for the timer; censored., type: str, returned: by snapshot_token}
path: {description: Where the snapshot is., type: str, returned: by save_snapshot}
"""
