"""What keeps seals in the tests here: a real OpenBao's transit engine, moto, a key, a stick's file."""

import http.client
import json
import os
import subprocess

from suite import BAO, COFFER, MOTO, Program, ask, until

ROOT = "root-of-the-peer"
RULES = 'path "transit/+/+" { capabilities = ["update"] }'


class Providers:
    """One OpenBao and one moto, with a key each for whoever asks."""

    def __init__(self, folder, port):
        self.folder, self.port, self.keys = folder, port, 0
        self.bao = Program(os.path.join(folder, "bao.log"), BAO, "server", "-dev",
                           f"-dev-listen-address=127.0.0.1:{port}", f"-dev-root-token-id={ROOT}",
                           env={"HOME": folder})
        self.moto = Program(os.path.join(folder, "moto.log"), MOTO, "-H", "127.0.0.1", "-p",
                            str(port + 2), env={"HOME": folder})
        until("bao answers", lambda: ask(port, "GET", "sys/health")[0] == 200)
        self.must("POST", "sys/mounts/transit", {"type": "transit"})
        self.must("PUT", "sys/policies/acl/seal", {"policy": RULES})
        body = {"policies": ["seal"], "period": "1h"}
        self.token = self.must("POST", "auth/token/create-orphan", body)["auth"]["client_token"]
        until("moto answers", lambda: self.kms("ListKeys", {}) is not None)

    def must(self, method, path, body=None):
        status, found = ask(self.port, method, path, body, ROOT)
        assert status in (200, 204), f"{path}: {status} {found}"
        return found

    def kms(self, action, body):
        connection = http.client.HTTPConnection("127.0.0.1", self.port + 2, timeout=30)
        sent = {"X-Amz-Target": f"TrentService.{action}",
                "Content-Type": "application/x-amz-json-1.1",
                "Authorization": "AWS4-HMAC-SHA256 Credential=a/20200101/us-east-1/kms/"
                                 "aws4_request, SignedHeaders=host, Signature=x"}
        try:
            connection.request("POST", "/", json.dumps(body), sent)
            return json.loads(connection.getresponse().read())
        except (OSError, ValueError):
            return None
        finally:
            connection.close()

    def seal(self, kind, more=""):
        """A stanza of that kind with a key of its own; none for shamir."""
        self.keys += 1
        keys = {
            "shamir": lambda: None,
            "static": self.static,
            "file": self.file,
            "transit": self.transit,
            "awskms": self.awskms,
        }[kind]()
        if keys is None:
            return ""
        lines = "".join(f"  {key} = {json.dumps(value)}\n" for key, value in keys.items())
        return f'seal "{kind}" {{\n{lines}{more}}}\n'

    def static(self):
        return {"current_key": os.urandom(32).hex(), "current_key_id": f"{self.keys}"}

    def file(self):
        path = os.path.join(self.folder, f"stick-{self.keys}")
        subprocess.run([COFFER, "operator", "seal-key", path], check=True, capture_output=True)
        return {"path": path}

    def transit(self):
        name = f"key-{self.keys}"
        self.must("POST", f"transit/keys/{name}")
        return {"address": f"http://127.0.0.1:{self.port}", "token": self.token, "key_name": name,
                "mount_path": "transit/"}

    def awskms(self):
        made = self.kms("CreateKey", {})
        return {"region": "us-east-1", "kms_key_id": made["KeyMetadata"]["KeyId"],
                "endpoint": f"http://127.0.0.1:{self.port + 2}", "access_key": "id",
                "secret_key": "secret"}
