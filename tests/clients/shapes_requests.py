"""The requests of shapes.py, in order, and our intended differences."""

MERGE = "@Content-Type=application/merge-patch+json"

REQUESTS = """
# kv v2
GET secret/config
POST secret/config {"max_versions":5}
GET secret/config
POST secret/config {"cas_required":"yes"}
POST secret/config {"max_versions":"x"}
POST secret/config {"delete_version_after":"-1s"}
GET secret/config
POST secret/config {"delete_version_after":"0s","max_versions":0}
DELETE secret/config
LIST secret/config
GET secret/data/none
GET secret/data/
GET secret/data
GET secret/foo
POST secret/foo {"a":"b"}
DELETE secret/foo
LIST secret/
LIST secret/data
LIST secret/metadata
POST secret/data/a {"data":{"x":1,"f":1.5,"n":null,"o":{"p":{"q":1}},"l":[1,2]}}
GET secret/data/a
GET secret/data/a @X-Vault-Wrap-TTL=60
POST secret/data/a {"a":"b"}
POST secret/data/a {}
POST secret/data/a
POST secret/data/a {"data":null}
POST secret/data/a {"data":"str"}
POST secret/data/a {"data":5}
POST secret/data/a {"data":[1]}
POST secret/data/a {"data":{}}
POST secret/data/a {"data":{"a":1},"options":{"cas":0}}
POST secret/data/a {"data":{"a":1},"options":{"cas":"x"}}
POST secret/data/a {"data":{"a":1},"options":{"cas":"3"}}
POST secret/data/a {"data":{"a":1},"options":"x"}
POST secret/data/a/ {"data":{"a":1}}
POST secret/data/a {"data":{"a":1},"garbage":1}
POST secret/data/a [1]
POST secret/data/a {bad
POST secret/data/a FORM a=b&c=d
GET secret/data/a?version=1
GET secret/data/a?version=0
GET secret/data/a?version=-3
GET secret/data/a?version=99
GET secret/data/a?version=abc
GET secret/data/a?version=
GET secret/data/a?foo=1
DELETE secret/data/none
DELETE secret/data/a
DELETE secret/data/a
GET secret/data/a
PATCH secret/data/a MERGE {"data":{"b":1}}
PATCH secret/data/none MERGE {"data":{"b":1}}
PATCH secret/data/none MERGE {}
PATCH secret/data/a @Content-Type=application/json {"data":{"b":1}}
POST secret/undelete/a {"versions":[5]}
PATCH secret/data/a MERGE {"data":{"b":1}}
PATCH secret/data/a MERGE {"data":{"b":1},"options":{"cas":1}}
GET secret/metadata/a
POST secret/undelete/a {}
POST secret/undelete/a {"versions":["a"]}
POST secret/undelete/none {"versions":"4,5"}
POST secret/delete/a {"versions":[1,99]}
POST secret/delete/a {}
PUT secret/destroy/a {"versions":["1"]}
PUT secret/destroy/a {}
PUT secret/destroy/none {"versions":["1"]}
GET secret/data/a?version=1
GET secret/metadata/a
GET secret/metadata/none
DELETE secret/metadata/none
GET secret/undelete/a
LIST secret/delete/a
GET secret/subkeys/a
GET secret/subkeys/none
GET secret/subkeys/a?depth=x
POST secret/subkeys/a {"a":1}
POST secret/metadata/m {}
GET secret/metadata/m
POST secret/metadata/m {"max_versions":3,"cas_required":true,"delete_version_after":"3h25m19s","custom_metadata":{"a":"b"}}
GET secret/metadata/m
POST secret/data/m {"data":{"a":1}}
POST secret/data/m {"data":{"a":1},"options":{"cas":0}}
PATCH secret/data/m MERGE {"data":{"a":2}}
GET secret/data/m
POST secret/metadata/m {"max_versions":"x"}
POST secret/metadata/m {"delete_version_after":"x"}
POST secret/metadata/m {"delete_version_after":"-1s"}
POST secret/metadata/m {"custom_metadata":"x"}
POST secret/metadata/m {"custom_metadata":{"a":{"b":1}}}
POST secret/metadata/m {"custom_metadata":{"":"a"}}
POST secret/metadata/m {"custom_metadata":{"a":""}}
POST secret/metadata/m {"foo":1}
PATCH secret/metadata/m MERGE {}
PATCH secret/metadata/m MERGE {"custom_metadata":{"a":null,"c":"d"},"max_versions":null}
PATCH secret/metadata/m MERGE {"custom_metadata":"x"}
PATCH secret/metadata/none MERGE {"max_versions":1}
GET secret/metadata/m
POST secret/metadata {"max_versions":1}
POST secret/metadata/x/ {"max_versions":1}
POST secret/config {"cas_required":true}
POST secret/metadata/m {"cas_required":false}
POST secret/config {"cas_required":false}
POST secret/data/l/a {"data":{}}
POST secret/data/l/b/c {"data":{}}
POST secret/data/l/d/e {"data":{}}
LIST secret/metadata/l
LIST secret/metadata/l/
GET secret/metadata/l?list=true
LIST secret/metadata/l?limit=1
LIST secret/metadata/l?limit=1&after=a
LIST secret/metadata/l?limit=x
SCAN secret/metadata/l
GET secret/metadata/l?scan=true
LIST secret/detailed-metadata/l
GET secret/detailed-metadata/l/a
LIST secret/metadata/none
SCAN secret/metadata/none
DELETE secret/metadata/l/a
LIST secret/metadata/l

# kv v1
POST sys/mounts/one {"type":"kv"}
POST one/a {"x":12345678901234567890,"f":1.50,"n":null}
GET one/a
POST one/a {}
POST one/a
POST one/a/ {"a":1}
POST one {"a":1}
GET one/none
GET one/
DELETE one/none
PATCH one/a MERGE {"y":1}
POST one/t {"ttl":"1h","v":1}
GET one/t
POST one/b/c {"a":1}
LIST one
LIST one/b
LIST one/nope
SCAN one/
POST one/form FORM a=1&b=2
GET one/form
POST one/bare FORM hello
GET one/bare

# cubbyhole
POST cubbyhole/a {"x":1}
GET cubbyhole/a
GET cubbyhole/none
LIST cubbyhole
LIST cubbyhole/none
POST cubbyhole/a/ {"a":1}
PATCH cubbyhole/a MERGE {"y":1}
DELETE cubbyhole/a
DELETE cubbyhole/none

# mounts
GET sys/mounts/one
GET sys/mounts/none
GET sys/mounts/one/tune
POST sys/mounts/one/tune {"default_lease_ttl":"1h"}
POST sys/mounts/one/tune {"default_lease_ttl":"x"}
POST sys/mounts/one {"type":"kv"}
POST sys/mounts/one/inner {"type":"kv"}
POST sys/mounts/x {"type":"nonsense"}
POST sys/mounts/x {}
POST sys/mounts/sys/x {"type":"kv"}
DELETE sys/mounts/none
DELETE sys/mounts/sys
DELETE sys/mounts/one
GET one/a
GET sys/internal/ui/mounts/secret
GET nowhere/a
GET nowhere/a @token=
GET nowhere/a @token=s.bad
GET secret/data/a @token=
GET secret/data/a @token=s.bad

# policies
PUT sys/policies/acl/reader {"policy":"path \\"secret/data/m\\" {capabilities=[\\"read\\"]}"}
GET sys/policies/acl/reader
GET sys/policy/reader
GET sys/policies/acl
LIST sys/policies/acl
GET sys/policy
GET sys/policies/acl/none
PUT sys/policies/acl/broken {"policy":"path \\"x\\" {"}
PUT sys/policies/acl/broken {}
PUT sys/policies/acl/root {"policy":"path \\"x\\" {capabilities=[\\"read\\"]}"}
DELETE sys/policies/acl/root
DELETE sys/policies/acl/default
DELETE sys/policies/acl/none
POST sys/capabilities-self {"path":"secret/data/m"}
POST sys/capabilities-self {"paths":["secret/data/m","x"]}
POST sys/capabilities-self {}

# tokens
POST auth/token/create {"policies":["reader"],"ttl":"1h","meta":{"a":"b"}} -> t=auth.client_token a=auth.accessor
GET auth/token/lookup-self @token={t}
GET secret/data/m @token={t}
POST secret/data/m @token={t} {"data":{}}
GET secret/data/other @token={t}
GET nowhere/a @token={t}
POST sys/capabilities {"token":"{t}","path":"secret/data/m"}
POST sys/capabilities-accessor {"accessor":"{a}","path":"secret/data/m"}
POST auth/token/lookup {"token":"{t}"}
POST auth/token/lookup {"token":"none"}
POST auth/token/lookup-accessor {"accessor":"{a}"}
POST auth/token/lookup-accessor {"accessor":"none"}
POST auth/token/renew {"token":"{t}"}
POST auth/token/renew-self @token={t} {"increment":"2h"}
POST auth/token/renew {"token":"none"}
POST auth/token/renew-self
GET auth/token/lookup-self
POST auth/token/create @token={t} {"policies":["root"]}
POST auth/token/create {"policies":["none"]}
POST auth/token/create {"type":"batch","policies":["reader"],"ttl":"1h"} -> b=auth.client_token
GET auth/token/lookup-self @token={b}
GET secret/data/m @token={b}
GET cubbyhole/a @token={b}
POST auth/token/revoke {"token":"{b}"}
POST auth/token/create {"type":"batch"}
POST auth/token/create {"type":"x"}
POST auth/token/create {"ttl":"x"}
POST auth/token/create-orphan {"policies":["default"]}
POST auth/token/roles/web {"allowed_policies":["default"],"orphan":true}
GET auth/token/roles/web
LIST auth/token/roles
POST auth/token/create/web {"policies":["default"]}
POST auth/token/create/web {"policies":["reader"]}
POST auth/token/create/none {"policies":["reader"]}
DELETE auth/token/roles/web
GET auth/token/roles/web
POST auth/token/revoke {"token":"{t}"}
GET secret/data/m @token={t}
POST auth/token/revoke {"token":"none"}
POST auth/token/revoke-accessor {"accessor":"none"}

# wrapping
POST sys/wrapping/wrap @X-Vault-Wrap-TTL=60 {"x":"y"} -> w=wrap_info.token
POST sys/wrapping/lookup {"token":"{w}"}
POST sys/wrapping/lookup @token= {"token":"{w}"}
POST sys/wrapping/rewrap {"token":"{w}"} -> w2=wrap_info.token
POST sys/wrapping/unwrap {"token":"{w}"}
POST sys/wrapping/unwrap {"token":"{w2}"}
POST sys/wrapping/unwrap {"token":"{w2}"}
POST sys/wrapping/unwrap @token= {"token":"{w2}"}
POST sys/wrapping/wrap {"x":"y"}
POST sys/wrapping/lookup {"token":"none"}

# leases
LIST sys/leases/lookup/
PUT sys/leases/lookup {"lease_id":"none"}
PUT sys/leases/renew {"lease_id":"none"}
PUT sys/leases/revoke {"lease_id":"none"}
PUT sys/leases/lookup {}

# system
GET sys/health @token=
HEAD sys/health @token=
GET sys/health?activecode=299 @token=
GET sys/seal-status @token=
GET sys/leader @token=
GET sys/ha-status
GET sys/init @token=
PUT sys/init @token= {"secret_shares":1,"secret_threshold":1}
PUT sys/unseal @token= {"key":"x?"}
PUT sys/unseal @token= {"key":"abcd"}
PUT sys/unseal @token= {}
GET sys/key-status
PUT sys/rotate
GET sys/auth
GET sys/auth/token/tune
DELETE sys/auth/token
POST sys/auth/x {"type":"nonsense"}
GET sys/audit
POST sys/tools/random/16 {"format":"hex"}
POST sys/tools/random/x
POST sys/tools/hash/sha2-256 {"input":"YWJj"}
POST sys/tools/hash/md7 {"input":"YWJj"}
POST sys/tools/hash/sha2-256 {"input":"?"}
LIST sys/version-history
GET sys/internal/ui/mounts
GET sys/host-info
GET sys/config/cors
GET sys/config/state/sanitized
GET sys/config/ui/headers
GET sys/in-flight-req
GET sys/loggers
GET sys/nonsense
GET sys/raw/core
GET sys/mounts @token=
POST sys/remount {"from":"none/","to":"some/"}
FOO secret/data/a
"""
FORM = "@Content-Type=application/x-www-form-urlencoded"
REQUESTS = REQUESTS.replace("MERGE", MERGE).replace("FORM", FORM)

