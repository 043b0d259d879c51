"""The differences of our answers about seals from OpenBao's, with the reasons.

Each pattern must be found in a line that `differential.py` prints, and some line must have it.
"""

import re


def rows(*patterns):
    return [re.compile(pattern) for pattern in patterns]


DIFFERENCES = {
    "Vault's fields, which OpenBao has dropped": rows(
        r": build_date text, theirs missing",
        r"sys/health: (enterprise|performance_standby) ",
        r"sys/leader: performance_standby",
        r"sys/rotate/(recovery|root)/\w+(?: \(\d\))?: mount_type text system",
        r"sys/key-status: mount_type ",
    ),
    "the node is sealed after an init, and key holders learn of their cluster": rows(
        r"PUT sys/init: cluster_(id|name) text, theirs missing",
    ),
    "a share without migrate is told the remedy, too": rows(
        r"seal migration is pending: give the share with migrate",
    ),
    "keys that open nothing have one text, with a migration and without": rows(
        r"from unseal keys, wrong: PUT sys/unseal: errors",
    ),
    "OpenBao's own field": rows(r": commit_date missing, theirs text"),
    "keys are told with the cluster that they are of": rows(
        r"init: PUT sys/init: cluster_(id|name) text, theirs missing",
    ),
    "no replication, so its mode is disabled": rows(r"replication_performance_mode"),
    "old key terms that may be dropped are told of": rows(r"older_terms list, theirs missing"),
    "Vault's path, which OpenBao does not have": rows(r"GET sys/seal-backend-status: "),
    "a root token has 28 characters, hvs. and 24": rows(r"otp_length number 28, theirs number 26"),
    "there are no namespaces": rows(r"theirs \['root generation already in progress for this name"),
    "OpenBao repeats what Go's decoder says": rows(r"theirs \['failed to decode JSON input"),
    "OpenBao prints Go's form of an error": rows(r"theirs \[.*%!w\("),
    "OpenBao's words of what GnuPG's format lacks": rows(r"error parsing given PGP key"),
    "a client's fault is 400, as Vault has it": rows(
        r"PUT sys/rekey(-recovery-key)?/init: status 400, theirs 500",
        r"(to|from) .*, unsaid: PUT sys/unseal: status 400, theirs 500",
    ),
    "a ceremony is given up with its nonce, as Vault has wanted since 1.20": rows(
        r"another nonce: DELETE sys/(rotate|rekey)\S*/init: (status 400, theirs 204|.*incorrect)",
    ),
    "a share that is too short is refused at once by the newer paths, too; OpenBao counts it, and "
    "stops at the next one": rows(
        r"rekey, short: PUT sys/rotate/",
        r"rekey, another cluster's: PUT sys/rotate/",
    ),
    "shares are not backed up in the clear; OpenBao's newer paths begin that": rows(
        r"a backup without PGP: PUT sys/rotate/",
    ),
    "the newer paths have the words of the older ones": rows(r"theirs \[\"missing required field 'key'"),
    "which of two faults is told first": rows(r"init, one only: PUT sys/init: errors .*at least one"),
}
