"""Policies and bodies that acl.py sends to both, each with the reason where we differ."""

PARSER = "our parser refuses an attribute that stands twice in a block"
TWICE = "what stands twice in an object is refused: the last would hide the first"
LABELS = "a block has one path; OpenBao passes over the second"
NOT_BUILT = "narrows a grant and is not built here, so it is refused by name"
EMPTY_DURATION = "a duration that is none is refused; OpenBao passes over it"
NUMBERS = "only names of capabilities and parameters are taken"
NO_LABEL = "a path block needs a path"

GRANT = 'capabilities = ["read"]'

DOCUMENTS = [
    ('path "a" { capabilities = ["read"] }', ""),
    (f'path "a" {{ {GRANT} expiration = "2020-01-01T00:00:00Z" }}', ""),
    (f'path "a" {{ {GRANT} expiration = "2120-01-01T00:00:00Z" }}', ""),
    (f'path "a" {{ {GRANT} expiration = "2120-01-01T00:00:00.5+02:00" }}', ""),
    (f'path "a" {{ {GRANT} expiration = "" }}', ""),
    (f'path "a" {{ {GRANT} expiration = "soon" }}', ""),
    (f'path "a" {{ {GRANT} expiration = 4102444800 }}', ""),
    (f'path "a" {{ {GRANT} expiration = "4102444800" }}', ""),
    (f'path "a" {{ {GRANT} expiration = "1" }}', ""),
    (f'path "a" {{ {GRANT} expiration = true }}', ""),
    (f'path "a" {{ {GRANT} expiration = "2120-01-01" }}', ""),
    (
        'path "a" { capabilities = ["deny"] expiration = "2020-01-01T00:00:00Z" }\n'
        'path "a" { capabilities = ["read"] }',
        "",
    ),
    (f'path "a" {{ {GRANT} capabilities = ["list"] }}', PARSER),
    (f'path "a" {{ {GRANT} expiration = "1" expiration = "2120-01-01T00:00:00Z" }}', PARSER),
    ('{"path":{"a":{"capabilities":["deny"]},"a":{"capabilities":["read"]}}}', ""),
    ('{"path":{"a":{"capabilities":["read"],"capabilities":["list"]}}}', ""),
    ('{"path":{"a":{"capabilities":["read"],"expiration":"1","expiration":""}}}', TWICE),
    (f'path "a" "b" {{ {GRANT} }}', LABELS),
    (f"path {{ {GRANT} }}", NO_LABEL),
    (f'path "a" {{ {GRANT} denied_parameters = {{ "x" = [] "x" = ["1"] }} }}', TWICE),
    (f'path "a" {{ {GRANT} denied_parameters "y" {{ "x" = [] }} }}', LABELS),
    (f'path "a" {{ {GRANT} denied_parameters = {{ "x" = "1" }} }}', ""),
    (f'path "a" {{ {GRANT} pagination_limit = 5 }}', NOT_BUILT),
    (f'path "a" {{ {GRANT} mfa_methods = ["x"] }}', NOT_BUILT),
    (f'path "a" {{ {GRANT} control_group = {{ ttl = "1h" }} }}', ""),
    (f'path "a" {{ {GRANT} subscribe_event_types = ["*"] }}', ""),
    ('path "a" { capabilities = ["subscribe"] }', ""),
    (f'path "a" {{ {GRANT} response_keys_filter_path = "x" }}', ""),
    (f'path "a" {{ {GRANT} ttl = "1h" }}', ""),
    (f'path "a" {{ {GRANT} Expiration = "1" }}', ""),
    (f'path "a" {{ {GRANT} comment = 5 }}', ""),
    ('path "a" { Capabilities = ["read"] }', ""),
    ('path "a" { capabilities = ["READ"] }', ""),
    ('path "a" { capabilities = "read" }', ""),
    ('path "a" { capabilities = ["read", 5] }', ""),
    ('path "a" { policy = "read" capabilities = ["deny"] }', ""),
    ('path "a" { policy = "deny" capabilities = ["read"] }', ""),
    ('path "a" { policy = "read" }', ""),
    ('path "a" { policy = "write" }', ""),
    ('path "a" { policy = "sudo" }', ""),
    (f'path "a" {{ {GRANT} required_parameters = "x" }}', ""),
    (f'path "a" {{ {GRANT} min_wrapping_ttl = "" }}', EMPTY_DURATION),
    (f'path "a" {{ {GRANT} min_wrapping_ttl = "-5s" }}', EMPTY_DURATION),
    (f'path "a" = {{ {GRANT} }}', ""),
    (f'expiration = "1"\npath "a" {{ {GRANT} }}', ""),
    (f'ttl = "1h"\npath "a" {{ {GRANT} }}', ""),
    (f'cas_required = true\npath "a" {{ {GRANT} }}', ""),
    (f'name = "x"\npath "a" {{ {GRANT} }}', ""),
    (f'PATH "a" {{ {GRANT} }}', ""),
    (f'path "/a" {{ {GRANT} }}', ""),
    (f'path "//a" {{ {GRANT} }}', ""),
    (f'path "a+" {{ {GRANT} }}\npath "+" {{ {GRANT} }}', ""),
    (f'path "b/+*" {{ {GRANT} }}', ""),
]