# Request line -> (pattern that every fault must match, why our answer is another one).
PARSER = "our parser has its own words for a syntax error"
COMMIT = (r"commit_date is missing", "OpenBao's own field; Vault's build_date is there")
POLICY_FIELDS = (
    r"identity_templates is missing",
    "a template never takes a value with a wildcard or a slash here",
)
DIFFERENCES = {
    "POST secret/data/a [1]": (r"failed to decode JSON input: ", PARSER),
    "POST secret/data/a {bad": (r"failed to decode JSON input: ", PARSER),
    "GET sys/policies/acl/reader": POLICY_FIELDS,
    "GET sys/policy/reader": POLICY_FIELDS,
    'PUT sys/policies/acl/broken {"policy":"path \\"x\\" {"}': (
        r"failed to parse policy: At 1:1\d: ", PARSER,
    ),
    "POST auth/token/renew-self": (
        r"lease is not renewable.*invalid lease ID",
        "OpenBao's dev root token has a lease; one from init has none and gets our answer",
    ),
    'POST sys/wrapping/unwrap @token= {"token":"{w2}"}': (
        r"400 there, 403 here|wrapping token.*permission denied",
        "without a valid caller nothing is told about a token in the body",
    ),
    "GET sys/seal-status @token=": COMMIT,
    'PUT sys/unseal @token= {"key":"abcd"}': COMMIT,
    "GET sys/leader @token=": (
        r"(is_self|leader_address|leader_cluster_address) is ours alone",
        "Vault sends them without HA too",
    ),
    "GET sys/key-status": (r"older_terms is ours alone", "what is left under older keys"),
    "POST sys/tools/random/x": (r"error parsing url-set byte count: ", PARSER),
    'POST sys/tools/hash/sha2-256 {"input":"?"}': (r"unable to decode input as base64", PARSER),
    "LIST sys/version-history": (r"\.(key_info\.\d|keys: )", "another version"),
    "GET sys/internal/ui/mounts": (r"identity/ is missing", "no identity store yet"),
    "GET sys/config/state/sanitized": (
        r"^\.data\.", "another server's configuration, whose fields only partly have counterparts",
    ),
    "GET sys/raw/core": (r"unsupported path", "raw is off, so the path does not exist, as in Vault"),
}
