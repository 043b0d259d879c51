"""`sys/internal/specs/openapi`: valid, compared with OpenBao's, and held to by what is answered."""

import json
import os
import subprocess
import sys

from openapi_spec_validator import OpenAPIV30SpecValidator

from check import BAO, COFFER, SeedServer, call, wait
from openapi_differences import DIFFERENCES, UNTESTED

DOCUMENT = "/v1/sys/internal/specs/openapi"
FORMS = {
    "plain": "",
    "context": "?context=fleet",
    "generic_mount_paths": "?generic_mount_paths=true",
}
FUZZED_S = int(os.environ.get("OPENAPI_FUZZED_S", "60"))
CHECKS = "not_a_server_error,status_code_conformance,response_schema_conformance"
METHODS = ("get", "post", "put", "patch", "delete")


class RaftServer(SeedServer):
    """Unsealed, with all that a configuration can add, and a mount of each engine."""

    CONFIG = "raw_storage_endpoint = true\n" + SeedServer.CONFIG

    def start(self):
        super().start()
        made = self.put("sys/init", {"secret_shares": 1, "secret_threshold": 1}, token=None)
        self.token = made["root_token"]
        self.put("sys/unseal", {"key": made["keys"][0]}, token=None)
        wait("it is active", lambda: self.health() == 200)
        for path, version in (("secret", "2"), ("kv", "1")):
            self.put(f"sys/mounts/{path}", {"type": "kv", "options": {"version": version}})
        return self

    def put(self, path, body, **options):
        options.setdefault("token", getattr(self, "token", None))
        status, _, answer = call(self.port, "PUT", f"/v1/{path}", json.dumps(body), **options)
        assert status in (200, 204), (path, status, answer)
        return json.loads(answer) if answer else None

    def health(self):
        return call(self.port, "GET", "/v1/sys/health", token=None)[0]


def run(report):
    if not COFFER:
        report.skip("openapi", "OpenBao's document is its own")
        return
    with RaftServer(COFFER) as ours, RaftServer(BAO) as theirs:
        for server in (ours, theirs):
            server.start()
        report.section("openapi: documents")
        documents = {name: valid(report, ours, name, form) for name, form in FORMS.items()}
        forms(report, documents)
        report.section("openapi: OpenBao's")
        compare(report, documents["plain"], document(theirs, ""))
        report.section("openapi: what is answered")
        fuzz(report, ours)


def document(server, form):
    status, _, body = call(server.port, "GET", DOCUMENT + form, token=server.token)
    assert status == 200, (status, body)
    return json.loads(body)


def valid(report, server, name, form):
    found = document(server, form)
    errors = [error.message for error in OpenAPIV30SpecValidator(found).iter_errors()]
    report.equal(f"{name} is valid", errors[:3], [])
    return found


def forms(report, documents):
    plain, context = documents["plain"], documents["context"]
    ids = lambda found: sorted(op["operationId"] for _, _, op in operations(found))
    report.equal("context ends each id", ids(context), sorted(i + "-fleet" for i in ids(plain)))
    report.equal("ids are different", len(set(ids(plain))), len(ids(plain)))
    generic = documents["generic_mount_paths"]["paths"]
    report.ok("a mount's path is a parameter", "/{kv_mount_path}/{path}" in generic, list(generic))
    report.ok("but for what is there once", "/cubbyhole/{path}" in generic, list(generic))
    report.equal("all are there", len(generic), len(plain["paths"]))


def operations(found):
    for path, item in found["paths"].items():
        for method in METHODS:
            if method in item:
                yield path, method, item[method]


def facts(found):
    """Paths, methods and parameters, each as one line."""
    lines = set()
    for path, item in found["paths"].items():
        if path.startswith("/identity/"):
            continue
        lines.add(path)
        for method in METHODS:
            if method in item:
                lines.add(f"{path} {method}")
    for path, method, operation in operations(found):
        if path.startswith("/identity/"):
            continue
        named = found["paths"][path].get("parameters", []) + operation.get("parameters", [])
        for parameter in named:
            # OpenBao says a query's parameters at the path, ours say them at the method.
            lines.add(f"{path} {method} {parameter['in']} {parameter['name']}")
        body = operation.get("requestBody", {}).get("content", {})
        for media in body.values():
            for name in properties(found, media.get("schema", {})):
                lines.add(f"{path} {method} body {name}")
    return lines


def properties(found, schema):
    reference = schema.get("$ref")
    if reference:
        schema = found["components"]["schemas"][reference.rsplit("/", 1)[1]]
    return schema.get("properties", {})


def beginnings(line):
    """A line's path, and its method, where it says more."""
    words = line.split(" ")
    return [" ".join(words[:count]) for count in (2, 3) if count < len(words)]


def compare(report, ours, theirs):
    """Checks that every difference is listed, and that every entry is a difference."""
    ours, theirs = facts(ours), facts(theirs)
    found = {f"- {line}" for line in theirs - ours} | {f"+ {line}" for line in ours - theirs}
    # A missing path says it all, and so does a missing method.
    found = {line for line in found if not any(part in found for part in beginnings(line))}
    rows = [(pattern, reason) for reason, patterns in DIFFERENCES.items() for pattern in patterns]
    used = set()
    for line in sorted(found):
        row = next((row for row in rows if row[0].fullmatch(line)), None)
        report.ok(f"differs: {line}", row is not None, "not listed in openapi_differences.py")
        used.add(row)
    for row in rows:
        report.ok(f"listed: {row[0].pattern}", row in used, "nothing differs like this")
    alike = len(ours & theirs)
    report.ok("enough is alike", alike > 300, alike)
    print(f"   {alike} facts alike, {len(found)} differ as listed")


def fuzz(report, server):
    """A minute of requests that the document allows, and of some that it does not."""
    path = os.path.join(server.folder, "openapi.json")
    with open(path, "w") as file:
        json.dump(document(server, ""), file)
    done = subprocess.run(
        [
            os.path.join(os.path.dirname(sys.executable), "schemathesis"), "run", path,
            "--url", f"{server.address}/v1", "-H", f"X-Vault-Token: {server.token}",
            "--phases", "coverage,fuzzing", "--max-time", str(FUZZED_S), "--checks", CHECKS,
            "--continue-on-failure", "--suppress-health-check", "all",
            "--exclude-path-regex", "|".join(UNTESTED),
        ],
        capture_output=True, text=True, cwd=server.folder, timeout=FUZZED_S * 5 + 120,
    )
    tail = done.stdout[-6000:] + done.stderr[-2000:]
    report.equal("schemathesis finds nothing", done.returncode, 0) or print(tail)
    report.ok("and has tried", "No issues found" in done.stdout or "passed" in tail, tail)
    report.equal("the server is there", server.health(), 200)
    for line in done.stdout.splitlines():
        if "generated" in line or "Operations" in line:
            print("   " + line.strip())
