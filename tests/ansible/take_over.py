"""Tests that the role has the active node step down, against two pretended nodes: it asks again
before it gives up, and reports what it saw. Run by `run`, with ansible-core at hand."""

import http.server
import importlib.util
import json
import os
import threading
import types

HERE = os.path.dirname(os.path.abspath(__file__))
PLUGIN = os.path.join(HERE, "../../ansible/roles/coffer/action_plugins/coffer_cluster.py")
spec = importlib.util.spec_from_file_location("coffer_cluster", PLUGIN)
role = importlib.util.module_from_spec(spec)
spec.loader.exec_module(role)
role.TAKE_OVER_S, role.POLL_S = 0.5, 0.02


class Pair:
    """pi2 is active, and pi1 takes over when pi2 is asked for the `heeds`th time."""

    def __init__(self, heeds, refusal=None):
        self.heeds, self.refusal, self.asked = heeds, refusal, 0
        self.nodes = [self._serve(host) for host in ("pi1", "pi2")]

    def _serve(self, host):
        pair = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                active = "pi1" if pair.heeds and pair.asked >= pair.heeds else "pi2"
                status = {"initialized": True, "sealed": False, "standby": host != active}
                self._answer(429 if status["standby"] else 200, status)

            def do_PUT(self):
                assert (host, self.path) == ("pi2", "/v1/sys/step-down")
                pair.asked += 1
                status = pair.refusal if pair.asked == 1 and pair.refusal else 204
                self._answer(status, {"errors": ["not now"]} if status >= 400 else {})

            def _answer(self, status, body):
                body = b"" if status == 204 else json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return role.Node(host, host, f"http://127.0.0.1:{server.server_port}")

    def step_down(self):
        """Returns the role's message when it gives up."""
        action = role.ActionModule.__new__(role.ActionModule)
        action._task = types.SimpleNamespace(check_mode=False)
        action._nodes, action._token = lambda: self.nodes, lambda: "token"
        try:
            action._step_down(self.nodes[1])
        except role.Stop as stop:
            return str(stop)
        return None


at_once = Pair(heeds=1)
assert at_once.step_down() is None and at_once.asked == 1, at_once.asked

later = Pair(heeds=3)
assert later.step_down() is None and later.asked == 3, later.asked

# A node that cannot answer for now is asked again, too.
busy = Pair(heeds=2, refusal=503)
assert busy.step_down() is None and busy.asked == 2, busy.asked

never = Pair(heeds=None)
said = never.step_down()
assert never.asked == role.STEP_DOWNS, never.asked
for words in ("nobody took over from pi2, asked 3 times", "it was left running",
              "pi2 stepped down", "pi1 is standby, pi2 is active"):
    assert words in said, said

forbidden = Pair(heeds=None, refusal=403)
said = forbidden.step_down()
assert forbidden.asked == 1 and "needs update and sudo" in said, said
print("   the role asks again before it gives up, and says what it saw")
