"""The differences of our document from OpenBao's for the same mounts, with the reasons.

A line is `-` (only OpenBao says it) or `+` (only ours does), a path, and perhaps a method and a
parameter with its place. Each pattern must fit a whole line, and some line.
"""

import re

# Features that this server does not have: their paths answer 404.
MISSING = "|".join(
    (
        "config/reload/.*",
        "control-group/.*",
        "decode-token",
        "external-keys/.*",
        "internal/counters/.*",
        "internal/inspect/.*",
        "internal/ui/namespaces",
        "locked-users.*",
        "mfa/.*",
        "monitor",
        "namespaces.*",
        "plugins/reload/.*",
        "policies/detailed/.*",
        "policies/password.*",
        "pprof.*",
        "quotas/.*",
        "workflows.*",
    )
)
VALUES = "allow_(slashes|wildcards)_in_identity_templates"


def rows(*patterns):
    return [re.compile(pattern) for pattern in patterns]


DIFFERENCES = {
    "not built": rows(rf"- /sys/({MISSING})"),
    "plugins cannot be registered: the catalog is what the binary has": rows(
        r"- /sys/plugins/catalog/\{name\}",
        r"- /sys/plugins/catalog/\{type\}/\{name\} (delete|post)",
    ),
    "CORS is not built: its settings can be read, and say that it is off": rows(
        r"- /sys/config/cors (delete|post)",
    ),
    "no identity store yet, so a policy's templates have no values": rows(
        rf"- /sys/(policies/acl|policy)/\{{name\}} post body {VALUES}",
    ),
    "policies are not patched yet": rows(r"- /sys/policies/acl/\{name\} patch"),
    "no method locks users out yet: refused by name": rows(
        r"- /sys/(auth|mounts)/\{path\}/tune post body user_lockout_config",
    ),
    "OpenBao says parameters of reads at the body of writes, or not at all": rows(
        r"[+] /secret/data/\{path\} get query version",
        r"- /secret/data/\{path\} (patch|post) body version",
        r"[+] /secret/(detailed-)?metadata/\{path\} get query (after|limit)",
        r"- /secret/metadata/\{path\} (patch|post) body (after|limit)",
        r"[+] /secret/subkeys/\{path\} get query (depth|version)",
        r"[+] /sys/config/ui/headers/\{header\} get query multivalue",
        r"[+] /sys/health get query \w+",
        r"[+] /sys/leases get query (include_child_namespaces|limit|type)",
        r"[+] /sys/leases/count get query (include_child_namespaces|type)",
        r"[+] /sys/raw/\{path\} get query (compressed|compression_type|encoding)",
        r"- /sys/raw/\{path\} post body (after|limit)",
        r"[+] /sys/internal/specs/openapi get query context",
        r"[+] /sys/internal/specs/openapi post body generic_mount_paths",
        r"- /sys/internal/specs/openapi post query generic_mount_paths",
    ),
    "OpenBao takes these, too, but does not say so": rows(
        r"[+] /sys/generate-root/attempt post body otp",
        r"[+] /sys/init post body stored_shares",
        r"[+] /sys/rekey-recovery-key/(init|update|verify)",
        r"[+] /sys/mounts/auth/\{path\}/tune",
        r"[+] /sys/storage/raft/join",
        r"[+] /sys/unseal post body migrate",
    ),
    "a rekey is cancelled with its nonce, as in Vault": rows(
        r"[+] /sys/(rekey|rotate/(recovery|root))/(init|verify) delete query nonce",
    ),
    "the root key stays: it is not in memory with the seal key": rows(r"- /sys/rotate/root"),
    "older names, which Vault has and OpenBao has no more": rows(
        r"[+] /sys/policies/acl/\{name\} post body rules",
        r"[+] /sys/(renew|revoke)(/\{url_lease_id\})?",
        r"[+] /sys/revoke-(force|prefix)/\{prefix\}",
    ),
    "OpenBao shows one pattern as several paths, with fields of the path in bodies": rows(
        r"- /secret/\^\.\*\$",
        r"- /sys/generate-root",
        r"- /sys/leases/lookup/",
        r"- /sys/leases/(renew|revoke) post body url_lease_id",
        r"- /sys/raw (delete|get query list|post)",
        r"- /sys/tools/hash post body urlalgorithm",
        r"- /sys/tools/random post body (source|urlbytes)",
        r"- /sys/tools/random/\{source\}",
        r"- /sys/tools/random/\{urlbytes\} post body source",
    ),
    "joining has a challenge and an answer of its own": rows(
        r"[+] /sys/storage/raft/bootstrap/answer post body (challenge|proof|statement)",
        r"[+] /sys/storage/raft/bootstrap/(answer|challenge) post body token_id",
        r"- /sys/storage/raft/bootstrap/answer post body (answer|cluster_addr|non_voter)",
    ),
    "ours alone": rows(
        r"[+] /sys/(auth|mounts)/\{path\}/tune post body force_no_cache",
        r"[+] /sys/storage/raft/remove-peer post body force",
        r"[+] /sys/storage/raft/join-token",
        r"[+] /sys/seal-backend-status",
        r"[+] /sys/rotate/rewrap",
        r"[+] /sys/drill",
        r"[+] /sys/storage/wear",
        r"[+] /sys/(init|(rekey|rekey-recovery-key|rotate/(recovery|root))/init) post body "
        r"emergency_(pgp_keys|shares|threshold)",
        r"[+] /sys/storage/raft/snapshot-auto/(config|config/\{name\}|status/\{name\})",
    ),
}

# Paths that are not tried: they end the server, or the token that all others are tried with.
UNTESTED = [
    "^/sys/(seal|step-down|init|unseal)$",
    "^/auth/token/revoke-self$",
]
