"""The same policies to OpenBao and to us: what they grant must agree, or be of a kind that stands in
`LISTED` with the reason.

Random policies and paths, from a seed that is printed. ACL_SEED=n replays one, ACL_PAIRS=n tries
more pairs of policy and path than the few of the short run."""

import http.client
import json
import os
import random

from acl_cases import DOCUMENTS, PARAMETERS
from check import BAO, DEADLINE_S, DevServer, SERVER, server_binary

PAIRS = int(os.environ.get("ACL_PAIRS", "6000"))
SEED = int(os.environ.get("ACL_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)
PATHS_EACH = 60
CAPABILITIES = ["create", "read", "update", "delete", "list", "sudo", "patch", "scan"]
# The secrets to be read and listed.
SECRETS = ["kv/a", "kv/a/a", "kv/a/b", "kv/a/b/c", "kv/ab", "kv/ab/b", "kv/b/a/b", "kv/b/ab"]

LISTED = {
    "stricter": "a list of `x/`, where a deny written for `x` is more specific than what is "
    "written for `x/`: we deny as Vault does",
}


def run(report):
    print(f"acl: ACL_SEED={SEED} ACL_PAIRS={PAIRS}", flush=True)
    with DevServer(BAO).start() as bao, DevServer(server_binary()).start() as ours:
        sides = [Side(bao), Side(ours)]
        for side in sides:
            side.prepare()
        documents(report, sides)
        parameters(report, sides)
        pairs(report, sides)


class Side:
    """One server, over one connection."""

    def __init__(self, server):
        self.connection = http.client.HTTPConnection(
            server.host, server.port, timeout=DEADLINE_S
        )
        self.token = ""

    def send(self, method, path, body=None, token="root"):
        body = None if body is None else json.dumps(body)
        self.connection.request(method, "/v1/" + path, body, {"X-Vault-Token": token})
        response = self.connection.getresponse()
        raw = response.read()
        return response.status, json.loads(raw) if raw else None

    def must(self, *arguments):
        status, answer = self.send(*arguments)
        if status >= 300:
            raise RuntimeError(f"{arguments}: {status} {answer}")
        return answer

    def prepare(self):
        self.must("POST", "sys/mounts/kv", {"type": "kv", "options": {"version": "1"}})
        for path in SECRETS:
            self.must("POST", path, {"x": "1"})
        names = {"policies": ["one", "two"], "no_default_policy": True}
        self.token = self.must("POST", "auth/token/create", names)["auth"]["client_token"]
        self.must("PUT", "sys/policies/acl/two", {"policy": 'path "nowhere" {}'})

    def write(self, name, text):
        return self.send("PUT", "sys/policies/acl/" + name, {"policy": text})

    def capabilities(self, paths):
        found = self.must("POST", "sys/capabilities", {"token": self.token, "paths": paths})
        return {path: found["data"][path] for path in paths}

    def allows(self, method, path, body=None):
        return self.send(method, path, body, self.token)[0] != 403


# === documents and parameters ===


def documents(report, sides):
    """Each text is taken or refused alike, and grants the same on a few paths."""
    paths = ["a", "b", "b/a", "path", "a/"]
    for text, difference in DOCUMENTS:
        statuses = [side.write("one", text)[0] for side in sides]
        found = [statuses]
        if statuses == [204, 204]:
            found.append([side.capabilities(paths) for side in sides])
        same = all(theirs == ours for theirs, ours in found)
        judge(report, f"document {text}", same, difference, found)


def parameters(report, sides):
    """Each body is let through or refused alike."""
    for rule, path, body, difference in PARAMETERS:
        text = f'path "{path}" {{ capabilities = ["create", "update", "sudo"] {rule} }}'
        for side in sides:
            if side.write("one", text)[0] != 204:
                report.fail(f"policy {text}", side.write("one", text))
        theirs, ours = [side.allows("POST", path, body) for side in sides]
        judge(report, f"{rule} {body}", theirs == ours, difference, (theirs, ours))


def judge(report, name, same, difference, found):
    if SERVER == "bao" or not difference:
        report.ok(name, same, f"differs: {found}")
    else:
        report.ok(name, not same, f"no longer different: {difference}")


# === random pairs ===


def pairs(report, sides):
    chance = random.Random(SEED)
    tried = listed = requests = 0
    while tried < PAIRS:
        rules = [a_rule(chance) for _ in range(chance.randint(1, 6))]
        cut = chance.randint(0, len(rules))
        for name, part in (("one", rules[:cut]), ("two", rules[cut:])):
            for side in sides:
                status, answer = side.write(name, text_of(part))
                if status != 204:
                    report.fail(f"policy {part}", answer)
        paths = sorted({a_path(chance) for _ in range(PATHS_EACH)})
        theirs, ours = [side.capabilities(paths) for side in sides]
        faults = []
        for path in paths:
            if theirs[path] != ours[path]:
                if is_stricter(rules, path) and ours[path] == ["deny"]:
                    listed += 1
                else:
                    faults.append(f"{path}: {theirs[path]} there, {ours[path]} here")
        for path in chance.sample(paths, 3):
            if not path.startswith("kv/") or path.strip("/") == "kv":
                continue
            for method in ("GET", "LIST", "SCAN"):
                asked = path if method != "GET" else path.rstrip("/")
                requests += 1
                granted = [side.allows(method, asked) for side in sides]
                if granted[0] != granted[1] and not (
                    method != "GET" and is_stricter(rules, path.rstrip("/") + "/")
                ):
                    faults.append(f"{method} {asked}: {granted[0]} there, {granted[1]} here")
        tried += len(paths)
        report.ok(f"ACL_SEED={SEED}: {text_of(rules)}", not faults, "\n".join(faults))
    print(
        f"acl: {tried} pairs of policy and path and {requests} requests tried; {listed} pairs "
        f"differ as listed: {LISTED['stricter']}",
        flush=True,
    )


def a_rule(chance):
    segments = [chance.choice(["kv", "kv", "kv", "kv", "+", "a"])]
    for _ in range(chance.choice([0, 1, 1, 1, 2, 2, 3])):
        segments.append(chance.choice(["a", "a", "b", "ab", "+", "+", "+", "+a", "a+", "*"]))
    path = "/".join(segments) + chance.choice(["", "", "/", "*", "/*", "/*", "/a*"])
    if "+*" in path:
        path = path.replace("+*", "+/*")
    size = chance.choice([1, 1, 2, 3])
    return path, ["deny"] if chance.random() < 0.3 else chance.sample(CAPABILITIES, size)


def a_path(chance):
    segments = [chance.choice(["kv", "kv", "kv", "kv", "kv", "a"])]
    for _ in range(chance.choice([0, 1, 1, 2, 2, 2, 3, 4])):
        segments.append(chance.choice(["a", "a", "b", "b", "ab", "abc", "c", "+a", "a+"]))
    return "/".join(segments) + chance.choice(["", "/"])


def text_of(rules):
    blocks = (f'path "{path}" {{ capabilities = {json.dumps(what)} }}' for path, what in rules)
    return "\n".join(blocks) or 'path "nowhere" {}'


def is_stricter(rules, path):
    """Is this list one of those that `LISTED` speaks of? Says so by the rules' own words."""
    if not path.endswith("/"):
        return False
    denied = {rule for rule, what in rules if "deny" in what}
    names = {rule for rule, _ in rules}
    folder = max((rank(rule) for rule in names if fits(rule, path)), default=None)
    plain = max((rank(rule) for rule in names if fits(rule, path[:-1])), default=None)
    return bool(folder and plain and plain > folder and plain[-1] in denied)


def has_segments(rule):
    return rule == "+" or rule.startswith("+/") or "/+" in rule


def fits(rule, path):
    """Does a rule with wildcards match?"""
    prefix = rule.endswith("*")
    body = rule[:-1] if prefix else rule
    if not has_segments(rule):
        return prefix and path.startswith(body)
    wanted, found = body.split("/"), path.split("/")
    if len(found) < len(wanted) or not prefix and len(found) != len(wanted):
        return False
    last = len(wanted) - 1
    return all(
        part in ("+", found[at]) or prefix and at == last and found[at].startswith(part)
        for at, part in enumerate(wanted)
    )


def rank(rule):
    """The more specific of two is the greater."""
    prefix = rule.endswith("*")
    body = rule[:-1] if prefix else rule
    first = body.index("+") if has_segments(rule) else len(body)
    return first, not prefix, -body.split("/").count("+"), len(body), body, rule
