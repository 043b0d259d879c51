"""The action `coffer_cluster`: everything that concerns the cluster as a whole.

It runs on the controller and speaks to the nodes' API itself, for three reasons. Tokens and unseal
keys stay in one process: they are in no task's arguments, in no module's file, and on no host but
the node they are for, over TLS. `init` is one step: the file for the keys is made, and the vault
password tried, before the node is asked. And an error can say what to do, since nothing secret is
in it that `no_log` would have to hide.

The options are documented in ../library/coffer_cluster.py; everything else it reads from the role's
variables.
"""

from __future__ import annotations

import importlib.util
import os
import re
import time

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase


def _room(name):
    """A file of the role's plugin_utils: roles have no import path of their own."""
    here = os.path.dirname(os.path.realpath(__file__))
    path = os.path.join(here, "..", "plugin_utils", name + ".py")
    spec = importlib.util.spec_from_file_location("coffer_role_" + name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


api = _room("coffer_api")
checks = _room("coffer_checks")
keyfile = _room("coffer_keyfile")
seals = _room("coffer_seals")
NOBODY = "No unseal keys were given"
POLL_S = 0.5
TAKE_OVER_S, STEP_DOWNS = 20, 3  # for another node to be active; asked so often to step down
Node = api.Node


class Stop(AnsibleError):
    """The play stops here; the message says what to do."""


class ActionModule(ActionBase):
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        del tmp
        self._vars = task_vars or {}
        verbs = {
            "check_files": self._check_files,
            "check_host": self._check_host,
            "look": self._look,
            "seal_secrets": self._seal_secrets,
            "start": self._start,
            "initialise": self._initialise,
            "unseal": self._unseal,
            "await_ready": self._await_ready,
            "restart": self._restart,
            "reload": self._reload,
            "order": self._order,
            "save_snapshot": self._save_snapshot,
            "snapshot_token": self._snapshot_token,
            "remove_peer": self._remove_peer,
        }
        verb = verbs.get(self._task.args.get("do"))
        if verb is None:
            raise Stop(f"coffer_cluster: do must be one of {', '.join(verbs)}")
        try:
            result.update(verb())
        except Stop as stop:
            result.update(failed=True, msg=str(stop))
        except (keyfile.KeyFileError, checks.Unfit, seals.BadSeal) as error:
            result.update(failed=True, msg=str(error))
        except api.Refusal as refusal:
            result.update(failed=True, msg=f"{self._me} refused: {refusal}")
        except api.ApiError as error:
            result.update(failed=True, msg=f"{self._me} ({error.state}): {error}")
        return result

    # The facts of the play.

    def _var(self, name, default=None):
        value = self._vars.get(name, default)
        value = self._templar.template(value) if value is not None else None
        return default if value is None else value

    @property
    def _me(self):
        return str(self._vars["inventory_hostname"])

    @property
    def _check(self):
        return bool(self._task.check_mode)

    def _file(self, name):
        path = str(self._var(name, "") or "")
        return os.path.abspath(os.path.expanduser(path)) if path else None

    def _nodes(self):
        """All members of the group, also those outside of this run."""
        group = str(self._var("coffer_group"))
        scheme = "http" if self._var("coffer_tls") == "none" else "https"
        nodes = []
        for host in self._vars["groups"].get(group, []):
            its = self._vars["hostvars"][host]
            address = its.get("coffer_address") or its.get("ansible_host") or host
            port = its.get("coffer_port") or self._var("coffer_port")
            shown = f"[{address}]" if ":" in str(address) else address
            url = its.get("coffer_api_addr") or f"{scheme}://{shown}:{port}"
            name = its.get("coffer_tls_servername") or None
            node_id = str(its.get("coffer_node_id") or host)
            ca_file = self._file("coffer_tls_ca_file") if scheme == "https" else None
            node = Node(str(host), node_id, str(url), name and str(name), ca_file)
            said = self._var if host == self._me else its.get
            node.votes = str(said("coffer_non_voter")).lower() not in ("true", "yes", "on", "1")
            nodes.append(node)
        return nodes

    def _own(self):
        own = [node for node in self._nodes() if node.host == self._me]
        if not own:
            group = self._var("coffer_group")
            raise Stop(f"{self._me} is not in the group {group}: add it there in the inventory")
        return own[0]

    def _keys_file(self):
        return keyfile.KeyFile(self._file("coffer_keys_file"), self._loader._vault)

    def _given_keys(self):
        """Those that were asked for, or of the variable: a list, or a text with commas or lines."""
        try:
            given = self._var("coffer_asked_keys") or self._var("coffer_unseal_keys") or []
        except AnsibleError as error:
            raise Stop(f"coffer_unseal_keys cannot be read: {error}") from None
        # A text of ansible-vault's is no str before 2.19.
        if isinstance(given, str) or getattr(given, "__ENCRYPTED__", False):
            given = re.split(r"[^A-Za-z0-9+/=_-]+", str(given))
        return [str(key).strip() for key in given if str(key).strip()]

    def _unseal_keys(self):
        """Of a cluster that this run has founded, those of the file: others can not be its own."""
        founded = (self._var("coffer_founded") or {}).get("changed")
        given = [] if founded else self._given_keys()
        if given:
            return given
        fields = self._keys_file().read()
        return fields.get("coffer_unseal_keys") or fields.get("coffer_recovery_keys") or []

    def _token(self):
        token = str(self._var("coffer_token") or "").strip()
        return token or self._keys_file().read().get("coffer_root_token") or ""

    def _need_token(self, what):
        token = self._token()
        if not token:
            raise Stop(
                f"{what} needs a token: set VAULT_TOKEN, or coffer_token by a lookup. "
                "ansible/README.md has a policy that allows just this."
            )
        return token

    def _poll(self, seconds, look):
        """Asks until `look` says yes with (True, _), or returns the last reason. Where nothing is
        changed, waiting changes nothing either."""
        end = time.monotonic() + (0 if self._check else float(seconds))
        while True:
            try:
                done, why = look()
            except (api.ApiError, api.Refusal) as error:
                done, why = False, str(error)
            if done or time.monotonic() >= end:
                return done, why
            time.sleep(POLL_S)

    def _sight(self, fine=()):
        """All members, looked at; nothing that is not coffer's, and one cluster."""
        seen = api.look_at(self._nodes())
        for one in seen.values():
            where = f"{one['host']} ({one['url']})"
            if one["state"] == api.FOREIGN:
                raise Stop(
                    f"{where} is answered by something that is not coffer: {one['why']}. Nothing "
                    "was changed. Stop that program there, or give coffer another coffer_port."
                )
            if one["state"] in (api.UNTRUSTED, api.EXPIRED) and one["state"] not in fine:
                raise Stop(
                    f"{where} answers with a certificate that is not trusted: {one['why']}. Check "
                    "coffer_tls_ca_file, coffer_tls_servername, the certificate's names and dates, "
                    "and both clocks."
                )
        clusters = {}
        for one in seen.values():
            if one.get("cluster_id"):
                clusters.setdefault(one["cluster_id"], []).append(one["host"])
        if len(clusters) > 1:
            told = "; ".join(f"{', '.join(who)}: {which}" for which, who in clusters.items())
            raise Stop(
                f"the group holds members of different clusters ({told}). Nothing was changed. "
                "Take those of one cluster out of the group, or wipe their data directories when "
                "their secrets are not needed."
            )
        return seen

    # Verbs.

    def _check_files(self):
        """Files on the controller: there, private, and fit for each other."""
        self._keys_file().check()
        self._seals()
        if self._var("coffer_tls") == "none":
            return {"changed": False}
        checks.files_are_there(self._tls_files())
        return {"changed": False}

    def _seals(self):
        try:
            return seals.check(self._var("coffer_seals") or [])
        except AnsibleError as error:
            raise Stop(f"coffer_seals cannot be read: {error}") from None

    def _seal_places(self):
        """Where the data, the configuration and the seals' secrets are on a host."""
        names = ("coffer_data_dir", "coffer_config_dir", "coffer_seal_secrets_dir")
        return [str(self._var(name)).rstrip("/") for name in names]

    def _check_seals(self, host):
        """Stanzas without secrets, and warnings."""
        all_seals, places = self._seals(), self._seal_places()
        medium = str(self._var("coffer_seal_medium_dir")) if self._var("coffer_seal_medium") else ""
        if medium and f"{places[2]}/".startswith(f"{medium}/"):
            raise Stop(
                f"coffer_seal_secrets_dir is on coffer_seal_medium, which is mounted read-only: put "
                f"the secret on it yourself and give file://{medium}/NAME, or mount it otherwise."
            )
        given = all_seals, self._var("coffer_environment") or {}, self._var("coffer_extra_config")
        told = seals.warnings(self._me, given, host["disks"], places)
        return seals.stanzas(all_seals, places[2], medium), told

    def _seal_secrets(self):
        """Over a pipe, so that no file of a task's arguments is left on a card."""
        folder = self._seal_places()[2]
        files = seals.secrets(self._seals(), folder)
        if not files:
            return {"changed": False}
        wanted = {"folder": folder, "group": "coffer", "files": files}
        done = self._execute_module("coffer_secrets", wanted, None, self._vars)
        if done.get("failed"):
            raise Stop(f"the seal's secrets cannot be kept on {self._me}: {done.get('msg')}")
        return {"changed": bool(done.get("changed")), "written": done.get("written")}

    def _tls_files(self):
        names = ("coffer_tls_ca_file", "coffer_tls_cert_file", "coffer_tls_key_file")
        return {name: self._file(name) for name in names}

    def _check_tls(self):
        """Warnings; a certificate that would not do ends the play here."""
        if self._var("coffer_tls") == "none":
            return [
                "coffer_tls is none: tokens, unseal keys and secrets cross the network in the "
                "clear. This is for a network that you trust wholly, and all that is on it."
            ]
        files = list(self._tls_files().values())
        if checks.is_encrypted(files[2]):
            return []  # Ansible opens it for the copy; a handshake needs it in the clear.
        address = str(self._var("coffer_address"))
        name = str(self._var("coffer_tls_servername") or "")
        expected = name or (None if self._var("coffer_api_addr") else address)
        days = checks.certificate(*files, expected)
        if self._var("coffer_join") == "mdns" and not name:
            checks.fit_for_mdns(*files, address)
        told = checks.runs_out(files[1], days)
        return [told] if told else []

    def _check_listeners(self):
        host = str(self._var("coffer_bind") or "").strip("[]")
        first = {}
        for name in ("coffer_port", "coffer_cluster_port"):
            port = int(self._var(name))
            first[f"{host}:{port}"] = (host, port)
        checks.listeners(first, self._var("coffer_listeners") or [])

    def _check_host(self):
        """Returns the facts of this host from the module coffer_host."""
        host = self._var("coffer_host")
        if host.get("unreachable"):
            why = str(host.get("msg", "")).strip()
            raise Stop(
                f"{self._me} is out of reach ({why}). The run ends here, before it changes anything "
                f"more on any host. Switch it on, or leave it out with --limit 'all:!{self._me}'; a "
                "cluster that is not initialised yet needs all hosts."
            )
        binary = checks.binary_for(self._me, host, self._var("coffer_arch_of"), self._binaries())
        if not host["systemd"]:
            raise Stop(
                f"{self._me} does not run systemd, and the node is a service of it: install an "
                "operating system that does."
            )
        checks.clock(self._me, float(host["time"]), float(self._var("coffer_clock_skew_s")))
        warnings = self._check_tls()
        self._check_listeners()
        for taken in host["taken"]:
            raise Stop(
                f"Port {taken['port']} on {self._me} is held by {taken['program']} (process "
                f"{taken['pid']}), which is not {self._var('coffer_unit')}. Nothing was changed on "
                "any host. If that is a Vault whose secrets you need, save a snapshot of it first; "
                "then stop and disable it, or set coffer_port and coffer_cluster_port to others."
            )
        with open(binary, "rb") as file:
            found = {"changed": False, "binary": binary, "sha256": api.sha256(file)}
        same = checks.same(self._var("coffer_places"), host["places"])
        stanzas, told = self._check_seals(host)
        return {**found, "same": same, "warnings": warnings + told, "stanzas": stanzas}

    def _binaries(self):
        arch = str(self._var("coffer_arch") or "")
        return arch, self._file("coffer_binary"), self._file("coffer_dist")

    def _look(self):
        self._given_keys()  # A lookup that fails does so here, and not when half is done.
        self._check_init_host()
        seen = self._sight(fine=(api.EXPIRED,))
        member = next((one for one in seen.values() if one["state"] in api.MEMBERS), None)
        found = {"changed": False, "nodes": seen, "active": self._active_of(seen), "threshold": 0}
        if member:
            node = next(node for node in self._nodes() if node.host == member["host"])
            status = node.seal_status()
            self._same_seal(member, status)
            # Recovery keys open nothing: nobody is asked for them.
            found["threshold"] = 0 if status.get("recovery_seal") else int(status["t"])
        return found

    def _same_seal(self, member, status):
        """A seal is changed by a ceremony, and not by a file."""
        wanted = [seal["type"] for seal in self._seals() if not seal.get("disabled")] or ["shamir"]
        if status["type"] in wanted or self._var("coffer_extra_config"):
            return
        if self._var("coffer_seal_migrate"):
            return
        raise Stop(
            f"the cluster's seal is {status['type']} ({member['host']}), and coffer_seals says "
            f"{', '.join(wanted)}. Nothing was changed. `-e coffer_seal_migrate=true` moves the "
            "cluster there node by node, with enough of its keys; a seal that it leaves stays in "
            "coffer_seals with disabled: true until then."
        )

    def _check_init_host(self):
        first = str(self._var("coffer_init_host"))
        chosen = [node for node in self._nodes() if node.host == first]
        if not chosen:
            raise Stop(f"coffer_init_host {first} is not in the group {self._var('coffer_group')}")
        if not chosen[0].votes:
            raise Stop(
                f"coffer_init_host {first} has coffer_non_voter, but who founds a cluster votes in "
                "it: set coffer_init_host to another host."
            )
        return chosen[0]

    @staticmethod
    def _active_of(seen):
        return next((one["host"] for one in seen.values() if one["state"] == api.ACTIVE), "")

    def _initialise(self):
        """Once, and only when every member was seen and none belongs to a cluster."""
        nodes = self._nodes()
        done, why = self._poll(self._var("coffer_start_wait_s"), lambda: self._all_answer(nodes))
        seen = self._sight()
        members = [one["host"] for one in seen.values() if one["state"] in api.MEMBERS]
        if members:
            return {"changed": False, "msg": f"already initialised: {', '.join(members)}"}
        if not self._var("coffer_init"):
            return {"changed": False, "msg": "no cluster yet, and coffer_init is false"}
        if self._check and not done:
            return {"changed": True, "msg": "would initialise"}
        if not done:
            raise Stop(
                f"not initialised, because {why}: that host may hold the cluster already, and a "
                "second one must not be founded beside it. Bring it back, or take it out of the "
                "inventory, and run this again."
            )
        chosen = self._check_init_host()
        file = self._keys_file()
        shares, threshold = int(self._var("coffer_shares")), int(self._var("coffer_threshold"))
        with file.reserve(self._check) as reserved:
            if self._check:
                return {"changed": True, "msg": f"would initialise on {chosen.host}"}
            # A seal of coffer_seals opens the nodes, so the keys are recovery keys.
            kind = "secret" if chosen.seal_status()["type"] == "shamir" else "recovery"
            body = {f"{kind}_shares": shares, f"{kind}_threshold": threshold}
            made = self._found(chosen, body)
            kept, field = ("unseal", "keys") if kind == "secret" else ("recovery", "recovery_keys")
            reserved.keep(
                {
                    f"coffer_{kept}_keys": made[f"{field}_base64"],
                    f"coffer_{kept}_threshold": threshold,
                    "coffer_root_token": made["root_token"],
                }
            )
        return {"changed": True, "msg": f"initialised on {chosen.host}; the keys are in {file.path}"}

    @staticmethod
    def _all_answer(nodes):
        seen = api.look_at(nodes)
        if any(one["state"] in api.MEMBERS for one in seen.values()):
            return True, ""
        silent = [one for one in seen.values() if one["state"] not in api.ANSWERS]
        told = "; ".join(f"{one['host']} does not answer ({one['why']})" for one in silent)
        return not silent, told

    @staticmethod
    def _found(node, body):
        try:
            return node.call("PUT", "sys/init", body, timeout=60)
        except api.Refusal as refusal:
            raise Stop(f"{node.host} refused to initialise: {refusal}") from None
        except api.ApiError as error:
            raise Stop(
                f"the answer of {node.host} to init got lost ({error}). If it is initialised now, "
                "its keys are known to nobody, and it is empty: stop it there, empty its data "
                "directory, and run this again."
            ) from None

    def _unseal(self):
        node = self._own()
        wait = self._var("coffer_join_wait_s")
        done, why = self._poll(wait, lambda: self._knows_a_cluster(node))
        if not done:
            return self._not_unsealed(why)
        status = node.seal_status()
        if not status["sealed"]:
            return {"changed": False, "sealed": False}
        if status.get("recovery_seal") and not status.get("migration"):
            return self._opened_by_its_seal(node)
        keys = self._unseal_keys()
        if not keys:
            file = self._file("coffer_keys_file")
            say = f"{NOBODY} ({file} is not there): {self._me} stays sealed. Unseal it by hand."
            return {"changed": False, "sealed": True, "msg": say}
        if self._check:
            return {"changed": True, "sealed": True, "msg": "would unseal"}
        self._submit(node, keys, status)
        return {"changed": True, "sealed": False}

    def _opened_by_its_seal(self, node):
        wait = self._var("coffer_join_wait_s")
        done, _why = self._poll(wait, lambda: self._is_unsealed(node))
        if done or self._check:
            return {"changed": False, "sealed": not done}
        status = node.seal_status()
        told = "; ".join(str(one) for one in status.get("warnings") or []) or "it is asking yet"
        raise Stop(
            f"{self._me} is still sealed after {wait} s, and its {status['type']} seal opens it, no "
            f"key: {told}. It goes on asking by itself; mend that, and run this again."
        )

    def _knows_a_cluster(self, node):
        one = node.look()
        if one["state"] == api.UNINITIALISED:
            return False, "it found no cluster to join"
        return one["state"] in api.MEMBERS, one["why"]

    def _not_unsealed(self, why):
        if self._check or not self._any_member():
            say = f"{self._me} is in no cluster yet ({why})"
            return {"changed": False, "sealed": True, "msg": say}
        raise Stop(
            f"{self._me} should join the cluster, but {why}. Look at `journalctl -u coffer` there: "
            "each attempt to join says why it failed. At least one member must be unsealed."
        )

    def _any_member(self):
        return any(one["state"] in api.MEMBERS for one in api.look_at(self._nodes()).values())

    def _submit(self, node, keys, status):
        threshold = int(status["t"])
        if len(keys) < threshold:
            raise Stop(
                f"{self._me} needs {threshold} unseal keys, and {len(keys)} were given. It was "
                "given none of them."
            )
        if status.get("progress"):
            node.call("PUT", "sys/unseal", {"reset": True})
        # The holders allow the new seal: it is in force once a node that has it is active.
        moves, wrong = {"migrate": True} if status.get("migration") else {}, None
        try:
            for key in keys[:threshold]:
                node.call("PUT", "sys/unseal", {"key": key, **moves}, timeout=60)
        except api.Refusal as refusal:
            wrong = str(refusal)
        wait = self._var("coffer_join_wait_s")
        done = wrong is None and self._poll(wait, lambda: self._is_unsealed(node))[0]
        if done:
            return
        try:
            node.call("PUT", "sys/unseal", {"reset": True})
        except (api.Refusal, api.ApiError):
            pass  # It is sealed, and its progress is gone with its process.
        why = wrong or "it took them, but did not open its store in time"
        raise Stop(
            f"{self._me} was not unsealed: {why}. It stays sealed and keeps what it has. If the "
            "keys are wrong, give those of this cluster (coffer_unseal_keys or coffer_keys_file); "
            "the log there (`journalctl -u coffer`) has the details."
        )

    @staticmethod
    def _is_unsealed(node):
        return not node.seal_status()["sealed"], "it is sealed"

    def _await_ready(self):
        """Unsealed; with a token also: a voter (or what it shall be), in contact, caught up."""
        node = self._own()
        if self._check or node.look()["state"] in (api.SEALED, api.UNINITIALISED):
            return {"changed": False, "msg": "not unsealed: not looked at any further"}
        return self._be_ready(node)

    def _be_ready(self, node):
        token = self._token()
        leader = []
        wait = self._var("coffer_ready_wait_s")
        done, why = self._poll(wait, lambda: self._is_ready(node, token, leader))
        if not done:
            raise Stop(
                f"{node.host} is not what it should be after {wait} s: {why}. The run stops here "
                "and goes no further; `coffer operator raft list-peers` and the log there "
                "(`journalctl -u coffer`) tell more. Run it again when that is settled."
            )
        checked = "and a member in good health" if token else "(no token: its vote was not checked)"
        return {"changed": False, "msg": f"{node.host} is {why} {checked}"}

    def _is_ready(self, node, token, marks):
        one = node.look()
        if one["state"] not in api.SERVING:
            return False, f"it is {one['state']} {one['why']}"
        if not marks:
            # The index of the cluster when the wait began: reaching it is catching up.
            active = self._active_node()
            if active is None:
                return False, "no member is active"
            marks.append(int(active.leader().get("raft_committed_index") or 0))
        applied = int(node.leader().get("raft_applied_index") or 0)
        if applied < marks[0]:
            return False, f"it has {applied} of {marks[0]} entries"
        if token:
            server = node.autopilot(token)["servers"].get(node.node_id)
            if server is None:
                return False, "it is not among the members"
            checks.suffrage(node, server)
            wanted = ("leader", "voter") if node.votes else ("non-voter",)
            if server["status"] not in wanted:
                return False, f"it is a {server['status']} yet"
            if not server["healthy"]:
                return False, "the active node does not find it healthy"
        return True, one["state"]

    def _active_node(self):
        nodes = self._nodes()
        active = self._active_of(api.look_at(nodes))
        return next((node for node in nodes if node.host == active), None)

    def _need_active(self, what):
        """Waits for one: between two leaders there is none."""
        end = time.monotonic() + (0 if self._check else TAKE_OVER_S)
        while (active := self._active_node()) is None:
            if time.monotonic() >= end:
                raise Stop(f"{what}: no member is active. Unseal a quorum first.")
            time.sleep(POLL_S)
        return active

    def _restart(self):
        """One node at a time, leadership first; goes on only when it is again what it was."""
        node = self._own()
        if self._check:
            return {"changed": True, "msg": "would restart"}
        before = node.look()["state"]
        if before in api.SERVING:
            self._spare_quorum(node)
        if before == api.ACTIVE:
            self._step_down(node)
        self._service(state="restarted", daemon_reload=True)
        wait = self._var("coffer_start_wait_s")
        done, why = self._poll(wait, lambda: self._answers(node))
        if not done:
            raise Stop(
                f"{self._me} does not answer {wait} s after its start: {why}. Its log's end:\n"
                f"{self._journal()}"
            )
        if before not in api.SERVING:
            return {"changed": True}
        unsealed = self._unseal()
        if unsealed["sealed"]:
            raise Stop(
                f"{self._me} was restarted and is sealed, and no keys were given. Unseal it by "
                "hand, then run this again: it goes on with the next."
            )
        return {**self._be_ready(node), "changed": True}

    def _reload(self):
        """New certificates, without a restart; done when they are what the node shows."""
        if self._check:
            return {"changed": True, "msg": "would reload"}
        self._service(state="reloaded")
        node, wait = self._own(), self._var("coffer_start_wait_s")
        shown = checks.own_certificate(self._file("coffer_tls_cert_file"))
        done, why = self._poll(wait, lambda: (node.certificate() == shown, "it shows another one"))
        if not done:
            raise Stop(
                f"{self._me} does not show its new certificate after {wait} s: {why}. It goes on "
                f"with the one it had. Its log's end:\n{self._journal()}"
            )
        return {"changed": True}

    def _start(self):
        """Now and at each boot."""
        return {"changed": self._service(state="started")}

    def _service(self, **wanted):
        unit = str(self._var("coffer_unit"))
        wanted = {"name": unit, "enabled": True, **wanted}
        done = self._execute_module("ansible.builtin.systemd_service", wanted, None, self._vars)
        if not done.get("failed"):
            return bool(done.get("changed"))
        if self._check:
            return True  # The unit would have been there by now.
        verb = "reload" if wanted["state"] == "reloaded" else "start"
        raise Stop(
            f"{unit} did not {verb} on {self._me}: {str(done.get('msg')).strip()} Its log's end:\n"
            f"{self._journal()}"
        )

    @staticmethod
    def _answers(node):
        one = node.look()
        return one["state"] in api.ANSWERS, one["why"]

    def _journal(self):
        unit = str(self._var("coffer_unit"))
        command = f"SYSTEMD_COLORS=0 journalctl --no-pager -o cat -n 40 -u {unit}"
        text = self._low_level_execute_command(command).get("stdout", "")
        return re.sub(r"\x1b\[[0-9;]*m|\r", "", text)

    def _spare_quorum(self, node):
        seen = self._sight()
        others = [one for one in seen.values() if one["host"] != node.host]
        serving = [one for one in others if one["state"] in api.SERVING]
        began = (self._var("coffer_seen") or {}).get("nodes", {})
        for one in others:
            if one not in serving and began.get(one["host"], {}).get("state") in api.SERVING:
                raise Stop(
                    f"{node.host} was left running as it is, because {one['host']} served when "
                    f"this run began, and now is {one['state']} {one['why']}."
                )
        voters = {other.host for other in self._nodes() if other.votes}
        quorum = len(voters) // 2 + 1
        left = [one for one in serving if one["host"] in voters]
        if node.host in voters and len(voters) >= 3 and len(left) < quorum:
            told = ", ".join(f"{one['host']} is {one['state']}" for one in others)
            raise Stop(
                f"{node.host} was left running as it is: without it too few would serve ({told}). "
                "Bring the others back first (site.yml), then run this again."
            )

    def _step_down(self, node):
        """Asks again before it gives up. Without a token the node does so when it is told to stop."""
        token = self._token()
        others = [one for one in self._nodes() if one.host != node.host and one.votes]
        if not token or not any(one["state"] == api.STANDBY for one in api.look_at(others).values()):
            return
        taking_over = api.TakeOver(node, others)
        for _asked in range(STEP_DOWNS):
            try:
                taking_over.ask(token)
            except api.Refusal as refusal:
                needs = "The token needs update and sudo on sys/step-down."
                raise Stop(f"{node.host} did not step down: {refusal}. {needs}") from None
            if self._poll(TAKE_OVER_S, taking_over.look)[0]:
                return
        raise Stop(
            f"nobody took over from {node.host}, asked {STEP_DOWNS} times: it was left running. "
            f"Seen: {taking_over.told}. `journalctl -u coffer` on these hosts says why."
        )

    def _order(self):
        """Standbys first, the active node last; all of them must be well."""
        token = self._need_token("An upgrade")
        seen = self._sight()
        for one in seen.values():
            if one["state"] not in api.SERVING:
                raise Stop(
                    f"not begun: {one['host']} is {one['state']} {one['why']}. An upgrade takes "
                    "nodes away one after the other, so all must be there first: bring it back "
                    "(site.yml) or remove it (remove.yml)."
                )
        active = self._need_active("not begun")
        state = active.autopilot(token)
        unwell = [name for name, one in state["servers"].items() if not one["healthy"]]
        if unwell:
            raise Stop(f"not begun: the active node does not find {', '.join(unwell)} healthy")
        order = [host for host in seen if host != active.host] + [active.host]
        return {"changed": False, "order": order}

    def _save_snapshot(self):
        token = self._need_token("A snapshot")
        directory = self._file("coffer_snapshot_dir")
        name = time.strftime("coffer-%Y%m%dT%H%M%SZ.snap", time.gmtime())
        path = os.path.join(directory, name)
        active = self._need_active("no snapshot")
        if self._check:
            return {"changed": True, "path": path}
        part = path + ".part"
        try:
            os.makedirs(directory, mode=0o700, exist_ok=True)
            handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            raise Stop(f"no snapshot: {error}. Set coffer_snapshot_dir to a place of yours.") from None
        try:
            problem = api.download_snapshot(active, token, handle, part)
            if problem:
                raise Stop(f"no snapshot: {problem}")
            os.rename(part, path)
        except BaseException:
            os.unlink(part)
            raise
        return {"changed": True, "path": path, "bytes": os.path.getsize(path)}

    def _snapshot_token(self):
        """One that may read snapshots, for the timer of this host; renewed by its use."""
        token = self._need_token("Making a token for the timer")
        if self._check:
            return {"changed": True}
        active = self._need_active("no token for the timer")
        policy = 'path "sys/storage/raft/snapshot" { capabilities = ["read"] }'
        name = "coffer-snapshot"
        active.call("PUT", f"sys/policies/acl/{name}", {"policy": policy}, token)
        body = {"policies": [name], "period": "768h", "display_name": f"snapshot-{self._me}"}
        made = active.call("POST", "auth/token/create-orphan", body, token)
        # Censored wherever results are shown.
        return {"changed": True, "token": made["auth"]["client_token"], "_ansible_no_log": True}

    def _remove_peer(self):
        """Answered by any member that serves; the cluster itself refuses what costs its quorum."""
        token = self._need_token("Removing a member")
        target = self._own()
        nodes = [node for node in self._nodes() if node.host != target.host]
        seen = api.look_at(nodes)
        by_state = {one["state"]: one["host"] for one in seen.values()}
        helper = by_state.get(api.ACTIVE) or by_state.get(api.STANDBY)
        if not helper:
            raise Stop(
                f"{target.host} was not removed: no other member serves. When it is the last one, "
                "stop the service there yourself; when the quorum is lost, README.md has the way."
            )
        via = next(node for node in nodes if node.host == helper)
        if all(server["node_id"] != target.node_id for server in via.configuration(token)):
            return {"changed": False, "msg": f"{target.node_id} is no member"}
        if self._check:
            return {"changed": True, "msg": f"would remove {target.node_id}"}
        try:
            body = {"server_id": target.node_id}
            via.call("POST", "sys/storage/raft/remove-peer", body, token, timeout=60)
        except api.Refusal as refusal:
            raise Stop(
                f"{target.node_id} stays a member, and its host was not touched: {refusal}"
            ) from None
        done, why = self._poll(30, lambda: self._is_out(via, token, target.node_id))
        if not done:
            raise Stop(f"{target.node_id} was to be removed, but {why}: its host was not touched")
        return {"changed": True, "msg": f"{target.node_id} is no member any more"}

    @staticmethod
    def _is_out(via, token, node_id):
        left = [server["node_id"] for server in via.configuration(token)]
        return node_id not in left, "it is still listed"