MEMBERS = "members of a list count one by one; OpenBao compares the whole"
READING = "values are compared as the engine reads them; OpenBao compares what was sent"
EXACT = "a name counts as it was sent; OpenBao allows it in any case"
ABSENT = "null is read as nothing, so it does not meet what is required"

TOKEN = "auth/token/create"
ADMIN = 'denied_parameters = { "policies" = ["admin"] }'
DEV = 'allowed_parameters = { "policies" = ["dev", "ops"] }'
MAX = 'required_parameters = ["explicit_max_ttl"]'
NAME = 'allowed_parameters = { "Name" = ["a"] "n" = [5, "7", true] }'
NO_NAME = 'denied_parameters = { "Name" = ["a"] "n" = [5, "7", true] }'

PARAMETERS = [
    (MAX, TOKEN, {"explicit_max_ttl": "5s", "policies": ["default"]}, ""),
    (MAX, TOKEN, {"EXPLICIT_MAX_TTL": "5s", "policies": ["default"]}, ""),
    (MAX, TOKEN, {"Explicit_max_ttl": "5s", "policies": ["default"]}, ""),
    (MAX, TOKEN, {"explicit_max_ttl": None, "policies": ["default"]}, ABSENT),
    (MAX, TOKEN, {"policies": ["default"]}, ""),
    ('required_parameters = ["Name"]', "kv/x", {"name": "a"}, ""),
    ('required_parameters = ["Name"]', "kv/x", {"Name": "a"}, ""),
    (ADMIN, TOKEN, {"policies": "one"}, ""),
    (ADMIN, TOKEN, {"policies": "admin"}, ""),
    (ADMIN, TOKEN, {"POLICIES": "admin"}, ""),
    (ADMIN, TOKEN, {"policies": ["admin"]}, MEMBERS),
    (ADMIN, TOKEN, {"policies": ["default", "admin"]}, MEMBERS),
    (ADMIN, TOKEN, {"policies": "default,admin"}, MEMBERS),
    (ADMIN, TOKEN, {"policies": " Admin"}, READING),
    (DEV, TOKEN, {"policies": "dev"}, ""),
    (DEV, TOKEN, {"policies": "other"}, ""),
    (DEV, TOKEN, {"policies": ["dev", "other"]}, ""),
    (DEV, TOKEN, {"policies": "dev,ops"}, ""),
    (DEV, TOKEN, {"policies": []}, ""),
    (DEV, TOKEN, {"policies": None}, ""),
    (DEV, TOKEN, {"policies": ["dev", "ops"]}, MEMBERS),
    (NAME, "kv/x", {"Name": "a"}, ""),
    (NAME, "kv/x", {"name": "a"}, ""),
    (NAME, "kv/x", {"NAME": "a"}, EXACT),
    (NAME, "kv/x", {"name": "b"}, ""),
    (NAME, "kv/x", {"other": "a"}, ""),
    (NAME, "kv/x", {"n": 5}, READING),
    (NAME, "kv/x", {"n": "5"}, READING),
    (NAME, "kv/x", {"n": "7"}, ""),
    (NAME, "kv/x", {"n": 7}, READING),
    (NAME, "kv/x", {"n": True}, ""),
    (NAME, "kv/x", {"n": "true"}, READING),
    (NAME, "kv/x", {"n": 6}, ""),
    (NO_NAME, "kv/x", {"Name": "a"}, ""),
    (NO_NAME, "kv/x", {"NAME": "a"}, ""),
    (NO_NAME, "kv/x", {"name": "b"}, ""),
    (NO_NAME, "kv/x", {"n": 5}, READING),
    (NO_NAME, "kv/x", {"n": "7"}, ""),
    (NO_NAME, "kv/x", {"n": True}, ""),
    (NO_NAME, "kv/x", {"n": 6}, ""),
]
